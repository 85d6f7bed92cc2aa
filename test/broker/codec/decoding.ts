import { PacketFramer } from '../../../src/broker/codec/packet-framer';
import type { ProtocolVersion } from '../../../src/broker/codec/packet-type';
import { decodePacket, type Packet } from './any-packet';

/** The packets that a stream, given in these chunks, consists of. */
export function decodeChunks(chunks: Buffer[], version: ProtocolVersion, maximum = 1 << 20): Packet[] {
  const packets: Packet[] = [];
  const framer = new PacketFramer(maximum, (header, bytes, _packetStart, start, end) => {
    packets.push(decodePacket(header, bytes, start, end, version));
    return true;
  });
  for (const chunk of chunks) framer.push(chunk);
  return packets;
}
