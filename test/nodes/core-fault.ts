import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import helper from 'node-red-node-test-helper';
import { Connection } from '../../src/client/connection';
import { Mosquitto } from '../client/mosquitto';
import { settingsFor } from '../client/observed';
import {
  PUBLISH,
  packet,
  type RawPacket,
  ScriptedBroker,
  text,
  UNSUBSCRIBE,
} from '../client/scripted-broker';
import { type Credentials, type FlowNode, report, Sink, sink, start, statusText, stop, tab } from './flow';
import { CORE_NODES, type MqttNodes, NODE_RED_VERSION, OUR_NODES } from './mqtt-nodes';

export const PUBACK = 4;
const SUBACK = 9;
const UNSUBACK = 11;
export const DISCONNECT = 14;
/** A property that says that subscription identifiers are available: core wants to be told. */
export const CONNACK = packet(2, 0, 0, 0, 2, 0x29, 1);
export const suback = ({ body }: RawPacket, code = 0) => packet(SUBACK, 0, body.subarray(0, 2), 0, code);
const unsuback = ({ body }: RawPacket) => packet(UNSUBACK, 0, body.subarray(0, 2), 0, 0);
export const message = (topic: string, id: number, properties: Buffer = Buffer.alloc(0)) =>
  packet(PUBLISH, 2, text(topic), 0, id, properties.length, properties, Buffer.from('x'));
export const live = { qos: 1, retain: false } as const;
export const receive = (id: string, msg: Record<string, unknown>) => helper.getNode(id).receive(msg);

let broker: Mosquitto | undefined;
let scripted: ScriptedBroker | undefined;
let client: Connection | undefined;
let server: Server | undefined;

export const mosquitto = async (test: Mocha.Context, extra: string[] = []) => {
  broker = await Mosquitto.start(test, extra);
  client = new Connection(settingsFor(broker.url));
  client.open();
  return { broker, client };
};
/** Of users with their passwords. */
export const mosquittoOf = async (test: Mocha.Context, users: Record<string, string>) => {
  broker = await Mosquitto.start(test, [], users);
  return broker;
};
/** A broker that lets its clients go, and does what the test says. */
export const script = async (answer: (received: RawPacket, socket: Socket) => void) => {
  scripted = await ScriptedBroker.start((received, socket) => {
    if (received.type === UNSUBSCRIBE) socket.write(unsuback(received));
    if (received.type === DISCONNECT) socket.end();
    answer(received, socket);
  });
  return scripted;
};
export const listening = async (port: number, serve: (socket: Socket) => void) => {
  const listener = createServer(serve);
  server = listener;
  await new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', resolve));
};
export const startNodes = ({ modules }: MqttNodes, flow: FlowNode[], credentials?: Credentials) =>
  start(flow, credentials, modules, { mqttReconnectTime: 20 });
export const connected = ({ connectedText }: MqttNodes, id = 'pub-1') =>
  statusText(id, (shown) => shown === connectedText);
/** A publisher, and what core's catch and complete nodes say of it. */
export const publishing = async (nodes: MqttNodes, broker: FlowNode, publisher: FlowNode) => {
  await startNodes(nodes, [
    tab,
    broker,
    publisher,
    report('catch', 'pub-1', 'caught'),
    report('complete', 'pub-1', 'completed'),
    sink('caught'),
    sink('completed'),
  ]);
  return { caught: new Sink('caught'), completed: new Sink('completed') };
};

/**
 * One scenario with our nodes and with core's, once for each outcome. Where the Node-RED under test has repaired a fault
 * the second test is skipped, under a title that says so.
 */
export function fault<Outcome>(
  title: string,
  expected: { ours: Outcome; core: Outcome },
  run: (nodes: MqttNodes, test: Mocha.Context) => Promise<Outcome>,
): void {
  it(`${title}: ours do not`, async function () {
    assert.deepEqual(await run(OUR_NODES, this), expected.ours);
  });
  it(`${title}: core's do`, async function () {
    const outcome = await run(CORE_NODES, this);
    if (isDeepStrictEqual(outcome, expected.ours)) {
      this.runnable().title = `${title}: core's of Node-RED ${NODE_RED_VERSION} do not any more`;
      this.skip();
    }
    assert.deepEqual(outcome, expected.core);
  });
}

/** Ends what the test has started; to be called after each. */
export async function endScene(): Promise<void> {
  await stop();
  await client?.close();
  await broker?.stop();
  await scripted?.stop();
  server?.close();
  broker = scripted = client = server = undefined;
}
