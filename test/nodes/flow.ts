import assert from 'node:assert/strict';
import { type EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Node, NodeAPI, NodeInitializer, NodeMessage } from 'node-red';
import helper from 'node-red-node-test-helper';
import embeddedBroker from '../../nodes/embedded-broker';
import mqttBrokerConfig from '../../nodes/mqtt-broker-config';
import mqttPub from '../../nodes/mqtt-pub';
import mqttSub from '../../nodes/mqtt-sub';
import rosBridge from '../../nodes/ros-bridge';

/** Core's, which has no types. */
const tlsConfig: NodeInitializer = require('@node-red/nodes/core/network/05-tls.js');

/** The main module of the Node-RED under test. */
export const NODE_RED = process.env.NODE_RED ?? require.resolve('node-red');

export type FlowNode = { id: string; type: string } & Record<string, unknown>;
export type Credentials = Record<string, Record<string, string>>;

/** The node with the texts that its users see, where the test helper would show keys. A key without text is a fault. */
function withTexts(name: string, node: NodeInitializer): NodeInitializer {
  const texts: unknown = JSON.parse(readFileSync(`nodes/locales/en-US/${name}.json`, 'utf8'));
  const translate = (key: string, values: Record<string, unknown> = {}): string => {
    let text = texts;
    for (const part of key.split('.')) text = (text as Record<string, unknown> | undefined)?.[part];
    assert.equal(typeof text, 'string', `${name}.json has no text "${key}"`);
    return String(text).replace(/__(\w+?)__/g, (_placeholder, value) => {
      assert.ok(value in values, `"${key}" has no value "${value}"`);
      return String(values[value]);
    });
  };
  return (RED: NodeAPI) => node(Object.create(RED, { _: { value: translate } }) as NodeAPI);
}

// Node-RED takes a node without a position for a configuration node, and a value that is a node's id for a reference.
export const place = { z: 'tab-1', x: 1, y: 1 };

/** JSON that is parsed, but can be neither written again nor copied: it is deeper than the stack. */
export const DEEP_JSON = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
/** What the runtime of JavaScript says of that. */
export const TOO_DEEP = 'Maximum call stack size exceeded';

/** Core's catch or complete node for one node of ours. */
export const report = (type: 'catch' | 'complete', id: string, to: string): FlowNode => ({
  id: `${type}-1`,
  type,
  ...place,
  scope: [id],
  wires: [[to]],
});

/** The broker configuration's form as it is after "Add" and nothing else. */
export const brokerForm = (fields: Partial<FlowNode>): FlowNode => ({
  id: 'broker-1',
  type: 'mqtt-broker-config',
  name: '',
  target: 'url',
  url: '',
  embedded: '',
  tls: '',
  protocolVersion: '5',
  clientId: '',
  keepAlive: 60,
  cleanStart: true,
  sessionExpiry: '0',
  willTopic: '',
  willPayload: '',
  willQos: '0',
  willRetain: false,
  ...fields,
});

export const pubForm = (fields: Partial<FlowNode>): FlowNode => ({
  id: 'pub-1',
  type: 'mqtt-pub',
  ...place,
  broker: 'broker-1',
  topic: '',
  qos: '',
  retain: '',
  wires: [],
  ...fields,
});

export const subForm = (fields: Partial<FlowNode>): FlowNode => ({
  id: 'sub-1',
  type: 'mqtt-sub',
  ...place,
  broker: 'broker-1',
  topicFilter: '#',
  qos: '1',
  output: 'auto',
  wires: [['out-1']],
  ...fields,
});

export const embeddedForm = (fields: Partial<FlowNode>): FlowNode => ({
  id: 'embedded-1',
  type: 'embedded-broker',
  ...place,
  listen: false,
  host: '127.0.0.1',
  port: 1883,
  allowAnonymous: false,
  persistence: 'disk',
  durability: 'write',
  wires: [['events-1']],
  ...fields,
});

/** A bridge as the form has it after "Add", but on the loopback interface. */
export const bridgeForm = (fields: Partial<FlowNode>): FlowNode => ({
  id: 'bridge-1',
  type: 'ros-bridge',
  ...place,
  name: '',
  broker: '',
  prefix: 'ros',
  backend: 'auto',
  setupFile: '',
  discoveryRange: 'localhost',
  interfaces: '127.0.0.1',
  peers: '',
  domains: [{ id: 0, alias: '' }],
  routes: [{ domain: 0, rosName: '/chatter', type: 'std_msgs/msg/String', direction: 'both' }],
  wires: [['out-1']],
  ...fields,
});

export const tab: FlowNode = { id: 'tab-1', type: 'tab', label: 'test' };
export const sink = (id = 'out-1'): FlowNode => ({ id, type: 'helper', ...place, wires: [] });

/** What a node with an input hears, from core's catch and complete nodes among others. */
export class Sink {
  readonly messages: NodeMessage[] = [];
  #wake: (() => void)[] = [];

  constructor(id = 'out-1') {
    helper.getNode(id).on('input', (msg, _send, done) => {
      this.messages.push(msg);
      for (const wake of this.#wake.splice(0)) wake();
      done();
    });
  }

  get payloads(): unknown[] {
    return this.messages.map(({ payload }) => payload);
  }

  get topics(): (string | undefined)[] {
    return this.messages.map(({ topic }) => topic);
  }

  /** Resolves when so many messages have come, or those that pass. */
  async until(wanted: number | ((sink: this) => boolean)): Promise<NodeMessage[]> {
    const passes = typeof wanted === 'number' ? () => this.messages.length >= wanted : wanted;
    while (!passes(this)) await new Promise<void>((resolve) => this.#wake.push(resolve));
    return this.messages;
  }
}

/** Starts the Node-RED under test with our nodes, others, and a flow. */
export async function start(
  flow: FlowNode[],
  credentials: Credentials = {},
  others: NodeInitializer[] = [],
  settings: { userDir?: string; mqttReconnectTime?: number } = {},
): Promise<void> {
  helper.init(NODE_RED, settings as Parameters<typeof helper.init>[1]);
  await helper.load(
    [
      withTexts('mqtt-broker-config', mqttBrokerConfig),
      withTexts('mqtt-pub', mqttPub),
      withTexts('mqtt-sub', mqttSub),
      withTexts('embedded-broker', embeddedBroker),
      withTexts('ros-bridge', rosBridge),
      tlsConfig,
      ...others,
    ],
    flow as unknown as Parameters<typeof helper.load>[1],
    credentials,
  );
}

/** Deploys a changed flow: only changed nodes restart ("nodes"), or all ("full"). */
export async function deploy(flow: FlowNode[], type: 'full' | 'nodes' = 'nodes'): Promise<void> {
  const started = once((helper as unknown as { _events: EventEmitter })._events, 'flows:started');
  try {
    await helper.setFlows(flow as unknown as Parameters<typeof helper.setFlows>[0], type);
  } catch (error) {
    // It allows 300 ms for starting, which on a busy machine are not enough.
    if ((error as Error).message !== 'timeout waiting event') throw error;
  }
  await started;
}

export const stop = (): Promise<void> => helper.unload();

type StatusCall = { args: [{ text?: string }] };

/** The text of the status that the node shows now. */
export function shownStatus(id: string): string | undefined {
  const node = helper.getNode(id);
  const shown = node.status as unknown as { getCalls(): (StatusCall & { thisValue: Node })[] };
  return shown
    .getCalls()
    .filter(({ thisValue }) => thisValue === node)
    .at(-1)?.args[0].text;
}

/** Resolves when the node shows a status whose text passes; also when it already has. */
export async function statusText(id: string, passes: (text: string) => boolean): Promise<string> {
  const node = helper.getNode(id);
  for (;;) {
    const text = shownStatus(id);
    if (text !== undefined && passes(text)) return text;
    await new Promise((resolve) => node.once('call:status', resolve));
  }
}

export const connectedStatus = (id: string): Promise<string> =>
  statusText(id, (text) => text === 'connected');

/** What a node logged at a level, in the order of logging. */
export function logged(node: Node, level: 'error' | 'warn' | 'log'): string[] {
  const calls = (node[level] as unknown as { getCalls(): { args: unknown[]; thisValue: Node }[] }).getCalls();
  return calls.filter(({ thisValue }) => thisValue === node).map(({ args }) => String(args[0]));
}

/** What a catch node says about a message. */
export const errorOf = (msg: NodeMessage | undefined): string =>
  String((msg?.error as { message?: string } | undefined)?.message);
