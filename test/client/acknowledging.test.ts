import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import {
  type Acknowledgement,
  Connection,
  type ConnectionSettings,
  type QoS,
  type ReceivedMessage,
} from '../../src/client/connection';
import { Mosquitto } from './mosquitto';
import { connected, Inbox, settingsFor, statusOf } from './observed';
import { CONNECT, PUBLISH, packet, ScriptedBroker, SUBSCRIBE, text } from './scripted-broker';

const quick = { qos: 1, retain: false } as const;

describe('listeners that acknowledge themselves', function () {
  this.timeout(60_000);
  let broker: Mosquitto;
  const open: Connection[] = [];
  const connect = (
    url: string,
    settings: Partial<ConnectionSettings> = {},
    version: 4 | 5 = 5,
  ): Connection => {
    const connection = new Connection(settingsFor(url, version, { reconnect: { first: 1 }, ...settings }));
    open.push(connection);
    connection.open();
    return connection;
  };
  const listen = (connection: Connection, acknowledgement: Acknowledgement = {}, qos: QoS = 1) =>
    Inbox.on(connection, 'work/#', qos, { acknowledgement });
  const settle = async () => {
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  };

  beforeEach(async function () {
    broker = await Mosquitto.start(this, ['max_inflight_messages 1000']);
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((connection) => connection.close()));
    await broker.stop();
  });

  for (const version of [4, 5] as const) {
    for (const qos of [1, 2] as const) {
      it(`get no more than the Receive Maximum before they acknowledge: QoS ${qos}, protocol level ${version}`, async () => {
        const worker = connect(broker.url, { receiveMaximum: 3 }, version);
        const inbox = await listen(worker, {}, qos);
        const sender = connect(broker.url);
        const numbers = Array.from({ length: 20 }, (_, n) => String(n));
        await Promise.all(numbers.map((n) => sender.publish('work/x', n, { qos, retain: false })));
        for (let done = 0; done < 20; done++) {
          const given = Math.min(20, done + 3);
          await inbox.until(({ messages }) => messages.length >= given);
          await settle();
          assert.equal(inbox.messages.length, given);
          inbox.messages[done]?.acknowledge?.();
        }
        assert.deepEqual(
          inbox.messages.map(({ payload }) => String(payload)),
          numbers,
        );
      });

      it(`get again in a resumed session what they had not acknowledged, and nothing else: QoS ${qos}, protocol level ${version}`, async () => {
        const settings = {
          cleanStart: false,
          clientId: `worker-${qos}-${version}`,
          ...(version === 5 && { sessionExpiry: 60 }),
        };
        const first = connect(broker.url, settings, version);
        const inbox = await listen(first, {}, qos);
        const sender = connect(broker.url);
        for (const n of ['a', 'b', 'c']) await sender.publish('work/x', n, { qos, retain: false });
        await inbox.until(({ messages }) => messages.length === 3);
        inbox.messages[0]?.acknowledge?.();
        await broker.logged(qos === 1 ? /Received PUBACK/ : /Received PUBREC/);
        await first.close();
        const again = new Inbox();
        const second = connect(broker.url, settings, version);
        second.subscribe('work/#', { qos, acknowledgement: {} }, again);
        await again.until(({ messages }) => messages.length === 2);
        assert.deepEqual(
          again.messages.map(({ payload, dup }) => `${payload} ${dup}`),
          ['b true', 'c true'],
        );
      });
    }
  }

  it('do not get a message again over a cut while they are at it, and may acknowledge it meanwhile', async () => {
    const settings = { cleanStart: false, clientId: 'cut', sessionExpiry: 60 };
    const worker = connect(broker.url, settings);
    const inbox = await listen(worker, {}, 2);
    const sender = connect(broker.url);
    await sender.publish('work/x', 'q1', quick);
    await sender.publish('work/x', 'q2', { qos: 2, retain: false });
    await inbox.until(({ messages }) => messages.length === 2);
    const thief = connect(broker.url, settings);
    await connected(thief);
    for (const message of inbox.messages) message.acknowledge?.();
    await thief.close();
    await statusOf(worker, ({ state }) => state === 'connected');
    await sender.publish('work/x', 'end', quick);
    await inbox.until(({ messages }) => messages.length === 3);
    assert.deepEqual(
      inbox.messages.map(({ payload }) => String(payload)),
      ['q1', 'q2', 'end'],
    );
    await broker.logged(/Received PUBREC from cut/);
  });

  it('are told when their time is over, and the message is refused', async () => {
    const worker = connect(broker.url);
    const late: ReceivedMessage[] = [];
    let wake: () => void;
    const told = new Promise<void>((resolve) => (wake = resolve));
    const inbox = new Inbox();
    worker.subscribe(
      'work/#',
      { qos: 1, acknowledgement: { timeout: 0.05 } },
      {
        message: (message) => {
          inbox.message(message);
          // At once: its time would soon be over, too.
          if (String(message.payload) === 'next') message.acknowledge?.(0x99);
        },
        result: () => inbox.result(),
        unacknowledged: (message) => {
          late.push(message);
          wake();
        },
      },
    );
    await inbox.until(({ results }) => results.length === 1);
    const sender = connect(broker.url);
    await sender.publish('work/x', 'slow', quick);
    await told;
    assert.deepEqual(late, inbox.messages);
    await broker.logged(/Received PUBACK from .* RC:131\)/);
    late[0]?.acknowledge?.();
    await sender.publish('work/x', 'next', quick);
    await broker.logged(/Received PUBACK from .* RC:153\)/);
  });

  it('get so many at a time, in order, the oldest of QoS 0 dropped beyond the bound', async () => {
    const worker = connect(broker.url);
    const inbox = await listen(worker, { concurrency: 1, maxWaiting: 3 });
    const sender = connect(broker.url);
    for (let n = 0; n < 8; n++)
      await sender.publish('work/x', String(n), { qos: (n === 1 ? 1 : 0) as QoS, retain: false });
    await sender.publish('work/end', '', quick);
    await broker.logged(/Sending PUBLISH to .*work\/end/);
    // The broker says so before it sends; what it answers then comes behind the message.
    await worker.ping();
    for (let done = 0; done < 6; done++) {
      await inbox.until(({ messages }) => messages.length === done + 1);
      await settle();
      assert.equal(inbox.messages.length, done + 1);
      inbox.messages[done]?.acknowledge?.();
    }
    assert.deepEqual(
      inbox.messages.map(({ payload }) => String(payload)),
      ['0', '1', '5', '6', '7', ''],
    );
    assert.equal(worker.statistics.unprocessedDropped, 3);
    assert.equal(worker.statistics.unanswered, 0);
  });

  it('leave what they have not acknowledged to the one that takes their place', async () => {
    const worker = connect(broker.url);
    const inbox = await listen(worker, { concurrency: 1 });
    const sender = connect(broker.url);
    for (const n of ['a', 'b', 'c']) await sender.publish('work/x', n, quick);
    await inbox.until(({ messages }) => messages.length === 1);
    await broker.logged(/Sending PUBLISH to .*m3/);
    await settle();
    inbox.close();
    const next = new Inbox();
    worker.subscribe('work/#', { qos: 1, acknowledgement: {} }, next);
    await next.until(({ messages }) => messages.length === 3);
    inbox.messages[0]?.acknowledge?.();
    for (const message of next.messages) message.acknowledge?.();
    await broker.logged(/Received PUBACK from .*Mid: 3/);
    assert.equal(inbox.messages.length, 1);
  });

  it('are not given more than the Receive Maximum by a broker that exceeds it', async () => {
    const misbehaving = await ScriptedBroker.start((received, socket: Socket) => {
      if (received.type === CONNECT) socket.write(packet(2, 0, 0, 0, 0));
      if (received.type !== SUBSCRIBE) return;
      socket.write(packet(9, 0, received.body.subarray(0, 2), 0, 1));
      for (const id of [1, 2, 3, 4]) socket.write(packet(PUBLISH, 2, text('work/x'), 0, id, 0));
      socket.write(packet(PUBLISH, 0, text('work/x'), 0));
    });
    const worker = connect(misbehaving.url, { receiveMaximum: 2 });
    const inbox = await listen(worker);
    for (let done = 0; done < 4; done++) {
      await inbox.until(({ messages }) => messages.length >= Math.min(4, done + 2));
      await settle();
      assert.equal(inbox.messages.length, done < 3 ? done + 2 : 5);
      inbox.messages[done]?.acknowledge?.();
      await misbehaving.until((made) => made.of(4).length === done + 1);
    }
    assert.deepEqual(
      inbox.messages.map(({ packetId }) => packetId),
      [1, 2, 3, 4, undefined],
    );
    await worker.close();
    await misbehaving.stop();
  });

  for (const version of [4, 5] as const) {
    it(`may wait for what they publish before they acknowledge, protocol level ${version}`, async () => {
      const worker = connect(broker.url, { receiveMaximum: 2 }, version);
      const done = new Inbox();
      const subscribed = new Inbox();
      worker.subscribe(
        'work/#',
        { qos: 1, acknowledgement: {} },
        {
          result: () => subscribed.result(),
          message: (message) => {
            void worker.publish('result', message.payload, quick).then(() => {
              message.acknowledge?.();
              done.message(message);
            });
          },
        },
      );
      await subscribed.until(({ results }) => results.length === 1);
      const sender = connect(broker.url);
      await Promise.all(Array.from({ length: 30 }, (_, n) => sender.publish('work/x', String(n), quick)));
      await done.until(({ messages }) => messages.length === 30);
    });
  }

  it('have nothing more read from the network when too much waits, and the connection lives on', async () => {
    const COUNT = 40;
    const pings = () => misbehaving.of(12).length;
    let written = 0;
    const misbehaving = await ScriptedBroker.start((received, socket: Socket) => {
      if (received.type === CONNECT) socket.write(packet(2, 0, 0, 0, 0));
      if (received.type === 12) socket.write(packet(13, 0));
      if (received.type !== SUBSCRIBE) return;
      socket.write(packet(9, 0, received.body.subarray(0, 2), 0, 1));
      for (let id = 1; id <= COUNT; id++) {
        const body = Buffer.concat([text('work/x'), Buffer.from([0, id, 0]), Buffer.alloc(1 << 20)]);
        const header = Buffer.from([
          (PUBLISH << 4) | 2,
          (body.length & 127) | 128,
          ((body.length >> 7) & 127) | 128,
          body.length >> 14,
        ]);
        socket.write(Buffer.concat([header, body]), () => written++);
      }
    });
    const worker = connect(misbehaving.url, { receiveMaximum: 1, keepAlive: 1 });
    const inbox = await listen(worker);
    await misbehaving.until(() => pings() >= 4);
    assert.equal(inbox.messages.length, 1);
    assert.ok(written < COUNT, `${written} of ${COUNT} were read`);
    for (let done = 0; done < COUNT; done++) {
      await inbox.until(({ messages }) => messages.length > done);
      inbox.messages[done]?.acknowledge?.();
    }
    await misbehaving.until((made) => made.of(4).length === COUNT);
    assert.equal(misbehaving.of(CONNECT).length, 1);
    await worker.close();
    await misbehaving.stop();
  });

  it('hold up nobody else on the filter', async () => {
    const connection = connect(broker.url);
    const slow = await listen(connection);
    const inbox = await Inbox.on(connection, 'work/#');
    for (const n of ['a', 'b']) await connection.publish('work/x', n, quick);
    await inbox.until(({ messages }) => messages.length === 2);
    assert.equal(connection.statistics.unanswered, 2);
    assert.equal(inbox.messages[0]?.acknowledge, undefined);
    for (const message of slow.messages) message.acknowledge?.();
    assert.equal(connection.statistics.unanswered, 0);
  });
});
