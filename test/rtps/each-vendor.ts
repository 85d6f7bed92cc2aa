import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Writer } from '../../src/rtps/writer';
import type { DdsPeer, DdsVendor } from '../peers/dds/dds-peer';
import { Cast, encodeString, numberedTexts } from './fixture';

const NAMES: Record<DdsVendor, string> = { cyclone: 'Cyclone DDS', fast: 'Fast DDS' };

/** A suite for each vendor, whose tests begin with nobody on the stage. */
export function withEachVendor(title: string, tests: (cast: Cast, vendor: DdsVendor) => void): void {
  for (const vendor of ['cyclone', 'fast'] as const)
    describe(`${title} and ${NAMES[vendor]}`, function () {
      this.timeout(60_000);
      const cast = new Cast(vendor);
      afterEach(() => cast.leave());
      tests(cast, vendor);
    });
}

/** Each of the two learns of the other on its own. */
export async function matched(writer: Writer, listener: DdsPeer): Promise<void> {
  await listener.until((peer) => peer.matched === 1);
  if (writer.matchedCount === 0) await once(writer, 'matched');
}

/** Writes so many numbered texts, the last of which ends the listener: it has heard each once, in their order. */
export async function hearsAll(listener: DdsPeer, writer: Writer, count: number): Promise<void> {
  const texts = numberedTexts(count);
  for (const text of texts) writer.write(encodeString(text));
  assert.equal(await listener.exited(), 0);
  assert.deepEqual(
    listener.messages,
    texts.map((data) => ({ data })),
  );
}
