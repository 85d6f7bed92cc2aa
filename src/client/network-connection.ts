import { createRequire } from 'node:module';
import type { Duplex } from 'node:stream';
import {
  type IClientOptions,
  type IConnackPacket,
  type IPublishPacket,
  type IStore,
  MqttClient,
  type Packet,
  Store,
} from 'mqtt';
import { Backpressure } from './backpressure';
import { type ConnectionEnd, EndCause } from './connection-end';
import type { Post, PostOutcome, SubscribeOptions } from './connection-settings';
import { NotConnectedError } from './errors';
import type { OutgoingMessage } from './outgoing-message';
import type { PacketIdentifiers } from './packet-identifiers';
import { PublishReader } from './publish-reader';
import { PublishWriter } from './publish-writer';
import { errorText, reasonCodeText } from './reason';
import { SubscriptionRequests } from './subscription-requests';
import { type ShortTopic, TopicAliases } from './topic-aliases';

// It would keep a Buffer for each of 65,536 numbers: 6 MB in every thread, marked again at each garbage collection.
const mqttPacket: typeof import('mqtt-packet') = createRequire(require.resolve('mqtt'))('mqtt-packet');
mqttPacket.writeToStream.cacheNumbers = false;

const PUBREL = 0x62;
/** DISCONNECT: Packet too large. */
const TOO_LARGE = Buffer.from([0xe0, 1, 0x95]);
/** How long the broker has to close the network connection after DISCONNECT, in ms. */
const FAREWELL_MS = 1000;

export type ConnackProperties = NonNullable<IConnackPacket['properties']>;

export interface NetworkConnectionObserver {
  /** CONNACK said yes; nothing else has been read yet. */
  accepted(connack: IConnackPacket): void;
  /** It can be published and subscribed. */
  ready(): void;
  /** PUBLISH; the observer answers it at QoS 1 and 2. */
  message(packet: IPublishPacket): void;
  /** PUBREL; the observer answers it. */
  released(packetId: number): void;
  /** PUBREC for a message of ours; `send` lets PUBREL go out. */
  taken(packetId: number, send: () => void): void;
  /** Once, last. */
  ended(end: ConnectionEnd): void;
}

/** The outcome of a PUBLISH as the broker said it. */
export type PublishOutcome = (error: Error | undefined, packet: Packet | undefined) => void;

/**
 * One network connection to a broker (MQTT 5.0 section 4.2), on one MQTT.js client: CONNECT to DISCONNECT, never a
 * second time. What has to survive it, MQTT.js is not asked to keep: reconnecting, messages to be sent again and the
 * receiver's side of QoS 1 and 2 are the session's.
 */
export class NetworkConnection {
  readonly #client: MqttClient;
  readonly #subscribing: SubscriptionRequests;
  readonly #stream: Duplex;
  readonly #reader: PublishReader;
  readonly #writer: PublishWriter;
  readonly #identifiers: PacketIdentifiers;
  readonly #observer: NetworkConnectionObserver;
  readonly #version5: boolean;
  readonly #cause = new EndCause();
  readonly #backpressure: Backpressure;
  /** We have ended it, for whatever reason. */
  #left = false;
  #ended = false;
  #accepted = false;
  #aliases = new TopicAliases(0, false);
  readonly #useAliases: boolean;
  /** When the last PINGREQ was sent, while it has not been answered. */
  #pingedAt: number | undefined;
  #pingers: (() => void)[] = [];
  /** Who waits for the end. */
  readonly #leavers: (() => void)[] = [];
  /** QoS of the PUBLISH that MQTT.js is dealing with. */
  #qos: 0 | 1 | 2 = 0;
  /** The answer to a PUBLISH of ours that MQTT.js is dealing with; it passes on only those that refuse. */
  #answer: Packet | undefined;

  /** Milliseconds between the last PINGREQ that was answered and its answer. */
  roundTrip: number | undefined;

  /**
   * @param stream already connected
   * @param largest bytes that a packet from the broker may have
   * @param topicAliases whether to use topic aliases where the broker allows them, also where a message asks for none
   */
  constructor(
    stream: Duplex,
    options: IClientOptions,
    largest: number | undefined,
    topicAliases: boolean,
    identifiers: PacketIdentifiers,
    observer: NetworkConnectionObserver,
  ) {
    this.#stream = stream;
    this.#identifiers = identifiers;
    this.#observer = observer;
    this.#useAliases = topicAliases;
    this.#version5 = options.protocolVersion === 5;
    this.#writer = new PublishWriter(stream, this.#version5);
    this.#client = new MqttClient(() => stream, {
      ...options,
      manualConnect: true,
      reconnectPeriod: 0,
      // Subscriptions are made again by those who know what is still wanted.
      resubscribe: false,
      queueQoSZero: false,
      outgoingStore: this.#outgoingStore(),
      messageIdProvider: identifiers,
      // Restarting a timer per acknowledgement saves a PINGREQ per keep alive and costs more than it.
      reschedulePings: false,
      // Formatting debug lines that nobody reads costs a twentieth of the time per message.
      log: () => {},
    });
    this.#reader = new PublishReader(stream, this.#version5, largest ?? Number.POSITIVE_INFINITY, {
      publish: (packet) => observer.message(packet),
      tooLarge: (size) => {
        // DISCONNECT may still be on its way, without which the will would be published.
        if (this.#left) {
          this.#reader.stop();
          return;
        }
        const reason = `the broker sent a packet of ${size} bytes, where ${largest} are allowed: ${reasonCodeText(0x95)}`;
        this.#fail(reason, this.#version5 && this.connected ? TOO_LARGE : undefined);
      },
    });
    this.#backpressure = new Backpressure(this.#client, this.#reader);
    this.#subscribing = new SubscriptionRequests(
      this.#client,
      this.#version5,
      () => this.#backpressure.paused,
    );
  }

  /** What the broker said about itself in CONNACK; empty on MQTT 3.1.1. */
  get brokerProperties(): ConnackProperties {
    return this.#client.serverProperties ?? {};
  }

  get connected(): boolean {
    return this.#client.connected && !this.#left;
  }

  /** Sends CONNECT. */
  open(): void {
    if (this.#stream.destroyed) {
      if (this.#stream.errored) this.#cause.failed(errorText(this.#stream.errored));
      this.#onClosed();
      return;
    }
    const client = this.#client;
    client.on('packetreceive', (packet) => this.#onPacket(packet));
    client.on('message', (topic, _payload, packet) => {
      packet.qos = this.#qos;
      // It is empty where an alias stands for it.
      packet.topic = topic;
      this.#observer.message(packet);
    });
    client.on('packetsend', ({ cmd }) => {
      if (cmd === 'pingreq') this.#pingedAt = performance.now();
    });
    client.on('connect', () => this.#observer.ready());
    client.on('error', (error) => this.#fail(errorText(error)));
    client.on('close', () => this.#onClosed());
    // MQTT.js passes on only stream errors that have a code.
    this.#stream.on('error', (error) => this.#cause.broken(error, this.#accepted));
    this.#stream.on('end', () => this.#cause.finished());
    client.connect();
  }

  /** Sends PUBLISH, or PUBREL for a message that the broker has taken; `outcome` hears what the broker says, or nothing if the connection ends first. */
  publish(message: OutgoingMessage, outcome: PublishOutcome): void {
    const { packetId, topic, options } = message;
    if (packetId !== undefined && message.released) {
      this.#release(packetId, outcome);
      return;
    }
    const short = this.#mayUseAlias(message)
      ? this.#aliases.replace(topic, options.topicAlias)
      : { topic, alias: undefined };
    if (packetId === undefined) {
      this.#publishAtMostOnce(message, short, outcome);
      return;
    }
    if (!this.connected) return;
    // MQTT.js hears the answers alone: it would clone the message and write its packet in twenty pieces.
    this.#awaitAnswer(packetId, outcome);
    this.#writer.write(message, packetId, short);
  }

  #publishAtMostOnce(
    { payload, options, properties }: OutgoingMessage,
    { topic, alias }: ShortTopic,
    outcome: PublishOutcome,
  ): void {
    const all = alias === undefined ? properties : { ...properties, topicAlias: alias };
    this.#writer.gather();
    this.#client.publish(
      topic,
      payload,
      { qos: 0, retain: options.retain, ...(all !== undefined && { properties: all }) },
      (error) => outcome(error ?? undefined, undefined),
    );
  }

  /** See `Connection.post`. */
  post(message: Post): PostOutcome {
    return this.#writer.post(message, this.brokerProperties);
  }

  /**
   * Resolves after SUBACK; rejects with SubscribeError when the broker refuses or does not answer, NotConnectedError when
   * the connection ends.
   */
  subscribe(filter: string, options: SubscribeOptions, identifier: number | undefined): Promise<void> {
    return this.#subscribing.subscribe(filter, options, identifier);
  }

  /** Resolves with `true` after UNSUBACK, with `false` when the connection ends first. */
  unsubscribe(filter: string): Promise<boolean> {
    return this.#subscribing.unsubscribe(filter);
  }

  /** Sends bytes that are whole packets. */
  write(packets: Buffer): void {
    if (this.connected) this.#stream.write(packets);
  }

  /** Resolves with the milliseconds until PINGRESP; rejects with NotConnectedError when the connection ends first. */
  async ping(): Promise<number> {
    const answered = new Promise<void>((resolve) => this.#pingers.push(resolve));
    this.#client.sendPing();
    await answered;
    if (this.roundTrip === undefined || this.#ended) throw new NotConnectedError(this.#cause.reason);
    return this.roundTrip;
  }

  /** Hands on nothing more until resume(); what the broker sends then waits in the network and at the broker. */
  pause(): void {
    this.#backpressure.pause();
  }

  resume(): void {
    this.#backpressure.resume();
  }

  /** Sends DISCONNECT, so that the will is not published, and resolves when the network connection is closed. */
  async close(): Promise<void> {
    if (this.#ended) return;
    const connected = this.connected;
    if (connected) this.#writer.flush();
    this.#left = true;
    const client = this.#client;
    // It would wait without end for what is not answered.
    for (const id of Object.keys(client.outgoing)) delete client.outgoing[Number(id)];
    const farewell = setTimeout(() => this.#stream.destroy(), FAREWELL_MS);
    if (!connected) this.#stream.destroy();
    // What is not read would hide that the broker closes it as well.
    if (this.#backpressure.paused) this.#reader.stop();
    // MQTT.js is done before the network connection is closed where it was not connected.
    const ended = new Promise<void>((resolve) => this.#leavers.push(resolve));
    client.end(!connected);
    await ended;
    clearTimeout(farewell);
  }

  #onPacket(packet: Packet): void {
    if (!this.#accepted && packet.cmd !== 'connack' && packet.cmd !== 'auth' && packet.cmd !== 'disconnect') {
      this.#fail(`the broker sent ${packet.cmd.toUpperCase()} before CONNACK`);
      ignore(packet);
      return;
    }
    switch (packet.cmd) {
      case 'pingresp':
        if (this.#pingedAt !== undefined) this.roundTrip = performance.now() - this.#pingedAt;
        this.#pingedAt = undefined;
        for (const pinger of this.#pingers.splice(0)) pinger();
        break;
      case 'publish':
        // MQTT.js would answer as soon as it has handed the message on, and read nothing more until then.
        this.#qos = packet.qos;
        packet.qos = 0;
        break;
      case 'pubrel':
        // Nor may PUBCOMP go out before the observer says so.
        ignore(packet);
        if (packet.messageId !== undefined) this.#observer.released(packet.messageId);
        break;
      case 'puback':
      case 'pubrec':
      case 'pubcomp':
        this.#answer = packet;
        break;
      case 'disconnect':
        this.#cause.disconnected(packet.reasonCode ?? 0, packet.properties);
        break;
      case 'connack':
        this.#onConnack(packet);
    }
  }

  #onConnack(packet: IConnackPacket): void {
    // MQTT.js ends the connection over a second one.
    if (this.#accepted) return;
    const code = packet.reasonCode ?? packet.returnCode ?? 0;
    if (code === 0) {
      this.#aliases = new TopicAliases(packet.properties?.topicAliasMaximum ?? 0, this.#useAliases);
      this.#accepted = true;
      this.#reader.start();
      this.#observer.accepted(packet);
    } else this.#cause.refused(code, packet.properties);
  }

  // After a packet that it cannot parse MQTT.js would go on reading somewhere in the middle of it.
  #fail(reason: string, farewell?: Buffer): void {
    if (this.#ended) return;
    this.#cause.failed(reason);
    this.#left = true;
    this.#reader.stop();
    if (farewell === undefined) {
      this.#stream.destroy();
      return;
    }
    const timer = setTimeout(() => this.#stream.destroy(), FAREWELL_MS);
    this.#stream.end(farewell, () => this.#stream.destroy()).once('close', () => clearTimeout(timer));
  }

  #onClosed(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#backpressure.close();
    this.#subscribing.close();
    for (const pinger of this.#pingers.splice(0)) pinger();
    this.#observer.ended(this.#cause.end);
    for (const leaver of this.#leavers) leaver();
  }

  // An alias makes a packet longer at first; one that is asked for was counted.
  #mayUseAlias({ options, bytes }: OutgoingMessage): boolean {
    const limit = this.brokerProperties.maximumPacketSize ?? Number.POSITIVE_INFINITY;
    return options.topicAlias !== undefined || bytes < limit;
  }

  #release(packetId: number, outcome: PublishOutcome): void {
    this.#awaitAnswer(packetId, outcome);
    this.write(Buffer.from([PUBREL, 2, packetId >> 8, packetId & 0xff]));
  }

  /** Has MQTT.js take the answers to a PUBLISH or PUBREL for what it knows; nothing is heard if the connection ends first. */
  #awaitAnswer(packetId: number, outcome: PublishOutcome): void {
    this.#identifiers.register(packetId);
    this.#client.outgoing[packetId] = {
      volatile: false,
      cmd: 'publish',
      cb: (error, packet) => {
        // MQTT.js's own errors mean that the connection has ended.
        if (error && !('code' in error && typeof error.code === 'number')) return;
        outcome(error ?? undefined, packet ?? this.#answer);
      },
    };
  }

  /** Keeps nothing, as the session keeps all; it is how MQTT.js says that it is about to send PUBREL. */
  #outgoingStore(): IStore {
    const empty = new Store();
    const store: IStore = {
      put: (packet, callback) => {
        if (packet.cmd === 'pubrel' && packet.messageId !== undefined) {
          this.#observer.taken(packet.messageId, () => callback());
        } else callback();
        return store;
      },
      get: (packet, callback) => {
        empty.get(packet, callback);
        return store;
      },
      del: (_packet, callback) => {
        callback();
        return store;
      },
      createStream: () => empty.createStream(),
      close: (callback) => callback(),
    };
    return store;
  }
}

/** MQTT.js, which is about to deal with the packet, does nothing with it. */
function ignore(packet: Packet): void {
  Object.assign(packet, { cmd: 'ignored' });
}
