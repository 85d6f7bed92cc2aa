import { serialize } from 'node:v8';
import type { BridgeHost } from './bridge-handle';
import { joinFrames } from './frames';
import type { FlowFacts, PublishResult, RosWorkerRequest } from './ros-worker-messages';

/** Requests that the worker has not answered; beyond these one is refused. */
const MAX_UNANSWERED = 10_000;
const MAX_UNANSWERED_BYTES = 64 * 1024 * 1024;

interface Unanswered {
  resolve(answer: unknown): void;
  reject(error: Error): void;
  bytes: number;
}

/** What a bridge is asked for beside publishing. */
export type WorkerQuestion =
  | Omit<Extract<RosWorkerRequest, { type: 'graph' }>, 'bridge' | 'id'>
  | Omit<Extract<RosWorkerRequest, { type: 'routes' }>, 'bridge' | 'id'>;

/** What the ROS worker is asked for a bridge and has not answered: it waits while the bridge opens, and is bounded. */
export class WorkerRequests {
  readonly #bridge: number;
  readonly #host: Pick<BridgeHost, 'post'>;
  readonly #unanswered = new Map<number, Unanswered>();
  #unansweredBytes = 0;
  #nextId = 0;
  /** Goes to the worker together, at the end of this turn of the event loop. */
  #batch: Buffer[] = [];
  /** For the worker, when the bridge is open. */
  #held: Array<() => void> = [];
  #open = false;

  constructor(bridge: number, host: Pick<BridgeHost, 'post'>) {
    this.#bridge = bridge;
    this.#host = host;
  }

  /** Whether the worker has the bridge open. */
  set open(open: boolean) {
    this.#open = open;
    if (open) for (const post of this.#held.splice(0)) post();
  }

  /**
   * Resolves with what the message is answered with; rejects with an Error that names the topic or the path in the payload
   * and the fault. Throws an Error that names the topic where it cannot be sent to the worker.
   */
  publish(topic: string, payload: unknown, { rosRequest, rosType, rosName }: FlowFacts): Promise<unknown> {
    const id = this.#nextId++;
    const frame = serialized(topic, [id, topic, payload, { rosRequest, rosType, rosName }]);
    if (
      this.#unanswered.size >= MAX_UNANSWERED ||
      (this.#unanswered.size > 0 && this.#unansweredBytes + frame.length > MAX_UNANSWERED_BYTES)
    ) {
      throw new Error(`topic "${topic}": ${this.#unanswered.size} messages already wait for the ROS worker`);
    }
    if (this.#batch.length === 0) setImmediate(() => this.#postBatch());
    this.#batch.push(frame);
    return this.#answerTo(id, frame.length);
  }

  /** Resolves with the answer; rejects with an Error that says why there is none. Throws an Error where too many wait. */
  ask(question: WorkerQuestion): Promise<unknown> {
    if (this.#unanswered.size >= MAX_UNANSWERED) {
      throw new Error(`${this.#unanswered.size} requests already wait for the ROS worker`);
    }
    const id = this.#nextId++;
    this.#whenOpen(() => this.#host.post({ ...question, bridge: this.#bridge, id }));
    return this.#answerTo(id, 0);
  }

  /** The worker has answered. */
  answer({ id, error, answer }: PublishResult): void {
    const unanswered = this.#unanswered.get(id);
    if (unanswered === undefined) return;
    this.#unanswered.delete(id);
    this.#unansweredBytes -= unanswered.bytes;
    if (error !== undefined) unanswered.reject(new Error(error));
    else unanswered.resolve(answer === undefined ? undefined : JSON.parse(answer));
  }

  /** Nothing that waits will be answered. */
  reject(error: string): void {
    this.#held = [];
    this.#batch = [];
    for (const id of [...this.#unanswered.keys()]) this.answer({ id, error });
  }

  #answerTo(id: number, bytes: number): Promise<unknown> {
    this.#unansweredBytes += bytes;
    return new Promise((resolve, reject) => {
      this.#unanswered.set(id, { resolve, reject, bytes });
    });
  }

  #whenOpen(post: () => void): void {
    if (this.#open) post();
    else this.#held.push(post);
  }

  #postBatch(): void {
    // Rejected meanwhile.
    if (this.#batch.length === 0) return;
    const joined = joinFrames(this.#batch);
    this.#batch = [];
    this.#whenOpen(() => this.#host.post({ type: 'publish', bridge: this.#bridge, joined }, [joined]));
  }
}

function serialized(topic: string, value: unknown): Buffer {
  try {
    return serialize(value);
  } catch (error) {
    throw new Error(`topic "${topic}": the payload cannot be a message: ${(error as Error).message}`);
  }
}
