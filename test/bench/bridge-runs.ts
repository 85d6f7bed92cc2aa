import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Direction } from '../../src/ros/bridge-settings';
import { ddsTopicName } from '../../src/ros/names';
import { freshDomain } from '../rtps/fixture';
import { BridgePeer } from './bridge-peer';
import { type BridgeSample, STAMP } from './bridge-samples';
import type { BridgeTask } from './bridge-task';
import { closeAll, eachPacket, encodeMessage, openClient, subscribe } from './broker-client';
import type { RunningBroker } from './broker-contestants';
import { ClosedLoop, type LoopResult } from './closed-loop';
import { countMessages } from './packet-count';
import { processorTime, residentMemory } from './process-use';

/** Ours with its payloads in JSON or CDR, the C bridge, which passes CDR on, or the naive one in JavaScript. */
export type BridgeKind = 'json' | 'cdr' | 'c' | 'naive';

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

const ROS_NAME = '/bench';
const MQTT_VERSION = 4;
const QOS = { mqtt: 0 } as const;
/** For what is still under way, ms. */
const SETTLING = 300;

/** A bridge, the broker and the topics that it joins; what is started for a run ends with it. */
class BridgeRun {
  readonly #broker: RunningBroker;
  readonly #sample: BridgeSample;
  readonly #kind: BridgeKind;
  readonly #domain = freshDomain();
  readonly #folder = mkdtempSync(join(tmpdir(), 'bench-bridge-'));
  readonly #peers: BridgePeer[] = [];
  /** A bridge in JavaScript. */
  #child: ChildProcess | undefined;

  constructor(broker: RunningBroker, sample: BridgeSample, kind: BridgeKind) {
    this.#broker = broker;
    this.#sample = sample;
    this.#kind = kind;
  }

  get mqttTopic(): string {
    return `ros/${this.#domain}${ROS_NAME}`;
  }

  get payload(): Buffer {
    if (this.#kind === 'naive') return this.#sample.naiveJson();
    return this.#kind === 'json' ? this.#sample.json : this.#sample.cdr;
  }

  talker(args: Record<string, string | number> = {}): BridgePeer {
    const cdr = join(this.#folder, 'cdr');
    writeFileSync(cdr, this.#sample.cdr);
    return this.#peer('talk', { cdr, ...args });
  }

  listener(args: Record<string, string | number> = {}): BridgePeer {
    return this.#peer('hear', args);
  }

  /** Resolves with its process id when it has its ROS peer, which must be there, and its subscription. */
  async open(direction: Direction, flowOutput = false): Promise<number> {
    const { port } = this.#broker;
    if (this.#kind === 'c') {
      const role = direction === 'ros-to-mqtt' ? 'out' : 'in';
      const peer = this.#peer(role, { 'mqtt-topic': this.mqttTopic, port });
      await peer.told('ready');
      return peer.pid;
    }
    const { type } = this.#sample;
    const isNaive = this.#kind === 'naive';
    const format = isNaive ? 'json' : this.#kind;
    const route = { domain: this.#domain, rosName: ROS_NAME, type, direction, format, qos: QOS };
    const task: BridgeTask = { port, flowOutput, route };
    const program = require.resolve(isNaive ? './naive-bridge-process' : './bridge-process');
    this.#child = fork(program, [JSON.stringify(task)], { execArgv: [] });
    await once(this.#child, 'message');
    return this.#child.pid as number;
  }

  /** How long the event loop of the flows was delayed at p99 since this was asked last, ms; 0 for others' bridges. */
  async loopDelay(): Promise<number> {
    if (this.#child === undefined || this.#kind === 'naive') return 0;
    this.#child.send('delay');
    const [p99] = await once(this.#child, 'message');
    return p99;
  }

  async close(): Promise<void> {
    if (this.#child !== undefined) {
      const exited = once(this.#child, 'exit');
      this.#child.kill();
      await exited;
    }
    await Promise.all(this.#peers.map((peer) => peer.stop()));
    rmSync(this.#folder, { recursive: true });
  }

  #peer(role: 'out' | 'in' | 'talk' | 'hear', args: Record<string, string | number>): BridgePeer {
    const topic = ddsTopicName(ROS_NAME);
    const peer = new BridgePeer(role, { type: this.#sample.name, domain: this.#domain, topic, ...args });
    this.#peers.push(peer);
    return peer;
  }
}

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
    const start = monotonicTime();
    for (let sent = 0; sent < rate * seconds; ) {
      await sleep(1);
      const due = Math.min(rate * seconds, ((monotonicTime() - start) * rate) / 1000);
      for (; sent < due; sent++) {
        message.writeDoubleBE(monotonicTime(), message.length - 40);
        publisher.write(Buffer.from(message));
      }
    }
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
