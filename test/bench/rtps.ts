import { fork } from 'node:child_process';
import { once } from 'node:events';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import type { EndpointQos } from '../../src/rtps/qos';
import type { Writer } from '../../src/rtps/writer';
import { DdsPeer } from '../peers/dds/dds-peer';
import { encodeImage, freshDomain, freshTopic, IMAGE, STRING } from '../rtps/fixture';
import type { BenchOptions } from './bench';
import { Gauge, program } from './dds-gauge';
import { hearTalkers } from './dds-talkers';
import { median } from './median';
import type { ListenerReport, ListenerTask } from './rtps-listener-process';
import { withParticipant } from './rtps-participant';

const ROUNDS = { short: 3, long: 9 };
/** Two seconds of them: V8 compiles for a tenth of a second, once in a reader's life. */
const STRINGS = 400_000;
const IMAGES = 600;
const IMAGE_BYTES = 1_000_000;
const PINGS = 3000;
/** Each with a program that appears anew: what is done then is to be warm, too. */
const WARM_UP_ROUNDS = 3;
const ECHO_ROUNDS = 5;
const TALKERS_SECONDS = { short: 15, long: 120 };
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

const ddsType = ({ type }: Work) => (type === 'image' ? IMAGE : STRING);

/** Of one direction in one run. */
interface Speed {
  /** Messages per second. */
  readonly rate: number;
  /** Processor time per message of the side that is compared, us. */
  readonly cost: number;
}

/** From Cyclone DDS to itself, compared with one of its sides. */
async function cycloneToCyclone(work: Work, side: 'talker' | 'listener'): Promise<Speed> {
  const args = { domain: freshDomain(), topic: freshTopic(), ...work };
  const listener = new Gauge('sub', args);
  await listener.told('ready');
  const talker = new Gauge('pub', args);
  const seconds = await listener.told('seconds');
  const cost = (1000 * { talker, listener }[side].used) / work.count;
  await Promise.all([talker.stop(), listener.stop()]);
  return { rate: work.count / seconds, cost };
}

/** The same to a reader of ours, texts decoded to JSON. */
async function cycloneToUs(work: Work): Promise<Speed> {
  const { type, count } = work;
  const topic = freshTopic();
  const listener = fork(require.resolve('./rtps-listener-process'));
  const exited = once(listener, 'exit');
  const report = async () => (await once(listener, 'message'))[0] as ListenerReport;
  const task: ListenerTask = { topic, type: ddsType(work), qos: QOS, count, decode: type === 'string' };
  listener.send(task);
  const ready = await report();
  if (!('domain' in ready)) throw new Error('the listener heard messages before it was ready');
  const ended = report();
  const talker = new Gauge('pub', { domain: ready.domain, topic, ...work });
  const heard = await ended;
  if (!('seconds' in heard)) throw new Error('the listener was ready twice');
  await Promise.all([talker.stop(), exited]);
  return { rate: count / heard.seconds, cost: heard.microseconds / count };
}

/** The same from a writer of ours, texts encoded from JSON. */
function usToCyclone(work: Work): Promise<Speed> {
  return withParticipant(async (participant, domain) => {
    const topic = freshTopic();
    const codec = MessageCodec.for(InterfaceLibrary.bundled(), 'std_msgs/msg/String');
    const writer = participant.createWriter({ topic, type: ddsType(work), qos: QOS });
    const listener = new Gauge('sub', { domain, topic, ...work });
    await Promise.all([listener.told('ready'), matched(writer)]);
    // A sample that is acknowledged may change.
    const images = Array.from({ length: 2 * UNDER_WAY.image }, () => encodeImage(1, work.size));
    const used = process.cpuUsage();
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
    const cost = costSince(used, work);
    await listener.stop();
    return { rate: work.count / seconds, cost };
  });
}

function costSince(start: NodeJS.CpuUsage, { count }: Work): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / count;
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

/** What an echo takes once it is warm: V8 compiles while the first thousands go round. The medians of several rounds. */
async function warmRoundTrip(domain: number, topic: string): Promise<RoundTrip> {
  for (let round = 0; round < WARM_UP_ROUNDS; round++) await ping(domain, topic);
  const rounds: RoundTrip[] = [];
  while (rounds.length < ECHO_ROUNDS) rounds.push(await ping(domain, topic));
  return [median(rounds.map(([p50]) => p50)), median(rounds.map(([, p99]) => p99))];
}

async function cycloneRoundTrip(): Promise<RoundTrip> {
  const [domain, topic] = [freshDomain(), freshTopic()];
  const echo = new Gauge('echo', { domain, topic });
  await echo.told('ready');
  const times = await warmRoundTrip(domain, topic);
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
    return warmRoundTrip(domain, topic);
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

/** The best of each, run in turns: what else the machine does hits both alike. */
async function best(rounds: number, runs: (() => Promise<Speed>)[]): Promise<Speed[]> {
  const figures = runs.map(() => ({ rate: 0, cost: Number.POSITIVE_INFINITY }));
  for (let round = 0; round < rounds; round++)
    for (const [index, run] of runs.entries()) {
      const { rate, cost } = await run();
      const figure = figures[index] as Speed;
      figures[index] = { rate: Math.max(figure.rate, rate), cost: Math.min(figure.cost, cost) };
    }
  return figures;
}

/** Prints how fast we exchange messages with Cyclone DDS, beside Cyclone DDS with itself. */
export async function benchRtps(print: (line: string) => void, { long, only }: BenchOptions): Promise<void> {
  const rounds = long ? ROUNDS.long : ROUNDS.short;
  const wanted = (name: string) => only === undefined || name.includes(only);
  print('| reliable | messages/s | Cyclone C -> C | ratio | aim | CPU us/message | of Cyclone C |');
  print('|---|---|---|---|---|---|---|');
  for (const [name, work, run, side, aim] of [
    ['64 B strings, Cyclone C -> us', strings, cycloneToUs, 'listener', 1],
    ['64 B strings, us -> Cyclone C', strings, usToCyclone, 'talker', 2],
    ['1 MB images, Cyclone C -> us', images, cycloneToUs, 'listener', 0.8],
    ['1 MB images, us -> Cyclone C', images, usToCyclone, 'talker', 0.5],
  ] as const) {
    if (!wanted(name)) continue;
    const [own, other] = (await best(rounds, [() => run(work), () => cycloneToCyclone(work, side)])) as [
      Speed,
      Speed,
    ];
    const ratio = own.rate / other.rate;
    const rates = `${own.rate.toFixed(0)} | ${other.rate.toFixed(0)} | ${ratio.toFixed(2)} | ${aim}`;
    print(`| ${name} | ${rates} | ${own.cost.toFixed(1)} | ${other.cost.toFixed(1)} |`);
  }
  if (wanted('round trip')) {
    const own = await ourRoundTrip();
    const other = await cycloneRoundTrip();
    print('');
    print('| round trip, us | ours | Cyclone C | ratio | aim |');
    print('|---|---|---|---|---|');
    for (const [index, name] of ['p50', 'p99'].entries()) {
      const [mine, theirs] = [own[index] as number, other[index] as number];
      print(`| ${name} | ${mine.toFixed(0)} | ${theirs.toFixed(0)} | ${(mine / theirs).toFixed(2)} | <= 2 |`);
    }
  }
  print('');
  if (wanted('loss')) {
    print(`5 % loss, 1 kHz strings: ${await lossy({ ...strings, count: 5000 }, 1000)}`);
    print(`5 % loss, 20 Hz images of 1 MB: ${await lossy({ ...images, count: 100 }, 20)}`);
  }
  if (wanted('talkers')) {
    const seconds = long ? TALKERS_SECONDS.long : TALKERS_SECONDS.short;
    const { received, sent, share, heap, resident } = await hearTalkers(seconds);
    const megabytes = (bytes: readonly number[]) => bytes.map((some) => (some / 1e6).toFixed(1)).join(' -> ');
    print(
      `20 talkers at 100 Hz, ${seconds} s: ${received} of ${sent} received, ` +
        `${(100 * share).toFixed(1)} % of a core (aim < 10), ` +
        `heap ${megabytes(heap)} MB, resident ${megabytes(resident)} MB (aim: flat)`,
    );
  }
}
