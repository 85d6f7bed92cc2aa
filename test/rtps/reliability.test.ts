import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { guidOf } from '../../src/rtps/guid';
import { locatorOf } from '../../src/rtps/locator';
import { readMessage } from '../../src/rtps/message-reader';
import { MessageReceiver } from '../../src/rtps/message-receiver';
import { Outbox } from '../../src/rtps/outbox';
import { StatefulReader } from '../../src/rtps/stateful-reader';
import { StatefulWriter } from '../../src/rtps/stateful-writer';
import { Statistics } from '../../src/rtps/statistics';
import { type GapSubmessage, type HeartbeatSubmessage, SubmessageId } from '../../src/rtps/submessage';

const WRITER = { prefix: '01fe00000000000000000001', entityId: 0x103, locator: locatorOf('127.0.0.1', 1) };
const READER = { prefix: '01fe00000000000000000002', entityId: 0x104, locator: locatorOf('127.0.0.1', 2) };
const RELIABLE = { reliable: true, transientLocal: false };
const TRANSIENT_LOCAL = { reliable: true, transientLocal: true };
const BEST_EFFORT = { reliable: false, transientLocal: false };

/** How often a datagram arrives, and how many turns of the event loop late. */
type Weather = (message: Buffer, number: number) => readonly number[];
const fair: Weather = () => [0];

/** A repeatable sequence of numbers from 0 to 1 (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What a writer and readers are when nothing but datagrams is between them. */
class Link {
  readonly statistics = new Statistics();
  readonly received = new EventEmitter();
  readonly texts: string[] = [];
  readonly heartbeats: HeartbeatSubmessage[] = [];
  readonly gaps: GapSubmessage[] = [];
  toReader: Weather = fair;
  toWriter: Weather = fair;
  readonly writer: StatefulWriter;
  readonly reader: StatefulReader;
  readonly readerSide: MessageReceiver;
  readonly writerSide: MessageReceiver;
  readonly #writerProtocol: typeof RELIABLE;
  readonly #readerProtocol: typeof RELIABLE;
  #open = true;

  constructor(writer = RELIABLE, depth = 10_000, reader = RELIABLE) {
    const discovery = { participantData: () => {}, alive: () => {}, knowsWriter: () => false };
    this.writerSide = new MessageReceiver(WRITER.prefix, new Statistics(), discovery);
    this.readerSide = new MessageReceiver(READER.prefix, this.statistics, discovery);
    const writerOutbox = this.#outbox(
      WRITER.prefix,
      (message) => this.#observe(message),
      () => this.toReader,
      this.readerSide,
    );
    const readerOutbox = this.#outbox(
      READER.prefix,
      () => {},
      () => this.toWriter,
      this.writerSide,
    );
    this.writer = new StatefulWriter(WRITER.entityId, { ...writer, depth }, writerOutbox, new Statistics());
    this.writerSide.addWriter(this.writer);
    this.reader = new StatefulReader(
      READER.entityId,
      reader,
      readerOutbox,
      this.statistics,
      ({ payload }) => {
        this.texts.push(payload.toString('latin1').trimEnd());
        this.received.emit('sample');
      },
    );
    this.#writerProtocol = writer;
    this.#readerProtocol = reader;
  }

  matchWriterWithReader(): void {
    this.writer.matchReader({ ...READER, ...this.#readerProtocol });
  }

  matchReaderWithWriter(): void {
    const proxy = this.readerSide.connect(this.reader, { ...WRITER, ...this.#writerProtocol });
    this.readerSide.replay([proxy], guidOf(WRITER.prefix, WRITER.entityId));
  }

  match(): this {
    this.matchWriterWithReader();
    this.matchReaderWithWriter();
    return this;
  }

  /** Writes `from`..`to`, four octets each. */
  write(from: number, to: number): void {
    for (let number = from; number <= to; number++) this.writer.write(text(number));
  }

  async until(count: number): Promise<void> {
    while (this.texts.length < count) await once(this.received, 'sample');
  }

  close(): void {
    this.#open = false;
    this.writer.close();
    this.reader.close();
  }

  #outbox(
    prefix: string,
    observe: (message: Buffer) => void,
    weather: () => Weather,
    to: MessageReceiver,
  ): Outbox {
    let number = 0;
    return new Outbox(prefix, {
      batchBytes: () => 200,
      send: (message, _locator, sent) => {
        observe(message);
        const copy = Buffer.from(message);
        for (const delay of weather()(copy, number++)) this.#later(delay, () => to.receive(copy));
        sent();
      },
    });
  }

  #later(turns: number, action: () => void): void {
    setImmediate(() => {
      if (!this.#open) return;
      if (turns === 0) action();
      else this.#later(turns - 1, action);
    });
  }

  #observe(message: Buffer): void {
    const ignore = () => {};
    readMessage(message, {
      accepts: () => true,
      data: ignore,
      dataFrag: ignore,
      ackNack: ignore,
      skipped: ignore,
      heartbeat: (_context, heartbeat) => this.heartbeats.push(heartbeat),
      gap: (_context, gap) => this.gaps.push(gap),
    });
  }
}

const text = (number: number) => Buffer.from(String(number).padEnd(4));
const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index));

const message = (prefix: string, submessage: string) =>
  Buffer.from(`5254505302010 1fe${prefix}${submessage}`.replaceAll(' ', ''), 'hex');

/** The first that a reader says. */
const emptyAckNack = (count: number) =>
  `06 01 1800 00000104 00000103 00000000 01000000 00000000 0${count}000000`;

/** A turn of the event loop in which all that is under way arrives. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 30));

describe('a reliable writer and reader', function () {
  this.timeout(20_000);
  let link: Link;
  afterEach(() => link.close());

  for (const seed of [1, 2, 3])
    it(`lose, repeat and reorder nothing when the network does (seed ${seed})`, async () => {
      link = new Link().match();
      const next = random(seed);
      const storm: Weather = () => {
        const luck = next();
        if (luck < 0.3) return [];
        return luck < 0.4 ? [0, 3] : [Math.floor(next() * 4)];
      };
      link.toReader = storm;
      link.toWriter = storm;
      for (let from = 1; from <= 2000; from += 40) {
        link.write(from, from + 39);
        await new Promise(setImmediate);
      }
      await link.until(2000);
      await settle();
      assert.deepEqual(link.texts, numbers(1, 2000));
      assert.equal(link.statistics.samplesLost, 0);
    });

  it('repair a hole that is larger than one request can span', async () => {
    link = new Link().match();
    await settle();
    link.toReader = () => [];
    link.write(1, 1500);
    await new Promise(setImmediate);
    link.toReader = fair;
    await link.until(1500);
    assert.deepEqual(link.texts, numbers(1, 1500));
  });

  it('repair the last sample, which no later one betrays', async () => {
    link = new Link().match();
    await settle();
    link.toReader = (_message, number) => (link.texts.length === 0 && number < 5 ? [] : [0]);
    link.write(1, 1);
    await link.until(1);
    assert.deepEqual(link.texts, ['1']);
  });

  it('go on behind what the history no longer has, and count it as lost', async () => {
    link = new Link(RELIABLE, 10).match();
    await settle();
    link.toReader = () => [];
    link.write(1, 50);
    await new Promise(setImmediate);
    link.toReader = fair;
    await link.until(10);
    assert.deepEqual(link.texts, numbers(41, 50));
    assert.equal(link.statistics.samplesLost, 40);
  });

  it('never pin more than the depth of the history for a reader that falls silent', async () => {
    link = new Link(RELIABLE, 10);
    link.matchWriterWithReader();
    link.writerSide.receive(message(READER.prefix, emptyAckNack(1)));
    link.write(1, 1000);
    await new Promise(setImmediate);
    const { first, last } = link.heartbeats.at(-1) as HeartbeatSubmessage;
    assert.deepEqual([first, last], [991, 1000]);
  });

  it('keep nothing that all have acknowledged', async () => {
    link = new Link().match();
    link.write(1, 20);
    await link.until(20);
    await settle();
    link.writer.matchReader({ ...READER, ...RELIABLE, entityId: 0x204 });
    await new Promise(setImmediate);
    const { first, last } = link.heartbeats.at(-1) as HeartbeatSubmessage;
    assert.deepEqual([first, last], [21, 20]);
  });

  it('exchange nothing that a late volatile reader must not get, even if it asks', async () => {
    link = new Link();
    // Another reader, which never acknowledges, keeps the first samples in the history.
    link.writer.matchReader({ ...READER, ...RELIABLE, entityId: 0x204 });
    link.write(1, 5);
    link.match();
    link.write(6, 8);
    await link.until(3);
    await settle();
    assert.deepEqual(link.texts, numbers(6, 8));
    assert.equal(link.statistics.samplesLost, 0);
    // 1 to 5 and 7, with the last count there is.
    const request = '06 01 1c00 00000104 00000103 00000000 01000000 08000000 000000fa ffffff7f';
    link.writerSide.receive(message(READER.prefix, request));
    await settle();
    assert.deepEqual(
      link.gaps.map(({ start, base }) => [start, base]),
      [[1, 6]],
    );
  });

  it('begin with what is written after the writer knows the reader, however late the reader knows it', async () => {
    link = new Link();
    link.write(1, 2);
    link.matchWriterWithReader();
    link.write(3, 5);
    await settle();
    link.matchReaderWithWriter();
    await link.until(3);
    link.write(6, 6);
    await link.until(4);
    assert.deepEqual(link.texts, numbers(3, 6));
  });

  it('give a late transient-local reader the last samples', async () => {
    link = new Link(TRANSIENT_LOCAL, 3, TRANSIENT_LOCAL);
    link.write(1, 5);
    link.match();
    await link.until(3);
    link.write(6, 6);
    await link.until(4);
    assert.deepEqual(link.texts, numbers(3, 6));
    assert.equal(link.statistics.samplesLost, 0);
  });

  it('give a volatile reader of a transient-local writer what was written after its match only', async () => {
    link = new Link(TRANSIENT_LOCAL, 10, RELIABLE);
    link.write(1, 5);
    link.match();
    link.write(6, 7);
    await link.until(2);
    await settle();
    assert.deepEqual(link.texts, numbers(6, 7));
  });

  it('keep what comes before the reader knows the writer', async () => {
    link = new Link();
    // Another stack's writer sends at once when it knows the reader.
    for (const submessage of [
      '15 05 1800 0000 1000 00000104 00000103 00000000 01000000 31202020',
      '15 05 1800 0000 1000 00000000 00000103 00000000 02000000 32202020',
      '07 01 1c00 00000104 00000103 00000000 01000000 00000000 02000000 01000000',
    ])
      link.readerSide.receive(message(WRITER.prefix, submessage));
    assert.deepEqual(link.texts, []);
    link.matchReaderWithWriter();
    assert.deepEqual(link.texts, numbers(1, 2));
  });

  it('do not wait for samples in fragments, and count them as lost', async () => {
    link = new Link().match();
    link.write(1, 1);
    await link.until(1);
    link.toReader = (message) => {
      const datagram = message.toString('hex');
      // The second sample arrives as the first of two fragments.
      const at = datagram.indexOf('1505', 40) / 2;
      if (link.texts.length > 1 || at < 20) return [0];
      const fragment = Buffer.alloc(20 + 36 + 4);
      message.copy(fragment, 0, 0, 20);
      fragment.writeUInt8(SubmessageId.dataFrag, 20);
      fragment.writeUInt8(1, 21);
      fragment.writeUInt16LE(36, 22);
      message.copy(fragment, 24, at + 4, at + 24);
      link.readerSide.receive(fragment);
      return [];
    };
    link.write(2, 2);
    await new Promise(setImmediate);
    link.toReader = fair;
    link.write(3, 3);
    await link.until(2);
    assert.deepEqual(link.texts, ['1', '3']);
    assert.equal(link.statistics.samplesLost, 1);
    assert.ok(link.statistics.fragmentsDropped >= 1);
  });

  it('answer a request for number 0, as Fast DDS begins, with no GAP from it', async () => {
    link = new Link(RELIABLE, 1);
    link.matchWriterWithReader();
    link.write(1, 3);
    link.writerSide.receive(message(READER.prefix, emptyAckNack(1)));
    const request = '06 01 1c00 00000104 00000103 00000000 00000000 04000000 000000f0 02000000';
    link.writerSide.receive(message(READER.prefix, request));
    await settle();
    assert.deepEqual(
      link.gaps.map(({ start, base }) => [start, base]),
      [[1, 3]],
    );
  });

  it('are not held up by a HEARTBEAT or a GAP over a huge range', async () => {
    link = new Link().match();
    await settle();
    link.toReader = () => [];
    link.readerSide.receive(
      message(WRITER.prefix, '07 01 1c00 00000104 00000103 00000000 01000000 ffff0f00 00000000 ffffff7f'),
    );
    link.readerSide.receive(
      message(WRITER.prefix, '08 01 1c00 00000104 00000103 00000000 01000000 ffff0f00 00000000 00000000'),
    );
    link.readerSide.receive(
      message(WRITER.prefix, '15 05 1800 0000 1000 00000104 00000103 ffff0f00 00000000 68656c6c'),
    );
    assert.deepEqual(link.texts, ['hell']);
  });
});

describe('a best-effort reader', () => {
  it('delivers what is newer than the last, once', async () => {
    const link = new Link(RELIABLE, 10, BEST_EFFORT).match();
    // The first datagram comes twice, the second late.
    link.toReader = (_message, number) => [[0, 5], [3], [0]][number] ?? [0];
    link.write(1, 1);
    await link.until(1);
    link.write(2, 2);
    await new Promise(setImmediate);
    link.write(3, 3);
    await link.until(2);
    await settle();
    assert.deepEqual(link.texts, ['1', '3']);
    assert.equal(link.statistics.samplesLost, 1);
    assert.equal(link.statistics.samplesDuplicate, 2);
    link.close();
  });
});
