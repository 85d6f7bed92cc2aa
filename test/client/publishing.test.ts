import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { Connection, type ConnectionSettings, type PublishOptions } from '../../src/client/connection';
import { connected, settingsFor, statusOf } from './observed';
import { CONNECT, PUBLISH, packet, type RawPacket, ScriptedBroker, text } from './scripted-broker';

const CONNACK = packet(2, 0, 0, 0, 0);
const RESUMED = packet(2, 0, 1, 0, 0);
const LASTING = { cleanStart: false, sessionExpiry: 3600 };
const puback = ({ body }: RawPacket): Buffer => packet(4, 0, body.subarray(3, 5));
const quick = { qos: 1, retain: false } as const;
const payloadOf = ({ body }: RawPacket): string => body.subarray(6).toString();

describe('publishing through a broker that is difficult', function () {
  this.timeout(60_000);
  let broker: ScriptedBroker;
  let connection: Connection;

  const connect = async (
    answer: (packet: RawPacket, socket: Socket) => void,
    settings: Partial<ConnectionSettings> = {},
  ) => {
    broker = await ScriptedBroker.start(answer);
    connection = new Connection(
      settingsFor(broker.url, 5, { reconnect: { first: 1, longest: 5 }, ...settings }),
    );
    connection.open();
  };

  afterEach(async () => {
    await connection.close();
    await broker.stop();
  });

  for (const userProperties of [{}, { none: [] }]) {
    it(`sends a message, a will and CONNECT with the user properties ${JSON.stringify(userProperties)}`, async () => {
      const properties = { userProperties };
      await connect(
        (received, socket) => {
          if (received.type === CONNECT) socket.write(CONNACK);
          if (received.type === PUBLISH) socket.write(puback(received));
        },
        { userProperties, will: { topic: 'gone', payload: '', qos: 0, retain: false, properties } },
      );
      await connection.publish('t', 'x', { ...quick, properties });
      // The length of the properties, which is 0, comes before the payload.
      assert.deepEqual(broker.of(PUBLISH).map(payloadOf), ['x']);
    });
  }

  for (const qos of [0, 1] as const) {
    it(`sends the properties that a message was published with, whatever becomes of them while it waits (QoS ${qos})`, async () => {
      await connect((received, socket) => {
        if (received.type === CONNECT) socket.write(CONNACK);
        if (received.type === PUBLISH && qos === 1) socket.write(puback(received));
      });
      const texts: unknown[] = ['first', 'second'];
      const userProperties = { one: 'text', several: texts as string[] };
      const published = connection.publish('t', 'x', { qos, retain: false, properties: { userProperties } });
      Object.assign(userProperties, { one: 42, another: null });
      texts.push({});
      await Promise.all([published, broker.until(({ received }) => received.length > 1)]);
      const [sent] = broker.of(PUBLISH).map(({ body }) => body.subarray(3 + 2 * qos));
      const pairs = [
        ['one', 'text'],
        ['several', 'first'],
        ['several', 'second'],
      ] as const;
      const expected = Buffer.concat(
        pairs.flatMap(([name, value]) => [Buffer.of(0x26), text(name), text(value)]),
      );
      assert.deepEqual(sent, Buffer.concat([Buffer.of(expected.length), expected, Buffer.from('x')]));
    });
  }

  it('sends again what is unacknowledged in a resumed session all at once, in its order, before new messages', async () => {
    const again: string[] = [];
    await connect((received, socket) => {
      const second = broker.of(CONNECT).length > 1;
      if (received.type === CONNECT) socket.write(second ? RESUMED : CONNACK);
      if (received.type !== PUBLISH) return;
      if (!second) {
        if (payloadOf(received) === '4') socket.destroy();
        return;
      }
      again.push(`${payloadOf(received)} ${received.flags}`);
      // Nothing is answered before the last has come.
      if (payloadOf(received) === '5')
        for (const each of broker.of(PUBLISH).slice(-6)) socket.write(puback(each));
    }, LASTING);
    const published = Array.from({ length: 5 }, (_, n) => connection.publish('t', String(n), quick));
    await statusOf(connection, ({ state }) => state === 'reconnecting');
    published.push(connection.publish('t', '5', quick));
    await Promise.all(published);
    assert.deepEqual(again, ['0 10', '1 10', '2 10', '3 10', '4 10', '5 2']);
  });

  it('sends PUBREL, not the message, again in a resumed session once PUBREC has come, at a Maximum QoS of 1 too', async () => {
    await connect((received, socket) => {
      const second = broker.of(CONNECT).length > 1;
      if (received.type === CONNECT) socket.write(second ? packet(2, 0, 1, 0, 2, 0x24, 1) : CONNACK);
      if (received.type === PUBLISH) socket.write(packet(5, 0, received.body.subarray(3, 5)));
      if (received.type !== 6) return;
      if (second) socket.write(packet(7, 0, received.body.subarray(0, 2), 0x92, 0));
      else socket.destroy();
    }, LASTING);
    const { packetId } = await connection.publish('t', 'x', { qos: 2, retain: false });
    assert.equal(broker.of(PUBLISH).length, 1);
    assert.deepEqual(
      broker.of(6).map(({ flags, body }) => ({ flags, id: body.readUInt16BE(0) })),
      Array(2).fill({ flags: 2, id: packetId }),
    );
  });

  it('gives up the message over which the broker ends the connection each time, and publishes the others', async () => {
    await connect((received, socket) => {
      if (received.type === CONNECT) socket.write(broker.of(CONNECT).length > 1 ? RESUMED : CONNACK);
      if (received.type !== PUBLISH) return;
      if (payloadOf(received) === 'poison') socket.destroy();
      else if (!socket.destroyed) socket.write(puback(received));
    });
    const texts = ['a', 'b', 'poison', 'c', 'd'];
    const outcomes = await Promise.allSettled(texts.map((text) => connection.publish('t', text, quick)));
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
    );
    const [, , rejected] = outcomes;
    assert.match(
      String(rejected?.status === 'rejected' && rejected.reason),
      /^PublishError: topic "t" not published: given up: the broker has ended the connection each time it was sent/,
    );
    // Its packet identifier is not used for another message: the broker may still know it as this one.
    const poison = broker.of(PUBLISH).find((received) => payloadOf(received) === 'poison') as RawPacket;
    const id = poison.body.readUInt16BE(3);
    for (let n = 0; n < 5; n++) assert.notEqual((await connection.publish('t', 'e', quick)).packetId, id);
  });

  it('blames no message for a broker that says that it ends the connection for another reason', async () => {
    await connect((received, socket) => {
      const connections = broker.of(CONNECT).length;
      if (received.type === CONNECT) socket.write(connections > 1 ? RESUMED : CONNACK);
      if (received.type !== PUBLISH) return;
      if (connections > 8) socket.write(puback(received));
      // Server shutting down.
      else socket.end(packet(14, 0, 0x8b, 0));
    });
    await connection.publish('t', 'x', quick);
    assert.equal(broker.of(CONNECT).length, 9);
  });

  it('tells the packet identifier and that nobody has subscribed', async () => {
    await connect((received, socket) => {
      if (received.type === CONNECT) socket.write(CONNACK);
      if (received.type === PUBLISH) socket.write(packet(4, 0, received.body.subarray(3, 5), 0x10));
    });
    const { packetId, reasonCode } = await connection.publish('t', 'x', quick);
    assert.equal(packetId, broker.of(PUBLISH)[0]?.body.readUInt16BE(3));
    assert.equal(reasonCode, 0x10);
    assert.deepEqual(await connection.publish('t', 'x', { qos: 0, retain: false }), {});
  });

  it('measures the whole packet against the Maximum Packet Size', async () => {
    await connect((received, socket) => {
      if (received.type === CONNECT) socket.write(packet(2, 0, 0, 0, 5, 0x27, 0, 0, 0, 30));
      if (received.type === PUBLISH) socket.write(puback(received));
    });
    await connected(connection);
    const properties = { contentType: 'x', userProperties: { a: ['1', '2'] } };
    // 2 of header, 3 of topic, 2 of packet identifier, 1 of properties' length, 4 and twice 7 of properties.
    await connection.publish('t', '1234', { ...quick, properties });
    assert.equal(broker.of(PUBLISH)[0]?.body.length, 28);
    await assert.rejects(
      connection.publish('t', '12345', { ...quick, properties }),
      /not published: it makes a packet of 31 bytes, but the broker takes packets of at most 30 bytes/,
    );
    assert.equal(broker.of(PUBLISH).length, 1);
  });

  it('refuses properties that are none, and keeps the connection', async () => {
    await connect((received, socket) => {
      if (received.type === CONNECT) socket.write(CONNACK);
      if (received.type === PUBLISH) socket.write(puback(received));
    });
    await connected(connection);
    const long = 'x'.repeat(65_536);
    for (const [properties, reason] of [
      [{ contentType: 7 }, 'contentType is 7, expected text'],
      [{ contentType: long }, 'contentType is longer than 65535 bytes'],
      [{ contentType: 'a\0' }, 'contentType contains a NUL character'],
      [
        { userProperties: { '\ud800': 'a' } },
        'userProperties.\ud800 is not well-formed Unicode (a lone surrogate)',
      ],
      [{ userProperties: { a: 'b\0' } }, 'userProperties.a contains a NUL character'],
      [{ correlationData: Buffer.alloc(65_536) }, 'correlationData has 65536 bytes, expected at most 65535'],
      [{ userProperties: 'a' }, 'userProperties is "a", expected an object of texts'],
      [{ userProperties: { a: ['b', null] } }, 'userProperties.a is null, expected text'],
      [{ correlationData: 'a' }, 'correlationData is "a", expected a Buffer'],
      [
        { messageExpiryInterval: 1.5 },
        'messageExpiryInterval is 1.5, expected whole seconds from 0 to 4294967295',
      ],
      [
        { responseTopic: 'a/#' },
        'responseTopic: topic name "a/#" contains a wildcard (+ or #), which only filters may',
      ],
      [{ payloadFormatIndicator: 1 }, 'payloadFormatIndicator is 1, expected true or false'],
      [{ topicAlias: 1 }, 'topicAlias is not a property of a message'],
    ] as [object, string][]) {
      const options = { ...quick, properties } as PublishOptions;
      await assert.rejects(connection.publish('t', 'x', options), {
        message: `topic "t" not published: ${reason}`,
      });
    }
    await connection.publish('t', 'x', { ...quick, properties: { contentType: 'text/plain' } });
    assert.equal(broker.of(CONNECT).length, 1);
  });

  it('keeps a queue that was asked for while the broker refuses the connection, and QoS 0 out of it if so wanted', async () => {
    let refuse = true;
    await connect(
      (received, socket) => {
        if (received.type === CONNECT) socket.write(packet(2, 0, 0, refuse ? 0x87 : 0, 0));
        if (received.type === PUBLISH) socket.write(puback(received));
      },
      { queue: { qos0: 'refuse' } },
    );
    const early = connection.publish('t', 'x', quick);
    await statusOf(connection, ({ state }) => state === 'error');
    const later = connection.publish('t', 'y', quick);
    await assert.rejects(
      connection.publish('t', 'z', { qos: 0, retain: false }),
      /^NotConnectedError: not connected to the broker: Not authorized \(0x87\)$/,
    );
    refuse = false;
    await Promise.all([early, later]);
    assert.deepEqual(broker.of(PUBLISH).map(payloadOf), ['x', 'y']);
  });

  it('takes messages before it is opened', async () => {
    broker = await ScriptedBroker.start((received, socket) => {
      if (received.type === CONNECT) socket.write(CONNACK);
      if (received.type === PUBLISH) socket.write(puback(received));
    });
    connection = new Connection(settingsFor(broker.url));
    const published = connection.publish('t', 'x', quick);
    connection.open();
    await published;
  });

  it('has no more in flight than its settings say', async () => {
    await connect(
      (received, socket) => {
        if (received.type === CONNECT) socket.write(CONNACK);
        if (received.type !== PUBLISH) return;
        open++;
        most = Math.max(most, open);
        setImmediate(() => {
          open--;
          socket.write(puback(received));
        });
      },
      { maxInFlight: 3 },
    );
    let [open, most] = [0, 0];
    await Promise.all(Array.from({ length: 20 }, () => connection.publish('t', 'x', quick)));
    assert.equal(most, 3);
  });
});

describe('publishing from many callbacks of one turn of the loop', () => {
  it('goes out in one write', async () => {
    const writes: Buffer[] = [];
    const stream = new Duplex({
      read: () => {},
      writev(chunks, written) {
        writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)));
        if (writes.length === 1) this.push(CONNACK);
        written();
      },
    });
    const connection = new Connection({ ...settingsFor('', 4), endpoint: { openStream: () => stream } });
    connection.open();
    await connected(connection);
    const topics = ['a', 'b', 'c'];
    const published = topics.map(async (topic) => {
      await turn();
      await connection.publish(topic, '', { qos: 0, retain: false });
    });
    await Promise.all(published);
    await turn();
    assert.deepEqual(writes.slice(1).map(String), [
      topics.map((topic) => packet(PUBLISH, 0, text(topic)).toString()).join(''),
    ]);
    await connection.close();
  });
});
