import { ReasonCode } from './codec/reason-code';
import type { Limits } from './limits';
import { networkOf } from './peer';
import { TokenBucket } from './token-bucket';

/** Why a connection is refused. */
export interface Refusal {
  reason: string;
  reasonCode: ReasonCode;
}

interface Origin {
  open: number;
  rate: TokenBucket;
}

/**
 * How many connections there are, in all and from each address, and how fast they come. What it remembers of addresses
 * that have no connection is bounded by the rates, as it is forgotten when theirs have recovered, and in number.
 */
export class ConnectionAdmission {
  readonly #limits: Limits;
  readonly #origins = new Map<string, Origin>();
  #open = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /**
   * Counts a connection until `leave`, or says why there is no room for it.
   * @param host IP address; absent for connections of this process, which count in all only
   */
  enter(host: string | undefined, now: number): Refusal | undefined {
    const { connections, connectionsPerAddress, connectRate } = this.#limits;
    if (this.#open >= connections) {
      return { reason: `more than ${connections} connections`, reasonCode: ReasonCode.quotaExceeded };
    }
    if (host !== undefined) {
      const origin = this.#originOf(host, now);
      if (!origin.rate.take(now)) {
        return {
          reason: `more than ${connectRate} connections a second from ${host}`,
          reasonCode: ReasonCode.connectionRateExceeded,
        };
      }
      if (origin.open >= connectionsPerAddress) {
        return {
          reason: `more than ${connectionsPerAddress} connections from ${host}`,
          reasonCode: ReasonCode.quotaExceeded,
        };
      }
      origin.open++;
    }
    this.#open++;
    return undefined;
  }

  leave(host: string | undefined): void {
    this.#open--;
    const origin = host === undefined ? undefined : this.#origins.get(networkOf(host));
    if (origin !== undefined) origin.open--;
  }

  /** Forgets the addresses that have no connection and have had none lately. */
  forgetIdle(now: number): void {
    for (const [network, { open, rate }] of this.#origins) {
      if (open === 0 && rate.isFull(now)) this.#origins.delete(network);
    }
  }

  #originOf(host: string, now: number): Origin {
    const network = networkOf(host);
    let origin = this.#origins.get(network);
    if (origin === undefined) {
      // Many more addresses than connections: it is better to forget rates than to take memory without bound.
      if (this.#origins.size >= 2 * this.#limits.connections) {
        for (const [known, { open }] of this.#origins) if (open === 0) this.#origins.delete(known);
      }
      origin = { open: 0, rate: new TokenBucket(this.#limits.connectRate, now) };
      this.#origins.set(network, origin);
    }
    return origin;
  }
}
