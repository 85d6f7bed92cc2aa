import { FieldError } from './field-error';

/** A day, in seconds. */
export const LONGEST_TIMEOUT_S = 86_400;
const DEFAULT_TIMEOUT_S = 10;

/**
 * The seconds in a form's field `timeout`, which an earlier form may not have had.
 * @throws FieldError it is no number, or one that is out of range
 */
export function timeoutOf({ timeout }: { timeout?: string | number }): number {
  const seconds = Number(timeout || DEFAULT_TIMEOUT_S);
  if (!(seconds > 0 && seconds <= LONGEST_TIMEOUT_S)) throw new FieldError('timeout', timeout);
  return seconds;
}
