import type { RawClient } from './raw-service';

/** Between two looks whether a server has appeared, in ms. */
const SERVER_INTERVAL = 20;
/** Between two looks whether the server is still there, in ms. */
const LEFT_INTERVAL = 500;

/** Why a call has no response. */
export class UnansweredError extends Error {
  override readonly name = 'UnansweredError';
  readonly status: 'unavailable' | 'timeout';

  constructor(status: UnansweredError['status'], reason: string) {
    super(reason);
    this.status = status;
  }
}

/** One call: it waits for a server, sends its request and waits for the response as long as a server is there. */
export class ServiceCall {
  readonly #client: RawClient;
  readonly #isCallable: () => boolean;
  readonly #deadline: number;
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #wake = () => {};

  /**
   * @param timeout in ms, for all of it
   * @param isCallable whether what serves may be called
   */
  constructor(client: RawClient, timeout: number, isCallable: () => boolean) {
    this.#client = client;
    this.#isCallable = isCallable;
    this.#deadline = performance.now() + timeout;
  }

  /** Rejects with UnansweredError. */
  async response(request: Buffer): Promise<Buffer> {
    try {
      await this.#server();
      this.#abort.signal.throwIfAborted();
      this.#watch();
      return await this.#client.call(request, this.#abort.signal);
    } catch (error) {
      if (error instanceof UnansweredError) throw error;
      throw new UnansweredError('unavailable', error instanceof Error ? error.message : String(error));
    } finally {
      clearTimeout(this.#timer);
    }
  }

  cancel(reason: string): void {
    this.#abort.abort(new UnansweredError('unavailable', reason));
    this.#wake();
  }

  async #server(): Promise<void> {
    for (;;) {
      this.#abort.signal.throwIfAborted();
      if (this.#isCallable() && this.#client.isServed()) return;
      const left = this.#deadline - performance.now();
      if (left <= 0) throw new UnansweredError('unavailable', 'no server was found in time');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#timer = setTimeout(resolve, Math.min(SERVER_INTERVAL, left));
      });
    }
  }

  #watch(): void {
    const left = Math.max(1, this.#deadline - performance.now());
    this.#timer = setTimeout(
      () => {
        if (performance.now() >= this.#deadline)
          this.#abort.abort(new UnansweredError('timeout', 'the server has not replied in time'));
        else if (!this.#isServed()) this.cancel('the server has left before it replied');
        else this.#watch();
      },
      Math.min(LEFT_INTERVAL, left),
    );
  }

  #isServed(): boolean {
    try {
      return this.#client.isServed();
    } catch {
      return false;
    }
  }
}
