/** A message is carried when a number in it has moved, or nothing was carried for some time. */
export interface DeadbandSettings {
  /** Where the number is: `temperature`, `pose.position.x`, `ranges[0]`. */
  path: string;
  /** It has to move by more than this. */
  threshold: number;
  /** ms after which a message is carried in any case; default without an end. */
  maxSilence?: number;
}

/** Longest silence that can be asked for, in ms: a year. */
const MAX_SILENCE = 366 * 24 * 3600 * 1000;
const PATH = /^[A-Za-z]\w*(?:\[\d+\])*(?:\.[A-Za-z]\w*(?:\[\d+\])*)*$/;

/** Says which field cannot be used, its value and what was expected, or `undefined`. */
export function deadbandFault({ path, threshold, maxSilence }: DeadbandSettings): string | undefined {
  const fault = (field: string, value: unknown, expected: string) =>
    `deadband ${field}: expected ${expected}, got ${typeof value === 'number' ? value : JSON.stringify(value)}`;
  if (typeof path !== 'string' || !PATH.test(path))
    return fault('field', path, 'a path such as pose.position.x or ranges[0]');
  if (!(typeof threshold === 'number' && Number.isFinite(threshold) && threshold >= 0))
    return fault('threshold', threshold, 'a number of at least 0');
  const isSpan = maxSilence === undefined || (maxSilence >= 1 && maxSilence <= MAX_SILENCE);
  return isSpan ? undefined : fault('silence', maxSilence, `milliseconds from 1 to ${MAX_SILENCE}`);
}

/** The number at a path of a message in the JSON form of its type; `undefined` where there is none. */
export function numberAt(path: string, message: unknown): number | undefined {
  let value = message;
  for (const step of path.split(/[.[\]]+/).filter((part) => part !== '')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  if (typeof value === 'number') return value;
  // 64-bit integers beyond the safe ones, NaN and infinities are strings.
  return typeof value === 'string' && /^(?:-?\d+|NaN|-?Infinity)$/.test(value) ? Number(value) : undefined;
}

/** Decides which messages say something new. */
export class Deadband {
  readonly #settings: DeadbandSettings;
  #carried: number | undefined;
  #carriedAt = 0;

  constructor(settings: DeadbandSettings) {
    this.#settings = settings;
  }

  /**
   * Whether a message is to be carried, which then counts as carried. One without a number at the path always is.
   * @param message in the JSON form of its type
   * @param now in ms of any steady clock
   */
  passes(message: unknown, now: number): boolean {
    const { path, threshold, maxSilence = Number.POSITIVE_INFINITY } = this.#settings;
    const number = numberAt(path, message);
    const last = this.#carried;
    const isSilence = now - this.#carriedAt >= maxSilence;
    if (number !== undefined && last !== undefined && !isSilence && !hasMoved(last, number, threshold)) {
      return false;
    }
    this.#carried = number;
    this.#carriedAt = now;
    return true;
  }
}

/** NaN is a value of its own, and infinities do not move. */
function hasMoved(last: number, number: number, threshold: number): boolean {
  if (Object.is(last, number)) return false;
  if (Number.isNaN(last) || Number.isNaN(number)) return true;
  return Math.abs(number - last) > threshold;
}
