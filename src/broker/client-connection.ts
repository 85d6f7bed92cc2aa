import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { AccessControl } from './access/access-control';
import type { EnhancedLogin } from './access/enhanced-login';
import type { Identity } from './access/identity';
import type { Broker, ClientDetails, ConnectedClient } from './broker';
import type { BrokerEvent } from './broker-event';
import { ClientRate } from './client-rate';
import type { WillFields } from './codec/connect-packet';
import { PacketFramer } from './codec/packet-framer';
import { PacketType, type ProtocolVersion, packetTypeOf } from './codec/packet-type';
import { ProtocolError } from './codec/protocol-error';
import type { PublishView } from './codec/publish-packet';
import { ReasonCode } from './codec/reason-code';
import { ConnectionMemory, SMALL_BYTES } from './connection-memory';
import { ConnectionOutput } from './connection-output';
import type { FlushSchedule } from './flush-schedule';
import { dispatch, notConnect } from './handlers/dispatch';
import { handlePublish } from './handlers/publish';
import { aliasBytes } from './held-memory';
import { IncomingFlow } from './incoming-flow';
import { lastPacket, type Progress } from './last-packet';
import type { Peer } from './peer';
import type { Session } from './session/session';

/** Largest CONNECT: who has not said who they are gets no more memory than that. */
const MAX_CONNECT_BYTES = 512 * 1024;
/** How long the last packet may take to reach a peer that does not close, ms. */
const LINGER = 2000;
const CLOSED_BY_PEER = 'connection closed by the peer';

/** What CONNECT settled. */
export interface ConnectedState {
  session: Session;
  identity: Identity;
  /** When the proof of the identity ends, ms of the broker's clock. */
  authorizedUntil: number;
  /** Seconds, 0 for none. */
  keepAlive: number;
  /** Seconds that the session outlives the connection. */
  sessionExpiry: number;
  will: WillFields | undefined;
}

/** What a connection needs of its surroundings. */
export interface ConnectionEnvironment {
  broker: Broker;
  access: AccessControl;
  schedule: FlushSchedule;
  view: PublishView;
  /** Milliseconds of a clock that does not jump. */
  clock: () => number;
  report: (event: BrokerEvent) => void;
  /** The stream is closed. */
  closed: (connection: ClientConnection) => void;
}

/**
 * One network connection: cuts what comes into packets, hands each to the handler of its type, and ends the connection
 * with the reason that the specification gives. Whatever goes wrong here stays here.
 */
export class ClientConnection implements ConnectedClient {
  readonly broker: Broker;
  readonly access: AccessControl;
  readonly peer: Peer;
  readonly output: ConnectionOutput;
  /** The PUBLISH that is being handled; one for all connections, as it would keep their last chunks in memory. */
  readonly view: PublishView;
  /** The topic names that the client has given a number, as they came (MQTT 5.0 section 3.3.2.3.4). */
  readonly topicAliases = new Map<number, Buffer>();
  /** Time of the chunk that is being handled. */
  now: number;
  version: ProtocolVersion = 4;
  clientId = '';
  /** The client is a bridge to another broker. */
  bridge = false;
  /** Of its CONNECT among all that have come; 0 before. */
  order = 0;
  /** Present when CONNECT chose an authentication method. */
  enhancedLogin: EnhancedLogin | undefined;
  /** Whether answers may say in words what is wrong [MQTT-3.1.2-29]. */
  wantsReasons = false;
  readonly #environment: ConnectionEnvironment;
  readonly #stream: Duplex;
  readonly #framer: PacketFramer;
  readonly #flow: IncomingFlow;
  readonly #memory: ConnectionMemory;
  #state: ConnectedState | undefined;
  #begun = false;
  #connectedAt = 0;
  #ended = false;
  #endHeld = false;
  #leaving: AbortController | undefined;
  /** When the connection is closed unless something comes before. */
  #deadline: number;
  /** Of a WebSocket message that is not whole yet. */
  #gatheredBytes = 0;

  constructor(stream: Duplex, peer: Peer, environment: ConnectionEnvironment) {
    const { broker, access, schedule, clock, view } = environment;
    this.#environment = environment;
    this.#stream = stream;
    this.broker = broker;
    this.access = access;
    this.view = view;
    this.peer = peer;
    this.now = clock();
    this.#deadline = this.now + broker.limits.connectTimeout;
    const { messageRate, byteRate } = broker.limits;
    // Flows and bridges of this process say themselves how much they send.
    const limited = peer.host !== undefined && (messageRate > 0 || byteRate > 0);
    const rate = limited ? new ClientRate(broker.limits, this.now) : undefined;
    this.#flow = new IncomingFlow(stream, rate, broker.statistics);
    this.#framer = new PacketFramer(
      Math.min(MAX_CONNECT_BYTES, broker.limits.packetSize),
      (header, bytes, packetStart, start, end) => this.#receive(header, bytes, packetStart, start, end),
    );
    this.output = new ConnectionOutput(
      stream,
      stream instanceof Socket,
      schedule,
      Math.min(broker.limits.outputBytes, peer.outputBytes ?? Number.POSITIVE_INFINITY),
      broker.statistics,
      broker.memory,
      () => this.#onDrained(),
      (reason) => this.end(ReasonCode.quotaExceeded, reason),
    );
    this.#memory = new ConnectionMemory(broker.memory, this.output, peer.host === undefined);
  }

  /** Whether its client is in this process. */
  get local(): boolean {
    return this.peer.host === undefined;
  }

  /** Starts reading. */
  open(): void {
    this.#memory.open();
    this.#stream.on('data', (chunk: Buffer) => {
      this.broker.statistics.bytesReceived += chunk.length;
      this.#onData(chunk);
    });
    // Of a WebSocketStream.
    this.#stream.on('gathered', (bytes: number) => {
      this.#gatheredBytes = bytes;
      this.#countPacket();
    });
    let failure: Error | undefined;
    this.#stream.on('error', (error) => {
      failure = error;
    });
    this.#stream.on('end', () => {
      // Something that waits for its turn is still handled.
      if (this.#flow.heldBytes > 0) this.#endHeld = true;
      else this.#onEnd();
    });
    this.#stream.on('close', () => {
      this.#leave(undefined, failure?.message ?? CLOSED_BY_PEER);
      this.output.discard();
      this.#memory.close();
      this.#environment.closed(this);
    });
  }

  /** Whether CONNECT has come. */
  get connectSeen(): boolean {
    return this.order > 0;
  }

  /** Absent before CONNECT and after the end. */
  get connectedSession(): Session | undefined {
    return this.#state?.session;
  }

  /** Aborted when the client leaves. */
  get leaving(): AbortSignal {
    this.#leaving ??= new AbortController();
    return this.#leaving.signal;
  }

  /** The session of the client. */
  get session(): Session {
    return this.state.session;
  }

  report(event: BrokerEvent): void {
    this.#environment.report(event);
  }

  get details(): ClientDetails {
    const { peer, username, version } = this;
    return {
      peer,
      username,
      version,
      keepAlive: this.state.keepAlive,
      connectedAt: this.#connectedAt,
      activeAt: this.now,
    };
  }

  /** Of the user that has proved to be one; absent before that, and for an anonymous client. */
  get username(): string | undefined {
    return this.#state?.identity.username;
  }

  /**
   * What CONNECT settled; handlers of later packets may change it.
   * @throws ProtocolError there was no CONNECT [MQTT-3.1.0-1]
   */
  get state(): ConnectedState {
    if (this.#state === undefined) {
      throw notConnect();
    }
    return this.#state;
  }

  /** CONNECT is accepted: from here on its packets count as those of a client. */
  accept(state: ConnectedState, sessionPresent: boolean): void {
    this.#state = state;
    this.#connectedAt = this.now;
    this.broker.statistics.clientsAccepted++;
    this.#framer.maximumPacketSize = this.broker.limits.packetSize;
    this.report({
      type: 'connected',
      clientId: this.clientId,
      ...(state.identity.username !== undefined && { username: state.identity.username }),
      address: this.peer.address,
      protocolVersion: this.version,
      sessionPresent,
    });
  }

  /**
   * Handles nothing more of the client until the work is done; its error, or that of what follows, ends the connection.
   * A client that goes meanwhile is gone.
   */
  hold<T>(work: Promise<T>, then: (result: T) => void): void {
    this.#flow.hold();
    const done = (follow: () => void) => {
      if (this.#ended) return;
      this.now = this.#environment.clock();
      try {
        follow();
      } catch (error) {
        this.#fail(error);
      }
      this.#release();
    };
    work.then(
      (result) => done(() => then(result)),
      (error: unknown) => done(() => this.#fail(error)),
    );
  }

  /**
   * Ends the connection and tells an MQTT 5 peer why; an older one has no packet for it. Then reads and discards until
   * the peer closes or two seconds have passed: closing at once would make the network drop what was said.
   */
  end(reasonCode: ReasonCode, reason: string): void {
    if (this.#ended) return;
    const last = lastPacket(this.version, this.#progress, reasonCode, reason, this.output.maximumPacketSize);
    this.#leave(reasonCode, reason);
    this.output.close(last);
    this.#stream.end();
    this.#stream.resume();
  }

  /** DISCONNECT of the client: ends without an answer. */
  left(reasonCode: number, reason: string): void {
    this.#leave(reasonCode, reason);
    this.output.close(undefined);
    this.#stream.end();
  }

  /** Reads on what was throttled long enough, and ends what is over or has stayed silent too long. */
  checkTime(now: number): void {
    const state = this.#state;
    if (state !== undefined && now >= state.authorizedUntil) {
      this.end(ReasonCode.maximumConnectTime, 'the time for which the client was authorized is over');
      return;
    }
    if (this.#flow.throttled) {
      if (!this.#flow.recover(now)) return;
      this.#extendDeadline(now);
    }
    if (now < this.#deadline) return;
    if (this.#ended) {
      this.#stream.destroy();
      return;
    }
    // One that waits for the broker is not late.
    if (this.#flow.holding) return;
    if (state === undefined) this.end(ReasonCode.maximumConnectTime, 'no CONNECT within the time for it');
    else this.end(ReasonCode.keepAliveTimeout, 'nothing came within one and a half times the keep alive'); // [MQTT-3.1.2-22]
  }

  /** There is more memory again. */
  relieve(): void {
    if (!this.#ended) this.#onDrained();
  }

  /** Ends a client of elsewhere that holds memory without getting on, while memory is short. */
  checkMemory(): void {
    this.#endFor(this.#memory.check());
  }

  /** The client, its session and its will part; `reasonCode` is absent when the network ended the connection. */
  #leave(reasonCode: number | undefined, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#leaving?.abort();
    const now = this.#environment.clock();
    this.#flow.end(now);
    this.#deadline = now + LINGER;
    const state = this.#state;
    const { clientId } = this;
    const { address } = this.peer;
    if (state === undefined) {
      const code = reasonCode ?? ReasonCode.unspecifiedError;
      this.report({ type: 'refused', clientId, address, reason, reasonCode: code });
      return;
    }
    this.#state = undefined;
    for (const topic of this.topicAliases.values()) this.broker.memory.remove(aliasBytes(topic));
    this.topicAliases.clear();
    this.broker.disconnect(state.session, state.sessionExpiry, state.will, now);
    this.report({
      type: 'disconnected',
      clientId,
      address,
      reason,
      ...(reasonCode !== undefined && { reasonCode }),
    });
  }

  get #progress(): Progress {
    if (this.#state !== undefined) return 'connected';
    return this.connectSeen ? 'connecting' : 'before-connect';
  }

  #onData(chunk: Buffer): void {
    if (this.#ended) return;
    if (this.#flow.holding) {
      this.#flow.keep(chunk);
      return;
    }
    this.now = this.#environment.clock();
    const { statistics } = this.broker;
    const messagesBefore = statistics.messagesReceived;
    let taken: number;
    try {
      if (!this.#begun) this.#begin(chunk[0] as number);
      taken = this.#framer.push(chunk);
      if (this.#flow.holding && taken < chunk.length) this.#flow.keep(chunk.subarray(taken));
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#countPacket();
    if (this.#state === undefined) return;
    this.#extendDeadline(this.now);
    if (this.#flow.spend(statistics.messagesReceived - messagesBefore, taken, this.now)) {
      this.report({ type: 'throttled', clientId: this.clientId, address: this.peer.address });
    }
    // Answers are never dropped, so who asks without reading the answers is not read on.
    const { outputBytes, packetSize } = this.broker.limits;
    const most = this.broker.memory.level === 0 ? outputBytes + packetSize : SMALL_BYTES;
    if (this.output.pendingBytes > most) this.#flow.waitForAnswers();
  }

  /**
   * @param header the first byte that came
   * @throws ProtocolError it is of no CONNECT [MQTT-3.1.0-1]: an HTTP request, say, whose first bytes may stand for a
   * packet that never gets whole
   */
  #begin(header: number): void {
    this.#begun = true;
    if (header >> 4 !== PacketType.connect) throw notConnect();
  }

  #countPacket(): void {
    this.#endFor(this.#memory.countPacket(this.#framer.heldBytes + this.#gatheredBytes));
  }

  /** @param shortage of memory, in words, if there is any that it has to end for */
  #endFor(shortage: string | undefined): void {
    if (shortage !== undefined) this.end(ReasonCode.quotaExceeded, shortage);
  }

  #extendDeadline(now: number): void {
    const keepAlive = this.#state?.keepAlive;
    if (keepAlive === undefined) return;
    this.#deadline = keepAlive === 0 ? Number.POSITIVE_INFINITY : now + keepAlive * 1500;
  }

  /** Handles what has come during a hold, up to the next one. */
  #release(): void {
    this.#extendDeadline(this.now);
    for (const chunk of this.#flow.release()) this.#onData(chunk);
    this.#flow.readOn();
    if (this.#endHeld && this.#flow.heldBytes === 0) this.#onEnd();
  }

  #onEnd(): void {
    this.#leave(undefined, CLOSED_BY_PEER);
    // What it asked before it stopped talking is still answered.
    this.output.close(undefined);
    this.#stream.end();
  }

  #fail(error: unknown): void {
    if (error instanceof ProtocolError) this.end(error.reasonCode, error.message);
    // A fault of ours ends the connection that met it, not the broker.
    else this.end(ReasonCode.implementationSpecificError, `internal error: ${String(error)}`);
  }

  #onDrained(): void {
    const state = this.#state;
    if (state === undefined) return;
    state.session.drain(this.#environment.clock());
    this.#flow.answersTaken();
  }

  /** One packet; false when nothing more must be read. */
  #receive(header: number, bytes: Buffer, packetStart: number, start: number, end: number): boolean {
    this.broker.statistics.packetsReceived++;
    // PUBLISH first: nearly all packets are.
    if (header >> 4 === PacketType.publish) handlePublish(this, bytes, packetStart, start, end);
    else dispatch(this, packetTypeOf(header), bytes, start, end);
    return !this.#ended && !this.#flow.holding;
  }
}
