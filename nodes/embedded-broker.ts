import { join } from 'node:path';
import type { Node, NodeAPI, NodeDef } from 'node-red';
import { BrokerThread, type BrokerThreadStatus } from '../src/broker/broker-thread';
import { defaultLimits } from '../src/broker/limits';
import { WebSocketPath } from '../src/broker/listeners/websocket-path';
import type { UpstreamSettings } from '../src/broker/upstream/upstream-settings';
import { ACTION_NAMES, ActionError, runAction } from './embedded-actions';
import { type CapabilityFields, formCapabilities } from './embedded-capabilities';
import { FieldError, type ListenerFields, listenersOf, pathsOf } from './embedded-listeners';
import { type UpstreamFields, upstreamsOf } from './embedded-upstream';

interface Fields extends NodeDef, ListenerFields, CapabilityFields, UpstreamFields {
  allowAnonymous: boolean;
  /** Absent in flows of before it existed. */
  persistence?: 'memory' | 'disk';
  durability?: 'write' | 'strict';
}

interface Credentials {
  tlsPassphrase?: string;
}

export interface EmbeddedBrokerNode extends Node<Credentials> {
  /** The broker; none when the form cannot be used. */
  thread: BrokerThread | undefined;
}

export default function (RED: NodeAPI): void {
  function EmbeddedBroker(this: EmbeddedBrokerNode, fields: Fields) {
    RED.nodes.createNode(this, fields);
    const text = (key: string, values: Record<string, string | number> = {}) =>
      RED._(`embedded-broker.${key}`, values);

    const refuse = (fault: string): void => {
      this.status({ fill: 'red', shape: 'ring', text: fault });
      this.error(fault);
    };
    const capabilities = formCapabilities(fields);
    if ('fault' in capabilities) {
      return refuse(text(`errors.${capabilities.fault}`, { value: capabilities.value }));
    }
    let upstreams: UpstreamSettings[];
    try {
      upstreams = upstreamsOf(RED, fields, this.id, text);
    } catch (error) {
      return refuse((error as Error).message);
    }
    const { userDir } = RED.settings;
    let thread: BrokerThread;
    let paths: WebSocketPath[];
    try {
      thread = new BrokerThread({
        listeners: listenersOf(fields, this.credentials?.tlsPassphrase),
        allowAnonymousBeyondLoopback: fields.allowAnonymous === true,
        capabilities,
        upstreams,
        ...(fields.persistence !== 'memory' &&
          userDir !== undefined && {
            storage: {
              directory: join(userDir, 'mqtt-ros', `broker-${this.id}`),
              durability: fields.durability === 'strict' ? 'strict' : 'write',
            },
          }),
      });
      const root = `/${RED.settings.httpNodeRoot || ''}`;
      paths = pathsOf(fields, root).map(
        ({ path, origins }) => new WebSocketPath(RED.server, path, thread, origins, defaultLimits.packetSize),
      );
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      return refuse(text(`errors.${error.field}`, { value: error.value }));
    }
    this.thread = thread;

    let clients = 0;
    let joined = upstreams.length === 0;
    let upstreamLine = '';
    let shown = '';
    const show = ({ state, reason, listeners }: BrokerThreadStatus): void => {
      const addresses = listeners.map(
        ({ kind, host, port }) => `${kind === 'tcp' ? '' : `${kind}://`}${host}:${port}`,
      );
      const address = [...addresses, ...paths.map(({ path }) => path)].join(', ') || text('status.inProcess');
      const line =
        state === 'running'
          ? `${address} · ${text(clients === 1 ? 'status.client' : 'status.clients', { clients })}${upstreamLine}`
          : text(`status.${state}`, { reason: reason ?? '' });
      if (line === shown) return;
      shown = line;
      const looks = {
        starting: { fill: 'yellow', shape: 'ring' },
        running: { fill: joined ? 'green' : 'yellow', shape: 'dot' },
        restarting: { fill: 'yellow', shape: 'ring' },
        stopped: { fill: 'grey', shape: 'ring' },
        error: { fill: 'red', shape: 'ring' },
      } as const;
      this.status({ ...looks[state], text: line });
    };

    thread.on('status', (status) => {
      if (status.state !== 'running') clients = 0;
      show(status);
      if (status.state === 'restarting')
        this.error(text('errors.restarting', { reason: status.reason ?? '' }));
    });
    thread.on('statistics', (statistics) => {
      clients = statistics.clients;
      show(thread.status);
    });
    thread.on('event', (event) => {
      this.send({ topic: event.type, payload: event });
      if (event.type === 'storage') {
        const line = text(`errors.storage.${event.state}`, { reason: event.reason });
        if (event.state === 'recovered') this.log(line);
        else this.error(line);
      }
      if (event.type === 'upstream') {
        const reason = { reason: event.reason ?? '' };
        joined = event.state === 'connected' || event.state === 'disconnected';
        upstreamLine = ` · ${text(`status.upstream.${event.state}`, reason)}`;
        show(thread.status);
        if (event.state === 'connected') this.log(text('log.upstream.connected'));
        else if (event.reason !== undefined) this.warn(text('log.upstream.notConnected', reason));
      }
      if (event.type === 'credentials' && event.failure !== undefined) {
        this.error(text('errors.credentials', { listener: event.listener, reason: event.failure }));
      }
    });
    this.on('input', (msg, send, done) => {
      runAction(thread, msg).then(
        (answer) => {
          if (answer !== undefined) send(answer);
          done();
        },
        (error: Error) => {
          if (!(error instanceof ActionError)) return done(error);
          done(
            new Error(text(`errors.action.${error.field}`, { value: error.value, actions: ACTION_NAMES })),
          );
        },
      );
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
      for (const path of paths) path.close();
      void thread.stop().then(done);
    });
  }

  RED.nodes.registerType<EmbeddedBrokerNode, Fields, object, Credentials>('embedded-broker', EmbeddedBroker, {
    credentials: { tlsPassphrase: { type: 'password' } },
  });
}
