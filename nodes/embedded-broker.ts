import { join } from 'node:path';
import type { Node, NodeAPI, NodeDef, NodeMessage } from 'node-red';
import { BrokerThread } from '../src/broker/broker-thread';
import { defaultLimits } from '../src/broker/limits';
import { WebSocketPath } from '../src/broker/listeners/websocket-path';
import type { UpstreamSettings } from '../src/broker/upstream/upstream-settings';
import { PAYLOAD_OUTPUTS, type PayloadOutput } from '../src/client/flow-payload';
import { watchFilterFault } from '../src/topic/topic-filter';
import { anonymousOf } from './access-rows';
import {
  type AccessCredentials,
  type AccessFields,
  accessOf,
  decisionTimeoutOf,
  usersWithoutPassword,
} from './embedded-access';
import { ACTION_NAMES, runAction } from './embedded-actions';
import { type CapabilityFields, capabilitiesOf } from './embedded-capabilities';
import { FlowDecisions, isDecision } from './embedded-decisions';
import { reportEvent } from './embedded-events';
import { type LimitFields, limitsOf } from './embedded-limits';
import { type ListenerFields, listenersOf, pathsOf } from './embedded-listeners';
import { publishedFlowMessage } from './embedded-message';
import { type Output, type OutputFields, outputsOf } from './embedded-outputs';
import { servePasswords } from './embedded-passwords';
import { BrokerStatus } from './embedded-status';
import { type UpstreamFields, upstreamsOf } from './embedded-upstream';
import { FieldError } from './field-error';
import { endMessage } from './message-end';
import { MessageFieldError } from './message-fields';
import { nodeText } from './node-text';

interface Fields
  extends NodeDef,
    ListenerFields,
    AccessFields,
    CapabilityFields,
    LimitFields,
    UpstreamFields,
    OutputFields {
  /** Absent in flows of before it existed. */
  persistence?: 'memory' | 'disk';
  durability?: 'write' | 'strict';
  watchOutput?: PayloadOutput;
}

interface Credentials extends AccessCredentials {
  tlsPassphrase?: string;
}

export interface EmbeddedBrokerNode extends Node<Credentials> {
  /** The broker; none when the form cannot be used. */
  thread: BrokerThread | undefined;
}

export default function (RED: NodeAPI): void {
  servePasswords(RED);

  function EmbeddedBroker(this: EmbeddedBrokerNode, fields: Fields) {
    RED.nodes.createNode(this, fields);
    const text = nodeText(RED, 'embedded-broker');

    const refuse = (fault: string): void => {
      this.status({ fill: 'red', shape: 'ring', text: fault });
      this.error(fault);
    };
    const textOf = (error: Error): string => {
      if (!(error instanceof FieldError)) return error.message;
      const { label, ...values } = error.values;
      return text(`errors.${error.field}`, {
        ...values,
        ...(label !== undefined && { label: text(`label.${label}`) }),
      });
    };
    const { watch = '', watchOutput = 'auto' } = fields;
    const watchFault = watch === '' ? undefined : watchFilterFault(watch);
    if (watchFault !== undefined) return refuse(watchFault);
    const { userDir } = RED.settings;
    let thread: BrokerThread;
    let upstreams: UpstreamSettings[];
    let paths: WebSocketPath[];
    let decisions: FlowDecisions;
    const credentials = this.credentials ?? {};
    try {
      if (!PAYLOAD_OUTPUTS.includes(watchOutput)) throw new FieldError('watchOutput', watchOutput);
      const limits = limitsOf(fields);
      upstreams = upstreamsOf(RED, fields, this.id);
      thread = new BrokerThread({
        listeners: listenersOf(fields, credentials.tlsPassphrase),
        allowAnonymousBeyondLoopback: anonymousOf(fields) === 'everybody',
        access: accessOf(fields, credentials),
        capabilities: capabilitiesOf(fields),
        limits,
        upstreams,
        ...(watch !== '' && { watch }),
        ...(fields.persistence !== 'memory' &&
          userDir !== undefined && {
            storage: {
              directory: join(userDir, 'mqtt-ros', `broker-${this.id}`),
              durability: fields.durability === 'strict' ? 'strict' : 'write',
            },
          }),
      });
      const { packetSize } = { ...defaultLimits, ...limits };
      const root = `/${RED.settings.httpNodeRoot || ''}`;
      paths = pathsOf(fields, root).map(
        ({ path, origins }) => new WebSocketPath(RED.server, path, thread, origins, packetSize),
      );
      const timeout = fields.decide === true ? decisionTimeoutOf(fields) : 0;
      decisions = new FlowDecisions(timeout, (id, decision) => thread.decide(id, decision));
    } catch (error) {
      return refuse(textOf(error as Error));
    }
    this.thread = thread;
    const outputs = outputsOf(fields);
    const sendOn = (output: Output, msg: NodeMessage): void => {
      const all: Array<NodeMessage | null> = outputs.map(() => null);
      all[outputs.indexOf(output)] = msg;
      this.send(all);
    };
    const status = new BrokerStatus(
      (shown) => this.status(shown),
      text,
      paths.map(({ path }) => path),
      // Of settings.js; the types do not know it.
      (RED.settings as { lang?: string }).lang,
    );
    const users = usersWithoutPassword(fields, credentials).join(', ');
    if (users !== '') this.warn(text('errors.withoutPassword', { users }));

    thread.on('status', (changed) => {
      status.thread(changed);
      if (changed.state !== 'running') {
        if (upstreams.length > 0) status.note('upstream', '', true);
        if (users !== '') status.note('users', text('status.withoutPassword', { users }), true);
      }
      if (changed.state === 'restarting')
        this.error(text('errors.restarting', { reason: changed.reason ?? '' }));
    });
    thread.on('statistics', (statistics) => status.statistics(statistics));
    thread.on('message', (message) => {
      try {
        sendOn('messages', publishedFlowMessage(message, watchOutput));
      } catch (error) {
        const raw = publishedFlowMessage(message, 'buffer');
        this.error(`${message.topic}: ${(error as Error).message}`, raw);
      }
    });
    thread.on('decision', (request) => {
      sendOn('decisions', decisions.ask(request));
    });
    thread.on('event', (event) => {
      sendOn('events', { topic: event.type, payload: event });
      reportEvent(event, this, status, text);
    });
    this.on('input', (msg, send, done) => {
      const run = async () => {
        if (!isDecision(msg)) return runAction(thread, msg);
        decisions.answer(msg);
        return undefined;
      };
      endMessage(this, { send, done }, run(), (error) => {
        if (error instanceof FieldError) return new Error(textOf(error));
        if (!(error instanceof MessageFieldError)) return error;
        const values = { value: error.value, actions: ACTION_NAMES };
        return new Error(text(`errors.action.${error.field}`, values));
      });
    });
    try {
      for (const path of paths) path.open();
    } catch (error) {
      for (const path of paths) path.close();
      refuse((error as Error).message);
      return;
    }
    thread.start().catch((error: Error) => {
      // A node that is closed while it starts has nothing more to say.
      if (thread.status.state === 'error') this.error(error.message);
    });

    this.on('close', (done: () => void) => {
      thread.removeAllListeners();
      decisions.close();
      for (const path of paths) path.close();
      void thread.stop().then(done);
    });
  }

  RED.nodes.registerType<EmbeddedBrokerNode, Fields, object, Credentials>('embedded-broker', EmbeddedBroker, {
    credentials: {
      tlsPassphrase: { type: 'password' },
      passwords: { type: 'password' },
      tokenSecret: { type: 'password' },
    },
  });
}
