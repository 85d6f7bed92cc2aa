import { join } from 'node:path';
import type { Node, NodeAPI, NodeDef } from 'node-red';
import { BrokerThread, type BrokerThreadStatus } from '../src/broker/broker-thread';
import { type CapabilityFields, formCapabilities } from './embedded-capabilities';
import { wholeNumber } from './form-number';
import { formText } from './form-text';

interface Fields extends NodeDef, CapabilityFields {
  listen: boolean;
  host: string;
  port: number | string;
  allowAnonymous: boolean;
  /** Absent in flows of before it existed. */
  persistence?: 'memory' | 'disk';
  durability?: 'write' | 'strict';
}

export interface EmbeddedBrokerNode extends Node {
  /** The broker; none when the form cannot be used. */
  thread: BrokerThread | undefined;
}

export default function (RED: NodeAPI): void {
  function EmbeddedBroker(this: EmbeddedBrokerNode, fields: Fields) {
    RED.nodes.createNode(this, fields);
    const text = (key: string, values: Record<string, string | number> = {}) =>
      RED._(`embedded-broker.${key}`, values);

    const port = wholeNumber(fields.port, 0, 65_535);
    const host = formText(fields.host);
    const refuse = (fault: string): void => {
      this.status({ fill: 'red', shape: 'ring', text: fault });
      this.error(fault);
    };
    if (fields.listen && port === undefined)
      return refuse(text('errors.port', { value: String(fields.port) }));
    if (host === undefined) return refuse(text('errors.host', { value: JSON.stringify(fields.host) }));
    const capabilities = formCapabilities(fields);
    if ('fault' in capabilities) {
      return refuse(text(`errors.${capabilities.fault}`, { value: capabilities.value }));
    }
    const { userDir } = RED.settings;
    const thread = new BrokerThread({
      listeners: fields.listen && port !== undefined ? [{ host: host.trim(), port }] : [],
      allowAnonymousBeyondLoopback: fields.allowAnonymous === true,
      capabilities,
      ...(fields.persistence !== 'memory' &&
        userDir !== undefined && {
          storage: {
            directory: join(userDir, 'mqtt-ros', `broker-${this.id}`),
            durability: fields.durability === 'strict' ? 'strict' : 'write',
          },
        }),
    });
    this.thread = thread;

    let clients = 0;
    let shown = '';
    const show = ({ state, reason, listeners }: BrokerThreadStatus): void => {
      const address =
        listeners.map(({ host, port: real }) => `${host}:${real}`).join(', ') || text('status.inProcess');
      const line =
        state === 'running'
          ? `${address} · ${text(clients === 1 ? 'status.client' : 'status.clients', { clients })}`
          : text(`status.${state}`, { reason: reason ?? '' });
      if (line === shown) return;
      shown = line;
      const looks = {
        starting: { fill: 'yellow', shape: 'ring' },
        running: { fill: 'green', shape: 'dot' },
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
    });
    thread.start().catch((error: Error) => {
      // A node that is closed while it starts has nothing more to say.
      if (thread.status.state === 'error') this.error(error.message);
    });

    this.on('close', (done: () => void) => {
      thread.removeAllListeners();
      void thread.stop().then(done);
    });
  }

  RED.nodes.registerType('embedded-broker', EmbeddedBroker);
}
