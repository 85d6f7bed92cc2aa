import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ddsTopicName, ddsTypeName } from '../../src/ros/names';
import type { EndpointQos } from '../../src/rtps/qos';
import { type BridgeKind, BridgeRun, ROS_NAME } from './bridge-run';
import { type BridgeSample, STAMP } from './bridge-samples';
import { closeAll, eachPacket, encodeMessage, openClient, subscribe } from './broker-client';
import type { RunningBroker } from './broker-contestants';
import { ClosedLoop, type LoopResult } from './closed-loop';
import { countMessages } from './packet-count';
import { processorTime, residentMemory } from './process-use';
import { withParticipant } from './rtps-participant';

/** Milliseconds. */
export interface Delays {
  readonly p50: number;
  readonly p99: number;
}

export interface PacedBridge extends Delays {
  /** Of how many messages how many came. */
  readonly sent: number;
  readonly came: number;
  /** Microseconds of the bridge's processor time per message. */
  readonly cost: number;
  /** Of ours with an output to the flow: how long its event loop was delayed at p99, ms. */
  readonly loopDelay: number;
  /** Bytes that the bridge held after a fifth of the time, and at the end. */
  readonly resident: readonly [number, number];
}

const MQTT_VERSION = 4;
const LISTENER_QOS: EndpointQos = { reliability: 'reliable', durability: 'volatile', depth: 8192 };
/** For what is still under way, ms. */
const SETTLING = 300;

/** ROS -> MQTT as fast as it goes. Costs: of the bridge, of the broker. */
export async function saturateOut(
  broker: RunningBroker,
  sample: BridgeSample,
  kind: BridgeKind,
  long: boolean,
): Promise<LoopResult> {
  const run = new BridgeRun(broker, sample, kind);
  const subscriber = await openClient(broker.port, MQTT_VERSION);
  try {
    await subscribe(subscriber, [run.mqttTopic], 0, MQTT_VERSION);
    const talker = run.talker();
    const [pid] = await Promise.all([run.open('ros-to-mqtt'), talker.told('ready')]);
    const loop = new ClosedLoop(sample.window, (count) => talker.write(count));
    countMessages(subscriber, (count) => loop.came(count));
    return await loop.run([pid, broker.process.pid as number], long);
  } finally {
    await Promise.all([closeAll([subscriber]), run.close()]);
  }
}

/** MQTT -> ROS as fast as it goes. Costs: of the bridge, of the broker. */
export async function saturateIn(
  broker: RunningBroker,
  sample: BridgeSample,
  kind: BridgeKind,
  long: boolean,
): Promise<LoopResult> {
  const run = new BridgeRun(broker, sample, kind);
  const publisher = await openClient(broker.port, MQTT_VERSION);
  try {
    publisher.resume();
    const listener = run.listener();
    const [pid] = await Promise.all([run.open('mqtt-to-ros'), listener.told('ready')]);
    const message = encodeMessage(run.mqttTopic, run.payload, 0, 0, MQTT_VERSION);
    const loop = new ClosedLoop(sample.window, (count) => publish(publisher, message, count));
    listener.onHeard((count) => loop.came(count));
    return await loop.run([pid, broker.process.pid as number], long);
  } finally {
    await Promise.all([closeAll([publisher]), run.close()]);
  }
}

/** The same without a bridge. Cost: of the broker. */
export async function saturateFloor(
  broker: RunningBroker,
  { json, window }: BridgeSample,
  long: boolean,
): Promise<LoopResult> {
  const [publisher, subscriber] = await Promise.all([
    openClient(broker.port, MQTT_VERSION),
    openClient(broker.port, MQTT_VERSION),
  ]);
  try {
    publisher.resume();
    await subscribe(subscriber, ['floor'], 0, MQTT_VERSION);
    const message = encodeMessage('floor', json, 0, 0, MQTT_VERSION);
    const loop = new ClosedLoop(window, (count) => publish(publisher, message, count));
    countMessages(subscriber, (count) => loop.came(count));
    return await loop.run([broker.process.pid as number], long);
  } finally {
    await closeAll([publisher, subscriber]);
  }
}

/** ROS -> MQTT at a steady rate, for so many seconds. Of a String every message's time is taken. */
export async function paceOut(
  broker: RunningBroker,
  sample: BridgeSample,
  kind: BridgeKind,
  { rate, seconds, flowOutput = false }: { rate: number; seconds: number; flowOutput?: boolean },
): Promise<PacedBridge> {
  const run = new BridgeRun(broker, sample, kind);
  const subscriber = await openClient(broker.port, MQTT_VERSION);
  try {
    await subscribe(subscriber, [run.mqttTopic], 0, MQTT_VERSION);
    const sent = rate * seconds;
    const stamp = sample.name === 'string' ? STAMP.cdr : -1;
    const talker = run.talker({ rate, count: sent, stamp });
    let came = 0;
    let delays: number[] = [];
    if (stamp < 0) {
      countMessages(subscriber, (count) => {
        came += count;
      });
    } else {
      const at = (kind === 'cdr' || kind === 'c' ? STAMP.cdr : STAMP.json) + 2 + run.mqttTopic.length;
      eachPacket(subscriber, (_header, bytes, body) => {
        came++;
        delays.push(
          monotonicTime() - Number(bytes.toString('latin1', body + at, body + at + STAMP.digits)) / 1e6,
        );
      });
    }
    const pid = await run.open('ros-to-mqtt', flowOutput);
    await talker.told('ready');
    talker.write(1);
    await sleep(200 * seconds);
    await run.loopDelay();
    const [first, used, resident] = [came, processorTime(pid), residentMemory(pid)];
    delays = [];
    await sleep(800 * seconds);
    const cost = (1000 * (processorTime(pid) - used)) / (came - first);
    const loopDelay = await run.loopDelay();
    await sleep(SETTLING);
    return {
      ...percentiles(delays),
      sent,
      came,
      cost,
      loopDelay,
      resident: [resident, residentMemory(pid)],
    };
  } finally {
    await Promise.all([closeAll([subscriber]), run.close()]);
  }
}

/** MQTT -> ROS at a steady rate, for so many seconds. Of a String every message's time is taken. */
export async function paceIn(
  broker: RunningBroker,
  sample: BridgeSample,
  kind: BridgeKind,
  { rate, seconds }: { rate: number; seconds: number },
): Promise<PacedBridge> {
  const sent = rate * seconds;
  let came = 0;
  let delays: number[] = [];
  const hear = (cdr: Buffer) => {
    came++;
    if (sample.name !== 'string') return;
    delays.push(monotonicTime() - Number(cdr.toString('latin1', STAMP.cdr, STAMP.cdr + STAMP.digits)) / 1e6);
  };
  return withInward(broker, sample, kind, hear, async (publisher, pid, run) => {
    const { mqttTopic, payload } = run;
    const message = encodeMessage(mqttTopic, payload, 0, 0, MQTT_VERSION);
    const stamp = kind === 'cdr' || kind === 'c' ? STAMP.cdr : STAMP.json;
    const at = message.length - payload.length + stamp;
    const pacing = pace(rate, sent, () => {
      if (sample.name === 'string')
        message.write(`${process.hrtime.bigint()}`.padStart(STAMP.digits, '0'), at, 'latin1');
      publisher.write(Buffer.from(message));
    });
    await sleep(200 * seconds);
    const [first, used, resident] = [came, processorTime(pid), residentMemory(pid)];
    delays = [];
    await pacing;
    const cost = (1000 * (processorTime(pid) - used)) / (came - first);
    await sleep(SETTLING);
    return {
      ...percentiles(delays),
      sent,
      came,
      cost,
      loopDelay: 0,
      resident: [resident, residentMemory(pid)],
    };
  });
}

/** How many come of so many that are written to ROS at once. */
export async function burstOut(
  broker: RunningBroker,
  sample: BridgeSample,
  kind: BridgeKind,
  sent: number,
): Promise<number> {
  const run = new BridgeRun(broker, sample, kind);
  const subscriber = await openClient(broker.port, MQTT_VERSION);
  let came = 0;
  try {
    await subscribe(subscriber, [run.mqttTopic], 0, MQTT_VERSION);
    countMessages(subscriber, (count) => {
      came += count;
    });
    const talker = run.talker();
    await Promise.all([run.open('ros-to-mqtt'), talker.told('ready')]);
    talker.write(sent);
    await settled(() => came);
    return came;
  } finally {
    await Promise.all([closeAll([subscriber]), run.close()]);
  }
}

/** How many come of so many that are published at once. */
export async function burstIn(
  broker: RunningBroker,
  sample: BridgeSample,
  kind: BridgeKind,
  sent: number,
): Promise<number> {
  let came = 0;
  const hear = () => {
    came++;
  };
  return withInward(broker, sample, kind, hear, async (publisher, _pid, { mqttTopic, payload }) => {
    publish(publisher, encodeMessage(mqttTopic, payload, 0, 0, MQTT_VERSION), sent);
    await settled(() => came);
    return came;
  });
}

/** Uses a bridge to ROS, with a publisher before it and a reader of ours behind it. */
async function withInward<Result>(
  broker: RunningBroker,
  sample: BridgeSample,
  kind: BridgeKind,
  hear: (cdr: Buffer) => void,
  use: (publisher: Socket, pid: number, run: BridgeRun) => Promise<Result>,
): Promise<Result> {
  const run = new BridgeRun(broker, sample, kind);
  const publisher = await openClient(broker.port, MQTT_VERSION);
  try {
    publisher.resume();
    return await withParticipant(async (participant) => {
      const type = ddsTypeName(sample.type);
      const options = { topic: ddsTopicName(ROS_NAME), type, qos: LISTENER_QOS };
      participant.createReader(options, ({ payload }) => hear(payload));
      const matched = once(participant, 'matched');
      const pid = await run.open('mqtt-to-ros');
      await matched;
      return use(publisher, pid, run);
    }, run.domain);
  } finally {
    await Promise.all([closeAll([publisher]), run.close()]);
  }
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

/** The time from publisher to subscriber without a bridge, at the same rate. */
export async function paceFloor(broker: RunningBroker, rate: number, seconds: number): Promise<Delays> {
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

function publish(publisher: Socket, message: Buffer, count: number): void {
  publisher.write(Buffer.concat(Array.from({ length: count }, () => message)));
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
