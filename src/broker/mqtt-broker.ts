import { randomUUID } from 'node:crypto';
import type { MessagePort } from 'node:worker_threads';
import {
  Connection,
  type PublishOptions,
  type ReceivedMessage,
  type SubscribeOptions,
} from '../client/connection';
import { parseRosTopic, type RosTopicParts } from '../topic/parse-ros-topic';
import type { ClientEntry, DisconnectAnswer, PublishedTopic, SessionEntry } from './administration-calls';
import { type BrokerSettings, BrokerThread } from './broker-thread';
import type { ListenerAddress } from './listeners/listener-settings';
import type { Page, PageRequest } from './page';
import { type BrokerStatistics, newStatistics } from './statistics';

/** What differs from a broker on 127.0.0.1:1883 that keeps nothing on disk. */
export interface MqttBrokerSettings extends Partial<BrokerSettings> {
  /** First levels of the topics of ROS; `ros` by default. */
  rosPrefix?: string;
}

/** What a broker counts: totals since it started, except where it says "now". */
export interface MqttBrokerStatistics extends Omit<BrokerStatistics, 'clients'> {
  running: boolean;
  /** With the real ports. */
  listeners: ListenerAddress[];
  /** Connected now; and in all, with those that are away and whose sessions are kept. */
  clients: { connected: number; total: number };
}

/** A topic that was published to, with what its name says of ROS. */
export interface TopicInformation extends PublishedTopic {
  ros?: RosTopicParts;
}

/** Which entries of a list are wanted; the first 1,000 by default. */
export type Wanted = Partial<PageRequest>;

const PAGE: PageRequest = { offset: 0, limit: 1000 };

/** A broker that is yet to be started. */
export function createBroker(settings: MqttBrokerSettings = {}): MqttBroker {
  return new MqttBroker(settings);
}

/**
 * An MQTT broker in a thread of its own, as a program uses it that has no Node-RED: it starts and stops it, publishes and
 * subscribes without a socket, and asks it what there is. The program is a client like others, of this process: rules of
 * the access settings concern it as `in-process`, and it is counted once it has published or subscribed.
 */
export class MqttBroker {
  /** The thread that it runs in, with its events: `status`, `statistics`, `event`, `message`, `decision`. */
  readonly thread: BrokerThread;
  readonly #rosPrefix: string;
  #connection: Connection | undefined;

  constructor({ rosPrefix = 'ros', listeners, ...settings }: MqttBrokerSettings) {
    this.thread = new BrokerThread({
      ...settings,
      listeners: listeners ?? [{ host: '127.0.0.1', port: 1883 }],
    });
    this.#rosPrefix = rosPrefix;
  }

  /**
   * Resolves when it listens.
   * @throws ListenerError a listener cannot be opened
   * @throws AccessSettingsError, UpstreamSettingsError, RangeError a setting cannot be used
   * @throws Error it runs already, the storage cannot be opened, or it was stopped meanwhile
   */
  start(): Promise<void> {
    return this.thread.start();
  }

  /** Tells all clients and resolves when what is to be kept is kept. It can be started again. */
  async stop(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.close();
    await this.thread.stop();
  }

  get running(): boolean {
    return this.thread.status.state === 'running';
  }

  /** Takes a connection over the other end of this port; for `createBridge`. */
  acceptPort(port: MessagePort): void {
    this.thread.acceptPort(port);
  }

  /**
   * Publishes a message. Resolves when the broker has acknowledged it.
   * @param payload what is no text and no bytes is sent as JSON
   * @throws PublishError the topic name, a property or the message is refused
   * @throws Error the broker does not run
   */
  async publish(
    topic: string,
    payload: string | Uint8Array | object,
    { qos = 0, retain = false, ...options }: Partial<PublishOptions> = {},
  ): Promise<void> {
    await this.#client().publish(topic, bytesOf(payload), { qos, retain, ...options });
  }

  /**
   * Subscribes to a topic filter. Resolves when the broker has granted it, with what ends the subscription.
   * @param listener called for each message; what it throws is uncaught, as of any event's listener
   * @throws SubscribeError the filter or an option is refused
   * @throws Error the broker does not run
   */
  async subscribe(
    filter: string,
    listener: (message: ReceivedMessage) => void,
    { qos = 1, ...options }: Partial<Omit<SubscribeOptions, 'acknowledgement'>> = {},
  ): Promise<() => void> {
    const client = this.#client();
    return new Promise((resolve, reject) => {
      const message = (received: ReceivedMessage) => {
        try {
          listener(received);
        } catch (error) {
          queueMicrotask(() => {
            throw error;
          });
        }
      };
      const result = (error?: Error) => {
        if (error === undefined) return resolve(() => subscription.close());
        subscription.close();
        reject(error);
      };
      const subscription = client.subscribe(filter, { qos, ...options }, { message, result });
    });
  }

  /** What is counted; of a broker that does not run, nothing. */
  async statistics(): Promise<MqttBrokerStatistics> {
    const { running } = this;
    const { clients, ...counts } = running ? await this.thread.administration.statistics() : newStatistics();
    return {
      ...counts,
      running,
      listeners: this.thread.status.listeners,
      clients: { connected: clients, total: clients + counts.sessionsAway },
    };
  }

  /** Clients that are connected, each with since when it is and since when it is idle. */
  clients(wanted: Wanted & { clientId?: string } = {}): Promise<Page<ClientEntry>> {
    return this.thread.administration.clients({ clientId: '', ...PAGE, ...wanted });
  }

  /** Sessions of clients that are connected or away, with their subscriptions and what waits in them. */
  sessions(wanted: Wanted & { clientId?: string } = {}): Promise<Page<SessionEntry>> {
    return this.thread.administration.sessions({ clientId: '', ...PAGE, ...wanted });
  }

  /** Topics that were published to since the broker started, in the order in which they first were. */
  async topics(wanted: Wanted = {}): Promise<Page<TopicInformation>> {
    const { entries, ...rest } = await this.thread.administration.topics({ ...PAGE, ...wanted });
    return { ...rest, entries: entries.map((entry) => ({ ...entry, ...this.#ros(entry.topic) })) };
  }

  /** Disconnects a client, which is told the reason. */
  disconnect(clientId: string, reason = ''): Promise<DisconnectAnswer> {
    return this.thread.administration.disconnect({ clientId, reason, endSession: false });
  }

  #ros(topic: string): Pick<TopicInformation, 'ros'> {
    const ros = parseRosTopic(topic, this.#rosPrefix);
    return ros === undefined ? {} : { ros };
  }

  #client(): Connection {
    const { state } = this.thread.status;
    if (state === 'stopped' || state === 'error') throw new Error(`the broker is ${state}`);
    if (this.#connection === undefined) {
      this.#connection = new Connection({
        endpoint: { openStream: () => this.thread.openStream() },
        protocolVersion: 5,
        clientId: `program-${randomUUID()}`,
        keepAlive: 0,
        cleanStart: true,
      });
      this.#connection.open();
    }
    return this.#connection;
  }
}

function bytesOf(payload: string | Uint8Array | object): Buffer | string {
  if (typeof payload === 'string' || Buffer.isBuffer(payload)) return payload;
  if (payload instanceof Uint8Array) {
    return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  }
  return JSON.stringify(payload);
}
