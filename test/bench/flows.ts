import type { NodeDef } from 'node-red';
import type { QoS } from '../../src/client/connection';

/** Whose MQTT nodes a flow is made of. */
export type Palette = 'mqtt-ros' | 'core';
export type Output = 'buffer' | 'auto';

/** Nodes of the bench itself: one counts what it gets, one sends as fast as its messages are done. */
export const SINK = 'bench-sink';
export const SOURCE = 'bench-source';

type FlowNode = Pick<NodeDef, 'id' | 'type'> & Record<string, unknown>;

const broker = (palette: Palette, port: number, protocolVersion: 4 | 5): FlowNode =>
  palette === 'core'
    ? {
        id: 'broker',
        type: 'mqtt-broker',
        broker: '127.0.0.1',
        port: String(port),
        clientid: '',
        autoConnect: true,
        usetls: false,
        protocolVersion: String(protocolVersion),
        keepalive: '60',
        cleansession: true,
        autoUnsubscribe: true,
      }
    : {
        id: 'broker',
        type: 'mqtt-broker-config',
        target: 'url',
        url: `mqtt://127.0.0.1:${port}`,
        protocolVersion: String(protocolVersion),
        clientId: '',
        keepAlive: '60',
        cleanStart: true,
      };

/** One subscribing node per filter, all of them wired to one sink. */
export function subscribingFlow(
  palette: Palette,
  port: number,
  protocolVersion: 4 | 5,
  filters: readonly string[],
  qos: QoS,
  output: Output,
): FlowNode[] {
  const subscribers = filters.map((filter, index) => {
    const node = { id: `sub${index}`, z: 'flow', qos: String(qos), broker: 'broker', wires: [['sink']] };
    return palette === 'core'
      ? {
          ...node,
          type: 'mqtt in',
          topic: filter,
          datatype: output === 'auto' ? 'auto-detect' : output,
          nl: false,
          rap: true,
          rh: 0,
          inputs: 0,
        }
      : { ...node, type: 'mqtt-sub', topicFilter: filter, output };
  });
  const sink = { id: 'sink', type: SINK, z: 'flow', wires: [] };
  return [{ id: 'flow', type: 'tab' }, broker(palette, port, protocolVersion), ...subscribers, sink];
}

/** A source that is wired to a publishing node. */
export function publishingFlow(
  palette: Palette,
  port: number,
  protocolVersion: 4 | 5,
  topic: string,
  qos: QoS,
): FlowNode[] {
  const publisher = {
    id: 'pub',
    type: palette === 'core' ? 'mqtt out' : 'mqtt-pub',
    z: 'flow',
    topic,
    qos: String(qos),
    retain: '',
    broker: 'broker',
    wires: [],
  };
  const source = { id: 'source', type: SOURCE, z: 'flow', wires: [['pub']] };
  return [{ id: 'flow', type: 'tab' }, broker(palette, port, protocolVersion), publisher, source];
}

/** A source that is wired to a sink: what Node-RED itself takes for a message. */
export const bareFlow = (): FlowNode[] => [
  { id: 'flow', type: 'tab' },
  { id: 'sink', type: SINK, z: 'flow', wires: [] },
  { id: 'source', type: SOURCE, z: 'flow', wires: [['sink']] },
];
