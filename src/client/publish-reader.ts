import type { Duplex } from 'node:stream';
import type { IPublishPacket } from 'mqtt';
import { freeMemory } from '../memory/free-memory';
import { isLent, kept, packetBuffer } from './lent-bytes';
import { readPublish } from './publish-packet';

const PUBLISH = 3;
/** No QoS [MQTT-3.3.1-4]. */
const QOS_BITS = 0b110;
/** Bytes of the Remaining Length at most [MQTT-1.5.5-1]. */
const LENGTH_BYTES = 4;
/** Bytes that are set aside for a packet at first. */
const FIRST_ROOM = 1024 * 1024;
/** Of what was set aside, the most that stays for the next packet. */
const KEPT_ROOM = 4 * 1024 * 1024;
const NO_BYTES = Buffer.alloc(0);

export interface PublishReaderListener {
  /** Each PUBLISH, except for those that MQTT.js has to look at. Its payload may be lent: see `kept`. */
  publish(packet: IPublishPacket): void;
  /** A packet of this size begins, which is more than allowed: the reader is to be stopped. */
  tooLarge(bytes: number): void;
}

/**
 * Reads PUBLISH packets from a stream in front of MQTT.js, which takes several times as long for one, and hands MQTT.js
 * all the rest in its place: the next packet is not looked at before MQTT.js is done with those before it.
 */
export class PublishReader {
  readonly #stream: Duplex;
  readonly #version5: boolean;
  readonly #largest: number;
  readonly #listener: PublishReaderListener;
  #mqttJs: NodeJS.WritableStream | undefined;
  /** What has come; it was looked at up to `#at`. */
  #chunk: Buffer = NO_BYTES;
  #at = 0;
  /** Room for a PUBLISH packet of which a part has come, how much has, and how much is still to come. */
  #packet: Buffer = NO_BYTES;
  #gathered = 0;
  #missing = 0;
  /** Bytes that are still to be passed to MQTT.js. */
  #passing = 0;
  #started = false;
  #paused = false;
  #stopped = false;
  /** MQTT.js is not done with what it was given. */
  #busy = false;
  #working = false;

  /** @param largest bytes that a packet may have, its fixed header included */
  constructor(stream: Duplex, version5: boolean, largest: number, listener: PublishReaderListener) {
    this.#stream = stream;
    this.#version5 = version5;
    this.#largest = largest;
    this.#listener = listener;
    // This is how MQTT.js asks for what comes.
    stream.pipe = <T extends NodeJS.WritableStream>(mqttJs: T): T => {
      this.#mqttJs = mqttJs;
      stream.on('data', (chunk: Buffer) => this.#receive(chunk)).resume();
      return mqttJs;
    };
  }

  /** From the next packet on; all before is for MQTT.js. */
  start(): void {
    this.#started = true;
  }

  /** Reads nothing more until `resume`. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#work();
  }

  /** Drops all that comes; the end of the stream is seen also where it was paused. */
  stop(): void {
    this.#stopped = true;
    this.#chunk = this.#packet = NO_BYTES;
    this.#at = 0;
    if (this.#stream.isPaused()) this.#stream.resume();
  }

  #receive(chunk: Buffer): void {
    if (this.#stopped) return;
    const isDone = this.#at === this.#chunk.length;
    this.#chunk = isDone ? chunk : Buffer.concat([this.#chunk.subarray(this.#at), chunk]);
    this.#at = 0;
    this.#work();
    if (this.#at < this.#chunk.length) {
      this.#chunk = kept(this.#chunk.subarray(this.#at));
      this.#at = 0;
    }
    if (this.#waits) this.#stream.pause();
  }

  get #waits(): boolean {
    return (this.#paused || this.#busy) && !this.#stopped;
  }

  #work(): void {
    // Whoever is given a packet may pause and resume.
    if (this.#working) return;
    this.#working = true;
    while (!this.#waits && this.#at < this.#chunk.length && this.#readNext());
    this.#working = false;
    if (!this.#waits && this.#stream.isPaused()) this.#stream.resume();
  }

  /** Returns `false` when more has to come first. */
  #readNext(): boolean {
    if (this.#passing > 0) {
      this.#pass(this.#at + this.#passing);
      return true;
    }
    if (this.#missing > 0) {
      this.#gather();
      return true;
    }
    const start = this.#at;
    const end = this.#endOfPacket(start);
    if (end === undefined) return false;
    if (this.#isTooLarge(end - start)) {
      this.#listener.tooLarge(end - start);
      return false;
    }
    if (!this.#isOurs(start) || end === Number.POSITIVE_INFINITY) this.#pass(this.#endOfOthers(end));
    else if (end <= this.#chunk.length) {
      this.#at = end;
      this.#publish(this.#chunk, start, end);
    } else {
      this.#missing = end - start;
      this.#gather();
    }
    return true;
  }

  #isOurs(at: number): boolean {
    const first = this.#chunk[at] as number;
    return this.#started && first >> 4 === PUBLISH && (first & QOS_BITS) !== QOS_BITS;
  }

  #isTooLarge(bytes: number): boolean {
    return bytes > this.#largest && bytes < Number.POSITIVE_INFINITY;
  }

  /** Where the packet ends, once its fixed header is there (MQTT 5.0 section 2.1); nowhere if its length does not. */
  #endOfPacket(start: number): number | undefined {
    let length = 0;
    for (let index = 0; index < LENGTH_BYTES; index++) {
      const at = start + 1 + index;
      if (at >= this.#chunk.length) return undefined;
      const byte = this.#chunk[at] as number;
      length += (byte & 0x7f) * 0x80 ** index;
      if (byte < 0x80) return at + 1 + length;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** Where the packets end that MQTT.js can be given at once with the one that ends at `end`. */
  #endOfOthers(end: number): number {
    let last = end;
    // What CONNACK says of the connection has to be known before the next packet.
    while (this.#started && last < this.#chunk.length && !this.#isOurs(last)) {
      const next = this.#endOfPacket(last);
      if (next === undefined || this.#isTooLarge(next - last)) break;
      last = next;
    }
    return last;
  }

  /** Takes what has come of a PUBLISH packet; it is put together when it is complete. */
  #gather(): void {
    const part = this.#chunk.subarray(this.#at, this.#at + this.#missing);
    this.#at += part.length;
    this.#missing -= part.length;
    this.#makeRoom(part.length);
    part.copy(this.#packet, this.#gathered);
    this.#gathered += part.length;
    if (this.#missing > 0) return;
    const room = this.#packet;
    const end = this.#gathered;
    this.#gathered = 0;
    this.#publish(room, 0, end);
    if (isLent(room) && room.length <= KEPT_ROOM) return;
    this.#packet = NO_BYTES;
    if (isLent(room)) freeMemory(room);
  }

  /** A packet that says that it is large gets its room as it comes. */
  #makeRoom(bytes: number): void {
    const needed = this.#gathered + bytes;
    if (needed <= this.#packet.length) return;
    const room = packetBuffer(Math.min(needed + this.#missing, Math.max(2 * needed, FIRST_ROOM)));
    this.#packet.copy(room, 0, 0, this.#gathered);
    freeMemory(this.#packet);
    this.#packet = room;
  }

  #publish(bytes: Buffer, start: number, end: number): void {
    let body = start + 2;
    while ((bytes[body - 1] as number) >= 0x80) body++;
    const packet = readPublish(bytes, start, body, end, this.#version5);
    if (packet === undefined) this.#write(bytes.subarray(start, end));
    else this.#listener.publish(packet);
  }

  /** Passes to MQTT.js what has come of all up to `end`. */
  #pass(end: number): void {
    const bytes = this.#chunk.subarray(this.#at, end);
    this.#at += bytes.length;
    this.#passing = end - this.#at;
    this.#write(bytes);
  }

  #write(bytes: Buffer): void {
    this.#busy = true;
    this.#mqttJs?.write(kept(bytes), () => {
      this.#busy = false;
      this.#work();
    });
  }
}
