import type { RosWorkerRequest } from './ros-worker-messages';

type PasswordAnswer = Extract<RosWorkerRequest, { type: 'password' }>;

/** Passwords that a bridge asks of its owner in the flows' thread, as it may have another one at each attempt to connect. */
export class PasswordRequests {
  readonly #post: (id: number) => void;
  readonly #waiting = new Map<number, { resolve(password: string): void; reject(error: Error): void }>();
  #lastId = 0;

  /** @param post asks for a password under a number */
  constructor(post: (id: number) => void) {
    this.#post = post;
  }

  /** Resolves with the password as it is now; rejects with the reason why there is none. */
  ask(): Promise<string> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#post(id);
    });
  }

  answer(answer: PasswordAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ('password' in answer) waiting?.resolve(answer.password);
    else waiting?.reject(new Error(answer.error));
  }
}
