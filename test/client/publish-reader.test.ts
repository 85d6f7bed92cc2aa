import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { type Duplex, PassThrough, Writable } from 'node:stream';
import type { IPublishPacket } from 'mqtt';
import mqttPacket, { type Packet } from 'mqtt-packet';
import { kept } from '../../src/client/lent-bytes';
import { openNetworkStream } from '../../src/client/network-stream';
import { PublishReader } from '../../src/client/publish-reader';
import { Random } from '../random';

const LENGTHS = [0, 1, 100, 127, 128, 16_383, 16_384, 70_000];

/** What the packets say, as the parser of MQTT.js reads them. */
function parsed(bytes: Buffer, protocolVersion: 4 | 5): Packet[] {
  const packets: Packet[] = [];
  const parser = mqttPacket.parser({ protocolVersion });
  parser.on('packet', (packet) => packets.push(packet));
  parser.parse(bytes);
  return packets;
}

/** A reader, and what came of a stream through it, in its order: packets that it read, and bytes for MQTT.js. */
class Harness {
  readonly came: (IPublishPacket | Buffer)[] = [];
  readonly reader: PublishReader;
  tooLarge: number | undefined;
  /** Called with each packet. */
  onPublish = () => {};

  constructor(
    protocolVersion: 4 | 5,
    largest = Number.POSITIVE_INFINITY,
    readonly stream: Duplex = new PassThrough(),
  ) {
    this.reader = new PublishReader(this.stream, protocolVersion === 5, largest, {
      publish: (packet) => {
        packet.payload = kept(packet.payload as Buffer);
        this.came.push(packet);
        this.onPublish();
      },
      tooLarge: (bytes) => {
        this.tooLarge = bytes;
        this.reader.stop();
      },
    });
    const mqttJs = new Writable({
      write: (bytes: Buffer, _encoding, done) => {
        setImmediate(() => {
          this.came.push(bytes);
          done();
        });
      },
    });
    this.stream.pipe(mqttJs);
  }

  /** Resolves when all that was written has come. */
  async drained(): Promise<void> {
    let before = -1;
    while (before !== this.came.length) {
      before = this.came.length;
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    }
  }

  /** All that came, read to the end; bytes that follow each other are joined. */
  packets(protocolVersion: 4 | 5): object[] {
    const packets: object[] = [];
    let others: Buffer[] = [];
    for (const came of [...this.came, undefined]) {
      if (Buffer.isBuffer(came)) {
        others.push(came);
        continue;
      }
      packets.push(...parsed(Buffer.concat(others), protocolVersion).map(facts));
      others = [];
      if (came !== undefined) packets.push(facts(came));
    }
    return packets;
  }
}

/** What a packet says, without what only the parser's own objects have. */
function facts(packet: Packet | IPublishPacket): object {
  const { length: _length, ...rest } = packet;
  return Object.fromEntries(
    Object.entries(rest).filter(([, value]) => value !== undefined && value !== null && value !== false),
  );
}

function randomPackets(random: Random, protocolVersion: 4 | 5): Buffer[] {
  const chance = <T>(value: T) => (random.below(2) === 0 ? undefined : value);
  const text = () => random.pick(['', 'a', 'température', '\u{1f916}/x', 'long '.repeat(40)]);
  return random.times(60, () => {
    if (random.below(4) === 0)
      return mqttPacket.generate(
        random.pick<Packet>([
          { cmd: 'pingresp' },
          { cmd: 'puback', messageId: 7 },
          { cmd: 'suback', messageId: 9, granted: [1] },
        ]),
        { protocolVersion },
      );
    const properties = Object.entries({
      payloadFormatIndicator: chance(true),
      messageExpiryInterval: chance(random.next()),
      contentType: chance(text()),
      responseTopic: chance('answer/here'),
      correlationData: chance(Buffer.alloc(random.below(300), 1)),
      subscriptionIdentifier: chance(random.pick([1, 200, 268_435_455])),
      userProperties: chance({ __proto__x: 'one', via: ['bridge', 'other'], [text()]: 'some' }),
    }).filter(([, value]) => value !== undefined);
    return mqttPacket.generate(
      {
        cmd: 'publish',
        topic: random.pick(['a', 'a/b/ü', 'x'.repeat(300)]),
        payload: Buffer.alloc(random.pick(LENGTHS), random.below(256)),
        qos: random.pick<0 | 1 | 2>([0, 1, 2]),
        messageId: 1 + random.below(65_535),
        retain: random.below(2) === 0,
        dup: false,
        ...(protocolVersion === 5 && { properties: Object.fromEntries(properties) }),
      },
      { protocolVersion },
    );
  });
}

describe('the reader of PUBLISH packets', () => {
  for (const protocolVersion of [4, 5] as const) {
    it(`reads what MQTT.js reads, in the same order, however it is cut (MQTT ${protocolVersion === 5 ? 5 : '3.1.1'})`, async () => {
      const random = new Random(7);
      for (const most of [10, 1000, 10_000_000]) {
        const bytes = Buffer.concat(randomPackets(random, protocolVersion));
        const harness = new Harness(protocolVersion);
        harness.reader.start();
        for (let at = 0; at < bytes.length; ) {
          // Small pieces only where headers are: there are megabytes of payload.
          const length = random.below(3) === 0 ? 1 + random.below(most) : 1 + random.below(100_000);
          harness.stream.write(bytes.subarray(at, at + length));
          at += length;
        }
        await harness.drained();
        assert.ok(harness.came.filter((came) => !Buffer.isBuffer(came)).length > 30);
        assert.deepEqual(harness.packets(protocolVersion), parsed(bytes, protocolVersion).map(facts));
      }
    });
  }

  it('reads from a socket that reads into the same buffer again and again', async () => {
    const random = new Random(11);
    const bytes = Buffer.concat(randomPackets(random, 5));
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = new URL(`mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const opening = openNetworkStream(url, { subprotocol: 'mqtt' }, new AbortController().signal);
    const [socket] = (await once(server, 'connection')) as [Socket];
    const harness = new Harness(5, undefined, await opening);
    harness.reader.start();
    let came = 0;
    harness.stream.on('data', ({ length }: Buffer) => {
      came += length;
    });
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + random.below(random.below(2) === 0 ? 3 : 50_000);
      socket.write(bytes.subarray(at, at + length));
      at = Math.min(bytes.length, at + length);
      while (came < at) await once(harness.stream, 'data');
    }
    socket.end();
    await once(harness.stream, 'end');
    await harness.drained();
    server.close();
    assert.deepEqual(harness.packets(5), parsed(bytes, 5).map(facts));
  });

  it('leaves all to MQTT.js before it is started, and what only MQTT.js can judge', async () => {
    const good = mqttPacket.generate({
      cmd: 'publish',
      topic: 'a',
      payload: 'x',
      qos: 0,
      retain: false,
      dup: false,
    });
    const early = new Harness(4);
    early.stream.write(good);
    await early.drained();
    assert.deepEqual(early.came, [good]);
    const odd = [
      ['a topic alias', [0x30, 8, 0, 1, 0x61, 3, 0x23, 0, 1, 0x78]],
      ['QoS 3', [0x36, 6, 0, 1, 0x61, 0, 1, 0]],
      ['QoS 3, most of which is still to come', [0x36, 0x7f, 0]],
      ['no topic', [0x30, 3, 0, 0, 0]],
      ['a topic beyond its end', [0x30, 3, 0, 9, 0x61]],
      ['no packet identifier', [0x32, 4, 0, 1, 0x61, 0]],
      ['properties beyond its end', [0x30, 4, 0, 1, 0x61, 9]],
      ['an unknown property', [0x30, 6, 0, 1, 0x61, 2, 0x7e, 0]],
      ['a property twice', [0x30, 8, 0, 1, 0x61, 4, 1, 1, 1, 1]],
      ['a property beyond its end', [0x30, 7, 0, 1, 0x61, 3, 2, 0, 0]],
    ] as const;
    for (const [name, bytes] of odd) {
      const harness = new Harness(5);
      harness.reader.start();
      harness.stream.write(Buffer.from(bytes));
      await harness.drained();
      assert.deepEqual(harness.came, [Buffer.from(bytes)], name);
    }
    const endless = Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 1, 0, 1, 0x61, 0]);
    const harness = new Harness(5);
    harness.reader.start();
    for (const bytes of [endless, good]) harness.stream.write(bytes);
    await harness.drained();
    assert.deepEqual(Buffer.concat(harness.came as Buffer[]), Buffer.concat([endless, good]));
  });

  // Copying those before for each would take half a minute.
  it('reads any number of user properties of one name, and of subscription identifiers', async () => {
    const count = 10_000;
    const properties = Buffer.from([...Array(count).fill([0x26, 0, 1, 0x6e, 0, 1, 0x76, 0x0b, 7]).flat()]);
    const [length, remaining] = [properties.length, properties.length + 6].map((size) => [
      0x80 | (size & 127),
      0x80 | ((size >> 7) & 127),
      size >> 14,
    ]) as [number[], number[]];
    const harness = new Harness(5);
    harness.reader.start();
    harness.stream.write(Buffer.from([0x30, ...remaining, 0, 1, 0x61, ...length, ...properties]));
    await harness.drained();
    const [packet] = harness.came as IPublishPacket[];
    assert.deepEqual(packet?.properties?.userProperties?.n, Array(count).fill('v'));
    assert.deepEqual(packet?.properties?.subscriptionIdentifier, Array(count).fill(7));
  });

  it('reads nothing while it is paused, not even what has come', async () => {
    const harness = new Harness(4);
    harness.reader.start();
    harness.onPublish = () => harness.reader.pause();
    const packets = randomPackets(new Random(3), 4);
    harness.stream.write(Buffer.concat(packets));
    const publishes = () => harness.came.filter((came) => !Buffer.isBuffer(came)).length;
    for (let count = 1; count < 10; count++) {
      await harness.drained();
      assert.equal(publishes(), count);
      harness.reader.resume();
    }
    harness.onPublish = () => {};
    harness.reader.resume();
    await harness.drained();
    assert.deepEqual(harness.packets(4), parsed(Buffer.concat(packets), 4).map(facts));
  });

  for (const started of [false, true]) {
    it(`tells of a packet that is too large when its header has come (${started ? 'started' : 'not started'})`, async () => {
      const fitting = Buffer.from([0x30, 4, 0, 1, 0x61, 0x78]);
      for (const cut of [1, 3, 5]) {
        const harness = new Harness(4, 1000);
        if (started) harness.reader.start();
        const large = Buffer.from([0x30, 0x80, 0x84, 0xaf, 0x5f]);
        harness.stream.write(Buffer.concat([fitting, large.subarray(0, cut)]));
        await harness.drained();
        assert.equal(harness.tooLarge, cut === 5 ? 200_000_005 : undefined);
        harness.stream.write(large.subarray(cut));
        await harness.drained();
        assert.equal(harness.tooLarge, 200_000_005);
        assert.equal(harness.came.length, 1);
        harness.stream.write(fitting);
        await harness.drained();
        assert.equal(harness.came.length, 1);
      }
      const exact = new Harness(4, 6);
      if (started) exact.reader.start();
      exact.stream.write(fitting);
      await exact.drained();
      assert.equal(exact.tooLarge, undefined);
    });
  }

  it('puts packets that come in pieces together in the same memory, but for what is kept', async () => {
    const stream = new PassThrough();
    const came: Buffer[] = [];
    let keep = (bytes: Buffer) => bytes;
    const reader = new PublishReader(stream, false, Number.POSITIVE_INFINITY, {
      publish: ({ payload }) => came.push(keep(payload as Buffer)),
      tooLarge: () => {},
    });
    stream.pipe(new Writable());
    reader.start();
    const say = async (length: number, octet: number) => {
      const payload = Buffer.alloc(length, octet);
      const packet = mqttPacket.generate({
        cmd: 'publish',
        topic: 't',
        qos: 0,
        dup: false,
        retain: false,
        payload,
      });
      const count = came.length;
      stream.write(packet.subarray(0, 5000));
      await new Promise(setImmediate);
      stream.write(packet.subarray(5000));
      while (came.length === count) await new Promise(setImmediate);
      const last = came.at(-1) as Buffer;
      assert.ok(last.equals(payload));
      return last;
    };
    const first = await say(200_000, 1);
    assert.equal((await say(200_000, 2)).buffer, first.buffer);
    keep = kept;
    const taken = await say(150_000, 3);
    const next = await say(200_000, 4);
    assert.notEqual(next.buffer, taken.buffer);
    keep = (bytes) => bytes;
    const room = await say(200_000, 5);
    keep = kept;
    const small = await say(10_000, 6);
    assert.notEqual(small.buffer, room.buffer);
    assert.ok(taken.equals(Buffer.alloc(150_000, 3)));
    assert.ok(next.equals(Buffer.alloc(200_000, 4)));
  });
});
