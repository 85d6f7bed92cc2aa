import type { Payload, ProcessReport } from './process-messages';

/** How often drops are told at most, and how soon the first, in ms. */
const INTERVAL = 10_000;
const FIRST = 500;

/** Counts what is dropped, and reports it from time to time: samples by subscription, and all in words. */
export class Drops {
  readonly #report: (report: ProcessReport) => void;
  /** By node, endpoint. */
  readonly #samples = new Map<string, { node: number; endpoint: number; count: number }>();
  /** By node and words. */
  readonly #words = new Map<string, { node: number; words: string; count: number }>();
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(report: (report: ProcessReport) => void) {
    this.#report = report;
  }

  /** @param reason as in "3 messages were dropped: …" */
  add({ kind, node, endpoint }: Payload, reason: string): void {
    if (this.#words.size === 0) {
      const rest = this.#toldAt + INTERVAL - performance.now();
      setTimeout(() => this.#tell(), Math.max(rest, FIRST));
    }
    const words = `${kind === 'sample' ? 'messages' : 'requests'} were dropped: ${reason}`;
    countIn(this.#words, `${node} ${words}`, { node, words });
    if (kind === 'sample') countIn(this.#samples, `${node} ${endpoint}`, { node, endpoint });
  }

  #tell(): void {
    for (const sample of this.#samples.values()) this.#report({ type: 'lost', ...sample });
    for (const { node, words, count } of this.#words.values()) {
      this.#report({ type: 'warning', node, warning: `${count} ${words}` });
    }
    this.#samples.clear();
    this.#words.clear();
    this.#toldAt = performance.now();
  }
}

function countIn<What>(counts: Map<string, What & { count: number }>, key: string, what: What): void {
  const known = counts.get(key) ?? { ...what, count: 0 };
  known.count++;
  counts.set(key, known);
}
