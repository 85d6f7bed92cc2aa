import type { IClientOptions, IConnackPacket, IPublishPacket, Packet } from 'mqtt';
import { Backoff } from './backoff';
import type {
  ConnectionSettings,
  ConnectionStatus,
  PublishOptions,
  PublishReceipt,
  QueueSettings,
  SubscribeOptions,
} from './connection-settings';
import { openStream, settingsFault } from './endpoint';
import { NotConnectedError, PublishError } from './errors';
import { type Hold, IncomingExchanges } from './incoming-exchanges';
import { type ConnackProperties, type ConnectionEnd, NetworkConnection } from './network-connection';
import { OutgoingMessage } from './outgoing-message';
import { OutgoingQueue } from './outgoing-queue';
import { PacketIdentifiers } from './packet-identifiers';
import { publishFault } from './publish-fault';
import { MAX_IN_FLIGHT, PublishWindow } from './publish-window';
import { errorText, refusal } from './reason';

/** How long an attempt to connect may take where the settings say nothing, in s. */
const CONNECT_TIMEOUT_S = 15;
/** How long close() waits for acknowledgements, in ms; then it rejects. */
const DRAIN_MS = 3000;
/** A connection that lasted this long was a good one, in ms: the next outage starts with short delays again. */
const STABLE_MS = 10_000;
/** How long a message waits where the settings say nothing of a queue, in s: a reconnect is bridged, an outage is reported. */
const DEFAULT_QUEUE: QueueSettings = { expiry: 10 };
/** MQTT 5.0 section 2.4. */
const PACKET_IDENTIFIER_NOT_FOUND = 0x92;

export interface SessionObserver {
  status(status: ConnectionStatus): void;
  /** Connected; `resumed` says whether the broker still has the session's subscriptions. Called before anything waiting is sent. */
  ready(resumed: boolean): void;
  /** A message; it is acknowledged when all holds that are taken on it are released. */
  message(packet: IPublishPacket, hold: Hold): void;
}

/**
 * One MQTT session over one network connection at a time: reconnects with backoff, keeps what is unacknowledged on
 * both sides from one connection to the next, and gives every outcome its reason. Once closed it is not used again.
 */
export class MqttSession {
  readonly #settings: ConnectionSettings;
  readonly #observer: SessionObserver;
  readonly #backoff: Backoff;
  readonly #identifiers = new PacketIdentifiers();
  readonly #queue: OutgoingQueue;
  readonly #window: PublishWindow;
  readonly #incoming: IncomingExchanges;
  #connection: NetworkConnection | undefined;
  #status: ConnectionStatus = { state: 'disconnected' };
  #closing: Promise<void> | undefined;
  #attempt: AbortController | undefined;
  #retry: NodeJS.Timeout | undefined;
  #stable: NodeJS.Timeout | undefined;
  /** Clean Start is about what an earlier run left behind; within this run the session is to be resumed. */
  #cleanStart: boolean;
  #clientId: string;
  #resumed = false;
  /** Packet identifiers of messages that were given up: a broker that has the session may still know them. */
  readonly #retired = new Set<number>();

  constructor(settings: ConnectionSettings, observer: SessionObserver) {
    this.#settings = settings;
    this.#observer = observer;
    this.#backoff = new Backoff(settings.reconnect);
    this.#cleanStart = settings.cleanStart;
    this.#clientId = settings.clientId;
    this.#queue = new OutgoingQueue(settings.queue ?? DEFAULT_QUEUE);
    this.#window = new PublishWindow(this.#queue, (message) => this.#send(message));
    this.#incoming = new IncomingExchanges(
      (answers) => this.#connection?.write(answers),
      settings.protocolVersion === 5,
    );
  }

  get status(): ConnectionStatus {
    return this.#status;
  }

  /** What the broker said about itself in CONNACK; empty on MQTT 3.1.1. */
  get brokerProperties(): ConnackProperties {
    return this.#connection?.brokerProperties ?? {};
  }

  /** Starts connecting, and keeps at it until close(). Unusable settings end in the state `error`. */
  open(): void {
    const fault = settingsFault(this.#settings);
    if (fault !== undefined) {
      this.#closing = Promise.resolve();
      this.#setStatus({ state: 'error', reason: fault });
      this.#queue.refuseAll(() => new NotConnectedError(fault));
      return;
    }
    this.#setStatus({ state: 'connecting' });
    void this.#connect();
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
   * Publishes, now or when the connection and the window allow it, within the bounds of the queue. Resolves after
   * PUBACK or PUBCOMP (QoS 0: when it is written); rejects with a PublishError or NotConnectedError.
   */
  publish(topic: string, payload: Buffer | string, options: PublishOptions): Promise<PublishReceipt> {
    const refusal = this.#publishRefusal(options);
    if (refusal !== undefined) return Promise.reject(refusal);
    const message = new OutgoingMessage(topic, payload, options);
    const { state, reason } = this.#status;
    const fault = state === 'connected' ? this.#fault(message) : undefined;
    if (fault !== undefined) message.end(new PublishError(topic, fault));
    else
      this.#window.push(
        message,
        state === 'connected' ? undefined : (reason ?? 'the connection is being made'),
      );
    return message.result;
  }

  /** Resolves after SUBACK; rejects with SubscribeError when the broker refuses, NotConnectedError when there is no connection. */
  subscribe(filter: string, options: SubscribeOptions, identifier: number | undefined): Promise<void> {
    const connection = this.#connection;
    if (this.#closing !== undefined || connection?.connected !== true) {
      return Promise.reject(new NotConnectedError(this.#status.reason));
    }
    return connection.subscribe(filter, options, identifier);
  }

  /** Resolves after UNSUBACK, and also when the connection ends first: there is nothing that a caller could do. */
  unsubscribe(filter: string): Promise<void> {
    const connection = this.#connection;
    if (this.#closing !== undefined || connection?.connected !== true) return Promise.resolve();
    return connection.unsubscribe(filter);
  }

  /** Why a message is not even queued. */
  #publishRefusal({ qos }: PublishOptions): Error | undefined {
    const { state, reason } = this.#status;
    if (this.#closing !== undefined) return new NotConnectedError(reason);
    if (state === 'connected') return undefined;
    const { queue } = this.#settings;
    const refused = state === 'error' && queue === undefined;
    return refused || (qos === 0 && queue?.qos0 === 'refuse') ? new NotConnectedError(reason) : undefined;
  }

  async #end(): Promise<void> {
    clearTimeout(this.#retry);
    clearTimeout(this.#stable);
    if (this.#connection?.connected === true) await this.#window.drained(DRAIN_MS);
    this.#window.pause();
    this.#queue.refuseAll(() => new NotConnectedError('the connection was closed'));
    this.#window.abandon('the connection was closed before the broker acknowledged it');
    this.#attempt?.abort(new Error('the connection was closed'));
    await this.#connection?.close();
    this.#setStatus({ state: 'disconnected' });
  }

  /** One attempt; it ends in #onEnded when there is no connection, or no more. */
  async #connect(): Promise<void> {
    const attempt = new AbortController();
    this.#attempt = attempt;
    const deadline = Date.now() + (this.#settings.connectTimeout ?? CONNECT_TIMEOUT_S) * 1000;
    const timer = setTimeout(() => attempt.abort(new Error('no answer in time')), deadline - Date.now());
    try {
      const stream = await openStream(this.#settings, attempt.signal);
      if (attempt.signal.aborted) {
        stream.destroy();
        throw attempt.signal.reason;
      }
      this.#connection = this.#newConnection(stream, Math.max(1, deadline - Date.now()));
      this.#connection.open();
    } catch (error) {
      this.#onEnded({ reason: errorText(error), refused: false, byBroker: false });
    } finally {
      clearTimeout(timer);
    }
  }

  #newConnection(stream: ConstructorParameters<typeof NetworkConnection>[0], connectTimeout: number) {
    const { keepAlive, protocolVersion, username, password, will, sessionExpiry } = this.#settings;
    const options: IClientOptions = {
      protocolVersion,
      clientId: this.#clientId,
      keepalive: keepAlive,
      clean: this.#cleanStart,
      connectTimeout,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(will !== undefined && { will }),
      ...(protocolVersion === 5 &&
        sessionExpiry !== undefined && { properties: { sessionExpiryInterval: sessionExpiry } }),
    };
    return new NetworkConnection(stream, options, this.#identifiers, {
      accepted: (connack) => this.#onAccepted(connack),
      ready: () => this.#onReady(),
      message: (packet) => this.#incoming.receive(packet, (hold) => this.#observer.message(packet, hold)),
      released: (packetId) => this.#incoming.complete(packetId),
      taken: (packetId, send) => this.#onTaken(packetId, send),
      ended: (end) => this.#onEnded(end),
    });
  }

  #onAccepted(connack: IConnackPacket): void {
    this.#resumed = connack.sessionPresent;
    this.#incoming.connected(this.#resumed);
    if (!this.#resumed) {
      this.#window.forget();
      this.#retired.clear();
    }
    const taken = this.#window.unacknowledged.map(({ packetId }) => packetId);
    this.#identifiers.reset([...taken.filter((id) => id !== undefined), ...this.#retired]);
    this.#clientId = connack.properties?.assignedClientIdentifier ?? this.#clientId;
    if (this.#settings.protocolVersion === 5 && (this.#settings.sessionExpiry ?? 0) > 0) {
      this.#cleanStart = false;
    }
  }

  #onReady(): void {
    if (this.#closing !== undefined) return;
    this.#stable = setTimeout(() => this.#backoff.reset(), STABLE_MS);
    this.#stable.unref();
    this.#setStatus({ state: 'connected' });
    this.#observer.ready(this.#resumed);
    const allowed = this.brokerProperties.receiveMaximum ?? Number.POSITIVE_INFINITY;
    this.#window.open(Math.min(allowed, this.#settings.maxInFlight ?? MAX_IN_FLIGHT));
  }

  /** PUBREC: from here on the message itself is not sent again, only PUBREL. */
  #onTaken(packetId: number, send: () => void): void {
    for (const message of this.#window.unacknowledged) {
      if (message.packetId === packetId) message.released = true;
    }
    send();
  }

  #onEnded({ reason, refused, byBroker }: ConnectionEnd): void {
    clearTimeout(this.#stable);
    this.#connection = undefined;
    this.#incoming.lost();
    const givenUp = this.#window.lost(reason, byBroker);
    if (givenUp?.packetId !== undefined) this.#retired.add(givenUp.packetId);
    if (this.#closing !== undefined) return;
    if (refused && this.#settings.queue === undefined) {
      this.#queue.refuseAll(() => new NotConnectedError(reason));
    }
    this.#setStatus({ state: refused ? 'error' : 'reconnecting', reason });
    this.#retry = setTimeout(() => void this.#connect(), this.#backoff.next());
  }

  #fault(message: OutgoingMessage): string | undefined {
    return publishFault(message, this.brokerProperties, this.#settings.protocolVersion);
  }

  #send(message: OutgoingMessage): void {
    const fault = this.#fault(message);
    if (fault !== undefined) this.#window.settle(message, new PublishError(message.topic, fault));
    else this.#connection?.publish(message, (error, packet) => this.#onOutcome(message, error, packet));
  }

  #onOutcome(
    message: OutgoingMessage,
    error: (Error & { code?: number }) | undefined,
    packet: Packet | undefined,
  ) {
    const { packetId, topic } = message;
    // An answer to PUBREL that was sent again: the broker had already completed the exchange.
    const completed = packet?.cmd === 'pubcomp' && error?.code === PACKET_IDENTIFIER_NOT_FOUND;
    if (error === undefined || completed) {
      const reasonCode = packet?.cmd === 'puback' ? packet.reasonCode : undefined;
      this.#window.settle(message, {
        ...(packetId !== undefined && { packetId }),
        ...(reasonCode && { reasonCode }),
      });
    } else this.#window.settle(message, new PublishError(topic, publishRefusal(error, packet), error.code));
  }

  #setStatus(status: ConnectionStatus): void {
    if (status.state === this.#status.state && status.reason === this.#status.reason) return;
    this.#status = status;
    this.#observer.status(status);
  }
}

/** The reason in a PUBACK, PUBREC or PUBCOMP. */
function publishRefusal(error: Error & { code?: number }, packet: Packet | undefined): string {
  const properties = packet !== undefined && 'properties' in packet ? packet.properties : undefined;
  const words =
    properties !== undefined && 'reasonString' in properties ? properties.reasonString : undefined;
  return error.code === undefined ? errorText(error) : refusal(error.code, words);
}
