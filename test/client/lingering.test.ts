import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { mock } from 'node:test';
import { Connection } from '../../src/client/connection';
import { FilterSubscription, Member } from '../../src/client/filter-subscription';
import { timeless } from '../clock';
import { Inbox, settingsFor } from './observed';
import { CONNECT, PUBLISH, packet, ScriptedBroker, SUBSCRIBE, text, UNSUBSCRIBE } from './scripted-broker';

const PUBACK = 4;
const PINGREQ = 12;
/** More than the time that a filter is kept subscribed, and less than close() waits for acknowledgements, in ms. */
const LINGERING_MS = 1000;

describe('a filter whose last listener has left', function () {
  this.timeout(60_000);
  let broker: ScriptedBroker;
  let connection: Connection;
  let socket: Socket;

  beforeEach(async () => {
    broker = await ScriptedBroker.start((received, from) => {
      socket = from;
      if (received.type === CONNECT) from.write(packet(2, 0, 0, 0, 0));
      if (received.type === SUBSCRIBE) from.write(packet(9, 0, received.body.subarray(0, 2), 0, 1));
      if (received.type === PINGREQ) from.write(packet(13, 0));
    });
    connection = new Connection(settingsFor(broker.url));
    connection.open();
  });

  afterEach(async () => {
    await connection.close();
    await broker.stop();
  });

  /** Resolves when the message has come. */
  const send = async (id: number, flags = 2) => {
    socket.write(packet(PUBLISH, flags, text('t'), 0, id, 0, Buffer.from(String(id))));
    await connection.ping();
  };
  const answered = () => broker.of(PUBACK).map(({ body }) => body.readUInt16BE(0));

  it('keeps what comes for those who take it up again, each in order, and answers it then', async () => {
    const before = [await Inbox.on(connection, 't'), await Inbox.on(connection, 't')];
    const inboxes = [new Inbox(), new Inbox()];
    await timeless(async () => {
      for (const leaving of before) leaving.close();
      for (const id of [1, 2, 3]) await send(id);
      assert.deepEqual(answered(), []);
      const brief = connection.subscribe('t', { qos: 1 }, new Inbox());
      for (const inbox of inboxes) connection.subscribe('t', { qos: 1 }, inbox);
      brief.close();
      assert.deepEqual(inboxes[0]?.messages, []);
    });
    await send(4);
    for (const inbox of inboxes) {
      await inbox.until(({ messages }) => messages.length === 4);
      assert.deepEqual(inbox.texts, ['t=1', 't=2', 't=3', 't=4']);
    }
    await broker.until(() => answered().length === 4);
    assert.deepEqual(answered(), [1, 2, 3, 4]);
  });

  it('keeps for who acknowledges what another has left, before what has come since', async () => {
    const acknowledgement = { acknowledgement: {} };
    const leaving = await Inbox.on(connection, 't', 1, acknowledgement);
    await send(1);
    const inbox = new Inbox();
    await timeless(async () => {
      leaving.close();
      await send(2);
      connection.subscribe('t', { qos: 1, ...acknowledgement }, inbox);
    });
    await inbox.until(({ messages }) => messages.length === 2);
    assert.deepEqual(inbox.texts, ['t=1', 't=2']);
    assert.deepEqual(answered(), []);
    for (const message of inbox.messages) message.acknowledge?.();
    await broker.until(() => answered().length === 2);
  });

  it('leaves out what is retained, which the broker sends again to who joins', async () => {
    (await Inbox.on(connection, 't')).close();
    await send(1, 3);
    await broker.until(() => answered().length === 1);
    const inbox = await Inbox.on(connection, 't');
    assert.deepEqual(inbox.messages, []);
  });

  it('answers what came when nobody takes it up', async () => {
    (await Inbox.on(connection, 't')).close();
    await send(1);
    await broker.until(() => answered().length === 1 && broker.of(UNSUBSCRIBE).length === 1);
  });

  it('is kept, with what came, for the session that goes on after a close that takes long', async () => {
    const listener = await Inbox.on(connection, 't');
    await timeless(async () => {
      listener.close();
      await send(1);
      const published = connection.publish('p', '', { qos: 1, retain: false });
      const closed = connection.close();
      mock.timers.tick(LINGERING_MS);
      await broker.until(() => broker.of(PUBLISH).length === 1);
      socket.write(packet(PUBACK, 0, broker.of(PUBLISH)[0]?.body.subarray(3, 5) ?? 0));
      await Promise.all([published, closed]);
      assert.deepEqual(answered(), []);
      assert.equal(broker.of(UNSUBSCRIBE).length, 0);
    });
  });

  it('gives who joins its retained messages also when they come at once', async () => {
    const subscription = new FilterSubscription('t', 1);
    const join = () => {
      const inbox = new Inbox();
      const member = new Member({ qos: 1 }, inbox);
      subscription.join(member);
      subscription.nextGeneration([member]);
      return { inbox, member };
    };
    const retained = { cmd: 'publish', topic: 't', qos: 1, dup: false, retain: true } as const;
    const deliver = (payload: string) => {
      const packet = { ...retained, payload: Buffer.from(payload) };
      subscription.deliver(packet, subscription.identifier, () => () => {});
    };
    subscription.leave(join().member);
    deliver('for who has left');
    const { inbox } = join();
    deliver('for who has come');
    await inbox.until(({ messages }) => messages.length > 0);
    assert.deepEqual(inbox.texts, ['t=for who has come']);
  });
});
