/** Processor time after which compilers and caches are taken to be warm, and during which is measured, us. */
const WARM_UP = 1e6;
const MEASURED = 1e6;

/** Counts messages, and when enough processor time of this process has gone into them, says how much one takes. */
export class MessageMeter {
  readonly #slice: number;
  readonly #sliceEnded: () => void;
  readonly #result: (microseconds: number) => void;
  #messages = 0;
  #first = 0;
  #start = 0;
  #warm = false;
  #finished = false;

  /**
   * @param slice messages after which `sliceEnded` is called and the clock is looked at
   * @param result hears the microseconds of processor time, of all threads, per message; once
   */
  constructor(slice: number, sliceEnded: () => void, result: (microseconds: number) => void) {
    this.#slice = slice;
    this.#sliceEnded = sliceEnded;
    this.#result = result;
  }

  count(): void {
    if (this.#messages === 0) this.#start = used();
    if (++this.#messages % this.#slice !== 0 || this.#finished) return;
    this.#sliceEnded();
    const now = used();
    if (now - this.#start < (this.#warm ? MEASURED : WARM_UP)) return;
    if (this.#warm) {
      this.#finished = true;
      this.#result((now - this.#start) / (this.#messages - this.#first));
    }
    this.#warm = true;
    this.#first = this.#messages;
    this.#start = now;
  }
}

function used(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
