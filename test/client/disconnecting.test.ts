import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { Connection, type ConnectionSettings } from '../../src/client/connection';
import { connected, Inbox, settingsFor } from './observed';
import { CONNECT, PUBLISH, packet, type RawPacket, ScriptedBroker, SUBSCRIBE } from './scripted-broker';

const CONNACK = packet(2, 0, 0, 0, 0);
const DISCONNECT = 14;
const quick = { qos: 1, retain: false } as const;

const turns = async (count: number) => {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
};

describe('disconnecting and connecting in quick succession', function () {
  this.timeout(60_000);
  let broker: ScriptedBroker;
  let connection: Connection;

  const start = async (
    answer: (packet: RawPacket, socket: Socket) => void,
    settings: Partial<ConnectionSettings> = {},
  ) => {
    broker = await ScriptedBroker.start(answer);
    connection = new Connection(
      settingsFor(broker.url, 5, { reconnect: { first: 1, longest: 5 }, ...settings }),
    );
    connection.open();
  };
  const friendly = (received: RawPacket, socket: Socket) => {
    if (received.type === CONNECT) socket.write(CONNACK);
    if (received.type === SUBSCRIBE) socket.write(packet(9, 0, received.body.subarray(0, 2), 0, 0));
    if (received.type !== PUBLISH) return;
    const id = 2 + received.body.readUInt16BE(0);
    socket.write(packet(4, 0, received.body.subarray(id, id + 2)));
  };

  afterEach(async () => {
    await connection.close();
    await broker.stop();
  });

  it('keeps what is subscribed while it disconnects for the next connection', async () => {
    await start(friendly);
    await connected(connection);
    const disconnected = connection.disconnect();
    const inbox = new Inbox();
    connection.subscribe('early', { qos: 0 }, inbox);
    // DISCONNECT is on its way, and the network connection not closed.
    await Promise.resolve();
    connection.subscribe('late', { qos: 0 }, inbox);
    await disconnected;
    assert.equal(broker.of(SUBSCRIBE).length, 0);
    connection.open();
    await inbox.until(({ results }) => results.length === 2);
    assert.deepEqual(inbox.results, [undefined, undefined]);
  });

  it('subscribes nothing more while it waits for acknowledgements to close', async () => {
    let acknowledge = () => {};
    await start((received, socket) => {
      if (received.type === PUBLISH) acknowledge = () => friendly(received, socket);
      else friendly(received, socket);
    });
    await connected(connection);
    const published = connection.publish('t', '', quick);
    await broker.until(() => broker.of(PUBLISH).length === 1);
    const closed = connection.close();
    connection.subscribe('t', { qos: 0 }, new Inbox());
    await turns(5);
    acknowledge();
    await Promise.all([closed, published]);
    assert.equal(broker.of(SUBSCRIBE).length, 0);
  });

  it('makes one attempt at a time, though the one that was given up ends after the next has begun', async () => {
    await start(() => {});
    await connection.close();
    // A WebSocket request that nobody answers: the attempt is not over when there is a network connection.
    connection = new Connection(settingsFor(broker.url.replace('mqtt:', 'ws:')));
    connection.open();
    await turns(20);
    await connection.disconnect();
    const seen: string[] = [];
    connection.onStatus(({ state }) => seen.push(state));
    connection.open();
    await turns(20);
    assert.deepEqual(seen, ['disconnected', 'connecting']);
  });

  it('makes one connection after it was disconnected before CONNACK', async () => {
    await start((received, socket) => {
      if (broker.of(CONNECT).length > 1) friendly(received, socket);
    });
    await broker.until(() => broker.of(CONNECT).length === 1);
    await connection.disconnect();
    connection.open();
    await connected(connection);
    // What comes of the first is heard before the answer to this, and a second attempt begins a few ms later at most.
    await connection.publish('t', '', quick);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(broker.of(CONNECT).length, 2);
  });

  it('does what was asked last', async () => {
    await start(friendly);
    await connected(connection);
    const first = connection.disconnect();
    connection.open();
    await connection.disconnect();
    await first;
    await turns(20);
    assert.equal(connection.status.state, 'disconnected');
    assert.equal(broker.of(CONNECT).length, 1);
    void connection.disconnect();
    connection.open();
    await connected(connection);
  });

  it('publishes its closing message once when it is closed while it disconnects', async () => {
    const closing = { topic: 'bye', payload: '', qos: 0, retain: false } as const;
    await start(friendly, { closing });
    await connected(connection);
    void connection.disconnect();
    await connection.close();
    await broker.until(() => broker.of(DISCONNECT).length === 1);
    assert.equal(broker.of(PUBLISH).length, 1);
  });
});
