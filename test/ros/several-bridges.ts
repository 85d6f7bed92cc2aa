import { BrokerThread } from '../../src/broker/broker-thread';
import { Connection } from '../../src/client/connection';
import type { BridgeMqttSettings, BridgeSettings } from '../../src/ros/bridge-settings';
import type { RosDomain } from '../../src/ros/ros-backend';
import { RosThread } from '../../src/ros/ros-thread';
import type { RouteStatus } from '../../src/ros/ros-worker-messages';
import { RtpsBackend } from '../../src/ros/rtps-backend';
import { connected, settingsFor } from '../client/observed';
import { RosPeer, route, TestBridge } from './bridge-fixture';
import { BridgeProcess } from './bridge-process';

export type AnyBridge = TestBridge | BridgeProcess;

/** A broker that bridges of several processes share. */
export interface SharedBroker {
  url: string;
  stop(): Promise<unknown>;
}

export async function startEmbeddedBroker(): Promise<SharedBroker> {
  const broker = new BrokerThread({ listeners: [{ host: '127.0.0.1', port: 0 }] });
  await broker.start();
  return { url: `mqtt://127.0.0.1:${broker.status.listeners[0]?.port}`, stop: () => broker.stop() };
}

/** What several bridges of a test have in common, and what is around them. */
export class Stage {
  readonly #thread = new RosThread();
  readonly #running: Array<() => Promise<unknown>> = [];
  readonly brokers: SharedBroker[] = [];
  domain = 0;

  /** A process of its own, or the runtime of the test. */
  async bridge(
    id: string,
    kind: 'process' | 'runtime' = 'process',
    change: Partial<BridgeSettings> & { protocolVersion?: 4 | 5; broker?: number; keepAlive?: number } = {},
  ): Promise<AnyBridge> {
    const { protocolVersion = 5, broker = 0, keepAlive = 60, ...rest } = change;
    const mqtt: BridgeMqttSettings = {
      target: { url: this.brokers[broker]?.url ?? '' },
      protocolVersion,
      clientId: `bridge-${id}`,
      keepAlive,
    };
    const settings = { id, domains: [this.domain], routes: [route(this.domain)], mqtt, ...rest };
    if (kind === 'runtime') {
      const bridge = await TestBridge.open(this.#thread, settings, { flowOutput: false });
      this.#running.push(() => bridge.close());
      return bridge;
    }
    const bridge = new BridgeProcess(settings);
    this.#running.push(() => bridge.end('SIGKILL'));
    return bridge;
  }

  async client(broker = 0): Promise<Connection> {
    const client = new Connection(settingsFor(this.brokers[broker]?.url ?? ''));
    this.#running.push(() => client.close());
    client.open();
    await connected(client);
    return client;
  }

  async peer(domain = this.domain): Promise<RosPeer> {
    const peer = await RosPeer.start(domain);
    this.#running.push(() => peer.stop());
    return peer;
  }

  /** A ROS program of the test's own, of all that ROS has. */
  async ros(): Promise<RosDomain> {
    const place = { domain: this.domain, range: 'localhost', interfaces: ['127.0.0.1'], peers: [] } as const;
    const user = await new RtpsBackend().openDomain({ ...place, nodeName: 'test', bridgeId: 'peer' });
    this.#running.push(() => user.close());
    return user;
  }

  async leave(): Promise<void> {
    for (const stop of this.#running.splice(0).reverse()) await stop();
  }

  /** With its brokers. */
  async end(): Promise<void> {
    await this.leave();
    await Promise.all(this.brokers.map((broker) => broker.stop()));
  }
}

const standbyOf = (bridge: AnyBridge, index = 0): RouteStatus['standby'] => bridge.route(index)?.standby;
export const carries = (bridge: AnyBridge) =>
  bridge.status?.mqtt?.state === 'connected' &&
  bridge.route()?.subscribed !== false &&
  bridge.route() !== undefined &&
  standbyOf(bridge) === undefined;
/** Whether a bridge sees as many publishers, and as many subscriptions. */
export const seesOthers = (bridge: AnyBridge, count: number) =>
  bridge.route()?.publishers === count && bridge.route()?.subscriptions === count;
export const standsBy = (bridge: AnyBridge, id: string) => {
  const standby = Object.values(standbyOf(bridge) ?? {});
  return bridge.route()?.subscribed !== false && standby.length > 0 && standby.every((other) => other === id);
};
