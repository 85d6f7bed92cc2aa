import assert from 'node:assert/strict';
import { hearTalkers } from '../bench/dds-talkers';
import { megabytes } from './fuzz';
import type { Soak } from './soak';

/** What the objects in use may differ by between two moments of the same load, bytes. */
const NOISE = 2 * 1024 * 1024;

/** Hears 20 talkers of Cyclone DDS without loss, and without keeping anything of what they say. */
export async function soakTalkers({ print, deadline }: Soak): Promise<void> {
  const seconds = Math.max(10, Math.round((deadline - performance.now()) / 1000));
  const { sent, received, share, heap, resident } = await hearTalkers(seconds);
  print(
    `${received} messages, ${(100 * share).toFixed(1)} % of a core, heap from ${megabytes(heap[0])} to ` +
      `${megabytes(heap[1])} MB, resident from ${megabytes(resident[0])} to ${megabytes(resident[1])} MB`,
  );
  assert.equal(received, sent);
  assert.ok(heap[1] < heap[0] + NOISE);
}
