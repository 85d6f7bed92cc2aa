import assert from 'node:assert/strict';
import { ProtocolError } from '../../src/broker/codec/protocol-error';
import { residentMemory } from '../bench/process-use';
import { encodePacket } from '../broker/codec/any-packet';
import { decodeChunks } from '../broker/codec/decoding';
import { samples } from '../broker/codec/sample-packets';
import { attackBroker, PoliteClient } from '../broker/wire-fuzz';
import { BrokerCommand, WIDE_LIMITS } from '../cli/broker-command';
import { Random } from '../random';
import type { Soak } from './soak';

const ROUND = 1000;
const ATTACKS_PER_ROUND = 200;
/** What sessions and retained messages of attackers may take, whose number is limited, bytes. */
const TAKEN_BY_ATTACKERS = 256 * 1024 * 1024;

/** What comes out of the bytes in these chunks: packets, or the error that a protocol violation is. */
function decoded(chunks: Buffer[], version: 4 | 5): string {
  try {
    return JSON.stringify(decodeChunks(chunks, version));
  } catch (error) {
    assert.ok(error instanceof ProtocolError, `${error} for ${Buffer.concat(chunks).toString('hex')}`);
    return `${error.reasonCode} ${error.message}`;
  }
}

/** Mutates packets, and decodes each whole and cut in two at every byte, with the same outcome. */
export async function soakDecoder({ print, deadline }: Soak): Promise<void> {
  const seed = Date.now() % 2 ** 32;
  print(`seed ${seed}`);
  const random = new Random(seed);
  const packets = samples.map(({ version, packet }) => ({
    version: version as 4 | 5,
    bytes: encodePacket(packet, version),
  }));
  let count = 0;
  while (performance.now() < deadline) {
    for (let round = 0; round < ROUND; round++, count++) {
      const { version, bytes } = random.pick(packets);
      const mutated = Buffer.concat([bytes, random.pick(packets).bytes]);
      for (let changes = random.below(5); changes > 0; changes--) {
        mutated[random.below(mutated.length)] = random.below(256);
      }
      const whole = decoded([mutated], version);
      for (let cut = 1; cut < mutated.length; cut++) {
        const halves = [mutated.subarray(0, cut), mutated.subarray(cut)];
        assert.equal(decoded(halves, version), whole, `${mutated.toString('hex')} cut at ${cut}`);
      }
    }
  }
  print(`${count} packets, each cut at every byte`);
}

/** Attacks a broker over sockets, which goes on to serve a polite client and does not grow. */
export async function soakFuzz({ print, deadline }: Soak): Promise<void> {
  const seed = Date.now() % 2 ** 32;
  print(`seed ${seed}`);
  const random = new Random(seed);
  const broker = await BrokerCommand.start({ environment: WIDE_LIMITS });
  try {
    const client = await PoliteClient.connect(broker.port);
    let attacks = 0;
    let first: number | undefined;
    let last = 0;
    while (performance.now() < deadline || first === undefined) {
      await attackBroker(broker.port, random, ATTACKS_PER_ROUND);
      await client.isServed();
      attacks += ATTACKS_PER_ROUND;
      last = residentMemory(broker.pid);
      if (attacks === 10 * ATTACKS_PER_ROUND) first = last;
    }
    await client.leave();
    print(`${attacks} attacks, from ${megabytes(first)} to ${megabytes(last)} MB`);
    assert.ok(last < first + TAKEN_BY_ATTACKERS);
  } finally {
    await broker.stop();
  }
}

export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
