import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Bytes of the JavaScript objects that are really needed now. */
export function collectedHeap(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
