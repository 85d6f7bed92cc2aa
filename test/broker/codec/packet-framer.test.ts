import assert from 'node:assert/strict';
import { PacketFramer } from '../../../src/broker/codec/packet-framer';
import { ProtocolError } from '../../../src/broker/codec/protocol-error';
import { ReasonCode } from '../../../src/broker/codec/reason-code';
import { encodePacket } from './any-packet';
import { decodeChunks } from './decoding';
import { packets5 } from './sample-packets';

const stream = Buffer.concat(packets5.map((packet) => encodePacket(packet, 5)));

describe('the packet framer', () => {
  it('finds the same packets wherever the stream is cut in two', () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      assert.deepEqual(
        decodeChunks([stream.subarray(0, cut), stream.subarray(cut)], 5),
        packets5,
        `cut at ${cut}`,
      );
    }
  });

  it('finds them byte by byte and in pieces of every size', () => {
    for (let size = 1; size < 64; size++) {
      const chunks = [];
      for (let at = 0; at < stream.length; at += size) chunks.push(stream.subarray(at, at + size));
      assert.deepEqual(decodeChunks(chunks, 5), packets5, `pieces of ${size}`);
    }
  });

  it('hands a packet that lies whole in a chunk out in place', () => {
    const chunk = encodePacket({ type: 'pingreq' }, 4);
    const seen: Buffer[] = [];
    new PacketFramer(100, (_header, bytes) => seen.push(bytes) > 0).push(chunk);
    assert.equal(seen[0], chunk);
  });

  it('refuses a length beyond the maximum as soon as it is said', () => {
    const framer = new PacketFramer(1000, () => true);
    framer.push(Buffer.from([0x30]));
    assert.throws(
      () => framer.push(Buffer.from([0xff, 0xff, 0xff, 0x7f])),
      (error) => error instanceof ProtocolError && error.reasonCode === ReasonCode.packetTooLarge,
    );
  });

  it('accepts a packet of just the maximum', () => {
    const packet = Buffer.concat([Buffer.from([0xf0, 8]), Buffer.alloc(8)]);
    let packets = 0;
    new PacketFramer(10, () => ++packets > 0).push(packet);
    assert.equal(packets, 1);
    assert.throws(() => new PacketFramer(9, () => true).push(packet), ProtocolError);
  });

  for (const bytes of [
    [0x30, 0x80, 0x00],
    [0x30, 0xff, 0xff, 0xff, 0xff],
  ]) {
    it(`refuses the length ${bytes.slice(1).join(' ')}, whole and in pieces`, () => {
      const malformed = (error: unknown) =>
        error instanceof ProtocolError && error.reasonCode === ReasonCode.malformedPacket;
      assert.throws(() => decodeChunks([Buffer.from(bytes)], 5), malformed);
      assert.throws(
        () =>
          decodeChunks(
            bytes.map((byte) => Buffer.from([byte])),
            5,
          ),
        malformed,
      );
    });
  }

  it('stops where it is told to, and goes on with the rest when that comes again', () => {
    let packets = 0;
    const framer = new PacketFramer(100, () => ++packets !== 2);
    const chunk = Buffer.from([0xc0, 0, 0xc0, 0, 0xc0, 0, 0xc0]);
    assert.equal(framer.push(chunk), 4);
    assert.equal(packets, 2);
    assert.equal(framer.push(chunk.subarray(4)), 3);
    assert.equal(packets, 3);
    assert.equal(framer.push(Buffer.from([0])), 1);
    assert.equal(packets, 4);
  });

  it('stops after a packet that spans chunks as well', () => {
    const framer = new PacketFramer(100, () => false);
    framer.push(Buffer.from([0xc0]));
    assert.equal(framer.push(Buffer.from([0, 0xc0, 0])), 1);
  });
});
