import type { Duplex } from 'node:stream';
import type { AccessControl } from './access/access-control';
import type { Broker } from './broker';
import type { BrokerEvent } from './broker-event';
import { ClientConnection } from './client-connection';
import { PublishView } from './codec/publish-packet';
import { ReasonCode } from './codec/reason-code';
import { ConnectionAdmission } from './connection-admission';
import { FlushSchedule } from './flush-schedule';
import type { Peer } from './peer';
import type { Session } from './session/session';

/** How often keep alives, session expiries and wills are looked at, ms. */
const CHECK_INTERVAL = 500;
/** How often it is told from whom messages were kept, ms. */
const DROPS_INTERVAL = 5000;
/** Of how many clients this is told at a time; of the others the next time. */
const DROPS_TOLD = 100;

/** By level. */
const MEMORY_STATES = ['enough', 'short', 'refusing', 'refusing'] as const;

/** All network connections of a broker, whatever they came through. */
export class Connections {
  readonly #broker: Broker;
  readonly #access: AccessControl;
  readonly #clock: () => number;
  readonly #report: (event: BrokerEvent) => void;
  /** When what connections have to send is written. */
  readonly schedule: FlushSchedule;
  readonly #view = new PublishView();
  readonly #admission: ConnectionAdmission;
  readonly #open = new Set<ClientConnection>();
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;
  #dropsDueAt = 0;
  #memoryState: 'enough' | 'short' | 'refusing' = 'enough';
  #idle: (() => void) | undefined;

  /** @param clock milliseconds of a clock that does not jump */
  constructor(
    broker: Broker,
    access: AccessControl,
    clock: () => number,
    report: (event: BrokerEvent) => void,
  ) {
    this.#broker = broker;
    this.#access = access;
    this.#clock = clock;
    this.#report = report;
    this.#admission = new ConnectionAdmission(broker.limits);
    this.schedule = new FlushSchedule(broker.store, broker.statistics);
  }

  /** The broker's store has made changes durable, or has failed. */
  storeChanged(): void {
    this.schedule.release();
  }

  start(): void {
    this.#timer = setInterval(() => this.check(this.#clock()), CHECK_INTERVAL);
  }

  /** Ends every connection and resolves when all are closed, after two and a half seconds at most. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const connection of this.#open) {
      connection.end(ReasonCode.serverShuttingDown, 'the broker is shutting down');
    }
    if (this.#open.size > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    clearInterval(this.#timer);
  }

  /**
   * Counts a connection until its stream is closed, and says whether there is room for it: if not, it is closed and
   * reported.
   */
  admit(stream: Duplex, peer: Peer): boolean {
    const { host } = peer;
    const refusal = this.#stopping
      ? { reason: 'the broker is shutting down', reasonCode: ReasonCode.serverShuttingDown }
      : this.#admission.enter(host, this.#clock());
    if (refusal !== undefined) {
      stream.on('error', () => {});
      stream.destroy();
      this.refused(peer, refusal.reasonCode, refusal.reason);
      return false;
    }
    stream.on('close', () => this.#admission.leave(host));
    return true;
  }

  /** Speaks MQTT with an admitted connection. */
  serve(stream: Duplex, peer: Peer): void {
    this.#broker.statistics.connectionsOpened++;
    const connection = new ClientConnection(stream, peer, {
      broker: this.#broker,
      access: this.#access,
      schedule: this.schedule,
      view: this.#view,
      clock: this.#clock,
      report: this.#report,
      closed: (closed) => this.#onClosed(closed),
    });
    this.#open.add(connection);
    connection.open();
  }

  /** Ends the connections of a user. */
  endUser(username: string, reasonCode: ReasonCode, reason: string): void {
    for (const connection of this.#open) {
      if (connection.username === username) connection.end(reasonCode, reason);
    }
  }

  /** Counts and reports a connection that was closed before it could speak MQTT. */
  refused({ address }: Peer, reasonCode: ReasonCode, reason: string): void {
    this.#broker.statistics.connectionsRefused++;
    this.#report({ type: 'refused', clientId: '', address, reason, reasonCode });
  }

  /** Ends what is past its deadline, on connections and in sessions. */
  check(now: number): void {
    for (const connection of this.#open) connection.checkTime(now);
    this.#broker.expire(now);
    this.#checkMemory();
    this.#admission.forgetIdle(now);
    if (now >= this.#dropsDueAt) {
      this.#dropsDueAt = now + DROPS_INTERVAL;
      this.#reportDrops();
    }
  }

  #checkMemory(): void {
    const { memory } = this.#broker;
    memory.compactSlabs();
    this.#reportMemory();
    for (const connection of this.#open) connection.checkMemory();
    if (memory.check()) for (const connection of this.#open) connection.relieve();
    this.#reportMemory();
    this.#broker.statistics.heldBytes = memory.bytes;
  }

  #reportMemory(): void {
    const { bytes, limit, level } = this.#broker.memory;
    const state = MEMORY_STATES[level];
    if (state === this.#memoryState) return;
    this.#memoryState = state;
    this.#report({ type: 'memory', state, bytes, limit });
  }

  #reportDrops(): void {
    let told = 0;
    for (const session of this.#sessions()) {
      const count = session.takeDropped();
      if (count === 0) continue;
      this.#report({ type: 'dropped', clientId: session.clientId, count });
      if (++told === DROPS_TOLD) return;
    }
  }

  *#sessions(): Generator<Session> {
    for (const { connectedSession } of this.#open) if (connectedSession !== undefined) yield connectedSession;
    yield* this.#broker.sessionsAway();
  }

  #onClosed(connection: ClientConnection): void {
    this.#open.delete(connection);
    if (this.#open.size === 0) this.#idle?.();
  }
}
