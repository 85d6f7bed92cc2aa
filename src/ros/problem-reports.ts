/** Reports passed on in one second; a peer that sends only rubbish must not flood the flows. */
const REPORTS_PER_SECOND = 10;

/** Passes problems on, a bounded number in a second, and then says how many it kept back. */
export class ProblemReports {
  readonly #tell: (message: string) => void;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (message: string) => void) {
    this.#tell = tell;
  }

  report(message: string): void {
    this.#timer ??= setTimeout(() => this.#endSecond(), 1000).unref();
    if (++this.#count <= REPORTS_PER_SECOND) this.#tell(message);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#count = 0;
  }

  #endSecond(): void {
    const keptBack = this.#count - REPORTS_PER_SECOND;
    this.close();
    if (keptBack > 0) this.#tell(`${keptBack} more problems in the same second`);
  }
}
