import assert from 'node:assert/strict';
import { PacketSizes } from '../../src/client/packet-sizes';

/** A packet of so many bytes after its fixed header. */
function packetOf(length: number): Buffer {
  const header = [0x30];
  let rest = length;
  do {
    header.push((rest % 128) | (rest >= 128 ? 0x80 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Buffer.concat([Buffer.from(header), Buffer.alloc(length, 0xff)]);
}

describe('sizes of packets', () => {
  const lengths = [0, 1, 127, 128, 0, 16_383, 16_384, 300];
  // Of the last one only the beginning.
  const stream = Buffer.concat([...lengths.map(packetOf), packetOf(2_097_152).subarray(0, 20)]);

  for (const chunk of [1, 2, 3, 7, 1000, 65_536, stream.length]) {
    it(`are known however they are cut, here into ${chunk} bytes`, () => {
      const found = (limit: number): number | undefined => {
        const sizes = new PacketSizes(limit);
        for (let at = 0; at < stream.length; at += chunk) {
          const size = sizes.exceeding(stream.subarray(at, at + chunk));
          if (size !== undefined) return size;
        }
        return undefined;
      };
      assert.equal(found(2_097_152 + 5), undefined);
      assert.equal(found(2_097_152 + 4), 2_097_152 + 5);
      assert.equal(found(16_388), 2_097_152 + 5);
      assert.equal(found(16_387), 16_388);
      assert.equal(found(129), 131);
      assert.equal(found(2), 3);
    });
  }

  it('are known when the header has come', () => {
    assert.equal(new PacketSizes(1000).exceeding(packetOf(2_000_000).subarray(0, 4)), 2_000_004);
    assert.equal(new PacketSizes(1000).exceeding(packetOf(2_000_000).subarray(0, 3)), undefined);
  });
});
