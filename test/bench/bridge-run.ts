import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Direction } from '../../src/ros/bridge-settings';
import { ddsTopicName } from '../../src/ros/names';
import { freshDomain } from '../rtps/fixture';
import type { BridgeContestant } from './bridge-contestant';
import { BridgePeer } from './bridge-peer';
import type { BridgeSample } from './bridge-samples';
import type { BridgeReport, BridgeTask, EmbeddedBroker } from './bridge-task';
import { openClient, subscribe } from './broker-client';
import type { RunningBroker } from './broker-contestants';
import { processorTime, threadTime } from './process-use';

export const ROS_NAME = '/bench';
export const MQTT_VERSION = 4;

export interface BridgeRunOptions {
  readonly contestant: BridgeContestant;
  /** The broker of those that have none of their own. */
  readonly broker: RunningBroker;
  readonly sample: BridgeSample;
  readonly direction: Direction;
  /** Of MQTT; 0 by default. */
  readonly qos?: 0 | 1;
  /** Whether what ROS says goes to the flow, too. */
  readonly flowOutput?: boolean;
}

/** Each says how much processor time was used up to now, ms. */
export interface BridgeTimes {
  readonly bridge: () => number;
  /** What of that was used by the thread that runs the flows, in JavaScript. */
  readonly flows: () => number;
  /** Of the broker that the messages pass. */
  readonly broker: () => number;
}

/** A bridge, the broker and the topics that it joins; what is started for a run ends with it. */
export class BridgeRun {
  readonly #options: BridgeRunOptions;
  readonly #domain = freshDomain();
  readonly #folder = mkdtempSync(join(tmpdir(), 'bench-bridge-'));
  readonly #peers: BridgePeer[] = [];
  readonly #clients: Socket[] = [];
  /** A bridge in JavaScript. */
  #child: ChildProcess | undefined;
  #embedded: EmbeddedBroker | undefined;
  #ready: (() => Promise<BridgeTimes>) | undefined;

  private constructor(options: BridgeRunOptions) {
    this.#options = options;
  }

  /** Starts the bridge, and uses it. */
  static async use<Result>(
    options: BridgeRunOptions,
    use: (run: BridgeRun) => Promise<Result>,
  ): Promise<Result> {
    const run = new BridgeRun(options);
    try {
      await run.#start();
      return await use(run);
    } finally {
      await run.#close();
    }
  }

  get domain(): number {
    return this.#domain;
  }

  get mqttTopic(): string {
    return `ros/${this.#domain}${ROS_NAME}`;
  }

  get payload(): Buffer {
    const { sample, contestant } = this.#options;
    return contestant.program === 'naive' ? sample.naiveJson() : sample[contestant.format];
  }

  talker(args: Record<string, string | number> = {}): BridgePeer {
    const cdr = join(this.#folder, 'cdr');
    writeFileSync(cdr, this.#options.sample.cdr);
    return this.#peer('talk', { cdr, ...args });
  }

  listener(args: Record<string, string | number> = {}): BridgePeer {
    return this.#peer('hear', args);
  }

  /** Of the broker that the messages pass. */
  async publisher(): Promise<Socket> {
    const client = await this.#client();
    client.resume();
    return client;
  }

  async subscriber(): Promise<Socket> {
    const client = await this.#client();
    await subscribe(client, [this.mqttTopic], this.#options.qos ?? 0, MQTT_VERSION);
    return client;
  }

  /** Resolves when the bridge has its ROS peer, which must be there, and its subscription. */
  async ready(): Promise<BridgeTimes> {
    return (this.#ready as () => Promise<BridgeTimes>)();
  }

  /** Of a bridge in JavaScript. */
  async report(): Promise<BridgeReport> {
    const child = this.#child as ChildProcess;
    child.send('report');
    return (await once(child, 'message'))[0];
  }

  async #start(): Promise<void> {
    const { contestant, broker, sample, direction, qos = 0, flowOutput = false } = this.#options;
    const brokerTime = () => processorTime(broker.process.pid as number);
    if (contestant.program === 'c') {
      const role = direction === 'ros-to-mqtt' ? 'out' : 'in';
      const peer = this.#peer(role, { 'mqtt-topic': this.mqttTopic, port: broker.port, qos });
      this.#ready = async () => {
        await peer.told('ready');
        return { bridge: () => processorTime(peer.pid), flows: () => 0, broker: brokerTime };
      };
      return;
    }
    const { program, format, embedded } = contestant;
    const task: BridgeTask = {
      port: embedded ? undefined : broker.port,
      flowOutput,
      route: {
        domain: this.#domain,
        rosName: ROS_NAME,
        type: sample.type,
        direction,
        format,
        qos: { mqtt: qos },
      },
    };
    const entry = require.resolve(program === 'naive' ? './naive-bridge-process' : './bridge-process');
    const child = fork(entry, [JSON.stringify(task)], { execArgv: [] });
    const pid = child.pid as number;
    this.#child = child;
    if (embedded) this.#embedded = (await once(child, 'message'))[0] as EmbeddedBroker;
    const ready = once(child, 'message');
    this.#ready = async () => {
      await ready;
      const flows = () => threadTime(pid, pid);
      const threadId = this.#embedded?.threadId;
      if (threadId === undefined) return { bridge: () => processorTime(pid), flows, broker: brokerTime };
      const ofThread = () => threadTime(pid, threadId);
      return { bridge: () => processorTime(pid) - ofThread(), flows, broker: ofThread };
    };
  }

  async #client(): Promise<Socket> {
    const client = await openClient(this.#embedded?.port ?? this.#options.broker.port, MQTT_VERSION);
    this.#clients.push(client);
    return client;
  }

  #peer(role: 'out' | 'in' | 'talk' | 'hear', args: Record<string, string | number>): BridgePeer {
    const topic = ddsTopicName(ROS_NAME);
    const type = this.#options.sample.name;
    const peer = new BridgePeer(role, { type, domain: this.#domain, topic, ...args });
    this.#peers.push(peer);
    return peer;
  }

  async #close(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    }
    await Promise.all(this.#peers.map((peer) => peer.stop()));
    rmSync(this.#folder, { recursive: true });
  }
}
