import type { IConnackPacket, IPublishPacket } from 'mqtt';
import { connectOptions } from './connect-options';
import type { ConnectionEnd } from './connection-end';
import {
  type ConnectionSettings,
  type ConnectionStatus,
  isLasting,
  type Post,
  type PostOutcome,
  type PublishOptions,
  type PublishReceipt,
  type SessionStatistics,
  type SubscribeOptions,
} from './connection-settings';
import { NotConnectedError } from './errors';
import { type Hold, IncomingExchanges } from './incoming-exchanges';
import { IncomingGate } from './incoming-gate';
import { type ConnackProperties, NetworkConnection } from './network-connection';
import { OutgoingExchanges } from './outgoing-exchanges';
import { errorText } from './reason';
import { type Opened, Reconnection } from './reconnection';
import { settingsFault } from './settings-fault';
import { StoredSession } from './stored-session';

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
  readonly #outgoing: OutgoingExchanges;
  readonly #incoming: IncomingExchanges;
  readonly #gate: IncomingGate;
  /** By whoever uses it. */
  #paused = false;
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

  constructor(settings: ConnectionSettings, observer: SessionObserver) {
    this.#settings = settings;
    this.#observer = observer;
    this.#reconnection = new Reconnection(settings, {
      opened: (opened) => this.#onOpened(opened),
      failed: (end) => this.#onEnded(end),
    });
    this.#cleanStart = settings.cleanStart;
    this.#clientId = settings.clientId;
    const directory = settings.queue?.directory;
    if (directory !== undefined) {
      this.#stored = new StoredSession(directory, (error) => observer.problem(error));
    }
    this.#outgoing = new OutgoingExchanges(settings, this.#stored);
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
      ...this.#outgoing.statistics,
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
      this.#outgoing.restore(messages);
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
    this.#outgoing.refuseWaiting(fault);
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
    const { state, reason } = this.#status;
    return this.#outgoing.publish(
      topic,
      payload,
      options,
      state === 'connected' ? undefined : (reason ?? 'the connection is being made'),
    );
  }

  /** See `Connection.post`. */
  post(message: Post): PostOutcome {
    return this.#connected?.post(message) ?? 'offline';
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
    this.#outgoing.end();
    this.#setStatus('disconnected');
  }

  async #leave(): Promise<void> {
    if (this.#connection?.connected === true) await this.#outgoing.finish();
    this.#outgoing.pause();
    this.#wanted = false;
    this.#reconnection.stop();
    this.#incoming.sendAnswers();
    await this.#connection?.close();
  }

  #onOpened({ stream, password, timeout }: Opened): void {
    const options = connectOptions(this.#settings, {
      clientId: this.#clientId,
      cleanStart: this.#cleanStart,
      password,
      timeout,
    });
    const connection: NetworkConnection = new NetworkConnection(
      stream,
      options,
      this.#settings.maximumPacketSize,
      this.#settings.topicAliases === true,
      this.#outgoing.identifiers,
      {
        accepted: (connack) => this.#onAccepted(connection, connack),
        ready: () => this.#onReady(),
        message: (packet) => this.#onMessage(packet),
        released: (packetId) => this.#incoming.complete(packetId),
        taken: (packetId, send) => this.#outgoing.taken(packetId, send),
        ended: (end) => this.#onEnded(end),
      },
    );
    this.#connection = connection;
    connection.open();
  }

  #onAccepted(connection: NetworkConnection, connack: IConnackPacket): void {
    this.#reconnection.accepted();
    const { protocolVersion, sessionExpiry = 0 } = this.#settings;
    // A broker that was asked for a new session has none to resume, whatever it says. MQTT 3.1 has no Session Present.
    this.#resumed = !this.#cleanStart && (protocolVersion === 3 || connack.sessionPresent);
    this.#incoming.connected(this.#resumed);
    this.#outgoing.connected(connection, this.#resumed);
    this.#clientId = connack.properties?.assignedClientIdentifier ?? this.#clientId;
    if (protocolVersion === 5 && sessionExpiry > 0) this.#cleanStart = false;
  }

  #onReady(): void {
    if (this.#closing !== undefined || this.#leaving !== undefined) return;
    this.#setStatus('connected');
    this.#observer.ready(this.#resumed);
    this.#outgoing.open();
  }

  #onMessage(packet: IPublishPacket): void {
    this.#gate.push(packet);
    if (this.#gate.full) this.#connection?.pause();
  }

  /** Reads nothing more until `resume`: what the broker sends waits there, or is dropped there. */
  pause(): void {
    this.#paused = true;
    this.#connection?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#readOn();
  }

  #readOn(): void {
    if (!this.#paused && !this.#gate.full) this.#connection?.resume();
  }

  #answer(answers: Buffer): void {
    this.#connection?.write(answers);
    this.#gate.open();
    this.#readOn();
  }

  #onEnded(end: ConnectionEnd): void {
    this.#connection = undefined;
    this.#paused = false;
    this.#gate.lost();
    this.#incoming.lost();
    const { url } = this.#reconnection;
    const reason = this.#reconnection.again(end);
    this.#outgoing.lost(end.reason, end.overPacket);
    if (this.#closing !== undefined || this.#leaving !== undefined) return;
    if (end.refused && this.#settings.queue === undefined) this.#outgoing.refuseWaiting(reason);
    this.#setStatus(end.refused ? 'error' : 'reconnecting', reason, url);
  }

  #setStatus(state: ConnectionStatus['state'], reason?: string, url = this.#reconnection.url): void {
    if (state === this.#status.state && reason === this.#status.reason && url === this.#status.url) return;
    this.#status = { state, ...(reason !== undefined && { reason }), ...(url !== undefined && { url }) };
    this.#observer.status(this.#status);
  }
}
