import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { mock } from 'node:test';
import { Connection, type ConnectionSettings } from '../../src/client/connection';
import { connected, Inbox, settingsFor, statusOf } from './observed';
import {
  CONNECT,
  clientIdOf,
  PUBLISH,
  packet,
  type RawPacket,
  ScriptedBroker,
  SUBSCRIBE,
  text,
  UNSUBSCRIBE,
} from './scripted-broker';

const DISCONNECT = 14;
const CONNACK = packet(2, 0, 0, 0, 0);
const PINGREQ = 12;
const RESUMED = packet(2, 0, 1, 0, 0);
const LASTING = { cleanStart: false, sessionExpiry: 3600 };
/** The subscription identifier of an MQTT 5 SUBSCRIBE, as its bytes; none without properties. */
const identifierOf = ({ body }: RawPacket): Buffer => body.subarray(4, 3 + (body[2] ?? 0));
const suback = ({ body }: RawPacket, code: number): Buffer => packet(9, 0, body.subarray(0, 2), 0, code);

describe('connection to a broker that misbehaves or says no', function () {
  this.timeout(60_000);
  let broker: ScriptedBroker;
  let connection: Connection;

  const connect = async (
    answer: (packet: RawPacket, socket: Socket) => void,
    settings: Partial<ConnectionSettings> = {},
  ) => {
    broker = await ScriptedBroker.start(answer);
    connection = new Connection(settingsFor(broker.url, 5, settings));
    connection.open();
  };

  afterEach(async () => {
    await connection.close();
    await broker.stop();
  });

  it('hands one copy with several subscription identifiers to each of their listeners, once', async () => {
    const identifiers: Buffer[] = [];
    await connect((received, socket) => {
      if (received.type === CONNECT) socket.write(CONNACK);
      if (received.type !== SUBSCRIBE) return;
      identifiers.push(Buffer.concat([Buffer.from([0x0b]), identifierOf(received)]));
      socket.write(suback(received, 0));
      if (identifiers.length < 2) return;
      const properties = Buffer.concat(identifiers);
      socket.write(packet(PUBLISH, 0, text('a/b'), properties.length, properties, Buffer.from('x')));
      // Nobody here has asked for this identifier: a subscription of an earlier run.
      socket.write(packet(PUBLISH, 0, text('a/b'), 2, 0x0b, 0x7f, Buffer.from('stale')));
      socket.write(packet(PUBLISH, 0, text('a/b'), 2, 0x0b, 0x7e, Buffer.from('stale')));
      // A known identifier, but for a topic that its filter does not match.
      const first = identifiers[0] as Buffer;
      socket.write(packet(PUBLISH, 0, text('other'), first.length, first, Buffer.from('stale')));
      socket.write(packet(PUBLISH, 0, text('a/b'), properties.length, properties, Buffer.from('y')));
    });
    const plus = Inbox.on(connection, 'a/+');
    const hash = Inbox.on(connection, 'a/#');
    for (const inbox of [await plus, await hash]) {
      await inbox.until(({ messages }) => messages.length === 2);
      assert.deepEqual(inbox.texts, ['a/b=x', 'a/b=y']);
    }
    assert.equal(connection.statistics.unrouted, 3);
  });

  it('takes a session per overlapping filter where CONNACK says there are no subscription identifiers', async () => {
    const sockets = new Map<string, Socket>();
    const subscribed: string[] = [];
    await connect((received, socket) => {
      if (received.type === CONNECT) {
        sockets.set(clientIdOf(received), socket);
        socket.write(packet(2, 0, 0, 0, 2, 0x29, 0));
      }
      if (received.type !== SUBSCRIBE) return;
      assert.equal(received.body[2], 0, 'no properties');
      const [id] = [...sockets].find(([, other]) => other === socket) ?? [];
      subscribed.push(`${id?.replace(/^test-[a-z0-9]+/, 'id')} ${received.body.subarray(5, -1)}`);
      socket.write(suback(received, 0));
      socket.write(packet(PUBLISH, 0, text('a/b'), 0, Buffer.from('x')));
    });
    const inboxes = await Promise.all(
      ['a/+', 'a/#', '+/b', 'c'].map((filter) => Inbox.on(connection, filter)),
    );
    for (const inbox of inboxes.slice(0, 3)) await inbox.until(({ messages }) => messages.length >= 1);
    assert.deepEqual(subscribed.sort(), ['id a/+', 'id c', 'id-2 a/#', 'id-3 +/b']);
  });

  it('refuses the filter that would take a ninth session', async () => {
    await connect((received, socket) => {
      if (received.type === CONNECT) socket.write(packet(2, 0, 0, 0, 2, 0x29, 0));
      if (received.type === SUBSCRIBE) socket.write(suback(received, 0));
    });
    await connected(connection);
    const filters = Array.from({ length: 9 }, (_, depth) => [...Array(depth).fill('a'), '#'].join('/'));
    const inboxes: Inbox[] = [];
    for (const filter of filters) inboxes.push(await Inbox.on(connection, filter));
    assert.deepEqual(
      inboxes.map(({ results }) => results[0]?.message),
      [
        ...Array(8).fill(undefined),
        'not subscribed to "a/a/a/a/a/a/a/a/#": it overlaps others, the broker does not tell subscriptions apart, and 8 sessions are in use',
      ],
    );
  });

  it('reports a refused SUBACK with its reason, and keeps the connection', async () => {
    await connect((received, socket) => {
      if (received.type === CONNECT) socket.write(CONNACK);
      if (received.type === SUBSCRIBE)
        socket.write(suback(received, received.body.includes('secret') ? 0x87 : 0));
    });
    const refused = await Inbox.on(connection, 'secret/#');
    assert.equal(refused.results[0]?.message, 'not subscribed to "secret/#": Not authorized (0x87)');
    const granted = await Inbox.on(connection, 'open/#');
    assert.deepEqual(granted.results, [undefined]);
    assert.equal(connection.status.state, 'connected');
  });

  it('reports a refused PUBACK with its reason and reason string', async () => {
    await connect((received, socket) => {
      if (received.type === CONNECT) socket.write(CONNACK);
      const why = Buffer.concat([Buffer.from([0x1f]), text('too much')]);
      if (received.type === PUBLISH) {
        socket.write(packet(4, 0, received.body.subarray(3, 5), 0x97, why.length, why));
      }
    });
    await assert.rejects(
      connection.publish('t', 'x', { qos: 1, retain: false }),
      /^PublishError: topic "t" not published: Quota exceeded \(0x97\): too much$/,
    );
  });

  it('keeps no more in flight than the Receive Maximum of the broker', async () => {
    const held: { received: RawPacket; socket: Socket }[] = [];
    await connect((received, socket) => {
      if (received.type === CONNECT) socket.write(packet(2, 0, 0, 0, 3, 0x21, 0, 2));
      if (received.type === PUBLISH) held.push({ received, socket });
    });
    const published = Array.from({ length: 5 }, (_, n) =>
      connection.publish('t', String(n), { qos: 1, retain: false }),
    );
    for (let answered = 0; answered < 5; answered++) {
      await broker.until(() => held.length > 0);
      for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
      assert.equal(held.length, Math.min(2, 5 - answered));
      const { received, socket } = held.shift() as (typeof held)[0];
      socket.write(packet(4, 0, received.body.subarray(3, 5)));
    }
    await Promise.all(published);
  });

  it('refuses what the broker has said it does not take, without sending it', async () => {
    // Maximum QoS 0, Retain Available 0, Maximum Packet Size 20.
    await connect((received, socket) => {
      if (received.type === CONNECT) socket.write(packet(2, 0, 0, 0, 9, 0x24, 0, 0x25, 0, 0x27, 0, 0, 0, 20));
    });
    await connected(connection);
    await assert.rejects(connection.publish('t', 'x', { qos: 1, retain: false }), /takes at most QoS 0/);
    await assert.rejects(connection.publish('t', 'x', { qos: 0, retain: true }), /does not keep retained/);
    await assert.rejects(
      connection.publish('t', 'x'.repeat(30), { qos: 0, retain: false }),
      /at most 20 bytes/,
    );
    assert.equal(broker.of(PUBLISH).length, 0);
  });

  it('ends a connection on which it cannot parse what comes, and says so', async () => {
    await connect((received, socket) => {
      if (received.type === CONNECT) socket.write(Buffer.concat([CONNACK, Buffer.from([0xff, 0x01, 0x00])]));
    });
    const { reason } = await statusOf(connection, ({ state }) => state === 'reconnecting');
    assert.match(reason ?? '', /Invalid header flag bits|[Ii]nvalid|malformed/);
  });

  it('ends a connection on which a packet is announced that is larger than allowed, without waiting for it', async () => {
    for (const protocolVersion of [5, 4] as const) {
      broker = await ScriptedBroker.start((received, socket) => {
        if (received.type === CONNECT) socket.write(protocolVersion === 5 ? CONNACK : packet(2, 0, 0, 0));
        if (received.type !== SUBSCRIBE) return;
        socket.write(
          protocolVersion === 5 ? suback(received, 0) : packet(9, 0, received.body.subarray(0, 2), 0),
        );
        socket.write(packet(PUBLISH, 0, text('a'), ...(protocolVersion === 5 ? [0] : []), Buffer.from('x')));
        // 200 MB, of which nothing follows.
        socket.write(Buffer.from([0x30, 0x80, 0x84, 0xaf, 0x5f]));
      });
      connection = new Connection(settingsFor(broker.url, protocolVersion, { maximumPacketSize: 1000 }));
      connection.open();
      const inbox = await Inbox.on(connection, 'a');
      const { reason } = await statusOf(connection, ({ state }) => state === 'reconnecting');
      assert.equal(
        reason,
        'the broker sent a packet of 200000005 bytes, where 1000 are allowed: Packet too large (0x95)',
      );
      assert.deepEqual(inbox.texts, ['a=x']);
      if (protocolVersion === 4) continue;
      await broker.until((made) => made.of(DISCONNECT).length > 0);
      assert.deepEqual([...(broker.of(DISCONNECT)[0]?.body ?? [])], [0x95]);
      await connection.close();
      await broker.stop();
    }
  });

  for (const [name, sent, reason] of [
    ['a message before CONNACK', packet(PUBLISH, 0, text('a'), 0), 'the broker sent PUBLISH before CONNACK'],
    ['AUTH that nobody has asked for', packet(15, 0, 0x18, 0), 'Protocol Error (0x82)'],
    ['CONNACK twice', Buffer.concat([CONNACK, CONNACK]), 'Protocol Error (0x82)'],
  ] as const) {
    it(`ends a connection over ${name}`, async () => {
      await connect((received, socket) => {
        if (received.type === CONNECT) socket.write(sent);
      });
      const ended = await statusOf(connection, ({ state }) => state === 'reconnecting');
      assert.equal(ended.reason, reason);
    });
  }

  it('says that a subscription is not answered, but gets what comes for it', async () => {
    mock.timers.enable({ apis: ['setInterval'] });
    try {
      await connect((received, socket) => {
        if (received.type === CONNECT) socket.write(CONNACK);
        if (received.type === PUBLISH) socket.write(packet(PUBLISH, 0, text('a'), 0, Buffer.from('x')));
      });
      const inbox = new Inbox();
      connection.subscribe('a', { qos: 1 }, inbox);
      await broker.until((made) => made.of(SUBSCRIBE).length === 1);
      mock.timers.tick(30_000);
      await inbox.until(({ results }) => results.length === 1);
      assert.equal(
        inbox.results[0]?.message,
        'not subscribed to "a": the broker has not answered within 30 s',
      );
      void connection.publish('b', '', { qos: 0, retain: false });
      await inbox.until(({ messages }) => messages.length === 1);
      assert.equal(connection.status.state, 'connected');
    } finally {
      mock.timers.reset();
    }
  });

  it('is not taken for dead while little is read, behind which its answers to pings are', async () => {
    const SECOND = 1000;
    mock.timers.enable({ apis: ['setInterval'] });
    try {
      await connect(
        (received, socket) => {
          if (received.type === CONNECT) socket.write(CONNACK);
        },
        { keepAlive: 1 },
      );
      await connected(connection);
      mock.timers.tick(SECOND);
      await broker.until((made) => made.of(PINGREQ).length === 1);
      for (let pause = 0; pause < 20; pause++) {
        connection.pause();
        mock.timers.tick(SECOND / 5);
        connection.resume();
        mock.timers.tick(SECOND / 5);
        await new Promise(setImmediate);
        assert.equal(connection.status.state, 'connected');
      }
      // Else the broker would take the client for dead.
      await broker.until((made) => made.of(PINGREQ).length >= 8);
      mock.timers.tick(3 * SECOND);
      const { reason } = await statusOf(connection, ({ state }) => state === 'reconnecting');
      assert.equal(reason, 'the broker did not answer PINGREQ in time');
    } finally {
      mock.timers.reset();
    }
  });

  it('says why the broker disconnects', async () => {
    await connect((received, socket) => {
      if (received.type === CONNECT) socket.end(Buffer.concat([CONNACK, packet(14, 0, 0x8e, 0)]));
    });
    const { reason } = await statusOf(connection, ({ state }) => state === 'reconnecting');
    assert.equal(reason, 'the broker ended the connection: Session taken over (0x8e)');
  });

  it('names the server that the broker sends it to', async () => {
    const reference = Buffer.concat([Buffer.from([0x1c]), text('other:1883')]);
    await connect((received, socket) => {
      if (received.type === CONNECT) socket.end(packet(2, 0, 0, 0x9d, reference.length, reference));
    });
    const { reason } = await statusOf(connection, ({ state }) => state === 'error');
    assert.equal(reason, 'Server moved (0x9d): other:1883');
  });

  it('does not let a listener that throws disturb the others', async () => {
    await connect((received, socket) => {
      if (received.type === CONNECT) socket.write(CONNACK);
      if (received.type === SUBSCRIBE) socket.write(suback(received, 0));
      if (received.type === PUBLISH) socket.write(packet(PUBLISH, 0, text('t'), 0, Buffer.from('x')));
    });
    const thrown: (Error | undefined)[] = [];
    connection.subscribe(
      't',
      { qos: 0 },
      {
        message: () => {
          throw new Error('mine');
        },
        result: (error) => thrown.push(error),
      },
    );
    const inbox = await Inbox.on(connection, 't');
    // A message that comes with SUBACK may be heard before what becomes of the subscription.
    void connection.publish('go', '', { qos: 0, retain: false });
    await inbox.until(({ messages }) => messages.length === 1);
    assert.deepEqual(
      thrown.map((error) => error?.message),
      [undefined, 'mine'],
    );
    assert.equal(connection.status.state, 'connected');
  });

  it('sends again in order, with DUP, and is not kept from subscribing by a broker that does not acknowledge', async () => {
    let connections = 0;
    await connect((received, socket) => {
      if (received.type === CONNECT) {
        connections++;
        socket.write(CONNACK);
      }
      if (received.type === PUBLISH && connections === 1 && broker.of(PUBLISH).length === 3) socket.destroy();
      if (received.type === SUBSCRIBE) socket.write(suback(received, 0));
    });
    const published = ['1', '2', '3'].map((payload) =>
      connection.publish('t', payload, { qos: 1, retain: false }),
    );
    const rejected = Promise.allSettled(published);
    await Inbox.on(connection, 'a');
    await broker.until(() => connections === 2 && broker.of(PUBLISH).length === 6);
    assert.deepEqual(
      broker.of(PUBLISH).map(({ flags, body }) => `${body.at(-1)} ${flags}`),
      ['49 2', '50 2', '51 2', '49 10', '50 10', '51 10'],
    );
    await Inbox.on(connection, 'b');
    await connection.close();
    for (const { status } of await rejected) assert.equal(status, 'rejected');
  });

  it('makes good in a resumed session what changed while it was away, and nothing else', async () => {
    let admit: (() => void) | undefined;
    let admitted = false;
    await connect((received, socket) => {
      if (received.type === CONNECT) {
        if (broker.of(CONNECT).length === 1) socket.write(CONNACK);
        else {
          admit = () => {
            admitted = true;
            socket.write(RESUMED);
          };
        }
      }
      if (received.type === SUBSCRIBE) socket.write(suback(received, 0));
      if (received.type === PUBLISH) socket.destroy();
    }, LASTING);
    await Inbox.on(connection, 'kept');
    await Inbox.on(connection, 'grown');
    const left = await Inbox.on(connection, 'left');
    const back = await Inbox.on(connection, 'back');
    const away = statusOf(connection, ({ state }) => state === 'reconnecting');
    void connection.publish('cut', '', { qos: 0, retain: false }).catch(() => {});
    await away;
    left.close();
    back.close();
    const joined = new Inbox();
    connection.subscribe('grown', { qos: 0 }, joined);
    await broker.until(() => admit !== undefined);
    // The filter is given up a moment after its last listener has left, which nothing shows.
    await new Promise((resolve) => setTimeout(resolve, 700));
    const again = new Inbox();
    connection.subscribe('back', { qos: 0 }, again);
    const before = broker.received.length;
    admit?.();
    for (const inbox of [joined, again]) await inbox.until(({ results }) => results.length === 1);
    await broker.until(() => admitted && broker.of(UNSUBSCRIBE).length === 1);
    assert.deepEqual(
      broker.received
        .slice(before)
        .map(({ type, body }) => [type, ...['left', 'grown', 'back'].filter((name) => body.includes(name))]),
      [
        [UNSUBSCRIBE, 'left'],
        [SUBSCRIBE, 'grown'],
        [SUBSCRIBE, 'back'],
      ],
    );
  });

  it('sends again in a resumed session under the same packet identifiers, with DUP', async () => {
    await connect((received, socket) => {
      const resumed = broker.of(CONNECT).length > 1;
      if (received.type === CONNECT) socket.write(resumed ? RESUMED : CONNACK);
      if (received.type !== PUBLISH) return;
      if (!resumed) {
        if (broker.of(PUBLISH).length === 2) socket.destroy();
        return;
      }
      const identifier = received.body.subarray(3, 5);
      const qos = (received.flags >> 1) & 3;
      // PUBACK; or PUBREC, and PUBCOMP without waiting for PUBREL.
      if (qos === 1) socket.write(packet(4, 0, identifier));
      else socket.write(Buffer.concat([packet(5, 0, identifier), packet(7, 0, identifier)]));
    }, LASTING);
    await Promise.all([
      connection.publish('t', 'a', { qos: 1, retain: false }),
      connection.publish('t', 'b', { qos: 2, retain: false }),
    ]);
    const sent = broker.of(PUBLISH).map(({ flags, body }) => ({ flags, id: body.readUInt16BE(3) }));
    assert.deepEqual(
      sent.map(({ flags }) => flags),
      [2, 4, 10, 12],
    );
    assert.deepEqual(
      sent.slice(2).map(({ id }) => id),
      sent.slice(0, 2).map(({ id }) => id),
    );
  });

  it('gives each listener of a filter its own retained messages, also where nothing tells them apart', async () => {
    const [first, second] = [new Inbox(), new Inbox()];
    const retained = packet(PUBLISH, 1, text('t'), Buffer.from('kept'));
    const answers: (() => void)[] = [];
    broker = await ScriptedBroker.start((received, socket) => {
      if (received.type === CONNECT) socket.write(packet(2, 0, 0, 0));
      // In order, but each in its own time.
      if (received.type === SUBSCRIBE) {
        if (broker.of(SUBSCRIBE).length === 1) connection.subscribe('t', { qos: 0 }, second);
        socket.write(packet(9, 0, received.body.subarray(0, 2), 0));
        answers.push(() => socket.write(retained));
      }
      if (received.type === PINGREQ) answers.push(() => socket.write(packet(13, 0)));
      setTimeout(() => answers.shift()?.(), 10);
    });
    connection = new Connection(settingsFor(broker.url, 4));
    connection.open();
    connection.subscribe('t', { qos: 0 }, first);
    await first.until(({ messages }) => messages.length === 1);
    await second.until(({ messages }) => messages.length === 1);
    await connection.close();
    assert.deepEqual([first.texts, second.texts], [['t=kept'], ['t=kept']]);
  });

  it('believes no broker that it has a session after it was asked for a new one', async () => {
    await connect(
      (received, socket) => {
        if (received.type === CONNECT) socket.write(RESUMED);
        if (received.type === SUBSCRIBE) socket.write(suback(received, 0));
        if (received.type === SUBSCRIBE && broker.of(CONNECT).length === 1) socket.end();
      },
      { reconnect: { first: 1, longest: 5 } },
    );
    const inbox = await Inbox.on(connection, 'a');
    await inbox.until(({ results }) => results.length === 2);
    assert.equal(broker.of(SUBSCRIBE).length, 2);
  });

  it('unsubscribes again in a resumed session what was left when the connection was cut', async () => {
    await connect(
      (received, socket) => {
        const first = broker.of(CONNECT).length === 1;
        if (received.type === CONNECT) socket.write(first ? CONNACK : RESUMED);
        if (received.type === SUBSCRIBE) socket.write(suback(received, 0));
        if (received.type === UNSUBSCRIBE && first) socket.destroy();
        else if (received.type === UNSUBSCRIBE)
          socket.write(packet(11, 0, received.body.subarray(0, 2), 0, 0));
      },
      { ...LASTING, reconnect: { first: 1, longest: 5 } },
    );
    const inbox = await Inbox.on(connection, 'a');
    inbox.close();
    await broker.until(() => broker.of(UNSUBSCRIBE).length === 2);
  });

  it('ends a subscription that the broker answers wrongly in an error', async () => {
    await connect((received, socket) => {
      if (received.type === CONNECT) socket.write(CONNACK);
      if (received.type === SUBSCRIBE) socket.write(packet(9, 0, received.body.subarray(0, 2), 0, 0, 0));
    });
    const inbox = await Inbox.on(connection, 'a');
    assert.match(String(inbox.results[0]), /not subscribed to "a": Protocol error: suback granted 2/);
  });
});
