import assert from 'node:assert/strict';
import { ros2jazzy } from '@foxglove/rosmsg-msgs-common';

/** What is used of `@foxglove/rosmsg2-serialization`, which the package does not depend on. */
interface Serialization {
  MessageReader: new (definitions: Definition[]) => { readMessage(cdr: Uint8Array): unknown };
  MessageWriter: new (definitions: Definition[]) => { writeMessage(message: unknown): Uint8Array };
}
type Definition = { name?: string; definitions: readonly { type: string; isComplex?: boolean }[] };

/** CDR <-> JSON as one does it with Foxglove's serialization and JavaScript's JSON, by the rules of our own codec. */
export interface FoxgloveCodec {
  decodeToJson(cdr: Buffer): Buffer;
  encodeFromJson(json: Buffer): Uint8Array;
}

/** CDR <-> objects with Foxglove's serialization: arrays of numbers are typed arrays. */
export interface FoxgloveObjects {
  decode(cdr: Uint8Array): unknown;
  encode(message: unknown): Uint8Array;
}

/** Makes it for a message type, or nothing where `@foxglove/rosmsg2-serialization` is not installed. */
export function foxgloveObjects(type: string): FoxgloveObjects | undefined {
  let serialization: Serialization;
  try {
    // Not resolved when this is compiled: the bench runs without it too.
    const name: string = '@foxglove/rosmsg2-serialization';
    serialization = require(name) as Serialization;
  } catch {
    return undefined;
  }
  const definitions = definitionsOf(type);
  const reader = new serialization.MessageReader(definitions);
  const writer = new serialization.MessageWriter(definitions);
  return {
    decode: (cdr) => reader.readMessage(cdr),
    encode: (message) => writer.writeMessage(message),
  };
}

/** Makes the codec of a message type, or nothing where `@foxglove/rosmsg2-serialization` is not installed. */
export function foxgloveCodec(type: string): FoxgloveCodec | undefined {
  const objects = foxgloveObjects(type);
  if (objects === undefined) return undefined;
  const octets = (
    definitionsOf(type)[0] as { definitions: { name: string; type: string; isArray?: boolean }[] }
  ).definitions
    .filter((field) => field.type === 'uint8' && field.isArray === true)
    .map((field) => field.name);
  return {
    decodeToJson: (cdr) => Buffer.from(JSON.stringify(objects.decode(cdr), jsonForm)),
    encodeFromJson: (json) => {
      const message = JSON.parse(json.toString()) as Record<string, unknown>;
      for (const name of octets) message[name] = Buffer.from(message[name] as string, 'base64');
      return objects.encode(message);
    },
  };
}

/** Fails unless both come to the same, so that the bench compares like with like. */
export function assertSameJson(first: Buffer, second: Buffer): void {
  assert.deepEqual(JSON.parse(first.toString()), JSON.parse(second.toString()));
}

function definitionsOf(type: string): Definition[] {
  const all = ros2jazzy as unknown as Record<string, Definition>;
  const found = new Map<string, Definition>();
  const visit = (name: string) => {
    const definition = all[name];
    if (definition === undefined || found.has(name)) return;
    found.set(name, definition);
    for (const field of definition.definitions) if (field.isComplex === true) visit(field.type);
  };
  visit(type.replace('/msg/', '/'));
  // The message itself is the one without a name.
  return [...found].map(([name, { definitions }], index) =>
    index === 0 ? { definitions } : { name, definitions },
  );
}

function jsonForm(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) {
    return Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64');
  }
  if (value instanceof Float32Array) return Array.from(value, shortestFloat32);
  if (ArrayBuffer.isView(value)) return Array.from(value as Float64Array);
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

function shortestFloat32(value: number): number | string {
  if (!Number.isFinite(value)) return String(value);
  for (let digits = 6; digits < 9; digits++) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return shorter;
  }
  return Number(value.toPrecision(9));
}
