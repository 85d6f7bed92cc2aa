import { EventEmitter, once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { guidOf } from '../../src/rtps/guid';
import { locatorOf } from '../../src/rtps/locator';
import { MessageReader } from '../../src/rtps/message-reader';
import { MessageReceiver } from '../../src/rtps/message-receiver';
import { Outbox } from '../../src/rtps/outbox';
import { ReceiveMemory } from '../../src/rtps/receive-memory';
import { StatefulReader } from '../../src/rtps/stateful-reader';
import { StatefulWriter } from '../../src/rtps/stateful-writer';
import { Statistics } from '../../src/rtps/statistics';
import type {
  AckNackSubmessage,
  GapSubmessage,
  HeartbeatSubmessage,
  NackFragSubmessage,
} from '../../src/rtps/submessage';
import { Random } from '../random';

export const WRITER = {
  prefix: '01fe00000000000000000001',
  entityId: 0x103,
  locator: locatorOf('127.0.0.1', 1),
};
export const READER = {
  prefix: '01fe00000000000000000002',
  entityId: 0x104,
  locator: locatorOf('127.0.0.1', 2),
};
export const RELIABLE = { reliable: true, transientLocal: false };
export const TRANSIENT_LOCAL = { reliable: true, transientLocal: true };
export const BEST_EFFORT = { reliable: false, transientLocal: false };
export const MAX_SAMPLE_BYTES = 100_000;
export const HISTORY_BYTES = 2_000_000;
/** So that samples of a thousand bytes go in fragments. */
const MESSAGE_BYTES = 500;

/** Of the turns of the event loop that are waited for. */
const TURN_MS = 3;

/** How often a datagram arrives, and how many turns of the event loop late. */
export type Weather = (message: Buffer, number: number) => readonly number[];
export const fair: Weather = () => [0];

/** A repeatable sequence of numbers from 0 to 1. */
export function random(seed: number): () => number {
  const integers = new Random(seed);
  return () => integers.next() / 2 ** 32;
}

/** What a writer and readers are when nothing but datagrams is between them. */
export class Link {
  /** The reader's. */
  readonly statistics = new Statistics();
  readonly writerStatistics = new Statistics();
  readonly memory = new ReceiveMemory(MAX_SAMPLE_BYTES);
  readonly received = new EventEmitter();
  readonly payloads: Buffer[] = [];
  readonly sequences: number[] = [];
  readonly heartbeats: HeartbeatSubmessage[] = [];
  /** The readers of which the writer told that they are behind. */
  readonly behind: string[] = [];
  readonly gaps: GapSubmessage[] = [];
  readonly nackFrags: NackFragSubmessage[] = [];
  readonly ackNacks: AckNackSubmessage[] = [];
  toReader: Weather = fair;
  toWriter: Weather = fair;
  readonly writer: StatefulWriter;
  readonly reader: StatefulReader;
  readonly readerSide: MessageReceiver;
  readonly writerSide: MessageReceiver;
  readonly #writerProtocol: typeof RELIABLE;
  readonly #readerProtocol: typeof RELIABLE;
  #open = true;

  constructor(
    writer: typeof RELIABLE & { startAfter?: number } = RELIABLE,
    depth = 10_000,
    reader = RELIABLE,
  ) {
    const discovery = {
      participantData: () => {},
      alive: () => {},
      replaced: () => {},
      writerAsserted: () => {},
      knowsWriter: () => false,
    };
    this.writerSide = new MessageReceiver(
      WRITER.prefix,
      new Statistics(),
      new ReceiveMemory(MAX_SAMPLE_BYTES),
      discovery,
    );
    this.readerSide = new MessageReceiver(READER.prefix, this.statistics, this.memory, discovery);
    const writerOutbox = this.#outbox(
      WRITER.prefix,
      (message) => this.#observe(message),
      () => this.toReader,
      this.readerSide,
    );
    const readerOutbox = this.#outbox(
      READER.prefix,
      (message) => this.#observe(message),
      () => this.toWriter,
      this.writerSide,
    );
    this.writer = new StatefulWriter(
      WRITER.entityId,
      { ...writer, history: { depth, bytes: HISTORY_BYTES } },
      writerOutbox,
      this.writerStatistics,
      (guid) => this.behind.push(guid),
    );
    this.writerSide.addWriter(this.writer);
    this.reader = new StatefulReader(
      READER.entityId,
      reader,
      readerOutbox,
      this.statistics,
      ({ payload, sequence }) => {
        this.payloads.push(payload);
        this.sequences.push(sequence);
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

  /** The samples of four octets, as they came. */
  get texts(): string[] {
    return this.payloads.map((payload) => payload.toString('latin1').trimEnd());
  }

  /** Writes `from`..`to`, four octets each. */
  write(from: number, to: number): void {
    for (let number = from; number <= to; number++) this.writer.write(text(number));
  }

  /** Writes them in a turn of the event loop each. */
  async writeSteadily(from: number, to: number): Promise<void> {
    for (let number = from; number <= to; number++) {
      this.write(number, number);
      await new Promise(setImmediate);
    }
  }

  async until(count: number): Promise<void> {
    while (this.payloads.length < count) await once(this.received, 'sample');
  }

  /** Resolves when the writer has sent no HEARTBEAT for as long as it would wait with something unacknowledged. */
  async quiet(): Promise<void> {
    for (let before = -1; before !== this.heartbeats.length; ) {
      before = this.heartbeats.length;
      await pass(120);
    }
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
      messageBytes: () => MESSAGE_BYTES,
      requestBytes: 64 * 1024,
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
    new MessageReader({
      accepts: () => true,
      data: ignore,
      dataFrag: ignore,
      ackNack: (_context, ackNack) => this.ackNacks.push(ackNack),
      heartbeatFrag: ignore,
      nackFrag: (_context, nackFrag) => this.nackFrags.push(nackFrag),
      skipped: ignore,
      heartbeat: (_context, heartbeat) => this.heartbeats.push(heartbeat),
      gap: (_context, gap) => this.gaps.push(gap),
    }).read(message);
  }
}

export const text = (number: number) => Buffer.from(String(number).padEnd(4));
export const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index));

export const message = (prefix: string, submessage: string) =>
  Buffer.from(`5254505302010 1fe${prefix}${submessage}`.replaceAll(' ', ''), 'hex');

const ackNack = (flags: string, count: number) =>
  message(READER.prefix, `06 ${flags} 1800 00000104 00000103 00000000 01000000 00000000 0${count}000000`);
/** What a reader says that has heard nothing of a writer yet. */
export const preEmptive = (count: number) => ackNack('01', count);
/** What it answers to the first HEARTBEAT. */
export const firstAnswer = (count: number) => ackNack('03', count);

/** So many milliseconds, and turns of the event loop with them, also where the process stands still meanwhile. */
async function pass(milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += TURN_MS) {
    await wait(TURN_MS);
    await new Promise(setImmediate);
  }
}

/** Turns of the event loop in which all that is under way arrives. */
export const settle = () => pass(30);
