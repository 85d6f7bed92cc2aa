import type { Duplex } from 'node:stream';
import {
  Connection,
  type ConnectionSettings,
  type ConnectionStatus,
  type MessageProperties,
  type PostOutcome,
  type QoS,
  type ReceivedMessage,
} from '../client/connection';
import type { BridgeMqttSettings } from './bridge-settings';
import { type ExpectedEcho, ExpectedEchoes } from './expected-echoes';
import { KnownBridges, type KnownBridgesOptions } from './known-bridges';

/** Publishes that may wait for the broker at once; what comes beyond is dropped and counted. */
const MAX_IN_FLIGHT = 1000;
const MAX_IN_FLIGHT_BYTES = 16 * 1024 * 1024;

/** How often it is looked whether the process has stood still, in ms. */
const LOOK = 500;
/** After so many keep-alives without a word the broker ends the connection [MQTT-3.1.2-22]. */
const BROKER_PATIENCE = 1.5;
/** MQTT 5.0, 3.4.2.1. */
const NO_MATCHING_SUBSCRIBERS = 0x10;

/** A message that the broker is not asked to take, or did not take. */
export type Undelivered = 'offline' | 'in-flight' | 'unacknowledged';

const UNDELIVERED: Record<PostOutcome, Undelivered | undefined> = {
  sent: undefined,
  offline: 'offline',
  full: 'in-flight',
  refused: 'unacknowledged',
};

export interface OutgoingMessage {
  topic: string;
  payload: string | Buffer;
  /** Whether the payload is a Buffer whose memory nobody else uses, which is freed when it is not needed any more. */
  ownsMemory?: boolean;
  qos: QoS;
  retain: boolean;
  /** Messages of one topic that share this very object take less time. */
  properties: MessageProperties;
  /** Further user properties, of this message alone. */
  userProperties?: Readonly<Record<string, string>>;
}

export interface IncomingMessage
  extends Pick<ReceivedMessage, 'topic' | 'payload' | 'retain' | 'properties'> {
  /** The ids of the bridges that carried it, the last one's last. */
  via: readonly string[];
}

const NOBODY: readonly string[] = [];
const NO_ECHOES: readonly ExpectedEcho[] = [];

export interface BridgeSubscriptionListener {
  message(message: IncomingMessage): void;
  /** At each connect: the broker has granted it, or why it refused. */
  result(error?: Error): void;
}

export interface BridgeSubscription {
  /** Whether the broker has granted it on the connection that there is now. */
  readonly granted: boolean;
  close(): void;
}

export interface BridgeConnectionOptions {
  settings: BridgeMqttSettings;
  /** Whether over MQTT 3.1.1 the bridge may get what it publishes, and is to know it. */
  expectsEchoes: boolean;
  /** How others see the bridge, and it them. */
  presence: KnownBridgesOptions;
  /** Called when what `known` knows has changed. */
  onKnown: () => void;
  /** Called when the process has stood still, for so many ms that the broker has given the bridge up. */
  onStoodStill: (time: number) => void;
  /** What the user of the broker can repair, in words. */
  onWarning: (text: string) => void;
  /** Makes the stream to the embedded broker, anew at each connect. */
  openBrokerStream: () => Duplex;
  /** The password as it is now, for settings that have it from the owner. */
  askPassword: () => Promise<string>;
}

/** The connection as routes have it. */
export type RouteConnection = Pick<
  BridgeConnection,
  'connected' | 'onStatus' | 'subscribe' | 'stored' | 'publish'
>;

/** A bridge's own MQTT connection: its presence with a will, what it subscribes, and publishing with a bound. */
export class BridgeConnection {
  /** The bridges at this broker. */
  readonly known: KnownBridges;
  readonly #options: BridgeConnectionOptions;
  readonly #noLocal: boolean;
  readonly #connection: Connection;
  readonly #echoes: ExpectedEchoes | undefined;
  readonly #own: readonly string[];
  #inFlight = 0;
  #inFlightBytes = 0;
  #looking: NodeJS.Timeout | undefined;
  #lookedAt = 0;
  /** What comes was sent before the broker gave the bridge up. */
  #isLate = false;
  #lateMessages = 0;

  constructor(options: BridgeConnectionOptions) {
    this.#options = options;
    this.#noLocal = options.settings.protocolVersion === 5;
    this.#own = [options.presence.id];
    if (options.expectsEchoes && !this.#noLocal)
      this.#echoes = new ExpectedEchoes({ onFull: () => this.#warnOfEchoes() });
    this.#connection = new Connection({
      ...connectionSettings(options),
      // Another bridge may carry meanwhile what was under way.
      publishAgain: () => this.known.online.size === 0,
    });
    this.known = new KnownBridges(options.presence, this.#connection, {
      changed: options.onKnown,
      warning: options.onWarning,
    });
  }

  get status(): ConnectionStatus {
    return this.#connection.status;
  }

  get connected(): boolean {
    return this.status.state === 'connected';
  }

  onStatus(listener: (status: ConnectionStatus) => void): () => void {
    return this.#connection.onStatus(listener);
  }

  open(): void {
    this.#lookedAt = performance.now();
    this.#looking = setInterval(() => this.#noteStandstill(), LOOK);
    this.onStatus(({ state }) => {
      if (state === 'connected') return;
      this.#endLateness();
      this.#echoes?.lost();
    });
    this.known.open();
    this.#connection.open();
  }

  async close(): Promise<void> {
    clearInterval(this.#looking);
    this.known.close();
    await this.#connection.close();
  }

  /**
   * Subscribes for what others publish while the bridge is connected: on MQTT 5 No Local keeps back its own messages,
   * and Retain Handling 2 the stored ones, because an old command must not move a robot at each reconnect.
   * On MQTT 3.1.1 those own messages that come are told by `via`, where the bridge expects them.
   * @param options `retained`: whether the stored ones are wanted, of a topic that takes no commands; `lent`: see
   * `SubscribeOptions`
   */
  subscribe(
    filter: string,
    listener: BridgeSubscriptionListener,
    { retained = false, qos = 1, lent = false }: { retained?: boolean; qos?: QoS; lent?: boolean } = {},
  ): BridgeSubscription {
    let granted = false;
    const expectNoMore = this.#echoes?.subscribe(filter);
    const stopFollowing = this.onStatus(({ state }) => {
      if (state !== 'connected') granted = false;
    });
    const subscription = this.#connection.subscribe(
      filter,
      { qos, noLocal: this.#noLocal, retainHandling: retained ? 0 : 2, lent },
      {
        message: ({ topic, payload, retain, properties }) => {
          this.#noteStandstill();
          const isEcho = this.#echoes?.take(filter, topic, payload) === true;
          if (this.#isLate) {
            this.#lateMessages++;
            return;
          }
          const named = properties?.userProperties?.['ros-via'] ?? NOBODY;
          const said = typeof named === 'string' ? [named] : named;
          const via = isEcho ? this.#own : said;
          const message: IncomingMessage = { topic, payload, retain, via };
          if (properties !== undefined) message.properties = properties;
          listener.message(message);
        },
        result: (error) => {
          granted = error === undefined;
          listener.result(error);
        },
      },
    );
    return {
      get granted() {
        return granted;
      },
      close: () => {
        stopFollowing();
        expectNoMore?.();
        subscription.close();
      },
    };
  }

  /**
   * What the broker has stored at a topic; `undefined` where that is nothing, or not to be known.
   * @param others only what others have published; needed where the bridge has also subscribed to the topic
   */
  stored(topic: string, others: boolean): Promise<ReceivedMessage | undefined> {
    return new Promise((resolve) => {
      let found: ReceivedMessage | undefined;
      const subscription = this.#connection.subscribe(
        topic,
        { qos: 0, noLocal: others && this.#noLocal, retainHandling: 0 },
        {
          message: (message) => {
            if (message.retain) found = message;
          },
          result: async () => {
            // What the broker has stored comes before its answer.
            await this.#connection.ping().catch(() => {});
            subscription.close();
            resolve(found);
          },
        },
      );
    });
  }

  /**
   * A process that was stopped, or a machine that was asleep, for longer than the broker waits finds old messages in its
   * network buffers: other bridges have taken over, and an old command must not move a robot.
   */
  #noteStandstill(): void {
    const now = performance.now();
    const stood = now - this.#lookedAt;
    this.#lookedAt = now;
    const { keepAlive } = this.#options.settings;
    if (keepAlive === 0 || stood <= Math.max(keepAlive * 1000 * BROKER_PATIENCE, 2 * LOOK)) return;
    this.#options.onStoodStill(stood);
    if (!this.connected) return;
    this.#isLate = true;
    // What the broker had sent comes before its answer, if there is one.
    this.#connection.ping().then(
      () => this.#endLateness(),
      () => {},
    );
  }

  #endLateness(): void {
    if (!this.#isLate) return;
    this.#isLate = false;
    this.#options.onWarning(
      `the process stood still for longer than the broker waits; ${this.#lateMessages} old messages were dropped`,
    );
    this.#lateMessages = 0;
  }

  /**
   * Publishes; `settled` is told, at once or later, why the broker does not have the message, or nothing, and then
   * whether the broker has said that nobody has subscribed (MQTT 5, QoS 1).
   */
  publish(message: OutgoingMessage, settled: (undelivered?: Undelivered, unheard?: boolean) => void): void {
    const { topic, payload, ownsMemory = false, qos, retain, properties, userProperties = {} } = message;
    if (qos === 0 && Buffer.isBuffer(payload)) {
      const outcome = this.#connection.post({
        topic,
        payload,
        // An echo is known by its payload.
        ownsMemory: ownsMemory && this.#echoes === undefined,
        retain,
        properties,
        userProperties,
      });
      // Echoes come in a later turn of the event loop.
      if (outcome === 'sent') this.#echoes?.settle(this.#echoes.expect(topic, payload));
      settled(UNDELIVERED[outcome]);
      return;
    }
    const bytes = payload.length;
    if (!this.connected) {
      settled('offline');
      return;
    }
    const full = this.#inFlight >= MAX_IN_FLIGHT || this.#inFlightBytes + bytes > MAX_IN_FLIGHT_BYTES;
    if (full && this.#inFlight > 0) {
      settled('in-flight');
      return;
    }
    this.#inFlight++;
    this.#inFlightBytes += bytes;
    const echoes = this.#echoes?.expect(topic, payload) ?? NO_ECHOES;
    const all = { ...properties.userProperties, ...userProperties };
    // MQTT.js writes a packet of a wrong length where there is an object without properties.
    const named = Object.keys(all).length > 0 && { userProperties: all };
    void this.#connection
      .publish(topic, payload, { qos, retain, ownsMemory, properties: { ...properties, ...named } })
      .then(
        ({ reasonCode }) => ({ undelivered: undefined, unheard: reasonCode === NO_MATCHING_SUBSCRIBERS }),
        () => ({ undelivered: 'unacknowledged' as const, unheard: false }),
      )
      .then(({ undelivered, unheard }) => {
        this.#inFlight--;
        this.#inFlightBytes -= bytes;
        this.#echoes?.settle(echoes);
        settled(undelivered, unheard);
      });
  }

  #warnOfEchoes(): void {
    this.#options.onWarning(
      'more of what the bridge publishes waits to come back than it remembers; some may be carried back to ROS',
    );
  }
}

function connectionSettings({
  settings,
  presence,
  openBrokerStream,
  askPassword,
}: BridgeConnectionOptions): ConnectionSettings {
  const { target, password, ...connection } = settings;
  const asked = typeof password === 'object' && 'from' in password ? askPassword : password;
  return {
    ...connection,
    ...(asked !== undefined && { password: asked }),
    endpoint: target === 'embedded' ? { openStream: openBrokerStream } : target,
    // What ROS publishes while the bridge is away is gone, and old commands from MQTT must not be replayed.
    cleanStart: true,
    will: { topic: presence.topic, payload: JSON.stringify({ state: 'broken' }), qos: 1, retain: true },
  };
}
