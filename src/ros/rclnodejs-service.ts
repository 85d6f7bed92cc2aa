import { checkCdr, type NodeLink } from './rclnodejs-publisher';
import type { RosServiceHandler } from './ros-backend';
import { ServiceError } from './ros-service';

/** Calls that may wait at the same time. */
const MAX_CALLS = 1000;
/** Over all domains: the child answers by it. */
let nextCall = 0;

/** Calls a service from the child process. */
export class RclnodejsServiceClient {
  readonly #endpoint: number;
  readonly #rosName: string;
  readonly #link: NodeLink;
  readonly #calls = new Map<number, (outcome: Buffer | ServiceError) => void>();

  constructor(endpoint: number, rosName: string, link: NodeLink) {
    this.#endpoint = endpoint;
    this.#rosName = rosName;
    this.#link = link;
  }

  async call(request: Buffer, timeout: number): Promise<Buffer> {
    if (this.#calls.size >= MAX_CALLS) throw this.#unavailable(`${MAX_CALLS} calls wait for their replies`);
    const number = nextCall++ >>> 0;
    try {
      checkCdr(request, this.#link);
      const notes = timeout;
      this.#link.send({ kind: 'call', endpoint: this.#endpoint, number, notes, cdr: request });
    } catch (error) {
      throw this.#unavailable((error as Error).message);
    }
    return new Promise((resolve, reject) => {
      this.#calls.set(number, (outcome) => {
        this.#calls.delete(number);
        if (outcome instanceof ServiceError) reject(outcome);
        else resolve(outcome);
      });
    });
  }

  answer(call: number, response: Buffer): void {
    this.#calls.get(call)?.(response);
  }

  unanswered(call: number, status: ServiceError['status'], reason: string): void {
    this.#calls.get(call)?.(new ServiceError(this.#rosName, status, reason));
  }

  /** Nothing that waits will be answered. */
  lost(reason: string): void {
    for (const settle of [...this.#calls.values()]) settle(this.#unavailable(reason));
  }

  #unavailable(reason: string): ServiceError {
    return new ServiceError(this.#rosName, 'unavailable', reason);
  }
}

/** Answers the requests that a server in the child process receives. */
export class RclnodejsServiceServer {
  readonly #endpoint: number;
  readonly #handler: RosServiceHandler;
  readonly #link: NodeLink;
  /** The process that the requests come from; its numbers mean nothing to the next one. */
  #generation = 0;
  #running = 0;
  #onIdle: (() => void) | undefined;

  constructor(endpoint: number, handler: RosServiceHandler, link: NodeLink) {
    this.#endpoint = endpoint;
    this.#handler = handler;
    this.#link = link;
  }

  async answer(request: number, cdr: Buffer): Promise<void> {
    const generation = this.#generation;
    let settle = () => {};
    const settled = new Promise<void>((resolve) => {
      settle = resolve;
    });
    let reply: Buffer;
    this.#running++;
    try {
      if (this.#onIdle !== undefined) throw new Error('no further requests are taken');
      reply = await this.#handler(cdr, settled);
      checkCdr(reply, this.#link);
    } catch {
      // The client gets no reply, and the child may forget the request.
      reply = Buffer.alloc(0);
    }
    try {
      if (generation === this.#generation) {
        this.#link.send({ kind: 'reply', endpoint: this.#endpoint, number: request, cdr: reply });
      }
    } catch {
      // Its client has gone with the process, or waits in vain for one that does not keep up.
    } finally {
      this.#running--;
      settle();
      if (this.#running === 0) this.#onIdle?.();
    }
  }

  /** Takes no further requests. @param done called when those under way have their replies */
  withdraw(done: () => void): void {
    this.#onIdle = done;
    if (this.#running === 0) done();
  }

  /** The process has ended. */
  lost(): void {
    this.#generation++;
  }
}
