import { setTimeout as wait } from 'node:timers/promises';
import { BrokerThread } from '../../src/broker/broker-thread';
import { Connection } from '../../src/client/connection';
import { Bridge } from '../../src/ros/bridge';
import type { RouteSettings } from '../../src/ros/bridge-settings';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { LearnedTypes } from '../../src/ros/learned-types';
import type { BridgeStatus } from '../../src/ros/ros-worker-messages';
import { RtpsBackend } from '../../src/ros/rtps-backend';
import { connected, Inbox, settingsFor } from '../client/observed';
import { freshDomain } from '../rtps/test-domain';
import { ACTION, SERVICE } from '../soak/fleet-routes';
import { RELIABLE, RosPeer, STRING } from './bridge-fixture';

/** What routes there are, without their names. */
const KINDS = [
  { kind: 'topic', type: STRING, direction: 'both' },
  { kind: 'topic', type: '', direction: 'both' },
  { kind: 'service', type: SERVICE, direction: 'mqtt-to-ros' },
  { kind: 'service', type: SERVICE, direction: 'ros-to-mqtt' },
  { kind: 'action', type: ACTION, direction: 'mqtt-to-ros' },
  { kind: 'action', type: ACTION, direction: 'ros-to-mqtt' },
  { kind: 'parameters', type: '', direction: 'both' },
] as const;
const ID = 'many';
/** Timers. */
const FEW = 5;
/** How often what nobody tells is looked at, ms. */
const POLL = 20;
const DEEP = { ...RELIABLE, depth: 10_000 };

/** What a bridge has around it that it may leave behind. */
export interface Remains {
  /** At the broker. */
  subscriptions: number;
  /** That others see in ROS. */
  endpoints: number;
  timers: number;
}

/** A bridge in this thread to which routes of all kinds are added, and taken from, while one carries texts both ways. */
export class ManyRoutes {
  readonly #broker = new BrokerThread({ listeners: [{ host: '127.0.0.1', port: 0 }] });
  readonly problems: string[] = [];
  readonly #domain = freshDomain();
  #bridge: Bridge | undefined;
  #peer: RosPeer | undefined;
  #client: Connection | undefined;
  #inbox: Inbox | undefined;
  #publish: (value: unknown) => void = () => {};
  #status: BridgeStatus | undefined;
  readonly #found = new Set<string>();

  async open(): Promise<void> {
    await this.#broker.start();
    const url = `mqtt://127.0.0.1:${this.#broker.status.listeners[0]?.port}`;
    const peer = await RosPeer.start(this.#domain);
    this.#peer = peer;
    peer.participant.on('endpoint', ({ guid }) => this.#note(() => this.#found.add(guid)));
    peer.participant.on('endpoint-lost', ({ guid }) => this.#note(() => this.#found.delete(guid)));
    const mqtt = { target: { url }, protocolVersion: 5, clientId: ID, keepAlive: 60 } as const;
    this.#bridge = new Bridge(
      {
        ...{
          id: ID,
          prefix: 'ros',
          aliases: {},
          range: 'localhost',
          interfaces: ['127.0.0.1'],
          peers: [],
        },
        ...{ domains: [this.#domain], routes: [this.#route(0, 'chatter')], mqtt, statusInterval: 50 },
      },
      {
        backend: new RtpsBackend(),
        library: InterfaceLibrary.bundled(),
        learned: new LearnedTypes(),
        openBrokerStream: () => {
          throw new Error('not asked for');
        },
        askPassword: () => Promise.reject(new Error('not asked for')),
        onSample: () => {},
        onRouteOpened: () => {},
        onRouteClosed: () => {},
        onEvent: () => {},
        onStatus: (status) => this.#note(() => (this.#status = status)),
        onWarning: (warning) => this.problems.push(warning),
        onProblem: (problem) => this.problems.push(problem),
      },
    );
    await this.#bridge.open();
    this.#client = new Connection(settingsFor(url));
    this.#client.open();
    await connected(this.#client);
    this.#inbox = await Inbox.on(this.#client, `ros/${this.#domain}/chatter`);
    await peer.listen('/chatter', STRING, DEEP);
    this.#publish = (await peer.publisher('/chatter', STRING, DEEP)).publish;
    await peer.until(() => {
      const [route] = this.#status?.routes ?? [];
      return route?.publishers === 1 && route.subscribed === true && route.standby === undefined;
    });
  }

  async close(): Promise<void> {
    await this.#bridge?.close();
    await this.#peer?.stop();
    await this.#client?.close();
    await this.#broker.stop();
  }

  /**
   * Adds so many routes, each by a message of its own, and removes them again; a text goes each way with each. Resolves
   * with what came out: as many to ROS, and as many to MQTT.
   */
  async round(count: number): Promise<{ said: number; toRos: number; toMqtt: number }> {
    const { heard } = this.#peer as RosPeer;
    const { messages } = this.#inbox as Inbox;
    const topic = `ros/${this.#domain}/chatter`;
    for (const action of ['add', 'remove'] as const) {
      for (let index = 0; index < count; index++) {
        this.#bridge?.changeRoutes({ action, route: this.#route(index, `many/r${index}`) });
        this.#publish({ data: 'of ROS' });
        await this.#client?.publish(topic, '{"data":"of MQTT"}', { qos: 1, retain: false });
      }
    }
    const said = 2 * count;
    await this.#peer?.until(() => heard.length >= said);
    await this.#inbox?.until(() => messages.length >= 2 * said);
    const isOfRos = ({ payload }: { payload: Buffer }) => payload.includes('of ROS');
    return { said, toRos: heard.splice(0).length, toMqtt: messages.splice(0).filter(isOfRos).length };
  }

  async remains(): Promise<Remains> {
    const timers = process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
    return { subscriptions: await this.#subscriptions(), endpoints: this.#found.size, timers };
  }

  /** Resolves when there is no more than there was, but for a few timers: those of live traffic come and go. */
  async settled({ subscriptions, endpoints, timers }: Remains): Promise<void> {
    await this.#peer?.until(() => this.#found.size <= endpoints);
    const isMore = async () => {
      const now = await this.remains();
      return now.subscriptions > subscriptions || now.timers > timers + FEW;
    };
    while (await isMore()) await wait(POLL);
  }

  async #subscriptions(): Promise<number> {
    const request = { clientId: ID, offset: 0, limit: 1 };
    const { entries } = await this.#broker.administration.sessions(request);
    return entries[0]?.subscriptionCount ?? 0;
  }

  #route(index: number, name: string): RouteSettings {
    const kind = KINDS[index % KINDS.length] as (typeof KINDS)[number];
    return { ...kind, domain: this.#domain, rosName: `/${name}` };
  }

  #note(change: () => unknown): void {
    change();
    this.#peer?.changed();
  }
}
