import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProtocolVersion, QoS } from '../../src/broker/codec/packet-type';
import { Answers, closeAll, eachPacket, encodeMessage, openClient, subscribe } from './broker-client';
import { type ProcessorUse, processorUse } from './process-use';

/** As much as the broker can take; every message has 100 bytes. */
export interface SaturatingLoad {
  kind: 'saturating';
  version: ProtocolVersion;
  qos: QoS;
  publishers: number;
  subscribers: number;
  /** Messages that one publisher may have under way; at QoS 2 mosquitto all but stops at more than 20. */
  window: number;
  /** Filters `bench/+/<number>/x` spread over the subscribers, of which the first 4096 match; otherwise one topic. */
  wildcardFilters?: number;
  /** Of the measurement, ms. */
  duration: number;
}

const PAYLOAD = Buffer.alloc(100, 'x');
const MATCHED_FILTERS = 4096;
const FILTERS_PER_PACKET = 1000;
const SETTLING_TIME = 150;

/** All of the same length. */
function topicsOf({ wildcardFilters }: SaturatingLoad): string[] {
  if (wildcardFilters === undefined) return ['bench/topic'];
  return Array.from({ length: Math.min(MATCHED_FILTERS, wildcardFilters) }, (_, index) =>
    numbered('any', index),
  );
}

const numbered = (level: string, index: number) => `bench/${level}/${String(index).padStart(6, '0')}/x`;

async function subscribeAll(socket: Socket, index: number, load: SaturatingLoad): Promise<void> {
  const { wildcardFilters, subscribers, qos, version } = load;
  const filters = wildcardFilters === undefined ? topicsOf(load) : [];
  for (let number = index; number < (wildcardFilters ?? 0); number += subscribers) {
    filters.push(numbered('+', number));
  }
  for (let at = 0; at < filters.length; at += FILTERS_PER_PACKET) {
    await subscribe(socket, filters.slice(at, at + FILTERS_PER_PACKET), qos, version);
  }
}

/**
 * Publishes as fast as its window allows. A message leaves the window when it is delivered and acknowledged: who waits
 * for the acknowledgement alone outruns the subscriber, and then it is the dropping of messages that is measured.
 */
class Publisher {
  readonly #socket: Socket;
  readonly #load: SaturatingLoad;
  readonly #messages: Buffer[];
  readonly #idOffset: number;
  #next = 0;
  #packetId = 0;
  #sent = 0;
  #delivered = 0;
  #acknowledged = 0;

  constructor(socket: Socket, load: SaturatingLoad) {
    this.#socket = socket;
    this.#load = load;
    const { qos, version } = load;
    const topics = topicsOf(load);
    this.#messages = topics.map((topic) => encodeMessage(topic, PAYLOAD, qos, qos > 0 ? 1 : 0, version));
    this.#idOffset = 2 + 2 + (topics[0] as string).length;
    if (qos > 0) {
      const answers = new Answers(socket);
      eachPacket(socket, (header, bytes, body) => {
        if (header >> 4 === 5) answers.add(0x62, bytes[body] as number, bytes[body + 1] as number);
        else {
          this.#acknowledged++;
          this.#refill();
        }
      });
    }
  }

  /** A message of it has reached its subscribers. */
  delivered(): void {
    this.#delivered++;
    this.#refill();
  }

  fill(): void {
    const count = this.#load.window - this.#open;
    if (this.#socket.destroyed) return;
    this.#sent += count;
    const size = (this.#messages[0] as Buffer).length;
    const batch = Buffer.allocUnsafe(size * count);
    for (let index = 0; index < count; index++) {
      (this.#messages[this.#next++ % this.#messages.length] as Buffer).copy(batch, index * size);
      if (this.#load.qos === 0) continue;
      this.#packetId = (this.#packetId % 65_535) + 1;
      batch.writeUInt16BE(this.#packetId, index * size + this.#idOffset);
    }
    this.#socket.write(batch);
  }

  get #open(): number {
    const done = this.#load.qos === 0 ? this.#delivered : Math.min(this.#delivered, this.#acknowledged);
    return this.#sent - done;
  }

  // Half a window at a time, so that batches form as they do where there is much to send.
  #refill(): void {
    if (this.#open <= this.#load.window / 2) this.fill();
  }
}

/** Puts the load on the broker and counts what it delivers for the processor time it takes. */
export async function saturate(
  port: number,
  pid: number,
  load: SaturatingLoad,
): Promise<{ delivered: number; processor: ProcessorUse }> {
  const { version, qos, publishers: publisherCount, subscribers, duration } = load;
  let delivered = 0;
  const sockets: Socket[] = [];
  const publishers: Publisher[] = [];
  // What reaches the first subscriber has reached all that get a copy, or nearly.
  const copies = load.wildcardFilters === undefined ? subscribers : 1;
  const idOffset = 2 + (topicsOf(load)[0] as string).length;
  for (let index = 0; index < subscribers; index++) {
    const socket = await openClient(port, version);
    sockets.push(socket);
    await subscribeAll(socket, index, load);
    const answers = new Answers(socket);
    let heard = 0;
    eachPacket(socket, (header, bytes, body) => {
      if (header >> 4 === 6) {
        answers.add(0x70, bytes[body] as number, bytes[body + 1] as number);
        return;
      }
      delivered++;
      if (qos > 0) {
        const at = body + idOffset;
        answers.add(qos === 1 ? 0x40 : 0x50, bytes[at] as number, bytes[at + 1] as number);
      }
      if (copies === 1 || index === 0) publishers[heard++ % publishers.length]?.delivered();
    });
  }
  for (let index = 0; index < publisherCount; index++) {
    const socket = await openClient(port, version);
    sockets.push(socket);
    publishers.push(new Publisher(socket, load));
  }
  for (const publisher of publishers) publisher.fill();
  await sleep(SETTLING_TIME);
  const before = delivered;
  const measured = processorUse(pid);
  await sleep(duration);
  const processor = measured();
  const result = { delivered: delivered - before, processor };
  await closeAll(sockets);
  return result;
}
