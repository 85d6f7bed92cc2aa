import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { BrokerThread } from '../../src/broker/broker-thread';
import { Bridge } from '../../src/ros/bridge';
import type { BridgeSettings, RouteSettings } from '../../src/ros/bridge-settings';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { LearnedTypes } from '../../src/ros/learned-types';
import type { BridgeStatus, RouteStatus } from '../../src/ros/ros-worker-messages';
import { RtpsBackend } from '../../src/ros/rtps-backend';
import { collectedHeap } from '../heap';
import { Watch } from '../ros/bridge-fixture';
import { freshDomain } from '../rtps/test-domain';
import { FLEET_KINDS, type FleetKind, type FleetOrder } from './fleet-routes';
import { megabytes } from './fuzz';
import type { Soak } from './soak';

/** How many there are, one after the other. */
const SIZES = [400, 1000, 2000];
/** For how long the bridge is left alone, ms. */
const REST = 5000;
/** What the objects in use may differ by between two rounds of the largest size, bytes. */
const NOISE = 4 * 1024 * 1024;

/** A fleet in its thread, and a bridge in this one, so that what it takes of a core is this thread's. */
class FleetBridge extends Watch {
  readonly domain = freshDomain();
  readonly #broker = new BrokerThread({ listeners: [{ host: '127.0.0.1', port: 0 }] });
  readonly #fleet = new Worker(join(__dirname, 'fleet.js'));
  #bridge: Bridge | undefined;
  #status: BridgeStatus | undefined;

  async open(): Promise<void> {
    await this.#broker.start();
  }

  async close(): Promise<void> {
    await this.#bridge?.close();
    await this.#fleet.terminate();
    await this.#broker.stop();
  }

  async openBridge(change: Partial<BridgeSettings>): Promise<void> {
    const url = `mqtt://127.0.0.1:${this.#broker.status.listeners[0]?.port}`;
    const settings: BridgeSettings = {
      ...{
        id: 'fleet',
        prefix: 'ros',
        aliases: {},
        range: 'localhost',
        interfaces: ['127.0.0.1'],
        peers: [],
      },
      ...{ domains: [this.domain], routes: [] },
      mqtt: { target: { url }, protocolVersion: 5, clientId: 'fleet', keepAlive: 60 },
      ...change,
    };
    this.#bridge = new Bridge(settings, {
      backend: new RtpsBackend(),
      library: InterfaceLibrary.bundled(),
      learned: new LearnedTypes(),
      openBrokerStream: () => assert.fail('not asked for'),
      askPassword: () => Promise.reject(new Error('not asked for')),
      onSample: () => {},
      onRouteOpened: () => {},
      onRouteClosed: () => {},
      onEvent: () => {},
      onStatus: (status) => {
        this.#status = status;
        this.changed();
      },
      onWarning: () => {},
      onProblem: () => {},
    });
    await this.#bridge.open();
  }

  async closeBridge(): Promise<void> {
    await this.#bridge?.close();
    this.#bridge = undefined;
  }

  /** @param count 0: it leaves */
  async fleet(count: number, kinds: readonly FleetKind[] = FLEET_KINDS): Promise<void> {
    const order: FleetOrder = { domain: this.domain, count, kinds };
    this.#fleet.postMessage(order);
    await once(this.#fleet, 'message');
  }

  /** Adds or removes so many routes, each in a turn of the event loop of its own, as messages ask for it. */
  async change(action: 'add' | 'remove', count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const kind = FLEET_KINDS[index % FLEET_KINDS.length] as FleetKind;
      const route: RouteSettings = { ...kind, domain: this.domain, rosName: `/fleet/n${index}` };
      this.#bridge?.changeRoutes({ action, route });
      await turn();
    }
  }

  /** Until so many routes have their counterparts and all that they subscribe. */
  complete(count: number): Promise<void> {
    return this.until(() => {
      const routes = this.#status?.routes ?? [];
      return routes.length === count && routes.every(isComplete);
    });
  }

  opened(count: number): Promise<void> {
    return this.until(() => this.#status?.patterns?.routes === count);
  }

  list(): RouteStatus[] {
    return this.#bridge?.changeRoutes({ action: 'list' }) as RouteStatus[];
  }
}

function isComplete({ subscribed, publishers = 0, servers = 0, clients = 0 }: RouteStatus): boolean {
  return subscribed !== false && publishers + servers + clients > 0;
}

/** The time for which this thread has worked, ms: not that in which others had its core. */
function worked(): number {
  const [, fields = ''] = readFileSync(`/proc/self/task/${process.pid}/stat`, 'utf8').split(') ');
  // The 14th and 15th, in ticks of which a second has 100; the first two are before the parenthesis.
  const [user, system] = fields.split(' ').slice(11, 13).map(Number) as [number, number];
  return (user + system) * 10;
}

/** How long something takes, s, and how much of that this thread has worked. */
async function timed(action: () => Promise<unknown>): Promise<string> {
  const begun = performance.now();
  const before = worked();
  await action();
  const taken = [performance.now() - begun, worked() - before].map((ms) => (ms / 1000).toFixed(2));
  return `${taken[0]} (${taken[1]})`.padStart(15);
}

/** What a bridge at rest takes of a core. */
async function atRest(): Promise<string> {
  const begun = performance.now();
  const before = worked();
  await wait(REST);
  return `${((100 * (worked() - before)) / (performance.now() - begun)).toFixed(1)} %`.padStart(8);
}

function statusTime(bridge: FleetBridge): string {
  const times = 20;
  const before = worked();
  for (let time = 0; time < times; time++) bridge.list();
  return `${((worked() - before) / times).toFixed(1)} ms`.padStart(9);
}

/**
 * Gives a bridge the routes of a fleet, one by one or by patterns, and takes them away: prints the time, in parentheses
 * that of work, which is to grow with their number alone, and shows that nothing of them stays.
 */
export async function soakRoutes({ print, deadline }: Soak): Promise<void> {
  const bridge = new FleetBridge();
  await bridge.open();
  const heaps: number[] = [];
  try {
    print('routes     |  added, s      |  removed, s    | at rest | status  | heap, MB: with, after');
    for (let round = 0; heaps.length < 2 || performance.now() < deadline; round++) {
      const count = SIZES[Math.min(round, SIZES.length - 1)] as number;
      await bridge.fleet(count);
      await bridge.openBridge({});
      const added = await timed(async () => {
        await bridge.change('add', count);
        await bridge.complete(count);
      });
      const rest = await atRest();
      const status = statusTime(bridge);
      const full = collectedHeap();
      const removed = await timed(async () => {
        await bridge.change('remove', count);
        await bridge.complete(0);
      });
      await bridge.closeBridge();
      await bridge.fleet(0);
      const after = collectedHeap();
      if (round >= SIZES.length - 1) heaps.push(after);
      const heap = `${megabytes(full)}, ${megabytes(after)}`;
      print(`${String(count).padStart(5)} one by one |${added} |${removed} |${rest} |${status} | ${heap}`);
      await byPatterns(bridge, count, print);
    }
    const [first = 0] = heaps;
    assert.ok((heaps.at(-1) as number) < first + NOISE);
  } finally {
    await bridge.close();
  }
}

async function byPatterns(bridge: FleetBridge, count: number, print: Soak['print']): Promise<void> {
  await bridge.openBridge({
    patterns: [{ action: 'allow', pattern: '/fleet/**', direction: 'both' }],
    ...{ maxPatternRoutes: count, idleTimeout: 1000 },
  });
  const added = await timed(async () => {
    // A service of a bridge is not one of ROS, and this fleet would be taken for bridges.
    await bridge.fleet(count, [FLEET_KINDS[0]]);
    await bridge.opened(count);
  });
  const rest = await atRest();
  const status = statusTime(bridge);
  const full = collectedHeap();
  const removed = await timed(async () => {
    await bridge.fleet(0);
    await bridge.opened(0);
  });
  await bridge.closeBridge();
  const heap = `${megabytes(full)}, ${megabytes(collectedHeap())}`;
  print(`${String(count).padStart(5)} by patterns|${added} |${removed} |${rest} |${status} | ${heap}`);
}
