import assert from 'node:assert/strict';
import { Random } from '../random';
import { fuzzWire } from '../rtps/wire-fuzz';
import { megabytes } from './fuzz';
import type { Soak } from './soak';

const ROUND = 20_000;
/** How much the process may grow from its tenth round on, bytes: the collector does not hurry. */
const GROWTH = 200 * 1024 * 1024;

/** Mutates datagrams of RTPS writers and readers, which neither throw nor keep more than they may. */
export async function soakRtps({ print, deadline }: Soak): Promise<void> {
  const seed = Date.now() % 2 ** 32;
  print(`seed ${seed}`);
  const random = new Random(seed);
  let [rounds, datagrams, malformed, first] = [0, 0, 0, 0];
  while (performance.now() < deadline || rounds < 10) {
    const count = await fuzzWire(random, ROUND);
    datagrams += count.datagrams;
    malformed += count.malformed;
    if (++rounds === 10) first = process.memoryUsage().rss;
  }
  const { rss } = process.memoryUsage();
  print(`${datagrams} datagrams, ${malformed} malformed, from ${megabytes(first)} to ${megabytes(rss)} MB`);
  assert.ok(rss < first + GROWTH);
}
