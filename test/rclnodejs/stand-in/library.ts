import { execSync } from 'node:child_process';
import { decodeString } from '../../rtps/string-sample';
import { ActionClient, ActionServer, request, respond } from './actions';
import { Context, type Endpoint, QoS, type Sample } from './bus';
import type { LossEvent } from './commands';
import { fault, mustBearTheLoop, wait } from './faults';
import { classOf, contentOf, contents, type Message } from './messages';
import { Node } from './node';

/**
 * Stands in for the library rclnodejs, which needs a ROS 2 installation, where only the process around it is tested:
 * its starting, framing, backpressure and ends. It carries messages within one process, with one node of somebody else
 * in each domain, and is as unforgiving as the library: a throw out of a callback aborts the process, and so does
 * CDR under 4 bytes. What it does with messages proves nothing about ROS 2; the contract suite does that.
 */

switch (fault) {
  case 'abort':
    process.abort();
    break;
  case 'rebuild':
    execSync('npm run rebuild');
    break;
  case 'rmw':
    console.error('Expected RMW implementation identifier of one, but found another, exiting with 102.');
    process.exit(102);
    break;
  case 'throw':
    throw new Error('the stand-in does not load');
}

/** Loads as the library's addon. */
require.extensions['.node'] = (addon) => {
  addon.exports = {
    rclTakeRaw: (subscription: Endpoint) => take(subscription)?.cdr,
    // The middleware counts nothing, and tells a number of its own of the publisher.
    rclTakeWithInfo: (subscription: Endpoint, structure: Buffer) => {
      const { cdr, stamp } = take(subscription) ?? {};
      if (cdr === undefined) return undefined;
      contents.set(structure, cdr);
      return {
        source_timestamp: stamp,
        publication_sequence_number: -1n,
        publisher_gid: Buffer.alloc(16, 9),
      };
    },
    createSubscriptionEventHandle: (subscription: Endpoint): LossEvent => ({ subscription, lost: [] }),
    takeEvent: ({ lost }: LossEvent) => ({ total_count_change: lost.shift() }),
    actionSendGoalRequest: request('send_goal'),
    actionSendCancelRequest: request('cancel_goal'),
    actionSendResultRequest: request('get_result'),
    actionSendGoalResponse: respond,
    actionSendCancelResponse: respond,
    actionSendResultResponse: respond,
  };
};

function take({ queue }: Endpoint): Sample | undefined {
  const sample = queue.shift();
  if (sample !== undefined && decodeString(sample.cdr) === 'throw') throw new Error('taking failed');
  return sample;
}

module.exports = {
  Context,
  Node,
  QoS,
  ActionClient,
  ActionServer,
  init: async () => {
    if (fault === 'abort-at-init') process.abort();
  },
  require: classOf,
  serializeMessage: (message: { serialize(): Buffer }, Class: unknown) => {
    if (!(message instanceof (Class as new () => object))) throw new Error('not of the class');
    return contentOf(message.serialize());
  },
  deserializeMessage: (cdr: Buffer, Class: new () => Message) => {
    if (cdr.length < 4) process.abort();
    const message = new Class();
    contents.set(message.toRawROS(), cdr);
    return message;
  },
  removeSignalHandlers: () => {},
  shutdownAll: () => {
    mustBearTheLoop();
    while (fault === 'hang-at-end') wait();
  },
};
