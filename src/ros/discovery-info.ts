import { CdrReader } from './cdr-reader';
import { CdrWriter } from './cdr-writer';

/** The DDS topic on which ROS 2 processes tell which endpoints belong to which nodes; it has no prefix. */
export const DISCOVERY_INFO_TOPIC = 'ros_discovery_info';
export const DISCOVERY_INFO_TYPE = 'rmw_dds_common/msg/ParticipantEntitiesInfo';
/** Of the type since Iron; before, types have no hash that is told. */
export const DISCOVERY_INFO_HASH = 'RIHS01_91a0593bacdcc50ea9bdcf849a938b128412cc1ea821245c663bcd26f83c295e';

/** Bytes of a gid: 24 up to ROS 2 Humble, 16 since Iron. */
export type GidSize = 16 | 24;

/** A node and its endpoints by their GUIDs, 32 hexadecimal digits each. */
export interface NodeEntities {
  /** `/` or `/robot1`. */
  namespace: string;
  name: string;
  readers: string[];
  writers: string[];
}

/** The nodes of one participant. */
export interface ParticipantEntities {
  /** The participant's GUID. */
  guid: string;
  nodes: NodeEntities[];
}

const GUID_BYTES = 16;
/** Most bytes that a node's name and namespace may have. */
const MAX_NAME = 256;

/**
 * CDR of `rmw_dds_common/msg/ParticipantEntitiesInfo`. Its definition differs between releases in the length of a
 * gid alone, and nothing in the DDS type name tells which is meant.
 */
export function encodeDiscoveryInfo({ guid, nodes }: ParticipantEntities, gidSize: GidSize): Buffer {
  const writer = new CdrWriter();
  const padding = '00'.repeat(gidSize - GUID_BYTES);
  // All at once: a bridge may have ten thousand.
  const gids = (guids: readonly string[]) => {
    const bytes = Buffer.from(guids.map((hex) => hex + padding).join(''), 'hex');
    writer.fixedOctets(bytes, bytes.length);
  };
  const gidSequence = (guids: readonly string[]) => {
    writer.uint32(guids.length);
    gids(guids);
  };
  gids([guid]);
  writer.uint32(nodes.length);
  for (const { namespace, name, readers, writers } of nodes) {
    writer.string(namespace, MAX_NAME);
    writer.string(name, MAX_NAME);
    gidSequence(readers);
    gidSequence(writers);
  }
  return writer.toBuffer();
}

/**
 * Reads what `encodeDiscoveryInfo` writes, of either gid size: only the right one makes the gid that of `prefix`, the
 * first 24 digits of the sender's GUID, and ends where the payload does.
 *
 * @returns `undefined` for what is neither
 */
export function decodeDiscoveryInfo(
  cdr: Buffer,
  prefix: string,
): { gidSize: GidSize; info: ParticipantEntities } | undefined {
  for (const gidSize of [16, 24] as const) {
    try {
      const info = decode(cdr, gidSize);
      if (info?.guid.startsWith(prefix)) return { gidSize, info };
    } catch {
      // Read with the other size it ends in the middle of something.
    }
  }
  return undefined;
}

/** Throws CdrError. */
function decode(cdr: Buffer, gidSize: GidSize): ParticipantEntities | undefined {
  const reader = new CdrReader(cdr);
  const gid = () => {
    reader.octets(gidSize);
    const start = reader.position - gidSize;
    return cdr.toString('hex', start, start + GUID_BYTES);
  };
  const gids = () => Array.from({ length: reader.sequence(gidSize, cdr.length) }, gid);
  const text = () => {
    const length = reader.string(MAX_NAME);
    return cdr.toString('utf8', reader.position - 1 - length, reader.position - 1);
  };
  const guid = gid();
  const nodes = Array.from({ length: reader.sequence(2 * (4 + 1) + 2 * 4, cdr.length) }, () => ({
    namespace: text(),
    name: text(),
    readers: gids(),
    writers: gids(),
  }));
  // A payload is padded to a multiple of 4.
  return cdr.length - reader.position < 4 ? { guid, nodes } : undefined;
}
