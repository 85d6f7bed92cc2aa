import { randomBytes } from 'node:crypto';

/**
 * Entity ids with a fixed meaning (RTPS 9.3.1.2). The last octet is the kind: 0xc2/0xc7 a built-in writer/reader,
 * 0x03/0x04 a user's writer/reader of a topic without a key.
 */
export const EntityId = {
  unknown: 0x00000000,
  participant: 0x000001c1,
  participantWriter: 0x000100c2,
  participantReader: 0x000100c7,
  publicationsWriter: 0x000003c2,
  publicationsReader: 0x000003c7,
  subscriptionsWriter: 0x000004c2,
  subscriptionsReader: 0x000004c7,
  participantMessageWriter: 0x000200c2,
  participantMessageReader: 0x000200c7,
} as const;

export const WRITER_KIND_NO_KEY = 0x03;
export const READER_KIND_NO_KEY = 0x04;

/** Whether the id is one of a user's endpoints, not of a built-in one (the two high bits of the kind are clear). */
export function isUserEntity(entityId: number): boolean {
  return (entityId & 0xc0) === 0;
}

/** Whether the id names a writer; `false` for a reader and for what is neither. */
export function isWriter(entityId: number): boolean {
  const kind = entityId & 0x3f;
  return kind === 0x02 || kind === 0x03;
}

/**
 * Our vendor id. Not assigned to anybody: both Cyclone DDS (01.10) and Fast DDS (01.0f) have paths of their own for
 * their own ids, and Fast DDS takes 00.00 for itself.
 */
export const VENDOR_ID = 0x01fe;

/** A new GUID prefix: 24 hexadecimal digits, the vendor id first (RTPS 9.3.1.5). */
export function newGuidPrefix(): string {
  const octets = randomBytes(12);
  octets.writeUInt16BE(VENDOR_ID);
  return octets.toString('hex');
}

/** The 32 hexadecimal digits of the GUID made of a prefix and an entity id. */
export function guidOf(prefix: string, entityId: number): string {
  return prefix + entityId.toString(16).padStart(8, '0');
}

/**
 * The first 24 digits of a GUID, copied: what each message is compared with, which V8 does in a slower way where it is
 * a slice of a longer string.
 */
export function prefixOf(guid: string): string {
  return Buffer.from(guid.slice(0, 24), 'latin1').toString('latin1');
}

/** The last 8 digits of a GUID as a number. */
export function entityIdOf(guid: string): number {
  return Number.parseInt(guid.slice(24), 16);
}
