import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ddsTopicName, ddsTypeName } from '../../src/ros/names';
import type { EndpointQos } from '../../src/rtps/qos';
import { BridgeRun, type BridgeRunOptions, MQTT_VERSION, ROS_NAME } from './bridge-run';
import { type BridgeSample, STAMP } from './bridge-samples';
import { publishing } from './bridge-saturation';
import { closeAll, eachPacket, encodeMessage, openClient, subscribe } from './broker-client';
import type { RunningBroker } from './broker-contestants';
import { ClosedLoop } from './closed-loop';
import { countMessages } from './packet-count';
import { withParticipant } from './rtps-participant';

/** Milliseconds. */
export interface Delays {
  readonly p50: number;
  readonly p99: number;
}

/** How many messages a second, and for how long. */
export interface Pace {
  readonly rate: number;
  readonly seconds: number;
}

export interface PacedBridge extends Delays {
  /** Of how many messages how many came. */
  readonly sent: number;
  readonly came: number;
  /** Microseconds of the bridge's processor time per message. */
  readonly cost: number;
}

const LISTENER_QOS: EndpointQos = { reliability: 'reliable', durability: 'volatile', depth: 8192 };
/** For what is still under way, ms. */
const SETTLING = 300;
/** How long it goes at the rate before it counts: what V8 has compiled for a load it compiles anew for a trickle, s. */
const WARM_UP = 5;

/** ROS -> MQTT at a steady rate, by a bridge that is warm. Of a String every message's time is taken. */
export function paceOut(options: BridgeRunOptions, { rate, seconds }: Pace): Promise<PacedBridge> {
  const { sample, contestant } = options;
  return BridgeRun.use(options, async (run) => {
    const subscriber = await run.subscriber();
    const warmer = run.talker();
    const [times] = await Promise.all([run.ready(), warmer.told('ready')]);
    const loop = new ClosedLoop(sample.window, (count) => warmer.write(count));
    const stampAt = stampOf(sample, contestant.format);
    let came = 0;
    let delays: number[] = [];
    countMessages(subscriber, (count) => {
      came += count;
      loop.came(count);
    });
    await loop.warmUp();
    await warmer.stop();
    if (stampAt !== undefined)
      eachPacket(subscriber, (_header, bytes, body) =>
        delays.push(age(bytes, body + 2 + run.mqttTopic.length + stampAt)),
      );
    const stamp = stampAt === undefined ? -1 : STAMP.cdr;
    const talk = async (time: number) => {
      const talker = run.talker({ rate, count: rate * time, stamp });
      await talker.told('ready');
      delays = [];
      const [first, used] = [came, times.bridge()];
      talker.write(1);
      await sleep(1000 * time);
      // What comes of the warm-up while it counts would be half of what each message costs.
      await settled(() => came);
      await talker.stop();
      return [first, used] as const;
    };
    await talk(WARM_UP);
    const sent = rate * seconds;
    const [first, used] = await talk(seconds);
    const cost = (1000 * (times.bridge() - used)) / (came - first);
    return { ...percentiles(delays), sent, came: came - first, cost };
  });
}

/** MQTT -> ROS at a steady rate, by a bridge that is warm. Of a String every message's time is taken. */
export async function paceIn(options: BridgeRunOptions, { rate, seconds }: Pace): Promise<PacedBridge> {
  const { sample, contestant } = options;
  const hasStamp = stampOf(sample, contestant.format) !== undefined;
  let heard = (_cdr: Buffer) => {};
  return withInward(
    options,
    (cdr) => heard(cdr),
    async (publisher, run) => {
      const { mqttTopic, payload } = run;
      const times = await run.ready();
      const loop = new ClosedLoop(sample.window, publishing(publisher, mqttTopic, payload, 0));
      heard = () => loop.came(1);
      await loop.warmUp();
      let came = 0;
      let delays: number[] = [];
      heard = (cdr) => {
        came++;
        if (hasStamp) delays.push(age(cdr, STAMP.cdr));
      };
      const message = encodeMessage(mqttTopic, payload, 0, 0, MQTT_VERSION);
      const stampAt = message.length - payload.length + (stampOf(sample, contestant.format) ?? 0);
      const send = async (count: number) => {
        await pace(rate, count, () => {
          if (hasStamp)
            message.write(`${process.hrtime.bigint()}`.padStart(STAMP.digits, '0'), stampAt, 'latin1');
          publisher.write(Buffer.from(message));
        });
        await settled(() => came);
      };
      await send(rate * WARM_UP);
      came = 0;
      delays = [];
      const [sent, used] = [rate * seconds, times.bridge()];
      await send(sent);
      return { ...percentiles(delays), sent, came, cost: (1000 * (times.bridge() - used)) / came };
    },
  );
}

/** The time from publisher to subscriber without a bridge, at the same rate. */
export async function paceFloor(broker: RunningBroker, { rate, seconds }: Pace): Promise<Delays> {
  const [publisher, subscriber] = await Promise.all([
    openClient(broker.port, MQTT_VERSION),
    openClient(broker.port, MQTT_VERSION),
  ]);
  try {
    publisher.resume();
    await subscribe(subscriber, ['floor'], 0, MQTT_VERSION);
    const delays: number[] = [];
    eachPacket(subscriber, (_header, bytes, body) => {
      const at = body + 2 + 'floor'.length;
      delays.push(monotonicTime() - bytes.readDoubleBE(at));
    });
    const message = encodeMessage('floor', Buffer.alloc(40), 0, 0, MQTT_VERSION);
    await pace(rate, rate * seconds, () => {
      message.writeDoubleBE(monotonicTime(), message.length - 40);
      publisher.write(Buffer.from(message));
    });
    await sleep(SETTLING);
    return percentiles(delays);
  } finally {
    await closeAll([publisher, subscriber]);
  }
}

/** How many come of so many that are written to ROS at once. */
export function burstOut(options: BridgeRunOptions, sent: number): Promise<number> {
  return BridgeRun.use(options, async (run) => {
    const subscriber = await run.subscriber();
    let came = 0;
    countMessages(subscriber, (count) => {
      came += count;
    });
    const talker = run.talker();
    await Promise.all([run.ready(), talker.told('ready')]);
    talker.write(sent);
    await settled(() => came);
    return came;
  });
}

/** How many come of so many that are published at once. */
export async function burstIn(options: BridgeRunOptions, sent: number): Promise<number> {
  let came = 0;
  const hear = () => {
    came++;
  };
  return withInward(options, hear, async (publisher, run) => {
    await run.ready();
    publishing(publisher, run.mqttTopic, run.payload, 0)(sent);
    await settled(() => came);
    return came;
  });
}

/** Uses a bridge to ROS, with a publisher before it and a reader of ours behind it. */
function withInward<Result>(
  options: BridgeRunOptions,
  hear: (cdr: Buffer) => void,
  use: (publisher: Socket, run: BridgeRun) => Promise<Result>,
): Promise<Result> {
  return BridgeRun.use(options, (run) =>
    withParticipant(async (participant) => {
      const type = ddsTypeName(options.sample.type);
      const reader = participant.createReader(
        { topic: ddsTopicName(ROS_NAME), type, qos: LISTENER_QOS },
        ({ payload }) => hear(payload),
      );
      while (reader.matchedCount === 0) await once(participant, 'matched');
      return use(await run.publisher(), run);
    }, run.domain),
  );
}

/** Where in a message's payload its time stands; of a String alone. */
function stampOf({ name }: BridgeSample, format: 'json' | 'cdr'): number | undefined {
  return name === 'string' ? STAMP[format] : undefined;
}

/** How long ago it was what stands there, ms. */
function age(bytes: Buffer, at: number): number {
  return monotonicTime() - Number(bytes.toString('latin1', at, at + STAMP.digits)) / 1e6;
}

/** Resolves when nothing more has come for a while. */
async function settled(came: () => number): Promise<void> {
  for (let before = -1; before !== came(); await sleep(2 * SETTLING)) before = came();
}

/** Sends so many at a steady rate. */
async function pace(rate: number, count: number, send: () => void): Promise<void> {
  const start = monotonicTime();
  for (let sent = 0; sent < count; ) {
    await sleep(1);
    const due = Math.min(count, ((monotonicTime() - start) * rate) / 1000);
    for (; sent < due; sent++) send();
  }
}

/** CLOCK_MONOTONIC, ms. */
function monotonicTime(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function percentiles(delays: readonly number[]): Delays {
  const sorted = [...delays].sort((one, other) => one - other);
  const at = (part: number) => sorted[Math.floor(sorted.length * part)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}
