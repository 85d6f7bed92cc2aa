import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection, type ConnectionSettings, type QueueSettings } from '../../src/client/connection';
import { ConnectionPool } from '../../src/client/connection-pool';
import { timeless } from '../clock';
import { freePort } from '../counterparts';
import { Inbox, settingsFor, statusOf } from './observed';
import {
  CONNECT,
  PUBLISH,
  packet,
  type RawPacket,
  ScriptedBroker,
  SUBSCRIBE,
  UNSUBSCRIBE,
} from './scripted-broker';

const quick = { qos: 1, retain: false } as const;
const payloadOf = ({ body }: RawPacket): string => body.subarray(6).toString();

describe('queue on disk', function () {
  this.timeout(60_000);
  let directory: string;
  const open: Connection[] = [];
  const brokers: ScriptedBroker[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'queue-'));
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((connection) => connection.close()));
    for (const broker of brokers.splice(0)) await broker.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const connect = (url: string, queue: QueueSettings = {}, more: Partial<ConnectionSettings> = {}) => {
    const settings = {
      queue: { directory, ...queue },
      reconnect: { first: 1, longest: 5 },
      clientId: 'stored',
      cleanStart: false,
      sessionExpiry: 3600,
      ...more,
    };
    const connection = new Connection(settingsFor(url, 5, settings));
    const problems: string[] = [];
    connection.onProblem((error) => problems.push(error.message));
    open.push(connection);
    connection.open();
    return { connection, problems };
  };
  const start = async (answer: (received: RawPacket, socket: Socket) => void, resumed = 0) => {
    const broker = await ScriptedBroker.start((received, socket) => {
      if (received.type === CONNECT) socket.write(packet(2, 0, resumed, 0, 0));
      else answer(received, socket);
    });
    brokers.push(broker);
    return broker;
  };
  const acknowledge = (received: RawPacket, socket: Socket) => {
    if (received.type === PUBLISH) socket.write(packet(4, 0, received.body.subarray(3, 5)));
  };

  it('says that a message is published when it is safe, and sends it in a later run, in order', async () => {
    const nobody = `mqtt://127.0.0.1:${await freePort()}`;
    const { connection } = connect(nobody);
    for (const text of ['a', 'b', 'c']) {
      assert.deepEqual(await connection.publish('t', text, quick), { stored: true });
    }
    const lost = connection.publish('t', 'not on disk', { qos: 0, retain: false });
    void lost.catch(() => {});
    await connection.close();
    await assert.rejects(lost, /the connection was closed/);
    const broker = await start(acknowledge);
    const next = connect(broker.url);
    await next.connection.publish('t', 'd', quick);
    await broker.until((made) => made.of(PUBLISH).length === 4);
    assert.deepEqual(broker.of(PUBLISH).map(payloadOf), ['a', 'b', 'c', 'd']);
    await next.connection.close();
    assert.deepEqual(next.problems, []);
    // All is done: there is nothing left for a third run.
    const third = connect(broker.url);
    await third.connection.publish('t', 'e', quick);
    await broker.until((made) => made.of(PUBLISH).length === 5);
    assert.equal(broker.of(PUBLISH).map(payloadOf).at(-1), 'e');
  });

  it('keeps what is published before it is to be connected, also while its predecessor still has the directory', async () => {
    const pool = new ConnectionPool();
    const settings = settingsFor(`mqtt://127.0.0.1:${await freePort()}`, 5, {
      queue: { directory },
      clientId: 'stored',
    });
    for (const text of ['a', 'b']) {
      const connection = pool.acquire('key', settings, false);
      assert.deepEqual(await connection.publish('t', text, quick), { stored: true });
      assert.equal(connection.status.state, 'disconnected');
      void pool.close('key');
    }
    await pool.close('key');
    const broker = await start(acknowledge);
    const { connection } = connect(broker.url);
    await connection.publish('t', 'c', quick);
    await broker.until((made) => made.of(PUBLISH).length === 3);
    assert.deepEqual(broker.of(PUBLISH).map(payloadOf), ['a', 'b', 'c']);
  });

  it('connects with what it has taken up before', async () => {
    const broker = await start(acknowledge);
    const connection = new Connection(settingsFor(broker.url, 5, { queue: { directory } }));
    open.push(connection);
    connection.openQueue();
    await connection.publish('t', 'a', quick);
    connection.open();
    await connection.publish('t', 'b', quick);
    await broker.until((made) => made.of(PUBLISH).length === 2);
    assert.deepEqual(broker.of(PUBLISH).map(payloadOf), ['a', 'b']);
  });

  it('does not call safe what never came to the disk', async () => {
    const connection = new Connection(settingsFor('mqtt://127.0.0.1:1', 5, { queue: { directory } }));
    const lost = assert.rejects(connection.publish('t', 'a', quick), /the connection was closed/);
    await connection.close();
    await lost;
  });

  it('leaves what an earlier run has kept where it is, if the settings are wrong', async () => {
    const first = connect(`mqtt://127.0.0.1:${await freePort()}`);
    await first.connection.publish('t', 'a', quick);
    await first.connection.close();
    const wrong = new Connection(settingsFor('http://127.0.0.1', 5, { queue: { directory } }));
    open.push(wrong);
    wrong.openQueue();
    await assert.rejects(wrong.publish('t', 'b', quick), /starts with http:/);
    const broker = await start(acknowledge);
    connect(broker.url);
    await broker.until((made) => made.of(PUBLISH).length === 1);
    assert.deepEqual(broker.of(PUBLISH).map(payloadOf), ['a']);
  });

  it('goes on with a QoS 2 exchange in a later run: the same packet identifier, DUP, and only PUBREL after PUBREC', async () => {
    const mute = await start((received, socket) => {
      if (received.type === PUBLISH && payloadOf(received) === 'b') {
        socket.write(packet(5, 0, received.body.subarray(3, 5)));
      }
    });
    const { connection } = connect(mute.url);
    for (const text of ['a', 'b']) await connection.publish('t', text, { qos: 2, retain: false });
    await mute.until((made) => made.of(6).length === 1);
    const [a, b] = mute.of(PUBLISH).map(({ body }) => body.readUInt16BE(3));
    await connection.close();
    const broker = await start((received, socket) => {
      const id = received.body.subarray(received.type === PUBLISH ? 3 : 0).subarray(0, 2);
      socket.write(packet(received.type === PUBLISH ? 5 : 7, 0, id));
    }, 1);
    const next = connect(broker.url);
    await broker.until((made) => made.of(6).length === 2);
    assert.deepEqual(
      broker
        .of(PUBLISH)
        .map(({ flags, body }) => [flags, body.readUInt16BE(3), payloadOf({ type: 3, flags, body })]),
      [[12, a, 'a']],
    );
    assert.deepEqual(
      broker.of(6).map(({ body }) => body.readUInt16BE(0)),
      [b, a],
    );
    await statusOf(next.connection, ({ state }) => state === 'connected');
    assert.deepEqual(next.problems, []);
  });

  it('is closed without sending what is safe, but with what is in flight, at QoS 0 and the closing message', async () => {
    const seen: string[] = [];
    const held: (() => void)[] = [];
    const broker = await start((received, socket) => {
      if (received.type !== PUBLISH) return;
      const qos = (received.flags >> 1) & 3;
      seen.push(received.body.subarray(qos > 0 ? 6 : 4).toString());
      if (qos > 0) held.push(() => acknowledge(received, socket));
    });
    const closing = { topic: 't', payload: 'bye', qos: 0, retain: false } as const;
    const { connection } = connect(broker.url, {}, { maxInFlight: 2, closing });
    for (const text of ['a', 'b', 'c', 'd']) await connection.publish('t', text, quick);
    const last = connection.publish('t', 'e', { qos: 0, retain: false });
    await broker.until(() => held.length === 2);
    // Closing does not wait long for what is in flight, but as long as that takes here.
    await timeless(async () => {
      const closed = connection.close();
      await broker.until(() => seen.length === 3);
      for (const release of held.splice(0)) release();
      await Promise.all([closed, last]);
    });
    assert.deepEqual(seen, ['a', 'b', 'e', 'bye']);
    const next = await start(acknowledge);
    connect(next.url);
    await next.until((made) => made.of(PUBLISH).length === 2);
    assert.deepEqual(next.of(PUBLISH).map(payloadOf), ['c', 'd']);
  });

  it('tells what becomes of a message that was safe, if it is bad', async () => {
    const broker = await start((received, socket) => {
      if (received.type === PUBLISH) socket.write(packet(4, 0, received.body.subarray(3, 5), 0x97));
    });
    const nobody = connect(`mqtt://127.0.0.1:${await freePort()}`, {
      maxMessages: 1,
      overflow: 'drop-oldest',
    });
    await nobody.connection.publish('t', 'a', quick);
    await nobody.connection.publish('t', 'b', quick);
    assert.deepEqual(nobody.problems, [
      'topic "t" not published: dropped, because the queue of waiting messages was full',
    ]);
    await nobody.connection.close();
    const { problems } = connect(broker.url);
    await broker.until((made) => made.of(PUBLISH).length === 1);
    while (problems.length === 0) await new Promise(setImmediate);
    assert.deepEqual(problems, ['topic "t" not published: Quota exceeded (0x97)']);
  });

  it('does not connect when somebody else has the directory, and says so', async () => {
    const broker = await start(acknowledge);
    connect(broker.url);
    await broker.until((made) => made.of(CONNECT).length === 1);
    const { connection } = connect(broker.url);
    const early = connection.publish('t', 'x', quick);
    const { reason } = await statusOf(connection, ({ state }) => state === 'error');
    assert.match(reason ?? '', /^queue on disk: the storage directory .* is in use/);
    await assert.rejects(early, /^NotConnectedError: not connected to the broker: queue on disk/);
    await assert.rejects(connection.publish('t', 'y', quick), /queue on disk/);
  });

  it('has a place for each session that overlapping filters take, also when one comes back', async () => {
    const broker = await ScriptedBroker.start(({ type, body }, socket) => {
      if (type === CONNECT) socket.write(packet(2, 0, 0, 0));
      if (type === SUBSCRIBE) socket.write(packet(9, 0, body.subarray(0, 2), 2));
      if (type === UNSUBSCRIBE) socket.write(packet(11, 0, body.subarray(0, 2)));
    });
    brokers.push(broker);
    const { connection, problems } = connect(broker.url, {}, { protocolVersion: 4 });
    await Inbox.on(connection, 'a/+', 2);
    for (let time = 0; time < 2; time++) {
      const overlapping = await Inbox.on(connection, 'a/#', 2);
      assert.deepEqual(overlapping.results, [undefined]);
      const stored = readdirSync(join(directory, 'session-2'));
      assert.ok(stored.some((name) => name.endsWith('.queue')));
      overlapping.close();
      await broker.until((made) => made.of(UNSUBSCRIBE).length > time);
    }
    assert.deepEqual(problems, []);
  });

  it('is closed and opened in the middle of opening without harm', async () => {
    const broker = await start(acknowledge);
    const { connection } = connect(broker.url);
    void connection.publish('t', 'x', quick).catch(() => {});
    await connection.close();
    const { connection: next } = connect(broker.url);
    void next.disconnect();
    next.open();
    await next.publish('t', 'y', quick);
    await broker.until((made) => made.of(PUBLISH).some((received) => payloadOf(received) === 'y'));
  });
});
