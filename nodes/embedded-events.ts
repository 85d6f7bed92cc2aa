import type { Node } from 'node-red';
import type { BrokerEvent } from '../src/broker/broker-event';
import type { BrokerStatus } from './embedded-status';
import type { NodeText } from './node-text';

/** Tells the node's status, Catch and the log what goes wrong at its broker, and when it goes well again. */
export function reportEvent(event: BrokerEvent, node: Node, status: BrokerStatus, text: NodeText): void {
  switch (event.type) {
    case 'storage': {
      const line = text(`errors.storage.${event.state}`, { reason: event.reason });
      if (event.state !== 'damaged') {
        const wrong = event.state === 'failed';
        status.note('storage', wrong ? text('status.storage', { reason: event.reason }) : '', wrong);
      }
      if (event.state === 'recovered') node.log(line);
      else node.error(line);
      break;
    }
    case 'memory': {
      const wrong = event.state !== 'enough';
      status.note('memory', wrong ? text('status.memory') : '', wrong);
      if (event.state === 'enough') node.log(text('log.memory'));
      else node.warn(text(`errors.memory.${event.state}`));
      break;
    }
    case 'upstream': {
      const reason = { reason: event.reason ?? '' };
      const joined = event.state === 'connected' || event.state === 'disconnected';
      status.note('upstream', text(`status.upstream.${event.state}`, reason), !joined);
      if (event.state === 'connected') node.log(text('log.upstream.connected'));
      else if (event.reason !== undefined) node.warn(text('log.upstream.notConnected', reason));
      break;
    }
    case 'credentials': {
      const { listener, failure } = event;
      const wrong = failure !== undefined;
      status.note(`credentials of ${listener}`, wrong ? text('status.credentials') : '', wrong);
      if (wrong) node.error(text('errors.credentials', { listener, reason: failure }));
      break;
    }
    case 'overrun':
      node.warn(text('log.overrun', { count: event.count, topic: event.topic }));
  }
}
