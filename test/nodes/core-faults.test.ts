import { connect } from 'node:net';
import helper from 'node-red-node-test-helper';
import { Inbox } from '../client/observed';
import { CONNECT, PUBLISH, packet, SUBSCRIBE } from '../client/scripted-broker';
import { freePort } from '../counterparts';
import {
  CONNACK,
  connected,
  DISCONNECT,
  endScene,
  fault,
  listening,
  live,
  message,
  mosquitto,
  mosquittoOf,
  PUBACK,
  publishing,
  receive,
  script,
  startNodes,
  suback,
} from './core-fault';
import { deploy, errorOf, logged, report, Sink, shownStatus, sink, stop, tab } from './flow';
import { CORE_NODES } from './mqtt-nodes';

/** The letters are those under which the faults were found. */
describe("faults of Node-RED's own MQTT nodes", function () {
  this.timeout(60_000);

  afterEach(endScene);

  fault(
    'a: they lose what is published while there is no connection, without a word',
    {
      ours: { arrived: ['0', '1', '2', 'end'], completed: 4, caught: 0 },
      core: { arrived: ['end'], completed: 1, caught: 0 },
    },
    async (nodes, test) => {
      const { broker, client } = await mosquitto(test);
      const inbox = await Inbox.on(client, 'a', 2);
      const port = await freePort();
      const url = `mqtt://127.0.0.1:${port}`;
      const { caught, completed } = await publishing(
        nodes,
        nodes.broker(url),
        nodes.publisher({ topic: 'a' }),
      );
      for (const qos of [0, 1, 2]) receive('pub-1', { payload: qos, qos });
      await listening(port, (socket) => {
        const far = connect(broker.port, '127.0.0.1');
        socket.pipe(far).pipe(socket);
        for (const end of [socket, far]) end.on('error', () => {}).on('close', () => far.destroy());
      });
      await connected(nodes);
      receive('pub-1', { payload: 'end', qos: 2 });
      await completed.until(({ messages }) => messages.at(-1)?.payload === 'end');
      const arrived = await inbox.until(({ texts }) => texts.at(-1) === 'a=end');
      return {
        arrived: arrived.messages.map(({ payload }) => String(payload)),
        completed: completed.messages.length,
        caught: caught.messages.length,
      };
    },
  );

  fault(
    'b: they take a refused subscription for a good one',
    {
      ours: {
        errors: ['not subscribed to "b": Quota exceeded (0x97)'],
        shown: 'not subscribed to "b": Quota exceeded (0x97)',
      },
      core: { errors: [], shown: CORE_NODES.connectedText },
    },
    async (nodes) => {
      const broker = await script((received, socket) => {
        if (received.type === CONNECT) socket.write(CONNACK);
        if (received.type !== SUBSCRIBE) return;
        // Whoever acknowledges the message has seen what was before it.
        socket.write(Buffer.concat([suback(received, 0x97), message('b', 1)]));
      });
      await startNodes(nodes, [tab, nodes.broker(broker.url), nodes.subscriber({ filter: 'b' })]);
      await broker.until(() => broker.of(PUBACK).length > 0);
      return { errors: logged(helper.getNode('sub-1'), 'error'), shown: shownStatus('sub-1') };
    },
  );

  fault(
    'c: a message that names several subscriptions reaches nobody',
    {
      ours: [
        ['c/1', 'c/2'],
        ['c/1', 'c/2'],
      ],
      core: [['c/2'], ['c/2']],
    },
    async (nodes) => {
      const identifiers: Buffer[] = [];
      const broker = await script((received, socket) => {
        if (received.type === CONNECT) socket.write(CONNACK);
        if (received.type !== SUBSCRIBE) return;
        identifiers.push(received.body.subarray(3, 3 + (received.body[2] ?? 0)));
        socket.write(suback(received));
        if (identifiers.length < 2) return;
        socket.write(message('c/1', 1, Buffer.concat(identifiers)));
        // As a broker sends that makes a copy for each subscription.
        for (const [at, identifier] of identifiers.entries())
          socket.write(message('c/2', 2 + at, identifier));
      });
      await startNodes(nodes, [
        tab,
        nodes.broker(broker.url),
        nodes.subscriber({ id: 'one', filter: 'c/+', wires: [['out-1']] }),
        nodes.subscriber({ id: 'two', filter: 'c/#', wires: [['out-2']] }),
        sink('out-1'),
        sink('out-2'),
      ]);
      const outs = [new Sink('out-1'), new Sink('out-2')];
      for (const out of outs) await out.until(({ topics }) => topics.includes('c/2'));
      return outs.map(({ topics }) => topics);
    },
  );

  fault(
    'd: with MQTT 3.1.1 and a broker that sends a copy for each filter, each node gets each copy',
    {
      ours: [
        ['x', 'y'],
        ['x', 'y'],
      ],
      core: [
        ['x', 'x', 'y', 'y'],
        ['x', 'x', 'y', 'y'],
      ],
    },
    async (nodes, test) => {
      const { broker, client } = await mosquitto(test, ['allow_duplicate_messages true']);
      const filters = ['d/+', 'd/#', 'end'];
      await startNodes(nodes, [
        tab,
        nodes.broker(broker.url, { protocolVersion: '4' }),
        ...filters.map((filter, at) => nodes.subscriber({ id: filter, filter, wires: [[`out-${at}`]] })),
        ...filters.map((_, at) => sink(`out-${at}`)),
      ]);
      const [one, two, fence] = filters.map((_, at) => new Sink(`out-${at}`)) as [Sink, Sink, Sink];
      for (const line of [/ d\/\+$/, / d\/#$/, / end$/]) await broker.logged(line);
      for (const payload of ['x', 'y']) await client.publish('d/1', payload, live);
      await client.publish('end', '', live);
      for (const out of [one, two]) await out.until(2);
      await fence.until(1);
      return [one.payloads, two.payloads];
    },
  );

  fault(
    'e: a node that is deployed later does not get the retained message',
    {
      ours: [
        ['kept', 'end'],
        ['kept', 'end'],
      ],
      core: [['kept', 'end'], ['end']],
    },
    async (nodes, test) => {
      const { broker, client } = await mosquitto(test);
      await client.publish('e', 'kept', { qos: 1, retain: true });
      const first = [
        tab,
        nodes.broker(broker.url),
        nodes.subscriber({ id: 'one', filter: 'e', wires: [['out-1']] }),
        sink('out-1'),
      ];
      await startNodes(nodes, first);
      const one = new Sink('out-1');
      await one.until(1);
      await deploy([
        ...first,
        nodes.subscriber({ id: 'two', filter: 'e', wires: [['out-2']] }),
        nodes.subscriber({ id: 'three', filter: 'fence', wires: [['out-3']] }),
        ...[sink('out-2'), sink('out-3')],
      ]);
      const [two, fence] = [new Sink('out-2'), new Sink('out-3')];
      // What the broker answers to the second node comes before what it sends to the third.
      await broker.logged(/ fence$/);
      await client.publish('fence', '', live);
      await fence.until(1);
      await client.publish('e', 'end', live);
      for (const out of [one, two]) await out.until(({ payloads }) => payloads.includes('end'));
      return [one.payloads, two.payloads];
    },
  );

  fault(
    'f: they do not say why a connection was refused',
    {
      ours: { errors: true, shown: 'Not authorized (0x87)' },
      core: { errors: false, shown: 'node-red:common.status.connecting' },
    },
    async (nodes, test) => {
      const broker = await mosquittoOf(test, { ann: 'secret' });
      await startNodes(
        nodes,
        [tab, nodes.broker(broker.url), nodes.publisher({})],
        nodes.login('ann', 'wrong'),
      );
      // Who comes again has heard the first answer.
      await broker.logged(/not authorised/, 2);
      const errors = logged(helper.getNode('broker-1'), 'error').join();
      return { errors: errors.includes('Not authorized (0x87)'), shown: shownStatus('pub-1') };
    },
  );

  fault(
    'g: they acknowledge what the flow has not taken care of',
    { ours: [1], core: [1, 2] },
    async (nodes) => {
      const broker = await script((received, socket) => {
        if (received.type === CONNECT) socket.write(CONNACK);
        if (received.type !== SUBSCRIBE) return;
        socket.write(Buffer.concat([suback(received), message('g', 1), message('g', 2)]));
      });
      const subscriber = nodes.subscriber({ filter: 'g', acknowledged: true });
      await startNodes(nodes, [tab, nodes.broker(broker.url), subscriber, sink()]);
      const [first] = await new Sink().until(2);
      receive('sub-1', { ...first, action: 'acknowledge' });
      await broker.until(() => broker.of(PUBACK).length > 0);
      await stop();
      await broker.until(() => broker.of(DISCONNECT).length === broker.of(CONNECT).length);
      return broker.of(PUBACK).map(({ body }) => body.readUInt16BE(0));
    },
  );

  fault(
    'h: they have any number of messages in flight',
    { ours: { most: 256, completed: 500 }, core: { most: 500, completed: 500 } },
    async (nodes) => {
      const open: Buffer[] = [];
      let most: number | undefined;
      const broker = await script((received, socket) => {
        if (received.type === CONNECT) socket.write(CONNACK);
        if (received.type === PUBLISH) open.push(received.body.subarray(3, 5));
        // It is sent after all that may be in flight.
        if (received.type === SUBSCRIBE) most = open.length;
        if (most === undefined) return;
        socket.write(Buffer.concat(open.splice(0).map((id) => packet(PUBACK, 0, id))));
      });
      await startNodes(nodes, [
        tab,
        nodes.broker(broker.url),
        nodes.publisher({ topic: 'h', qos: '1' }),
        nodes.subscriber({}),
        report('complete', 'pub-1', 'completed'),
        sink('completed'),
        sink(),
      ]);
      const completed = new Sink('completed');
      await connected(nodes);
      for (let n = 0; n < 500; n++) receive('pub-1', { payload: 'x' });
      receive('sub-1', { action: 'subscribe', topic: 'fence' });
      await completed.until(500);
      return { most: most ?? 0, completed: completed.messages.length };
    },
  );

  fault(
    'i: a bad topic is neither an error nor done',
    {
      ours: {
        caught: [
          'PublishError: topic "i/+" not published: topic name "i/+" contains a wildcard (+ or #), which only filters may',
        ],
        completed: ['end'],
      },
      core: { caught: [], completed: ['end'] },
    },
    async (nodes, test) => {
      const { broker } = await mosquitto(test);
      const { caught, completed } = await publishing(nodes, nodes.broker(broker.url), nodes.publisher({}));
      await connected(nodes);
      receive('pub-1', { topic: 'i/+', payload: 'x' });
      receive('pub-1', { topic: 'i', payload: 'end', qos: 1 });
      await completed.until(1);
      return { caught: caught.messages.map(errorOf), completed: completed.payloads };
    },
  );

  fault(
    'j: connecting on request to a broker that cannot be reached never ends',
    {
      ours: 'NotConnectedError: not connected to the broker: the broker closed the connection',
      core: 'neither error nor done',
    },
    async (nodes) => {
      let attempts = 0;
      const port = await freePort();
      const thrice = new Promise<string>((resolve) => {
        void listening(port, (socket) => {
          socket.destroy();
          if (++attempts === 3) resolve('neither error nor done');
        });
      });
      await startNodes(nodes, [
        tab,
        nodes.broker(`mqtt://127.0.0.1:${port}`, { autoConnect: false }),
        nodes.subscriber({}),
        report('catch', 'sub-1', 'caught'),
        report('complete', 'sub-1', 'completed'),
        ...[sink(), sink('caught'), sink('completed')],
      ]);
      const caught = new Sink('caught').until(1).then(([msg]) => errorOf(msg));
      const completed = new Sink('completed').until(1).then(() => 'done');
      receive('sub-1', { action: 'connect' });
      return Promise.race([caught, completed, thrice]);
    },
  );

  fault(
    'k: filters do not match what MQTT says that they match',
    {
      ours: { 'k/+/b': ['k//b', 'k/end/b'], 'k{2}': ['k{2}'], '#': [] },
      core: { 'k/+/b': ['k/end/b'], 'k{2}': ['kk'], '#': ['$SYS/broker/version'] },
    },
    async (nodes, test) => {
      const { broker, client } = await mosquitto(test, ['sys_interval 1']);
      const filters = ['k/+/b', 'k{2}', '#', '$SYS/broker/version'];
      await startNodes(nodes, [
        tab,
        nodes.broker(broker.url, { protocolVersion: '4' }),
        ...filters.map((filter, at) => nodes.subscriber({ id: filter, filter, wires: [[`out-${at}`]] })),
        ...filters.map((_, at) => sink(`out-${at}`)),
      ]);
      const [level, braces, all, system] = filters.map((_, at) => new Sink(`out-${at}`)) as [
        Sink,
        Sink,
        Sink,
        Sink,
      ];
      await system.until(1);
      for (const line of [/ k\/\+\/b$/, / k\{2\}$/, / #$/]) await broker.logged(line);
      for (const topic of ['k//b', 'kk', 'k{2}', 'k/end/b', 'end']) await client.publish(topic, '', live);
      await level.until(({ topics }) => topics.includes('k/end/b'));
      await braces.until(1);
      await all.until(({ topics }) => topics.includes('end'));
      const hidden = all.topics.filter((topic) => topic?.startsWith('$'));
      return { 'k/+/b': level.topics, 'k{2}': braces.topics, '#': hidden };
    },
  );

  fault('l: what is sent again does not say so', { ours: [0, 8], core: [0, 0] }, async (nodes) => {
    let connections = 0;
    const broker = await script((received, socket) => {
      if (received.type === CONNECT) socket.write(packet(2, 0, ++connections > 1 ? 1 : 0, 0, 0));
      if (received.type !== PUBLISH) return;
      if (connections === 1) socket.destroy();
      else socket.write(packet(PUBACK, 0, received.body.subarray(3, 5)));
    });
    const { completed } = await publishing(
      nodes,
      nodes.broker(broker.url, { clientId: 'kept' }),
      nodes.publisher({ topic: 'l', qos: '1' }),
    );
    await connected(nodes);
    receive('pub-1', { payload: 'x' });
    await completed.until(1);
    return broker.of(PUBLISH).map(({ flags }) => flags & 8);
  });

  fault(
    'm: user properties that cannot be read are left out without a word',
    { ours: 'error', core: 'done' },
    async (nodes, test) => {
      const { broker } = await mosquitto(test);
      const { caught, completed } = await publishing(
        nodes,
        nodes.broker(broker.url),
        nodes.publisher({ topic: 'm', userProperties: '{"a":' }),
      );
      await connected(nodes);
      receive('pub-1', { payload: 'x' });
      return Promise.race([
        caught.until(1).then(([msg]) => errorOf(msg).includes('JSON') && 'error'),
        completed.until(1).then(() => 'done'),
      ]);
    },
  );

  fault(
    'm: a message is another one when it has been published',
    {
      ours: { payload: { a: 1 }, correlationData: 'text', topic: undefined, qos: undefined },
      core: { payload: '{"a":1}', correlationData: 'text', topic: 'm', qos: 0 },
    },
    async (nodes, test) => {
      const { broker } = await mosquitto(test);
      const { completed } = await publishing(
        nodes,
        nodes.broker(broker.url),
        nodes.publisher({ topic: 'm' }),
      );
      await connected(nodes);
      receive('pub-1', { payload: { a: 1 }, correlationData: 'text' });
      const [msg] = (await completed.until(1)) as [Record<string, unknown>];
      const { payload, correlationData, topic, qos } = msg;
      return { payload, correlationData, topic, qos };
    },
  );
});
