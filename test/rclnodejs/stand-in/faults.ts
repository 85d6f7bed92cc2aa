/** How the library fails, by `STAND_IN`. */
export const fault = process.env.STAND_IN;

/** The library runs the event loop here, and Node.js ends where it comes to immediates inside of one. */
export function mustBearTheLoop(): void {
  Error.stackTraceLimit = Number.POSITIVE_INFINITY;
  if (new Error().stack?.includes('processImmediate')) process.abort();
}

/** Blocks the process for a moment. */
export function wait(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
}
