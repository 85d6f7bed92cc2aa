import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import type { WillFields } from './codec/connect-packet';
import type { Message } from './message';
import type { MessageSlab } from './message-slab';

/** What things take beyond their bytes, measured with Node 20 and rounded up. */
const MESSAGE_BYTES = 400;
export const DELIVERY_BYTES = 192;
export const STORED_DELIVERY_BYTES = 320;
export const SESSION_BYTES = 3072;
export const CONNECTION_BYTES = 8192;
export const PACKET_ID_BYTES = 64;
/** Of a topic or filter that no other shares: in many deep ones it is nearly all. */
export const LEVEL_BYTES = 256;
const SUBSCRIPTION_BYTES = 800;
const USER_PROPERTY_BYTES = 160;
const ALIAS_BYTES = 256;

/**
 * How short memory is: 0 is not at all. From 1 on nothing waits for a reader that is behind unless it must. From 2 on
 * nothing is taken in from other machines and processes that would have to be held. From 3 on nothing is.
 */
export type MemoryLevel = 0 | 1 | 2 | 3;

/** Where the levels begin, as parts of the limit. */
const BEGINNINGS = [0, 0.75, 1, 1.25, Number.POSITIVE_INFINITY] as const;
/** A level ends when this part of its beginning is reached: so it does not come and go with each message. */
const RELIEF = 0.9;
/** Parts of the heap's limit, from which and down to which it counts as level 2 whatever was counted. */
const HEAP_FULL = 0.85;
const HEAP_RELIEF = 0.75;

/** Messages that get bytes of their own at a time, so that this takes milliseconds. */
const MOST_COMPACTED = 5000;

/** Without a setting: this much, in bytes, or a quarter of a machine that has less than four times as much. */
const USUAL_LIMIT = 512 * 1024 * 1024;

/** @param setting bytes, or 0 to leave it to the machine */
export function memoryLimit(setting: number): number {
  if (setting > 0) return setting;
  // In a container 0, or more than there is, when it has no limit of its own.
  const machine = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return Math.min(USUAL_LIMIT, Math.floor(machine / 4));
}

function heapUse(): number {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  return used / limit;
}

/**
 * What the broker holds for its clients, in bytes: messages in queues, in flight and retained, what waits for readers,
 * begun packets, subscriptions, sessions and connections. It is counted as it comes and goes, and rounded up. A message
 * counts once, however many sessions it waits in.
 */
export class HeldMemory {
  readonly limit: number;
  readonly #heapUse: () => number;
  /** Those of which a part is held. */
  readonly #slabs = new Set<MessageSlab>();
  #bytes = 0;
  #level: MemoryLevel = 0;
  /** Beyond them the level rises. */
  #riseAt: number;

  /**
   * @param limit bytes
   * @param heapPart how much of the heap's limit is in use, 0 to 1
   */
  constructor(limit: number, heapPart: () => number = heapUse) {
    this.limit = limit;
    this.#heapUse = heapPart;
    this.#riseAt = limit * BEGINNINGS[1];
  }

  get bytes(): number {
    return this.#bytes;
  }

  get level(): MemoryLevel {
    return this.#level;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#riseAt) this.#rise();
  }

  remove(bytes: number): void {
    this.#bytes -= bytes;
  }

  /** One more holds the message. */
  hold(message: Message): void {
    if (message.holders++ > 0) return;
    const { slab } = message;
    if (slab === undefined) {
      this.add(message.bytes.buffer.byteLength);
    } else {
      if (slab.held.length === 0) {
        this.#slabs.add(slab);
        this.add(slab.size);
      }
      slab.hold(message);
    }
    this.add(MESSAGE_BYTES + 2 * message.topic.length);
  }

  release(message: Message): void {
    if (--message.holders > 0) return;
    const { slab } = message;
    if (slab === undefined) this.remove(message.bytes.buffer.byteLength);
    else this.#leave(slab, message);
    this.remove(MESSAGE_BYTES + 2 * message.topic.length);
  }

  /** A message that is held lets go of the slab that its bytes are a part of. */
  compact(message: Message): void {
    const { slab } = message;
    if (slab === undefined) return;
    this.#leave(slab, message);
    message.compact();
    this.add(message.bytes.buffer.byteLength);
  }

  /**
   * To be called about twice a second: gives bytes of their own to messages that keep a slab of which little else is
   * left. Nearly all messages are gone before: to copy each as soon as it waits would cost more than all the rest.
   */
  compactSlabs(): void {
    let compacted = 0;
    for (const slab of this.#slabs) {
      if (!slab.wasteful) continue;
      compacted += slab.held.length;
      while (slab.held.length > 0) this.compact(slab.held[0] as Message);
      if (compacted >= MOST_COMPACTED) return;
    }
  }

  /** To be called about twice a second: lowers the level by one when there is room again. Returns whether it did. */
  check(): boolean {
    const heap = this.#heapUse();
    if (heap > HEAP_FULL && this.#level < 2) this.#set(2);
    const level = this.#level;
    if (level === 0 || this.#bytes >= this.limit * BEGINNINGS[level] * RELIEF) return false;
    if (level <= 2 && heap > HEAP_RELIEF) return false;
    this.#set((level - 1) as MemoryLevel);
    return true;
  }

  #leave(slab: MessageSlab, message: Message): void {
    slab.release(message);
    if (slab.held.length > 0) return;
    this.#slabs.delete(slab);
    this.remove(slab.size);
  }

  #rise(): void {
    if (this.#bytes > this.limit * BEGINNINGS[3]) this.#set(3);
    else this.#set(this.#bytes > this.limit * BEGINNINGS[2] ? 2 : 1);
  }

  #set(level: MemoryLevel): void {
    this.#level = level;
    this.#riseAt = this.limit * BEGINNINGS[(level + 1) as 1 | 2 | 3 | 4];
  }
}

/** What a subscription takes: each level of its filter may be a node of its own. */
export function subscriptionBytes(filter: string): number {
  return SUBSCRIPTION_BYTES + 3 * filter.length + LEVEL_BYTES * (levelsOf(filter) - 1);
}

/** What a will takes, or any other message with its properties as values. */
export function willBytes({ topic, payload, properties }: WillFields): number {
  let bytes = MESSAGE_BYTES + 2 * topic.length + payload.length;
  bytes += 2 * ((properties.contentType?.length ?? 0) + (properties.responseTopic?.length ?? 0));
  bytes += properties.correlationData?.length ?? 0;
  for (const [name, value] of properties.userProperties ?? []) {
    bytes += USER_PROPERTY_BYTES + 2 * (name.length + value.length);
  }
  return bytes;
}

/** What a topic alias takes. */
export function aliasBytes(topic: Buffer): number {
  return ALIAS_BYTES + 2 * topic.length;
}

function levelsOf(text: string): number {
  let levels = 1;
  for (let at = text.indexOf('/'); at !== -1; at = text.indexOf('/', at + 1)) levels++;
  return levels;
}
