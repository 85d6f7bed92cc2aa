import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeAll, eachPacket, encodeMessage, openClient, subscribe } from './broker-client';
import { type ProcessorUse, processorUse } from './process-use';

/** So many QoS 0 messages a second, each written by itself, by the publishers in turn. */
export interface PacedLoad {
  kind: 'paced';
  publishers: number;
  perSecond: number;
  payloadBytes: number;
  /** Subscribers that read what they get. */
  readers: number;
  /** Subscribers that have stopped reading. */
  stalled: number;
  /** ms */
  duration: number;
}

export interface PacedResult {
  /** How much of what was published every reader has got, in the mean. */
  share: number;
  delivered: number;
  processor: ProcessorUse;
  /** From the write to the read of a message, ms. */
  median: number;
  p99: number;
}

const TOPIC = 'bench/topic';
const SETTLING_TIME = 300;
/** How long messages that are still under way are waited for, ms. */
const ARRIVAL_TIME = 500;

/** Publishes at this pace, after a while to settle, and follows every message to its readers. */
export async function keepPace(port: number, pid: number, load: PacedLoad): Promise<PacedResult> {
  const sockets: Socket[] = [];
  const latencies: number[] = [];
  let measuring = false;
  let delivered = 0;
  for (let index = 0; index < load.readers + load.stalled; index++) {
    const socket = await openClient(port, 4);
    sockets.push(socket);
    await subscribe(socket, [TOPIC], 0, 4);
    if (index >= load.readers) {
      socket.pause();
      continue;
    }
    eachPacket(socket, (_header, bytes, body) => {
      const sent = bytes.readDoubleBE(body + 2 + TOPIC.length);
      if (sent === 0) return;
      delivered++;
      latencies.push(performance.now() - sent);
    });
  }
  const publishers: Socket[] = [];
  for (let index = 0; index < load.publishers; index++) {
    const socket = await openClient(port, 4);
    socket.resume();
    publishers.push(socket);
  }
  const template = encodeMessage(TOPIC, Buffer.alloc(load.payloadBytes), 0, 0, 4);
  const timestampOffset = template.length - load.payloadBytes;
  let next = 0;
  const publish = () => {
    const message = Buffer.from(template);
    // 0 marks what is not measured.
    message.writeDoubleBE(measuring ? performance.now() : 0, timestampOffset);
    (publishers[next++ % publishers.length] as Socket).write(message);
  };
  const run = async (duration: number): Promise<number> => {
    const start = performance.now();
    const count = Math.round((duration * load.perSecond) / 1000);
    for (let published = 0; published < count; ) {
      const due = Math.min(count, ((performance.now() - start) * load.perSecond) / 1000);
      for (; published < due; published++) publish();
      await sleep(1);
    }
    return count;
  };
  await run(SETTLING_TIME);
  measuring = true;
  const measured = processorUse(pid);
  const published = await run(load.duration);
  const processor = measured();
  for (let end = performance.now() + ARRIVAL_TIME; performance.now() < end; ) {
    if (delivered === published * load.readers) break;
    await sleep(10);
  }
  await closeAll([...sockets, ...publishers]);
  latencies.sort((one, other) => one - other);
  return {
    share: delivered / load.readers / published,
    delivered,
    processor,
    median: latencies[Math.floor(latencies.length / 2)] ?? Number.POSITIVE_INFINITY,
    p99: latencies[Math.floor(latencies.length * 0.99)] ?? Number.POSITIVE_INFINITY,
  };
}
