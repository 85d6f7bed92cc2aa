import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import { Participant } from '../../src/rtps/participant';
import type { EndpointQos } from '../../src/rtps/qos';
import type { Sample } from '../../src/rtps/reader';
import type { Writer } from '../../src/rtps/writer';
import { findCounterpart } from '../counterparts';
import { DdsPeer } from '../peers/dds/dds-peer';
import { encodeImage, freshDomain, freshTopic, IMAGE, STRING } from '../rtps/fixture';
import type { BenchOptions } from './bench';

const ROUNDS = { short: 3, long: 9 };
const STRINGS = 100_000;
const IMAGES = 600;
const IMAGE_BYTES = 1_000_000;
const PINGS = 3000;
/** The quick first announcements, to all of this host's ports, are over then. */
const SETTLE_MS = 1500;
const QOS: EndpointQos = { reliability: 'reliable', durability: 'volatile', depth: 8192 };
/** Samples under way: what a writer of Cyclone DDS lets wait is bounded, too. */
const UNDER_WAY = { string: 4096, image: 8 };

interface Work {
  readonly type: 'string' | 'image';
  readonly count: number;
  readonly size: number;
}
const strings: Work = { type: 'string', count: STRINGS, size: 64 };
const images: Work = { type: 'image', count: IMAGES, size: IMAGE_BYTES };

/** A run of the program that measures Cyclone DDS, on the loopback interface; see gauge.c. */
class Gauge {
  readonly #process: ChildProcess;
  readonly #told: Record<string, unknown>[] = [];

  constructor(role: string, args: Record<string, string | number>) {
    const profile = pathToFileURL(resolve('test/peers/dds/loopback.xml')).href;
    const options = Object.entries(args).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.#process = spawn(program('dds-gauge'), [role, ...options], {
      env: { ...process.env, CYCLONEDDS_URI: profile },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    if (this.#process.stderr !== null)
      createInterface({ input: this.#process.stderr }).on('line', (line) => {
        if (!line.startsWith('{')) return;
        this.#told.push(JSON.parse(line));
        this.#process.emit('told');
      });
  }

  /** The value of that name, once it is told. */
  async told(name: string): Promise<number> {
    for (;;) {
      const told = this.#told.find((news) => name in news);
      if (told !== undefined) return Number(told[name]);
      if (this.#process.exitCode !== null) throw new Error(`gauge ended with ${this.#process.exitCode}`);
      await Promise.race([once(this.#process, 'told'), once(this.#process, 'exit')]);
    }
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill();
    await once(this.#process, 'exit');
  }
}

function program(name: 'dds-gauge' | 'dds-peer'): string {
  const path = findCounterpart(name);
  if (path === undefined) throw new Error(`${name} is missing: run "npm run test:setup"`);
  return path;
}

async function withParticipant<Result>(use: (participant: Participant, domain: number) => Promise<Result>) {
  const domain = freshDomain();
  const participant = new Participant({ domain, range: 'localhost', interfaces: ['127.0.0.1'] });
  await participant.start();
  await setTimeout(SETTLE_MS);
  try {
    return await use(participant, domain);
  } finally {
    await participant.close();
  }
}

const ddsType = ({ type }: Work) => (type === 'image' ? IMAGE : STRING);

/** Messages per second from Cyclone DDS to itself. */
async function cycloneToCyclone(work: Work): Promise<number> {
  const args = { domain: freshDomain(), topic: freshTopic(), ...work };
  const listener = new Gauge('sub', args);
  await listener.told('ready');
  const talker = new Gauge('pub', args);
  const seconds = await listener.told('seconds');
  await Promise.all([talker.stop(), listener.stop()]);
  return work.count / seconds;
}

/** The same to a reader of ours, texts decoded to JSON. */
function cycloneToUs(work: Work): Promise<number> {
  return withParticipant(async (participant, domain) => {
    const topic = freshTopic();
    const codec = MessageCodec.for(InterfaceLibrary.bundled(), 'std_msgs/msg/String');
    let received = 0;
    let first = 0;
    let finish: () => void;
    const done = new Promise<void>((resolve) => {
      finish = resolve;
    });
    participant.createReader({ topic, type: ddsType(work), qos: QOS }, ({ payload }: Sample) => {
      if (first === 0) first = performance.now();
      if (work.type === 'string') codec.decodeToJson(payload);
      if (++received === work.count) finish();
    });
    const talker = new Gauge('pub', { domain, topic, ...work });
    await done;
    const seconds = (performance.now() - first) / 1000;
    await talker.stop();
    return work.count / seconds;
  });
}

/** The same from a writer of ours, texts encoded from JSON. */
function usToCyclone(work: Work): Promise<number> {
  return withParticipant(async (participant, domain) => {
    const topic = freshTopic();
    const codec = MessageCodec.for(InterfaceLibrary.bundled(), 'std_msgs/msg/String');
    const writer = participant.createWriter({ topic, type: ddsType(work), qos: QOS });
    const listener = new Gauge('sub', { domain, topic, ...work });
    await Promise.all([listener.told('ready'), matched(writer)]);
    // A sample that is acknowledged may change.
    const images = Array.from({ length: 2 * UNDER_WAY.image }, () => encodeImage(1, work.size));
    for (let number = 1; number <= work.count; number++) {
      while (writer.unacknowledged >= UNDER_WAY[work.type]) await new Promise(setImmediate);
      if (work.type === 'string') {
        writer.write(codec.encode({ data: `${number}`.padEnd(work.size, '.') }));
      } else {
        const image = images[number % images.length] as Buffer;
        image.writeUInt32LE(number, 4);
        writer.write(image);
      }
    }
    const seconds = await listener.told('seconds');
    if ((await listener.told('disordered')) > 0) throw new Error('messages came in disorder');
    await listener.stop();
    return work.count / seconds;
  });
}

async function matched(writer: Writer): Promise<void> {
  while (writer.matchedCount === 0) await once(writer, 'matched');
}

type RoundTrip = [p50: number, p99: number];

async function ping(domain: number, topic: string): Promise<RoundTrip> {
  const gauge = new Gauge('ping', { domain, topic, count: PINGS });
  const times: RoundTrip = [await gauge.told('p50'), await gauge.told('p99')];
  await gauge.stop();
  return times;
}

async function cycloneRoundTrip(): Promise<RoundTrip> {
  const [domain, topic] = [freshDomain(), freshTopic()];
  const echo = new Gauge('echo', { domain, topic });
  await echo.told('ready');
  const times = await ping(domain, topic);
  await echo.stop();
  return times;
}

function ourRoundTrip(): Promise<RoundTrip> {
  return withParticipant((participant, domain) => {
    const topic = freshTopic();
    const writer = participant.createWriter({ topic: `${topic}/echo`, type: STRING, qos: QOS });
    participant.createReader({ topic: `${topic}/ping`, type: STRING, qos: QOS }, ({ payload }) => {
      writer.write(payload);
    });
    return ping(domain, topic);
  });
}

/** What came, in order, of a talker that loses 5 % of its datagrams, and in how many times the time it was sent in. */
function lossy(work: Work, rate: number): Promise<string> {
  return withParticipant(async (participant, domain) => {
    const topic = freshTopic();
    const { type, count, size } = work;
    const talker = new DdsPeer(program('dds-peer'), 'pub', {
      loss: 5,
      args: { domain, topic, type, count, size, rate, depth: 0, print: 0, idle: 30 },
    });
    let [first, last, received] = [0, 0, 0];
    const inOrder: boolean[] = [];
    await new Promise<void>((resolve) => {
      participant.createReader({ topic, type: ddsType(work), qos: QOS }, ({ sequence }) => {
        last = performance.now();
        if (first === 0) first = last;
        inOrder.push(sequence === ++received);
        if (received === count) resolve();
      });
    });
    await talker.stop();
    const time = (last - first) / (((count - 1) * 1000) / rate);
    return `${inOrder.filter(Boolean).length} of ${count} in order, ${time.toFixed(2)} of the time`;
  });
}

/** How much of a core 20 talkers at 100 Hz take, and what of theirs arrives. */
function talkers(): Promise<string> {
  return withParticipant(async (participant, domain) => {
    const topic = freshTopic();
    const [number, rate, count] = [20, 100, 500];
    let received = 0;
    let before: NodeJS.CpuUsage | undefined;
    let start = 0;
    const peers: DdsPeer[] = [];
    await new Promise<void>((resolve) => {
      participant.createReader({ topic, type: STRING, qos: QOS }, () => {
        if (++received === number * count) resolve();
        if (received > number * rate && before === undefined) {
          before = process.cpuUsage();
          start = performance.now();
        }
      });
      for (let peer = 0; peer < number; peer++)
        peers.push(
          new DdsPeer(program('dds-peer'), 'pub', {
            args: { domain, topic, count, rate, size: 64, depth: 1000, print: 0, idle: 30 },
          }),
        );
    });
    const { user, system } = process.cpuUsage(before);
    const share = (user + system) / 1000 / (performance.now() - start);
    await Promise.all(peers.map((peer) => peer.stop()));
    return `${received} received, ${(100 * share).toFixed(1)} % of a core`;
  });
}

/** The best of each, run in turns: what else the machine does hits both alike. */
async function best(rounds: number, runs: (() => Promise<number>)[]): Promise<number[]> {
  const figures = runs.map(() => 0);
  for (let round = 0; round < rounds; round++)
    for (const [index, run] of runs.entries())
      figures[index] = Math.max(figures[index] as number, await run());
  return figures;
}

/** Prints how fast we exchange messages with Cyclone DDS, beside Cyclone DDS with itself. */
export async function benchRtps(print: (line: string) => void, { long, only }: BenchOptions): Promise<void> {
  const rounds = long ? ROUNDS.long : ROUNDS.short;
  const wanted = (name: string) => only === undefined || name.includes(only);
  print('| reliable | messages/s | Cyclone C -> C | ratio |');
  print('|---|---|---|---|');
  for (const [name, work, run] of [
    ['64 B strings, Cyclone C -> us', strings, cycloneToUs],
    ['64 B strings, us -> Cyclone C', strings, usToCyclone],
    ['1 MB images, Cyclone C -> us', images, cycloneToUs],
    ['1 MB images, us -> Cyclone C', images, usToCyclone],
  ] as const) {
    if (!wanted(name)) continue;
    const [own, other] = (await best(rounds, [() => run(work), () => cycloneToCyclone(work)])) as [
      number,
      number,
    ];
    print(`| ${name} | ${own.toFixed(0)} | ${other.toFixed(0)} | ${(own / other).toFixed(2)} |`);
  }
  if (wanted('round trip')) {
    const own = await ourRoundTrip();
    const other = await cycloneRoundTrip();
    print('');
    print('| round trip, us | ours | Cyclone C | ratio |');
    print('|---|---|---|---|');
    for (const [index, name] of ['p50', 'p99'].entries()) {
      const [mine, theirs] = [own[index] as number, other[index] as number];
      print(`| ${name} | ${mine.toFixed(0)} | ${theirs.toFixed(0)} | ${(mine / theirs).toFixed(2)} |`);
    }
  }
  print('');
  if (wanted('loss')) {
    print(`5 % loss, 1 kHz strings: ${await lossy({ ...strings, count: 5000 }, 1000)}`);
    print(`5 % loss, 20 Hz images of 1 MB: ${await lossy({ ...images, count: 100 }, 20)}`);
  }
  if (wanted('talkers')) print(`20 talkers at 100 Hz: ${await talkers()}`);
}
