import type { Duplex } from 'node:stream';
import type { Broker } from './broker';
import type { BrokerEvent } from './broker-event';
import { ClientConnection } from './client-connection';
import { PublishView } from './codec/publish-packet';
import { ReasonCode } from './codec/reason-code';
import { FlushSchedule } from './connection-output';

/** How often keep alives, session expiries and wills are looked at, ms. */
const CHECK_INTERVAL = 500;

/** All network connections of a broker, whatever they came through. */
export class Connections {
  readonly #broker: Broker;
  readonly #clock: () => number;
  readonly #report: (event: BrokerEvent) => void;
  readonly #schedule = new FlushSchedule();
  readonly #view = new PublishView();
  readonly #open = new Set<ClientConnection>();
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;
  #idle: (() => void) | undefined;

  /** @param clock milliseconds of a clock that does not jump */
  constructor(broker: Broker, clock: () => number, report: (event: BrokerEvent) => void) {
    this.#broker = broker;
    this.#clock = clock;
    this.#report = report;
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

  /** Serves a new connection, or closes it when there are as many as the limit allows. */
  accept(stream: Duplex, address: string): void {
    const { connections } = this.#broker.limits;
    if (this.#stopping || this.#open.size >= connections) {
      stream.on('error', () => {});
      stream.destroy();
      const refusal = this.#stopping
        ? { reason: 'the broker is shutting down', reasonCode: ReasonCode.serverShuttingDown }
        : { reason: `more than ${connections} connections`, reasonCode: ReasonCode.quotaExceeded };
      this.#report({ type: 'refused', clientId: '', address, ...refusal });
      return;
    }
    const connection = new ClientConnection(stream, address, {
      broker: this.#broker,
      schedule: this.#schedule,
      view: this.#view,
      clock: this.#clock,
      report: this.#report,
      closed: (closed) => this.#onClosed(closed),
    });
    this.#open.add(connection);
    connection.open();
  }

  /** Ends what is past its deadline, on connections and in sessions. */
  check(now: number): void {
    for (const connection of this.#open) connection.checkDeadline(now);
    this.#broker.expire(now);
  }

  #onClosed(connection: ClientConnection): void {
    this.#open.delete(connection);
    if (this.#open.size === 0) this.#idle?.();
  }
}
