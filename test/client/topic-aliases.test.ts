import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection, type ConnectionSettings, type QoS } from '../../src/client/connection';
import { TopicAliases } from '../../src/client/topic-aliases';
import { freePort } from '../counterparts';
import { endingAfterEach } from '../ending-after-each';
import { Random } from '../random';
import { Mosquitto } from './mosquitto';
import { connected, Inbox, settingsFor } from './observed';
import { CONNECT, PUBLISH, packet, type RawPacket, ScriptedBroker } from './scripted-broker';

const PUBREL = 6;

/** `topic:alias` as it stands in a PUBLISH of MQTT 5 whose first property, if any, is the alias. */
function sentAs({ body, flags }: RawPacket): string {
  const end = 2 + body.readUInt16BE(0);
  const properties = end + (flags & 6 ? 2 : 0);
  const alias = body[properties] === 3 ? body.readUInt16BE(properties + 2) : '';
  return `${flags & 8 ? 'dup ' : ''}${body.subarray(2, end)}:${alias}`;
}

describe('topic aliases', function () {
  this.timeout(60_000);
  const keep = endingAfterEach();

  const connect = (url: string, settings: Partial<ConnectionSettings> = {}, version: 4 | 5 = 5) => {
    const all = settingsFor(url, version, { reconnect: { first: 1, longest: 5 }, ...settings });
    const connection = keep(new Connection(all));
    connection.open();
    return connection;
  };
  /** Says the maximum in CONNACK and acknowledges what `answers` lets it. */
  const allowing = async (
    maximum: number,
    answers: (received: RawPacket, socket: Socket) => boolean = () => true,
  ) =>
    keep(
      await ScriptedBroker.start((received, socket) => {
        if (received.type === CONNECT) {
          socket.write(packet(2, 0, 0, 0, 3, 0x22, maximum >> 8, maximum & 255));
        } else if (answers(received, socket)) {
          const at = 2 + received.body.readUInt16BE(0);
          if (received.type === PUBLISH && (received.flags & 6) === 2) {
            socket.write(packet(4, 0, received.body.subarray(at, at + 2)));
          } else if (received.type === PUBLISH && (received.flags & 6) === 4) {
            socket.write(packet(5, 0, received.body.subarray(at, at + 2)));
          } else if (received.type === PUBREL) socket.write(packet(7, 0, received.body.subarray(0, 2)));
        }
      }),
    );
  const alias = (topicAlias: number | undefined, qos: QoS = 1) => ({
    qos,
    retain: false,
    ...(topicAlias !== undefined && { topicAlias }),
  });

  it('stand for the topic that a message gave them, until another topic gets them', async () => {
    const broker = await allowing(300);
    const connection = connect(broker.url);
    for (const [topic, number, qos] of [
      ['a', 300, 0],
      ['a', 300, 1],
      ['a', undefined, 1],
      ['b', 1, 2],
      ['b', 1, 2],
      ['b', 300, 1],
      ['a', 300, 1],
      ['b', 1, 1],
    ] as const) {
      await connection.publish(topic, 'x', alias(number, qos));
    }
    assert.deepEqual(broker.of(PUBLISH).map(sentAs), [
      'a:300',
      ':300',
      'a:',
      'b:1',
      ':1',
      'b:300',
      'a:300',
      'b:1',
    ]);
  });

  it('are refused beyond what the broker allows, with both numbers, and where they are none', async () => {
    const broker = await allowing(3);
    const connection = connect(broker.url);
    const early = connection.publish('t', 'x', alias(5));
    await assert.rejects(early, {
      message: `topic "t" not published: topic alias 5, but the broker's Topic Alias Maximum is 3`,
    });
    await connected(connection);
    await assert.rejects(connection.publish('t', 'x', alias(4, 0)), /topic alias 4, .* Maximum is 3$/);
    for (const wrong of [0, 1.5, -1, 65_536]) {
      await assert.rejects(
        connection.publish('t', 'x', alias(wrong)),
        new RegExp(`topicAlias is ${wrong}, expected a whole number from 1 to 65535`),
      );
    }
    await connection.publish('t', 'x', alias(3));
    assert.deepEqual(broker.of(PUBLISH).map(sentAs), ['t:3']);
    assert.equal(broker.of(CONNECT).length, 1);
  });

  it('are left out on MQTT 3.1.1', async function () {
    const broker = keep(await Mosquitto.start(this));
    const connection = connect(broker.url, {}, 4);
    const inbox = await Inbox.on(connection, '#');
    for (const text of ['1', '2']) await connection.publish('t', text, alias(500));
    await inbox.until(({ messages }) => messages.length === 2);
    assert.deepEqual(inbox.texts, ['t=1', 't=2']);
  });

  it('are set anew on each connection, also by what is sent again', async () => {
    let connections = 0;
    const broker = await allowing(9, ({ type }, socket) => {
      if (type === PUBLISH && broker.of(PUBLISH).length === 3) {
        connections++;
        socket.destroy();
      }
      return connections > 0 || broker.of(PUBLISH).length < 2;
    });
    const connection = connect(broker.url);
    await connection.publish('t', 'first', alias(7));
    await Promise.all(['second', 'third'].map((text) => connection.publish('t', text, alias(7))));
    assert.equal(broker.of(CONNECT).length, 2);
    assert.deepEqual(broker.of(PUBLISH).map(sentAs), ['t:7', ':7', ':7', 'dup t:7', 'dup :7']);
  });

  it('are kept with the messages of a queue on disk', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'queue-'));
    keep(directory, () => rmSync(directory, { recursive: true, force: true }));
    const settings = { queue: { directory }, clientId: 'stored' };
    const first = connect(`mqtt://127.0.0.1:${await freePort()}`, settings);
    for (const number of [2, undefined, 2, 8]) {
      assert.deepEqual(await first.publish('t', 'x', alias(number)), { stored: true });
    }
    await first.close();
    const broker = await allowing(5);
    const second = connect(broker.url, settings);
    const problem = new Promise<Error>((resolve) => second.onProblem(resolve));
    await second.publish('u', 'x', alias(2));
    assert.match((await problem).message, /topic alias 8, but the broker's Topic Alias Maximum is 5/);
    await broker.until((made) => made.of(PUBLISH).length === 4);
    assert.deepEqual(broker.of(PUBLISH).map(sentAs), ['t:2', 't:', ':2', 'u:2']);
  });

  it('reach a real broker beside automatic ones, each message under its topic', async function () {
    // Topic Alias Maximum 10, its default.
    const broker = keep(await Mosquitto.start(this));
    const connection = connect(broker.url, { topicAliases: true });
    const inbox = await Inbox.on(connection, '#', 0);
    const random = new Random(7);
    const sent: Promise<unknown>[] = [];
    const topics: string[] = [];
    for (let count = 0; count < 300; count++) {
      const topic = `t/${random.below(20)}`;
      topics.push(topic);
      const number = random.below(2) === 0 ? undefined : 1 + random.below(10);
      sent.push(connection.publish(topic, topic, alias(number, random.below(3) as QoS)));
    }
    await Promise.all(sent);
    await inbox.until(({ messages }) => messages.length === topics.length);
    assert.deepEqual(inbox.messages.map(({ topic }) => topic).sort(), topics.sort());
    for (const { topic, payload } of inbox.messages) assert.equal(String(payload), topic);
    await assert.rejects(connection.publish('t', 'x', alias(11)), /topic alias 11, .* Maximum is 10$/);
  });

  it('never stand for a topic that the broker has not heard of, in any order of messages', () => {
    for (const [maximum, automatic] of [
      [3, true],
      [40, true],
      [40, false],
      [65_535, true],
      [65_535, false],
    ] as const) {
      const random = new Random(maximum);
      const aliases = new TopicAliases(maximum, automatic);
      const broker = new Map<number, string>();
      let short = 0;
      for (let count = 0; count < 20_000; count++) {
        const number = random.below(maximum > 100 ? 3000 : 60);
        const topic = `t/${number}`;
        const wanted = random.pick([undefined, 1 + random.below(maximum), 1 + ((number * 7) % maximum)]);
        const sent = aliases.replace(topic, wanted);
        if (wanted !== undefined) assert.equal(sent.alias, wanted);
        if (sent.alias === undefined) assert.equal(sent.topic, topic);
        else {
          assert.ok(sent.alias >= 1 && sent.alias <= maximum);
          if (sent.topic === '') short++;
          else broker.set(sent.alias, sent.topic);
          assert.equal(broker.get(sent.alias), topic);
        }
      }
      assert.ok(short > 0, `no alias was used where there may be ${maximum}`);
    }
  });
});
