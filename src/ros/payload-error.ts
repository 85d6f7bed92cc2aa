/** A payload that does not fit its ROS type. The message starts with the path: `angular.z: expected a number, got "x"`. */
export class PayloadError extends Error {
  override readonly name = 'PayloadError';
  /** Where in the payload, `poses[3].position.x`; empty for the payload as a whole. */
  readonly path: string;
  readonly #fault: string;

  constructor(fault: string, path = '') {
    super(path === '' ? fault : `${path}: ${fault}`);
    this.path = path;
    this.#fault = fault;
  }

  /** The same fault seen from the message (`header`) or array (`[3]`) that contains the value. */
  within(place: string): PayloadError {
    const joint = this.path === '' || this.path.startsWith('[') ? '' : '.';
    return new PayloadError(this.#fault, place + joint + this.path);
  }
}

/** Fails because a value is not what its type takes; `expected` is in words ("a number"). */
export function refuse(expected: string, value: unknown): never {
  throw new PayloadError(mismatch(expected, value));
}

/** The words for a value that is not what its type takes. */
export function mismatch(expected: string, value: unknown): string {
  return `expected ${expected}, got ${describe(value)}`;
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'bigint') return `${value.toString().slice(0, 40)}n`;
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) {
    const kind = Object.prototype.toString.call(value).slice('[object '.length, -1);
    return kind === 'Object' ? 'an object' : `a ${kind.slice(0, 40)}`;
  }
  return Object.is(value, -0) ? '-0' : String(value);
}
