import type { NodeMessage } from 'node-red';
import type { Decision, DecisionRequest } from '../src/broker/access/decisions';
import { FieldError } from './field-error';

/** Questions that wait for the flow; of more, the oldest is answered with no. */
const MAX_WAITING = 10_000;

/** What the flow is asked, and what it sends back with another payload. */
export interface DecisionMessage extends NodeMessage {
  topic: 'authenticate';
  payload: {
    clientId: string;
    address: string;
    username?: string;
    /** Text where the client has sent UTF-8. */
    password?: string | Buffer;
    certificateName?: string;
  };
  _decision: number;
}

/** Whether a message to the node is a decision; one with an action is not, although it may come from a question. */
export function isDecision(msg: NodeMessage): boolean {
  return '_decision' in msg && !('action' in msg);
}

/** The broker's questions to the flow, from when they are asked until they are answered or the time for it is over. */
export class FlowDecisions {
  readonly #timeout: number;
  readonly #decide: (id: number, decision: Decision) => void;
  readonly #waiting = new Map<number, NodeJS.Timeout>();

  /** @param timeout ms after which the answer is no */
  constructor(timeout: number, decide: (id: number, decision: Decision) => void) {
    this.#timeout = timeout;
    this.#decide = decide;
  }

  /** The message that asks the flow. */
  ask({ id, clientId, address, username, password, certificateName }: DecisionRequest): DecisionMessage {
    const [oldest] = this.#waiting.keys();
    if (oldest !== undefined && this.#waiting.size >= MAX_WAITING) this.#settle(oldest, { allow: false });
    this.#waiting.set(
      id,
      setTimeout(() => this.#settle(id, { allow: false }), this.#timeout),
    );
    return {
      topic: 'authenticate',
      payload: {
        clientId,
        address,
        ...(username !== undefined && { username }),
        ...(password !== undefined && { password: textOrBytes(password) }),
        ...(certificateName !== undefined && { certificateName }),
      },
      _decision: id,
    };
  }

  /** Takes an answer to the broker. @throws FieldError nobody waits for it, or its payload is not a decision */
  answer(msg: NodeMessage): void {
    const { _decision: id, payload } = msg as NodeMessage & { _decision?: unknown };
    if (typeof id !== 'number' || !this.#waiting.has(id)) throw new FieldError('decision.unknown', id);
    const decision = decisionOf(payload);
    if (decision === undefined) throw new FieldError('decision.payload', payload);
    this.#settle(id, decision);
  }

  close(): void {
    for (const timer of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }

  #settle(id: number, decision: Decision): void {
    clearTimeout(this.#waiting.get(id));
    this.#waiting.delete(id);
    this.#decide(id, decision);
  }
}

function decisionOf(payload: unknown): Decision | undefined {
  if (typeof payload === 'boolean') return { allow: payload };
  if (typeof payload !== 'object' || payload === null) return undefined;
  const { allow, groups = [] } = payload as { allow?: unknown; groups?: unknown };
  if (typeof allow !== 'boolean' || !Array.isArray(groups)) return undefined;
  return groups.every((group) => typeof group === 'string') ? { allow, groups } : undefined;
}

function textOrBytes(bytes: Uint8Array): string | Buffer {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return Buffer.from(bytes);
  }
}
