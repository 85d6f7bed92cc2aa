import {
  connect,
  type IClientOptions,
  type IConnackPacket,
  type IPublishPacket,
  MqttClient,
  type Packet,
  UniqueMessageIdProvider,
} from 'mqtt';
import { Backoff } from './backoff';
import type {
  ConnectionSettings,
  ConnectionStatus,
  PublishOptions,
  SubscribeOptions,
} from './connection-settings';
import { openStream, settingsFault, urlOptions } from './endpoint';
import { NotConnectedError, PublishError, SubscribeError } from './errors';
import { MAX_IN_FLIGHT, OutgoingMessage, PublishWindow } from './publish-window';
import { errorText, reasonCodeText } from './reason';
import { ResendStore } from './resend-store';

/** How long the broker has for its CONNACK, in ms. */
const CONNACK_TIMEOUT_MS = 15_000;
/** How long close() waits for acknowledgements, in ms; then it rejects. */
const DRAIN_MS = 3000;
/** How long close() waits for the broker to close the network connection after DISCONNECT, in ms. */
const FAREWELL_MS = 1000;
/** A connection that lasted this long was a good one, in ms: the next outage starts with short delays again. */
const STABLE_MS = 10_000;
/** The longest packet that MQTT can carry [MQTT-1.5.5]. */
const MAX_PACKET_BYTES = 268_435_455;
/** MQTT 5.0 section 2.4. */
const PACKET_IDENTIFIER_NOT_FOUND = 0x92;

type ConnackProperties = NonNullable<IConnackPacket['properties']>;

export interface SessionObserver {
  status(status: ConnectionStatus): void;
  /** Connected; `resumed` says whether the broker still has the session's subscriptions. Called before anything waiting is sent. */
  ready(resumed: boolean): void;
  message(packet: IPublishPacket): void;
}

/**
 * One MQTT session over one network connection at a time, on MQTT.js: reconnects with backoff, publishes within a
 * window, and gives every outcome its reason. It is used once: open, close.
 */
export class MqttSession {
  readonly #settings: ConnectionSettings;
  readonly #observer: SessionObserver;
  readonly #backoff = new Backoff();
  readonly #store = new ResendStore();
  readonly #window: PublishWindow;
  #client: MqttClient | undefined;
  #status: ConnectionStatus = { state: 'disconnected' };
  #closing: Promise<void> | undefined;
  /** Why the present attempt or connection is about to end. */
  #reason: string | undefined;
  #refused = false;
  #stable: NodeJS.Timeout | undefined;

  constructor(settings: ConnectionSettings, observer: SessionObserver) {
    this.#settings = settings;
    this.#observer = observer;
    this.#window = new PublishWindow((message) => this.#send(message));
  }

  get status(): ConnectionStatus {
    return this.#status;
  }

  /** What the broker said about itself in CONNACK; empty on MQTT 3.1.1. */
  get brokerProperties(): ConnackProperties {
    return this.#client?.serverProperties ?? {};
  }

  /** Starts connecting, and keeps at it until close(). Unusable settings end in the state `error`. */
  open(): void {
    const fault = settingsFault(this.#settings);
    if (fault !== undefined) {
      this.#setStatus({ state: 'error', reason: fault });
      return;
    }
    this.#setStatus({ state: 'connecting' });
    const client = this.#newClient();
    this.#client = client;
    client.on('packetsend', (packet) => {
      if (packet.cmd === 'connect') this.#onAttempt(client);
    });
    client.on('packetreceive', (packet) => this.#onPacket(client, packet));
    client.on('connect', (packet) => this.#onConnected(client, packet));
    client.on('message', (_topic, _payload, packet) => this.#observer.message(packet));
    client.on('error', (error) => this.#onError(client, error));
    client.on('close', () => this.#onClosed());
    client.connect();
  }

  /**
   * Ends the session: waits a bounded time for what is in flight, rejects the rest, sends DISCONNECT (so that the
   * will is not published) and resolves when the network connection is closed.
   */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  /**
   * Publishes, now or when the connection and the window allow it, within the bounds of `PublishWindow`.
   * Resolves after PUBACK or PUBCOMP (QoS 0: when it is written); rejects with a PublishError or NotConnectedError.
   */
  publish(topic: string, payload: Buffer | string, options: PublishOptions): Promise<void> {
    const { state, reason } = this.#status;
    if (this.#closing !== undefined || state === 'error' || state === 'disconnected') {
      return Promise.reject(new NotConnectedError(reason));
    }
    return this.#window.push(
      new OutgoingMessage(topic, payload, options),
      state === 'connected' ? undefined : (reason ?? 'the connection is being made'),
    );
  }

  /** Resolves after SUBACK; rejects with SubscribeError when the broker refuses, NotConnectedError when there is no connection. */
  subscribe(filter: string, options: SubscribeOptions, identifier: number | undefined): Promise<void> {
    const client = this.#client;
    if (this.#closing !== undefined || client?.connected !== true) {
      return Promise.reject(new NotConnectedError(this.#status.reason));
    }
    const version5 = this.#settings.protocolVersion === 5;
    return new Promise((resolve, reject) => {
      client.subscribe(
        filter,
        {
          qos: options.qos,
          ...(version5 && {
            nl: options.noLocal ?? false,
            rap: options.retainAsPublished ?? false,
            rh: options.retainHandling ?? 0,
          }),
          ...(identifier !== undefined && { properties: { subscriptionIdentifier: identifier } }),
        },
        (error, _granted, suback) => {
          const code = suback?.granted.map(Number).find((granted) => granted >= 0x80);
          if (error === null) resolve();
          else if (code === undefined) reject(new NotConnectedError(errorText(error)));
          else reject(new SubscribeError(filter, refusal(code, suback?.properties?.reasonString), code));
        },
      );
    });
  }

  /** Resolves after UNSUBACK, and also when the connection ends first: there is nothing that a caller could do. */
  unsubscribe(filter: string): Promise<void> {
    const client = this.#client;
    if (this.#closing !== undefined || client?.connected !== true) return Promise.resolve();
    return new Promise((resolve) => {
      client.unsubscribe(filter, () => resolve());
    });
  }

  async #end(): Promise<void> {
    clearTimeout(this.#stable);
    const client = this.#client;
    if (client?.connected) await this.#window.drained(DRAIN_MS);
    this.#window.open(0);
    this.#window.refuseWaiting('the connection was closed');
    for (const message of this.#window.inFlight) {
      this.#reject(message, 'the connection was closed before the broker acknowledged it');
    }
    if (client !== undefined) await endClient(client);
    this.#setStatus({ state: 'disconnected' });
  }

  #newClient(): MqttClient {
    const { endpoint, ...settings } = this.#settings;
    const options: IClientOptions = {
      manualConnect: true,
      protocolVersion: settings.protocolVersion,
      clientId: settings.clientId,
      keepalive: settings.keepAlive,
      clean: settings.cleanStart,
      connectTimeout: CONNACK_TIMEOUT_MS,
      reconnectOnConnackError: true,
      // Subscriptions are made again by our observer, which knows what is still wanted.
      resubscribe: false,
      queueQoSZero: false,
      outgoingStore: this.#store,
      messageIdProvider: new UniqueMessageIdProvider(),
      // Formatting debug lines that nobody reads costs a twentieth of the time per message.
      log: () => {},
      ...(settings.username !== undefined && { username: settings.username }),
      ...(settings.password !== undefined && { password: settings.password }),
      ...(settings.will !== undefined && { will: settings.will }),
      ...(settings.protocolVersion === 5 &&
        settings.sessionExpiry !== undefined && {
          properties: { sessionExpiryInterval: settings.sessionExpiry },
        }),
    };
    if ('url' in endpoint) return connect({ ...urlOptions(endpoint.url, settings.tls), ...options });
    return new MqttClient(() => openStream(endpoint.openStream), options);
  }

  #onAttempt(client: MqttClient): void {
    this.#reason = undefined;
    this.#refused = false;
    // MQTT.js reads this when the attempt has failed.
    client.options.reconnectPeriod = this.#backoff.next();
    // MQTT.js passes on only stream errors that have a code.
    client.stream.on('error', (error: Error) => {
      this.#reason ??= errorText(error);
    });
  }

  #onPacket(client: MqttClient, packet: Packet): void {
    if (packet.cmd === 'disconnect') {
      this.#reason = `the broker ended the connection: ${refusal(packet.reasonCode ?? 0, packet.properties?.reasonString)}`;
    }
    if (packet.cmd !== 'connack') return;
    const code = packet.reasonCode ?? packet.returnCode ?? 0;
    if (code !== 0) {
      this.#refused = true;
      this.#reason = refusal(code, packet.properties?.reasonString);
    } else if (!packet.sessionPresent) {
      this.#settleLostSession(client);
    }
  }

  /**
   * The broker has forgotten the session. What was in flight at QoS 1 is published again, a repetition being allowed.
   * At QoS 2 it is not: a message that the broker has taken over (PUBREC) is done, of any other the fate is unknown.
   */
  #settleLostSession(client: MqttClient): void {
    const again: OutgoingMessage[] = [];
    for (const message of this.#window.inFlight) {
      if (message.packetId === undefined) continue;
      if (message.options.qos === 1) again.push(message);
      else if (this.#store.isReleased(message.packetId)) this.#window.settle(message);
      else this.#reject(message, 'the broker lost the session; whether the message arrived is not known');
    }
    this.#window.requeue(again);
    // Nothing is left to MQTT.js, which would re-send one at a time, and not be connected before all are acknowledged.
    for (const id of Object.keys(client.outgoing)) client.removeOutgoingMessage(Number(id));
  }

  #onConnected(client: MqttClient, packet: IConnackPacket): void {
    if (this.#closing !== undefined) return;
    this.#stable = setTimeout(() => {
      this.#backoff.reset();
      client.options.reconnectPeriod = this.#backoff.next();
    }, STABLE_MS);
    this.#stable.unref();
    // Clean Start is about what an earlier run left behind; within this run the session is to be resumed.
    if (this.#settings.protocolVersion === 5 && (this.#settings.sessionExpiry ?? 0) > 0) {
      client.options.clean = false;
    }
    this.#setStatus({ state: 'connected' });
    this.#observer.ready(packet.sessionPresent);
    this.#window.open(this.brokerProperties.receiveMaximum ?? MAX_IN_FLIGHT);
  }

  #onError(client: MqttClient, error: Error): void {
    if (!this.#refused) this.#reason ??= errorText(error);
    // After a packet that it cannot parse MQTT.js would go on reading somewhere in the middle of it.
    if (!client.stream.destroyed) client.stream.destroy();
  }

  #onClosed(): void {
    clearTimeout(this.#stable);
    this.#window.open(0);
    const reason = this.#reason ?? 'the broker closed the connection';
    for (const message of this.#window.inFlight) {
      if (message.options.qos === 0) this.#reject(message, reason);
    }
    if (this.#closing !== undefined) return;
    if (this.#refused) this.#window.refuseWaiting(reason);
    this.#setStatus({ state: this.#refused ? 'error' : 'reconnecting', reason });
  }

  #send(message: OutgoingMessage): void {
    const client = this.#client;
    if (client === undefined) return;
    const { topic, options } = message;
    const fault = publishFault(message, this.brokerProperties);
    if (fault !== undefined) {
      this.#reject(message, fault);
      return;
    }
    const { qos, retain, properties } = options;
    client.publish(
      topic,
      message.payload,
      { qos, retain, dup: message.repeated, ...(properties !== undefined && { properties }) },
      (error, packet) => {
        const { code } = (error ?? {}) as { code?: number };
        // An answer to PUBREL that was sent again: the broker had already completed the exchange.
        const completed = packet?.cmd === 'pubcomp' && code === PACKET_IDENTIFIER_NOT_FOUND;
        if (!error || completed) this.#window.settle(message);
        else this.#window.settle(message, new PublishError(topic, publishRefusal(error, packet), code));
      },
    );
    if (qos > 0) message.packetId = client.getLastMessageId();
  }

  #reject(message: OutgoingMessage, reason: string): void {
    this.#window.settle(message, new PublishError(message.topic, reason));
  }

  #setStatus(status: ConnectionStatus): void {
    if (status.state === this.#status.state && status.reason === this.#status.reason) return;
    this.#status = status;
    this.#observer.status(status);
  }
}

/** Why the broker would end the connection over this message instead of answering: MQTT 5.0 sections 3.2.2.3.4 to 3.2.2.3.6. */
function publishFault(
  { topic, payload, options }: OutgoingMessage,
  broker: ConnackProperties,
): string | undefined {
  if (broker.maximumQoS !== undefined && options.qos > broker.maximumQoS) {
    return `QoS ${options.qos}, but the broker takes at most QoS ${broker.maximumQoS}`;
  }
  if (broker.retainAvailable === false && options.retain) return 'the broker does not keep retained messages';
  const limit = broker.maximumPacketSize ?? MAX_PACKET_BYTES;
  const bytes = Buffer.byteLength(payload) + Buffer.byteLength(topic);
  if (bytes <= limit) return undefined;
  return `topic and payload are ${bytes} bytes, but the broker takes packets of at most ${limit} bytes`;
}

/** The reason in a PUBACK, PUBREC or PUBCOMP. */
function publishRefusal(error: Error & { code?: number }, packet: Packet | undefined): string {
  const properties = packet !== undefined && 'properties' in packet ? packet.properties : undefined;
  const words =
    properties !== undefined && 'reasonString' in properties ? properties.reasonString : undefined;
  return error.code === undefined ? errorText(error) : refusal(error.code, words);
}

const refusal = (code: number, reasonString: string | undefined): string =>
  reasonString ? `${reasonCodeText(code)}: ${reasonString}` : reasonCodeText(code);

/** DISCONNECT, then the end of the network connection, which a silent broker can delay only for a moment. */
async function endClient(client: MqttClient): Promise<void> {
  // With manualConnect MQTT.js goes back to reconnecting when the stream that end() destroys has closed.
  client.options.reconnectPeriod = 0;
  // It would wait without end for what is not answered.
  for (const id of Object.keys(client.outgoing)) client.removeOutgoingMessage(Number(id));
  const farewell = setTimeout(() => client.stream.destroy(), FAREWELL_MS);
  await client.endAsync(!client.connected);
  clearTimeout(farewell);
}
