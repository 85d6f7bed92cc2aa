import assert from 'node:assert/strict';
import { connect, createServer, type Server, type Socket } from 'node:net';
import helper from 'node-red-node-test-helper';
import { Connection } from '../../src/client/connection';
import { Mosquitto } from '../client/mosquitto';
import { Inbox, settingsFor } from '../client/observed';
import {
  CONNECT,
  PUBLISH,
  packet,
  type RawPacket,
  ScriptedBroker,
  SUBSCRIBE,
  text,
} from '../client/scripted-broker';
import { freePort } from '../counterparts';
import {
  brokerForm,
  connectedStatus,
  deploy,
  errorOf,
  type FlowNode,
  logged,
  pubForm,
  report,
  Sink,
  sink,
  start,
  statusText,
  stop,
  subForm,
  tab,
} from './flow';

const PUBACK = 4;
const SUBACK = 9;
const CONNACK = packet(2, 0, 0, 0, 0);
const suback = ({ body }: RawPacket, code = 0) => packet(SUBACK, 0, body.subarray(0, 2), 0, code);
const END = Buffer.from('end');
const live = { qos: 1, retain: false } as const;

/** What Node-RED's own MQTT nodes get wrong, one test each: the letters are those under which it was found there. */
describe("faults of Node-RED's own MQTT nodes, which ours do not have", function () {
  this.timeout(20_000);
  let broker: Mosquitto | undefined;
  let scripted: ScriptedBroker | undefined;
  let client: Connection | undefined;
  let relay: Server | undefined;

  afterEach(async () => {
    await stop();
    await client?.close();
    await broker?.stop();
    await scripted?.stop();
    relay?.close();
    broker = scripted = client = relay = undefined;
  });

  const pubFlow = (url: string, form: Partial<FlowNode>, config: Partial<FlowNode> = {}) => [
    tab,
    brokerForm({ url, ...config }),
    pubForm(form),
    report('catch', 'pub-1', 'caught'),
    report('complete', 'pub-1', 'completed'),
    sink('caught'),
    sink('completed'),
  ];
  const script = async (answer: (received: RawPacket, socket: Socket) => void) => {
    scripted = await ScriptedBroker.start(answer);
    return scripted;
  };
  const mosquitto = async (test: Mocha.Context, extra: string[] = []) => {
    broker = await Mosquitto.start(test, extra);
    client = new Connection(settingsFor(broker.url));
    client.open();
    return { broker, client };
  };

  it('a: what is published while there is no connection is not lost, and done', async function () {
    const { broker, client } = await mosquitto(this);
    const inbox = await Inbox.on(client, 'a/#', 2);
    const port = await freePort();
    await start(pubFlow(`mqtt://127.0.0.1:${port}`, { topic: 'a' }));
    const completed = new Sink('completed');
    await statusText('pub-1', (shown) => shown.startsWith('reconnecting'));
    for (const qos of [0, 1, 2]) helper.getNode('pub-1').receive({ payload: qos, qos });
    relay = createServer((socket) => {
      const far = connect(broker.port, '127.0.0.1');
      socket.pipe(far).pipe(socket);
      for (const end of [socket, far]) end.on('error', () => {}).on('close', () => far.destroy());
    }).listen(port, '127.0.0.1');
    await completed.until(3);
    await client.publish('a', END, live);
    await inbox.until(({ messages }) => messages.at(-1)?.payload.equals(END) === true);
    assert.deepEqual(
      inbox.messages.map(({ payload }) => String(payload)),
      ['0', '1', '2', 'end'],
    );
  });

  it('b: a refused subscription is an error', async () => {
    const { url } = await script((received, socket) => {
      if (received.type === CONNECT) socket.write(CONNACK);
      if (received.type === SUBSCRIBE) socket.write(suback(received, 0x97));
    });
    await start([tab, brokerForm({ url }), subForm({ topicFilter: 'b' })]);
    const fault = await statusText('sub-1', (shown) =>
      shown.startsWith('not subscribed to "b": Quota exceeded'),
    );
    assert.deepEqual(logged(helper.getNode('sub-1'), 'error'), [fault]);
  });

  it('c: a message that names several subscriptions reaches all of them', async () => {
    const identifiers: Buffer[] = [];
    const { url } = await script((received, socket) => {
      if (received.type === CONNECT) socket.write(CONNACK);
      if (received.type !== SUBSCRIBE) return;
      identifiers.push(received.body.subarray(3, 3 + (received.body[2] ?? 0)));
      socket.write(suback(received));
      if (identifiers.length < 2) return;
      const properties = Buffer.concat(identifiers);
      socket.write(packet(PUBLISH, 0, text('c/1'), properties.length, properties, Buffer.from('x')));
    });
    await start([
      tab,
      brokerForm({ url }),
      subForm({ id: 'one', topicFilter: 'c/+', wires: [['out-1']] }),
      subForm({ id: 'two', topicFilter: 'c/#', wires: [['out-2']] }),
      sink('out-1'),
      sink('out-2'),
    ]);
    const outs = [new Sink('out-1'), new Sink('out-2')];
    for (const out of outs) assert.equal((await out.until(1)).length, 1);
  });

  it('d: with MQTT 3.1.1 and a broker that sends a copy per filter, each node gets each message once', async function () {
    const { broker, client } = await mosquitto(this, ['allow_duplicate_messages true']);
    await start([
      tab,
      brokerForm({ url: broker.url, protocolVersion: '4' }),
      subForm({ id: 'one', topicFilter: 'd/+', wires: [['out-1']] }),
      subForm({ id: 'two', topicFilter: 'd/#', wires: [['out-2']] }),
      sink('out-1'),
      sink('out-2'),
    ]);
    const outs = [new Sink('out-1'), new Sink('out-2')];
    await broker.logged(/Sending SUBACK to node-red-\w+-2/);
    for (const payload of ['x', 'y', 'end']) await client.publish('d/1', payload, live);
    for (const out of outs) {
      await out.until(3);
      assert.deepEqual(out.payloads, ['x', 'y', 'end']);
    }
  });

  it('e: a node that is deployed later gets the retained message, the others do not get it again', async function () {
    const { broker, client } = await mosquitto(this);
    await client.publish('e', 'kept', { qos: 1, retain: true });
    const first = [
      tab,
      brokerForm({ url: broker.url }),
      subForm({ id: 'one', topicFilter: 'e', wires: [['out-1']] }),
      sink('out-1'),
    ];
    await start(first);
    const one = new Sink('out-1');
    await one.until(1);
    await deploy([...first, subForm({ id: 'two', topicFilter: 'e', wires: [['out-2']] }), sink('out-2')]);
    const two = new Sink('out-2');
    await two.until(1);
    await client.publish('e', 'end', live);
    await Promise.all([one.until(2), two.until(2)]);
    assert.deepEqual(
      [one.payloads, two.payloads],
      [
        ['kept', 'end'],
        ['kept', 'end'],
      ],
    );
  });

  it('f: a refused connection says why', async function () {
    broker = await Mosquitto.start(this, [], { ann: 'secret' });
    await start(pubFlow(broker.url, {}), { 'broker-1': { username: 'ann', password: 'wrong' } });
    await statusText('pub-1', (shown) => shown === 'Not authorized (0x87)');
    assert.match(logged(helper.getNode('broker-1'), 'error').join(), /Not authorized \(0x87\)/);
  });

  it('g: the acknowledgement can wait for the flow', async () => {
    let socket: Socket | undefined;
    const { url } = await script((received, connection) => {
      socket = connection;
      if (received.type === CONNECT) connection.write(CONNACK);
      if (received.type !== SUBSCRIBE) return;
      connection.write(suback(received));
      for (const id of [1, 2]) connection.write(packet(PUBLISH, 2, text('g'), 0, id, 0, Buffer.from('x')));
    });
    await start([
      tab,
      brokerForm({ url }),
      subForm({ topicFilter: 'g', delivery: 'acknowledged', maxWaiting: '2', inputs: 1 }),
      sink(),
    ]);
    const out = new Sink();
    const [first, second] = await out.until(2);
    const acknowledged = () => scripted?.of(PUBACK).map(({ body }) => body.readUInt16BE(0));
    assert.deepEqual(acknowledged(), []);
    for (const msg of [first, second]) helper.getNode('sub-1').receive({ ...msg, action: 'acknowledge' });
    await scripted?.until(() => acknowledged()?.length === 2);
    assert.deepEqual(acknowledged(), [1, 2]);
    assert.ok(socket);
  });

  it('h: no more than 256 messages are in flight', async () => {
    const open: Buffer[] = [];
    let [most, total] = [0, 0];
    const { url } = await script((received, socket) => {
      if (received.type === CONNECT) socket.write(CONNACK);
      if (received.type !== PUBLISH) return;
      open.push(received.body.subarray(3, 5));
      most = Math.max(most, open.length);
      if (++total < 1000 && open.length < 256) return;
      for (const id of open.splice(0)) socket.write(packet(PUBACK, 0, id));
    });
    await start(pubFlow(url, { topic: 'h', qos: '1' }));
    const completed = new Sink('completed');
    await connectedStatus('pub-1');
    for (let n = 0; n < 1000; n++) helper.getNode('pub-1').receive({ payload: 'x' });
    await completed.until(1000);
    assert.deepEqual([most, total], [256, 1000]);
  });

  it('i: a bad topic is an error of its message', async function () {
    const { broker } = await mosquitto(this);
    await start(pubFlow(broker.url, {}));
    const caught = new Sink('caught');
    helper.getNode('pub-1').receive({ topic: 'i/+', payload: 'x' });
    assert.match(errorOf((await caught.until(1))[0]), /contains a wildcard/);
  });

  it('j: connecting on request to a broker that cannot be reached is an error', async () => {
    await start([
      tab,
      brokerForm({ url: `mqtt://127.0.0.1:${await freePort()}`, autoConnect: false }),
      subForm({ topicFilter: '', actions: true, inputs: 1 }),
      report('catch', 'sub-1', 'caught'),
      sink('caught'),
      sink(),
    ]);
    const caught = new Sink('caught');
    helper.getNode('sub-1').receive({ action: 'connect' });
    assert.match(errorOf((await caught.until(1))[0]), /ECONNREFUSED|refused/);
  });

  it('k: filters match as MQTT says', async function () {
    const { broker, client } = await mosquitto(this, ['sys_interval 1']);
    await start([
      tab,
      brokerForm({ url: broker.url }),
      subForm({
        id: 'levels',
        topicFilter: 'k/+/b',
        moreFilters: ['k{2}', '#'],
        output: 'string',
        wires: [['out-1']],
      }),
      subForm({ id: 'system', topicFilter: '$SYS/broker/uptime', wires: [['out-2']] }),
      sink('out-1'),
      sink('out-2'),
    ]);
    const [out, system] = [new Sink('out-1'), new Sink('out-2')];
    await system.until(2);
    for (const topic of ['k//b', 'kk', 'k{2}', 'end']) await client.publish(topic, topic, live);
    await out.until(4);
    assert.deepEqual(
      out.messages.map(({ topic, params }) => [topic, params]),
      [
        ['k//b', ['']],
        ['kk', ['kk']],
        ['k{2}', []],
        ['end', ['end']],
      ],
    );
  });

  it('l: what is sent again says so', async () => {
    let connections = 0;
    const { url } = await script((received, socket) => {
      if (received.type === CONNECT) socket.write(packet(2, 0, ++connections > 1 ? 1 : 0, 0, 0));
      if (received.type !== PUBLISH) return;
      if (connections === 1) socket.destroy();
      else socket.write(packet(PUBACK, 0, received.body.subarray(3, 5)));
    });
    const session = { cleanStart: false, sessionExpiry: '60', clientId: 'kept' };
    await start(pubFlow(url, { topic: 'l', qos: '1' }, session));
    const completed = new Sink('completed');
    await connectedStatus('pub-1');
    helper.getNode('pub-1').receive({ payload: 'x' });
    await completed.until(1);
    assert.deepEqual(
      scripted?.of(PUBLISH).map(({ flags }) => flags & 8),
      [0, 8],
    );
  });

  it('m: user properties that cannot be read are an error, and the message is left as it is', async function () {
    const { broker } = await mosquitto(this);
    await start(pubFlow(broker.url, { topic: 'm', userProperties: '{"a":', userPropertiesType: 'json' }));
    const caught = new Sink('caught');
    await connectedStatus('pub-1');
    const payload = { a: 1 };
    helper.getNode('pub-1').receive({ payload, responseTopic: 'r', correlationData: 'text' });
    const [msg] = await caught.until(1);
    assert.match(errorOf(msg), /JSON/);
    assert.deepEqual([msg?.payload, msg?.responseTopic, msg?.correlationData], [{ a: 1 }, 'r', 'text']);
  });

  for (const [name, form] of [
    ['birth', {}],
    // The will is what a connection leaves that is taken over.
    ['will', { clientId: 'taken over' }],
  ] as const) {
    it(`m: the response topic of the ${name} message is sent, also without user properties`, async function () {
      const { broker, client } = await mosquitto(this);
      const inbox = await Inbox.on(client, 'state', 1);
      await start(
        pubFlow(
          broker.url,
          {},
          {
            ...form,
            [`${name}Topic`]: 'state',
            [`${name}Properties`]: { responseTopic: 'answers', correlationData: 'x' },
          },
        ),
      );
      await connectedStatus('pub-1');
      const rival = new Connection(settingsFor(broker.url, 5, form));
      if (name === 'will') rival.open();
      await inbox.until(({ messages }) => messages.length > 0);
      await rival.close();
      const { responseTopic, correlationData } = inbox.messages[0]?.properties ?? {};
      assert.deepEqual([responseTopic, String(correlationData)], ['answers', 'x']);
    });
  }
});
