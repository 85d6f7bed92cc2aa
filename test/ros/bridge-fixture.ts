import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { BridgeHandle, BridgeState } from '../../src/ros/bridge-handle';
import type { BridgeMessage } from '../../src/ros/bridge-message';
import type { BridgeSettings, TopicRouteSettings } from '../../src/ros/bridge-settings';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import { ddsTopicName, ddsTypeName } from '../../src/ros/names';
import type { CreateBridgeOptions, RosThread } from '../../src/ros/ros-thread';
import type { BridgeStatus, RouteStatus } from '../../src/ros/ros-worker-messages';
import type { RoutePeers } from '../../src/ros/route-peers';
import { Participant } from '../../src/rtps/participant';
import type { EndpointQos } from '../../src/rtps/qos';
import type { Writer } from '../../src/rtps/writer';

export const STRING = 'std_msgs/msg/String';
export const RELIABLE: EndpointQos = { reliability: 'reliable', durability: 'volatile', depth: 10 };
export const BEST_EFFORT: EndpointQos = { ...RELIABLE, reliability: 'best-effort' };

/** Lets a test wait until what it watches is as it should be; `changed` makes it look again. */
export class Watch {
  #wake: Array<() => void> = [];

  changed(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  async until(passes: () => boolean): Promise<void> {
    while (!passes()) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  /** Does it again and again until it passes: for a connection of which nobody says when it is there. */
  async repeat(action: () => unknown, passes: () => boolean): Promise<void> {
    while (!passes()) {
      await action();
      await Promise.race([this.until(passes), setTimeout(20)]);
    }
  }
}

export const route = (domain: number, change: Partial<TopicRouteSettings> = {}): TopicRouteSettings => ({
  domain,
  rosName: '/chatter',
  type: STRING,
  direction: 'both',
  ...change,
});

/** A bridge on loopback, with what it said so far. */
export class TestBridge extends Watch {
  readonly messages: BridgeMessage[] = [];
  readonly problems: string[] = [];
  readonly warnings: string[] = [];
  readonly states: BridgeState['state'][] = [];

  private constructor(readonly handle: BridgeHandle) {
    super();
    handle.on('message', (message) => {
      this.messages.push(message);
      this.changed();
    });
    handle.on('problem', ({ message }) => {
      this.problems.push(message);
      this.changed();
    });
    handle.on('warning', (warning) => {
      this.warnings.push(warning);
      this.changed();
    });
    handle.on('status', ({ state }) => {
      if (this.states.at(-1) !== state) this.states.push(state);
      this.changed();
    });
  }

  /** Made and listened to, but not opened. */
  static create(
    thread: RosThread,
    change: Partial<BridgeSettings> & Pick<BridgeSettings, 'domains' | 'routes'>,
    options?: CreateBridgeOptions,
  ): TestBridge {
    const settings: BridgeSettings = {
      id: randomBytes(4).toString('hex'),
      prefix: 'ros',
      aliases: {},
      range: 'localhost',
      interfaces: ['127.0.0.1'],
      peers: [],
      // Tests wait for counts.
      statusInterval: 50,
      ...change,
    };
    return new TestBridge(thread.createBridge(settings, options));
  }

  static async open(...parameters: Parameters<typeof TestBridge.create>): Promise<TestBridge> {
    const bridge = TestBridge.create(...parameters);
    await bridge.handle.open();
    return bridge;
  }

  get status(): BridgeStatus | undefined {
    return this.handle.state.state === 'open' ? this.handle.state : undefined;
  }

  route(index = 0): RouteStatus | undefined {
    return this.status?.routes[index];
  }

  /**
   * Until the broker has acknowledged the connection, the route sees that many endpoints of others, and it is decided
   * which bridge carries it.
   */
  async ready(peers: RoutePeers = {}, index = 0): Promise<void> {
    const { publishers = 0, subscriptions = 0, servers = 0, clients = 0 } = peers;
    await this.until(() => {
      const { status } = this;
      const seen = this.route(index);
      if (status === undefined || seen === undefined) return false;
      const connected = status.mqtt === undefined || status.mqtt.state === 'connected';
      const subscribed = seen.subscribed !== false;
      const found =
        seen.kind !== 'topic'
          ? seen.servers === servers && (seen.clients ?? 0) === clients
          : seen.publishers === publishers && seen.subscriptions === subscriptions;
      const decided = !Object.values(seen.standby ?? {}).includes('');
      return connected && subscribed && decided && found;
    });
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

const library = InterfaceLibrary.bundled();

/** A ROS program of the test's own, on our participant. */
export class RosPeer extends Watch {
  /** JSON texts in the order of arrival. */
  readonly heard: string[] = [];

  private constructor(readonly participant: Participant) {
    super();
    participant.on('matched', () => this.changed());
    participant.on('unmatched', () => this.changed());
  }

  static async start(domain: number): Promise<RosPeer> {
    const participant = new Participant({ domain, range: 'localhost', interfaces: ['127.0.0.1'] });
    await participant.start();
    return new RosPeer(participant);
  }

  /** Subscribes, and waits until that many publishers are matched. */
  async listen(rosName: string, type = STRING, qos = RELIABLE, matched = 1): Promise<void> {
    const codec = MessageCodec.for(library, type);
    const reader = this.participant.createReader(
      { topic: ddsTopicName(rosName), type: ddsTypeName(type), qos },
      ({ payload }) => {
        this.heard.push(codec.decodeToJson(payload));
        this.changed();
      },
    );
    await this.until(() => reader.matchedCount >= matched);
  }

  /** A publisher's function, after that many subscriptions are matched. */
  async publisher(
    rosName: string,
    type = STRING,
    qos = RELIABLE,
    matched = 1,
  ): Promise<{ publish: (value: unknown) => void; writer: Writer }> {
    const codec = MessageCodec.for(library, type);
    const writer = this.participant.createWriter({
      topic: ddsTopicName(rosName),
      type: ddsTypeName(type),
      qos,
    });
    await this.until(() => writer.matchedCount >= matched);
    return { publish: (value) => void writer.write(codec.encode(value)), writer };
  }

  stop(): Promise<void> {
    return this.participant.close();
  }
}
