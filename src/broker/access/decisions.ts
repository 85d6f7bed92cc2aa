import { randomInt } from 'node:crypto';
import type { LoginRequest } from './login-request';

/** A client that no list knows, for somebody else to decide about. Can be sent to another thread. */
export interface DecisionRequest {
  /** For the answer; an answer that comes too late meets no other request. */
  id: number;
  clientId: string;
  /** `host:port` of the peer, or `in-process`. */
  address: string;
  username?: string;
  /** As the client sent it. */
  password?: Uint8Array;
  certificateName?: string;
}

/** Whether a client may connect, and to which groups it belongs then. */
export interface Decision {
  allow: boolean;
  groups?: string[];
}

/** Clients waiting at once; further ones are refused. */
const MAX_WAITING = 1000;
const MAX_ID = 2 ** 48 - 1;

/** Asks about clients and waits for the answers, for a limited time. */
export class Decisions {
  readonly #timeout: number;
  readonly #ask: (request: DecisionRequest) => void;
  readonly #waiting = new Map<number, (decision: Decision) => void>();

  /** @param timeout ms after which the answer is no */
  constructor(timeout: number, ask: (request: DecisionRequest) => void) {
    this.#timeout = timeout;
    this.#ask = ask;
  }

  /** Resolves with a refusal when nobody answers in time, too many wait, or the client goes. */
  decide({ clientId, peer, username, password, signal }: LoginRequest): Promise<Decision> {
    if (this.#waiting.size >= MAX_WAITING || signal.aborted) return Promise.resolve({ allow: false });
    // At random, so that what was asked before the broker's thread was restarted is not answered to somebody else.
    const id = randomInt(MAX_ID);
    const { address, certificateName } = peer;
    return new Promise((resolve) => {
      const refuse = () => this.answer(id, { allow: false });
      const timer = setTimeout(refuse, this.#timeout).unref();
      signal.addEventListener('abort', refuse);
      this.#waiting.set(id, (decision) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', refuse);
        resolve(decision);
      });
      this.#ask({
        id,
        clientId,
        address,
        ...(username !== undefined && { username }),
        ...(password !== undefined && { password }),
        ...(certificateName !== undefined && { certificateName }),
      });
    });
  }

  /** The answer to a request; without effect when it comes too late. */
  answer(id: number, decision: Decision): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiting?.(decision);
  }
}
