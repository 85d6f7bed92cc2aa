import { topicNameFault } from '../topic/topic-name';

/**
 * The way of a message over bridges: their ids in order, the last one's last. On MQTT it is the user property `ros-via`,
 * once for each id; in RTPS an annotation of the sample.
 */
export type Via = readonly string[];

/** A message that was carried by more bridges, or whose way takes more bytes, is carried no further. */
const MAX_BRIDGES = 16;
const MAX_BYTES = 512;
/** Longer than any id that is made here. */
const MAX_ID_LENGTH = 128;

const KEY = 'mqtt-ros=';

/** Says why a text cannot be the id of a bridge, or `undefined` when it can: it is a topic level. */
export function bridgeIdFault(id: string): string | undefined {
  if (id.length > MAX_ID_LENGTH) return `longer than ${MAX_ID_LENGTH} characters`;
  if (id.includes('/')) return 'more than one topic level';
  return topicNameFault(id);
}

/** Ids of bridges, as they stand in the user data of a participant and in an annotation: `mqtt-ros=a,b;`. */
export function encodeBridgeIds(ids: Iterable<string>): Buffer {
  return Buffer.from(`${KEY}${[...ids].map(encodeURIComponent).join(',')};`);
}

/** Reads ids out of `key=value;` entries; `undefined` where there is no such entry or it has what is no id. */
export function decodeBridgeIds(octets: Buffer): string[] | undefined {
  const entry = octets
    .toString('latin1')
    .split(';')
    .find((text) => text.startsWith(KEY));
  if (entry === undefined) return undefined;
  const value = entry.slice(KEY.length);
  if (value === '') return [];
  try {
    const ids = value.split(',').map(decodeURIComponent);
    return ids.every((id) => bridgeIdFault(id) === undefined) ? ids : undefined;
  } catch {
    return undefined;
  }
}

/** Why a message with this way is not carried further, in words; `undefined` when it is. */
export function viaFault(via: Via): string | undefined {
  if (via.length > MAX_BRIDGES) return `carried by ${via.length} bridges, at most ${MAX_BRIDGES} are allowed`;
  const bytes = encodeBridgeIds(via).length;
  return bytes > MAX_BYTES ? `the ids of the bridges that carried it take ${bytes} bytes` : undefined;
}
