import type { IConnackPacket, IPublishPacket, Packet } from 'mqtt';
import { connectOptions } from './connect-options';
import {
  type Announcement,
  type ConnectionSettings,
  type ConnectionStatus,
  isLasting,
  type PublishOptions,
  type PublishReceipt,
  type QueueSettings,
  type SessionStatistics,
  type SubscribeOptions,
} from './connection-settings';
import { NotConnectedError, PublishError } from './errors';
import { type Hold, IncomingExchanges } from './incoming-exchanges';
import { IncomingGate } from './incoming-gate';
import { type ConnackProperties, type ConnectionEnd, NetworkConnection } from './network-connection';
import { OutgoingMessage } from './outgoing-message';
import { OutgoingQueue } from './outgoing-queue';
import { PacketIdentifiers } from './packet-identifiers';
import { publishFault } from './publish-fault';
import { MAX_IN_FLIGHT, PublishWindow } from './publish-window';
import { errorText, refusal } from './reason';
import { type Opened, Reconnection } from './reconnection';
import { settingsFault } from './settings-fault';
import { StoredSession } from './stored-session';

/** How long close() waits for acknowledgements, in ms; then it rejects. */
const DRAIN_MS = 3000;
/** The same where nothing is rejected, as it goes on in the next run: a round trip, so that little is sent twice. */
const SAFE_DRAIN_MS = 500;
/** How long a message waits where the settings say nothing of a queue, in s: a reconnect is bridged, an outage is reported. */
const DEFAULT_QUEUE: QueueSettings = { expiry: 10 };
/** MQTT 5.0 section 2.4. */
const PACKET_IDENTIFIER_NOT_FOUND = 0x92;
/** Messages that may be unacknowledged where the settings say nothing, MQTT 5.0 section 3.1.2.11.3. */
const RECEIVE_MAXIMUM = 0xffff;

export interface SessionObserver {
  status(status: ConnectionStatus): void;
  /** What cannot be told to the publisher of a message, who has been told that it is safe. */
  problem(error: Error): void;
  /** Connected; `resumed` says whether the broker still has the session's subscriptions. Called before anything waiting is sent. */
  ready(resumed: boolean): void;
  /** A message; it is acknowledged when all holds that are taken on it are released. */
  message(packet: IPublishPacket, hold: Hold): void;
}

/**
 * One MQTT session over one network connection at a time: keeps what is unacknowledged on both sides from one
 * connection to the next, and gives every outcome its reason. Once closed it is not used again.
 */
export class MqttSession {
  readonly #settings: ConnectionSettings;
  readonly #observer: SessionObserver;
  readonly #reconnection: Reconnection;
  readonly #identifiers = new PacketIdentifiers();
  readonly #queue: OutgoingQueue;
  readonly #window: PublishWindow;
  readonly #incoming: IncomingExchanges;
  readonly #gate: IncomingGate;
  readonly #stored: StoredSession | undefined;
  #connection: NetworkConnection | undefined;
  #status: ConnectionStatus = { state: 'disconnected' };
  #closing: Promise<void> | undefined;
  #leaving: Promise<void> | undefined;
  /** open() has been called since #leaving. */
  #returning = false;
  /** open() has been called, and disconnect() or close() not since. */
  #wanted = false;
  /** Clean Start is about what an earlier run left behind; within this run the session is to be resumed. */
  #cleanStart: boolean;
  #clientId: string;
  #resumed = false;
  /** Packet identifiers of messages that were given up: a broker that has the session may still know them. */
  readonly #retired = new Set<number>();

  constructor(settings: ConnectionSettings, observer: SessionObserver) {
    this.#settings = settings;
    this.#observer = observer;
    this.#reconnection = new Reconnection(settings, {
      opened: (opened) => this.#onOpened(opened),
      failed: (end) => this.#onEnded(end),
    });
    this.#cleanStart = settings.cleanStart;
    this.#clientId = settings.clientId;
    this.#queue = new OutgoingQueue(settings.queue ?? DEFAULT_QUEUE);
    this.#window = new PublishWindow(this.#queue, (message) => this.#send(message));
    const directory = settings.queue?.directory;
    if (directory !== undefined) {
      this.#stored = new StoredSession(directory, (error) => observer.problem(error));
    }
    this.#incoming = new IncomingExchanges(
      (answers) => this.#answer(answers),
      settings.protocolVersion === 5,
      isLasting(settings) ? this.#stored : undefined,
    );
    this.#gate = new IncomingGate(
      settings.receiveMaximum ?? RECEIVE_MAXIMUM,
      () => this.#incoming.unanswered,
      (packet) => this.#incoming.receive(packet, (hold) => observer.message(packet, hold)),
    );
  }

  get status(): ConnectionStatus {
    return this.#status;
  }

  /** What the broker said about itself in CONNACK; empty on MQTT 3.1.1. */
  get brokerProperties(): ConnackProperties {
    return this.#connection?.brokerProperties ?? {};
  }

  get statistics(): SessionStatistics {
    return {
      waiting: this.#queue.size,
      waitingBytes: this.#queue.bytes,
      inFlight: this.#window.unacknowledged.length,
      dropped: this.#queue.dropped,
      expired: this.#queue.expired,
      unanswered: this.#incoming.unanswered,
      diskFault: this.#stored?.fault,
      roundTrip: this.#connection?.roundTrip,
    };
  }

  /** Starts connecting, and keeps at it until disconnect() or close(). Unusable settings end in the state `error`. */
  open(): void {
    if (!this.#isUsable()) return;
    if (this.#leaving !== undefined) {
      this.#returning = true;
      return;
    }
    if (this.#reconnection.running) return;
    this.#wanted = true;
    this.#setStatus('connecting');
    if (this.#stored === undefined) this.#reconnection.start();
    else void this.#openStored(this.#stored);
  }

  /** Takes up the queue on disk, if there is one, without connecting. */
  openQueue(): void {
    if (this.#stored !== undefined && this.#isUsable()) void this.#openStored(this.#stored);
  }

  #isUsable(): boolean {
    if (this.#closing !== undefined) return false;
    const fault = settingsFault(this.#settings);
    if (fault !== undefined) this.#refuse(fault);
    return fault === undefined;
  }

  async #openStored(stored: StoredSession): Promise<void> {
    try {
      const { messages, received } = await stored.open();
      this.#window.restore(messages);
      if (isLasting(this.#settings)) this.#incoming.restore(received);
      else stored.releaseAll();
      if (this.#wanted) this.#reconnection.start();
    } catch (error) {
      this.#refuse(`queue on disk: ${errorText(error)}`);
    }
  }

  /** It can never be connected. */
  #refuse(fault: string): void {
    this.#closing = Promise.resolve();
    this.#setStatus('error', fault);
    this.#queue.refuseAll(() => new NotConnectedError(fault));
  }

  /** Disconnects until open(). What is published meanwhile waits in the queue, and so does what was not acknowledged. */
  disconnect(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing;
    this.#returning = false;
    if (this.#leaving === undefined && !this.#wanted) return Promise.resolve();
    this.#leaving ??= this.#leave().then(() => {
      this.#leaving = undefined;
      this.#setStatus('disconnected', 'disconnected on request');
      if (this.#returning) this.open();
    });
    return this.#leaving;
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
    else {
      if (options.qos > 0) this.#stored?.keep(message);
      this.#window.push(
        message,
        state === 'connected' ? undefined : (reason ?? 'the connection is being made'),
      );
    }
    return message.result;
  }

  /** Resolves after SUBACK; rejects with SubscribeError when the broker refuses, NotConnectedError when there is no connection. */
  subscribe(filter: string, options: SubscribeOptions, identifier: number | undefined): Promise<void> {
    return this.#connected?.subscribe(filter, options, identifier) ?? this.#notConnected();
  }

  /** Resolves with `true` after UNSUBACK, with `false` when the connection ends first or there is none. */
  unsubscribe(filter: string): Promise<boolean> {
    return this.#connected?.unsubscribe(filter) ?? Promise.resolve(false);
  }

  /** Resolves with the ms that the broker takes to answer PINGREQ; rejects with NotConnectedError. */
  ping(): Promise<number> {
    return this.#connected?.ping() ?? this.#notConnected();
  }

  /** Whether packets can be sent; not any more while what is under way is waited for to close. */
  get connected(): boolean {
    return this.#connected !== undefined;
  }

  get #connected(): NetworkConnection | undefined {
    return this.#closing === undefined && this.#connection?.connected === true ? this.#connection : undefined;
  }

  #notConnected(): Promise<never> {
    return Promise.reject(new NotConnectedError(this.#status.reason));
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
    await (this.#leaving ?? this.#leave());
    await this.#stored?.close();
    this.#queue.refuseAll(() => new NotConnectedError('the connection was closed'));
    this.#window.abandon('the connection was closed before the broker acknowledged it');
    this.#setStatus('disconnected');
  }

  async #leave(): Promise<void> {
    const { closing } = this.#settings;
    if (this.#connection?.connected === true) {
      const patience = this.#isSafe ? SAFE_DRAIN_MS : DRAIN_MS;
      // What is on the disk can wait for the next connection.
      if (this.#stored !== undefined && this.#stored.fault === undefined) this.#window.hold();
      const answers = await this.#window.drained(patience);
      if (closing !== undefined) {
        this.#announce(closing);
        // A broker that has answered nothing so far will not answer this either.
        if (answers) await this.#window.drained(patience);
      }
    }
    this.#window.pause();
    this.#wanted = false;
    this.#reconnection.stop();
    this.#incoming.sendAnswers();
    await this.#connection?.close();
  }

  /** Whether what is in flight comes to its end also after this process: the disk has it, and the broker keeps the session. */
  get #isSafe(): boolean {
    return this.#stored !== undefined && this.#stored.fault === undefined && isLasting(this.#settings);
  }

  /** Who wanted it to be published hears nothing of it: the next connection brings another. */
  #announce({ topic, payload, ...options }: Announcement): void {
    const message = new OutgoingMessage(topic, payload, options);
    message.result.catch(() => {});
    this.#window.pushFirst(message);
  }

  #onOpened({ stream, password, timeout }: Opened): void {
    const options = connectOptions(this.#settings, {
      clientId: this.#clientId,
      cleanStart: this.#cleanStart,
      password,
      timeout,
    });
    this.#connection = new NetworkConnection(
      stream,
      options,
      this.#settings.maximumPacketSize,
      this.#settings.topicAliases === true,
      this.#identifiers,
      {
        accepted: (connack) => this.#onAccepted(connack),
        ready: () => this.#onReady(),
        message: (packet) => this.#onMessage(packet),
        released: (packetId) => this.#incoming.complete(packetId),
        taken: (packetId, send) => this.#onTaken(packetId, send),
        ended: (end) => this.#onEnded(end),
      },
    );
    this.#connection.open();
  }

  #onAccepted(connack: IConnackPacket): void {
    this.#reconnection.accepted();
    const { protocolVersion, sessionExpiry = 0 } = this.#settings;
    // A broker that was asked for a new session has none to resume, whatever it says. MQTT 3.1 has no Session Present.
    this.#resumed = !this.#cleanStart && (protocolVersion === 3 || connack.sessionPresent);
    this.#incoming.connected(this.#resumed);
    if (!this.#resumed) {
      this.#window.forget();
      this.#retired.clear();
    }
    const taken = this.#window.unacknowledged.map(({ packetId }) => packetId);
    this.#identifiers.reset([...taken.filter((id) => id !== undefined), ...this.#retired]);
    this.#clientId = connack.properties?.assignedClientIdentifier ?? this.#clientId;
    if (protocolVersion === 5 && sessionExpiry > 0) this.#cleanStart = false;
  }

  #onReady(): void {
    if (this.#closing !== undefined || this.#leaving !== undefined) return;
    const { birth, maxInFlight = MAX_IN_FLIGHT } = this.#settings;
    this.#setStatus('connected');
    this.#observer.ready(this.#resumed);
    if (birth !== undefined) this.#announce(birth);
    this.#window.open(Math.min(this.brokerProperties.receiveMaximum ?? maxInFlight, maxInFlight));
  }

  #onMessage(packet: IPublishPacket): void {
    this.#gate.push(packet);
    if (this.#gate.full) this.#connection?.pause();
  }

  #answer(answers: Buffer): void {
    this.#connection?.write(answers);
    this.#gate.open();
    if (!this.#gate.full) this.#connection?.resume();
  }

  /** PUBREC: from here on the message itself is not sent again, only PUBREL. */
  #onTaken(packetId: number, send: () => void): void {
    const message = this.#window.unacknowledged.find((sent) => sent.packetId === packetId);
    if (message !== undefined) message.released = true;
    if (message !== undefined && this.#stored !== undefined) this.#stored.taken(message, send);
    else send();
  }

  #onEnded(end: ConnectionEnd): void {
    this.#connection = undefined;
    this.#gate.lost();
    this.#incoming.lost();
    const { url } = this.#reconnection;
    const reason = this.#reconnection.again(end);
    const givenUp = this.#window.lost(end.reason, end.overPacket);
    if (givenUp?.packetId !== undefined) this.#retired.add(givenUp.packetId);
    if (this.#closing !== undefined || this.#leaving !== undefined) return;
    if (end.refused && this.#settings.queue === undefined) {
      this.#queue.refuseAll(() => new NotConnectedError(reason));
    }
    this.#setStatus(end.refused ? 'error' : 'reconnecting', reason, url);
  }

  #fault(message: OutgoingMessage): string | undefined {
    return publishFault(message, this.brokerProperties, this.#settings.protocolVersion);
  }

  #send(message: OutgoingMessage): void {
    // What is left of a message that the broker has taken is PUBREL.
    const fault = message.released ? undefined : this.#fault(message);
    if (fault !== undefined) {
      if (message.packetId !== undefined) this.#retired.add(message.packetId);
      this.#window.settle(message, new PublishError(message.topic, fault));
      return;
    }
    const connection = this.#connection;
    const send = (): void => {
      if (connection !== this.#connection) return;
      connection?.publish(message, (error, packet) => this.#onOutcome(message, error, packet));
    };
    if (message.options.qos > 0) {
      message.packetId ??= this.#identifiers.allocate() ?? undefined;
      // The window is smaller than their number, but SUBSCRIBE and UNSUBSCRIBE have one each until they are answered.
      if (message.packetId === undefined) {
        const text = 'all packet identifiers are taken by what the broker has not answered';
        this.#window.settle(message, new PublishError(message.topic, text));
        return;
      }
    }
    if (message.options.qos === 0 || this.#stored === undefined) send();
    else this.#stored.sending(message, send);
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

  #setStatus(state: ConnectionStatus['state'], reason?: string, url = this.#reconnection.url): void {
    if (state === this.#status.state && reason === this.#status.reason && url === this.#status.url) return;
    this.#status = { state, ...(reason !== undefined && { reason }), ...(url !== undefined && { url }) };
    this.#observer.status(this.#status);
  }
}

/** The reason in a PUBACK, PUBREC or PUBCOMP. */
function publishRefusal(error: Error & { code?: number }, packet: Packet | undefined): string {
  const properties = packet !== undefined && 'properties' in packet ? packet.properties : undefined;
  const words = properties !== undefined && 'reasonString' in properties ? properties : undefined;
  return error.code === undefined ? errorText(error) : refusal(error.code, words);
}
