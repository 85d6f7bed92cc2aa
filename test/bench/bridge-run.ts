import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Direction } from '../../src/ros/bridge-settings';
import { ddsTopicName } from '../../src/ros/names';
import { freshDomain } from '../rtps/fixture';
import { BridgePeer } from './bridge-peer';
import type { BridgeSample } from './bridge-samples';
import type { BridgeTask } from './bridge-task';
import type { RunningBroker } from './broker-contestants';

/** Ours with its payloads in JSON or CDR, the C bridge, which passes CDR on, or the naive one in JavaScript. */
export type BridgeKind = 'json' | 'cdr' | 'c' | 'naive';

export const ROS_NAME = '/bench';
const QOS = { mqtt: 0 } as const;

/** A bridge, the broker and the topics that it joins; what is started for a run ends with it. */
export class BridgeRun {
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

  get domain(): number {
    return this.#domain;
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
