import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BridgeSettings, TopicRouteSettings } from '../../src/ros/bridge-settings';
import { ddsTopicName } from '../../src/ros/names';
import type { RouteStatus } from '../../src/ros/ros-worker-messages';
import { BridgePeer } from '../bench/bridge-peer';
import { type BridgeSample, bridgeSamples } from '../bench/bridge-samples';
import { publishing } from '../bench/bridge-saturation';
import { closeAll, openClient, subscribe } from '../bench/broker-client';
import type { RunningBroker } from '../bench/broker-contestants';
import { countMessages } from '../bench/packet-count';
import { residentMemory } from '../bench/process-use';
import { freshDomain } from '../rtps/test-domain';
import type { SoakedBridgeReport } from './bridge-process';

/** Messages a second each way. */
const RATES: Partial<Record<BridgeSample['name'], number>> = { string: 1000, scan: 20, image: 5 };
const VERSION = 4;
/** How often what is due is published, ms. */
const TURN = 10;
/** Memory is what the least of so many looks finds, a second apart. */
const LOOKS = 15;
const SECOND = 1000;
/** Nothing more comes when nothing has come for so long, ms. */
const QUIET = 3000;

export interface BridgeMemory {
  readonly heap: number;
  readonly resident: number;
}

/** What became of the messages of one stream. */
export interface StreamAccount {
  readonly name: string;
  readonly sent: number;
  readonly came: number;
  /** What a listener in C has heard of what ROS said, for comparison; 0 of what MQTT said. */
  readonly inC: number;
  readonly route: RouteStatus;
}

class Stream {
  sent = 0;
  came = 0;
  inC = 0;
  /** Sends so many at once. */
  send = (_count: number) => {};

  constructor(
    readonly sample: BridgeSample,
    readonly direction: 'ros-to-mqtt' | 'mqtt-to-ros',
    readonly rate: number,
  ) {}

  get rosName(): string {
    return `/${this.sample.name}_${this.direction === 'ros-to-mqtt' ? 'out' : 'in'}`;
  }
}

/** A bridge in a process of its own, texts, scans and images both ways, and all who send and hear them. */
export class BridgeTraffic {
  readonly #broker: RunningBroker;
  readonly #folder: string;
  readonly #domain = freshDomain();
  readonly #streams = bridgeSamples().flatMap((sample) => {
    const rate = RATES[sample.name];
    if (rate === undefined) return [];
    return (['ros-to-mqtt', 'mqtt-to-ros'] as const).map((way) => new Stream(sample, way, rate));
  });
  readonly #peers: BridgePeer[] = [];
  readonly #clients: Socket[] = [];
  #bridge: ChildProcess | undefined;

  /** @param folder for files of the talkers */
  constructor(broker: RunningBroker, folder: string) {
    this.#broker = broker;
    this.#folder = folder;
  }

  /** Resolves when everybody has found everybody. */
  async open(): Promise<void> {
    const { port } = this.#broker;
    const routes = this.#streams.map(
      ({ sample: { type }, direction, rosName }): TopicRouteSettings => ({
        domain: this.#domain,
        rosName,
        type,
        direction,
      }),
    );
    const settings: Partial<BridgeSettings> = {
      domains: [this.#domain],
      routes,
      statusInterval: SECOND,
      mqtt: {
        target: { url: `mqtt://127.0.0.1:${port}` },
        protocolVersion: 5,
        clientId: 'soak',
        keepAlive: 60,
      },
    };
    this.#bridge = fork(require.resolve('./bridge-process'), [JSON.stringify(settings)], { execArgv: [] });
    await Promise.all(this.#streams.map((stream) => this.#join(stream)));
    const isReady = ({ connected, routes: opened }: SoakedBridgeReport) =>
      connected && opened.length === routes.length && opened.every(({ subscribed }) => subscribed !== false);
    while (!isReady(await this.#report())) await sleep(SECOND);
  }

  /** Sends at all rates for so long, ms, and waits until nothing more comes. */
  async run(duration: number): Promise<void> {
    const start = performance.now();
    for (let elapsed = 0; elapsed < duration; elapsed = performance.now() - start) {
      for (const stream of this.#streams) {
        const due = Math.floor((elapsed * stream.rate) / 1000) - stream.sent;
        if (due <= 0) continue;
        stream.sent += due;
        stream.send(due);
      }
      await sleep(TURN);
    }
    const came = () => this.#streams.reduce((sum, stream) => sum + stream.came, 0);
    for (let before = -1; before !== came(); await sleep(QUIET)) before = came();
  }

  async memory(): Promise<BridgeMemory> {
    const looks: BridgeMemory[] = [];
    while (looks.length < LOOKS) {
      await sleep(SECOND);
      const { heap } = await this.#report();
      looks.push({ heap, resident: residentMemory(this.#bridge?.pid as number) });
    }
    const least = (of: keyof BridgeMemory) => Math.min(...looks.map((look) => look[of]));
    return { heap: least('heap'), resident: least('resident') };
  }

  /** What became of all streams, and how many messages came out at the flow. */
  async account(): Promise<{ streams: StreamAccount[]; toFlow: number }> {
    const { routes, toFlow } = await this.#report();
    const streams = this.#streams.map(({ rosName, sent, came, inC }) => {
      const route = routes.find((each) => each.rosName === rosName);
      if (route === undefined) throw new Error(`there is no route ${rosName}`);
      return { name: rosName, sent, came, inC, route };
    });
    return { streams, toFlow };
  }

  async close(): Promise<void> {
    if (this.#bridge !== undefined) {
      const exited = once(this.#bridge, 'exit');
      this.#bridge.kill();
      await exited;
    }
    await Promise.all([closeAll(this.#clients), ...this.#peers.map((peer) => peer.stop())]);
  }

  async #report(): Promise<SoakedBridgeReport> {
    const bridge = this.#bridge as ChildProcess;
    bridge.send('report');
    return (await once(bridge, 'message'))[0];
  }

  async #join(stream: Stream): Promise<void> {
    const { sample, direction, rosName } = stream;
    const common = { type: sample.name, domain: this.#domain, topic: ddsTopicName(rosName) };
    const client = await openClient(this.#broker.port, VERSION);
    this.#clients.push(client);
    if (direction === 'ros-to-mqtt') {
      await subscribe(client, [`ros/${this.#domain}${rosName}`], 0, VERSION);
      countMessages(client, (count) => {
        stream.came += count;
      });
      const cdr = join(this.#folder, sample.name);
      writeFileSync(cdr, sample.cdr);
      const talker = new BridgePeer('talk', { ...common, cdr });
      const listener = this.#listen(common, (count) => {
        stream.inC += count;
      });
      this.#peers.push(talker);
      stream.send = (count) => talker.write(count);
      await Promise.all([talker, listener].map((peer) => peer.told('ready')));
    } else {
      client.resume();
      stream.send = publishing(client, `ros/${this.#domain}${rosName}`, sample.json, 0);
      const listener = this.#listen(common, (count) => {
        stream.came += count;
      });
      await listener.told('ready');
    }
  }

  #listen(args: Record<string, string | number>, heard: (count: number) => void): BridgePeer {
    const listener = new BridgePeer('hear', args);
    this.#peers.push(listener);
    listener.onHeard(heard);
    return listener;
  }
}
