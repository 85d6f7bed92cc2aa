import assert from 'node:assert/strict';
import { SubmessageId } from '../../src/rtps/submessage';
import type { Random } from '../random';
import { Link } from './link';

const SAMPLES = 30;
const HEADER_BYTES = 20;
/** Datagrams between two turns of the event loop, in which answers go out and timers run. */
const TURN = 100;
/** What a participant may hold of one other's samples, bytes. */
const SHARE = 16 * 1024 * 1024;

export interface FuzzCount {
  datagrams: number;
  malformed: number;
}

type Side = 'readerSide' | 'writerSide';
interface Recorded {
  readonly to: Side;
  readonly datagram: Buffer;
}

/** The datagrams of an exchange of small and large samples in which some get lost, all kinds of submessages in them. */
async function record(random: Random): Promise<Recorded[]> {
  const link = new Link().match();
  const recorded: Recorded[] = [];
  const tap = (to: Side) => (datagram: Buffer) => {
    recorded.push({ to, datagram: Buffer.from(datagram) });
    return random.below(5) === 0 ? [] : [0];
  };
  link.toReader = tap('readerSide');
  link.toWriter = tap('writerSide');
  for (let number = 0; number < SAMPLES; number++)
    link.writer.write(
      random.below(3) === 0 ? Buffer.alloc(2000 + random.below(20_000), number) : Buffer.alloc(4),
    );
  await link.until(SAMPLES);
  link.close();
  return recorded;
}

/** Where the submessages of a sound message begin. */
function submessagesOf(datagram: Buffer): number[] {
  const starts: number[] = [];
  for (let at = HEADER_BYTES; at + 4 <= datagram.length; at += 4 + datagram.readUInt16LE(at + 2))
    starts.push(at);
  return starts;
}

/** Changes something: octets, the length, the byte order, the kind or the order of submessages. */
export function mutated(random: Random, sound: readonly Buffer[]): Buffer {
  let datagram = Buffer.from(random.pick(sound));
  for (let changes = 1 + random.below(3); changes > 0 && datagram.length >= HEADER_BYTES + 4; changes--) {
    // Behind the header mostly, or nothing of it would be read.
    const at =
      random.below(20) === 0
        ? random.below(HEADER_BYTES)
        : HEADER_BYTES + random.below(datagram.length - HEADER_BYTES);
    const starts = submessagesOf(datagram);
    const start = random.pick(starts);
    switch (random.below(8)) {
      case 0:
        datagram = datagram.subarray(0, at);
        break;
      case 1:
        datagram = Buffer.concat([datagram, random.pick(sound).subarray(HEADER_BYTES)]);
        break;
      case 2:
        datagram.writeUInt16LE(random.pick([0, 1, 4, 0x8000, 0xffff]), start + 2);
        break;
      case 3:
        datagram[start + 1] = (datagram[start + 1] as number) ^ (1 << random.below(8));
        break;
      case 4:
        datagram[start] = random.pick(Object.values(SubmessageId));
        break;
      case 5:
        if (at + 4 <= datagram.length)
          datagram.writeUInt32LE(random.pick([0, 1, 0x7fffffff, 0x80000000, 0xffffffff]), at);
        break;
      default:
        datagram[at] = random.below(256);
    }
  }
  return datagram;
}

/**
 * Gives a matched writer and reader datagrams that are nearly each other's. They may take what is sound in them, but
 * never throw, and hold no more than they may.
 */
export async function fuzzWire(random: Random, datagrams: number): Promise<FuzzCount> {
  const recorded = await record(random);
  const sound = {
    readerSide: recorded.filter(({ to }) => to === 'readerSide').map(({ datagram }) => datagram),
    writerSide: recorded.filter(({ to }) => to === 'writerSide').map(({ datagram }) => datagram),
  };
  const link = new Link().match();
  for (let count = 0; count < datagrams; count++) {
    const side: Side = random.below(3) === 0 ? 'writerSide' : 'readerSide';
    const datagram = mutated(random, sound[side]);
    try {
      link[side].receive(datagram);
    } catch (error) {
      throw new Error(`${side} of ${datagram.toString('hex')}: ${(error as Error).stack}`);
    }
    assert.ok(link.memory.held <= SHARE, `${link.memory.held} bytes held`);
    // What was delivered is its receiver's.
    link.payloads.length = link.sequences.length = 0;
    if (count % TURN > 0) continue;
    link.write(1, 3);
    await new Promise(setImmediate);
  }
  link.close();
  assert.equal(link.memory.held, 0);
  const { datagramsReceived, datagramsMalformed } = link.statistics;
  return { datagrams: datagramsReceived, malformed: datagramsMalformed };
}
