import { MessageChannel } from 'node:worker_threads';

/** Of fewer bytes it would take longer than leaving them to V8. */
const LEAST_BYTES = 1024;

const { port1: closed } = new MessageChannel();
closed.close();

/**
 * Gives the memory of a buffer back at once, whose bytes nobody uses any more: it has none afterwards. Without effect
 * where the buffer is a part of that memory.
 *
 * V8 would find out when it collects garbage, which it does anew whenever some 10 MB have been allocated outside of its
 * heap: with large messages that takes three times as long as carrying them. What is posted to a closed port loses its
 * transferred memory all the same (HTML standard, "message port post message steps"); `ArrayBuffer.prototype.transfer`,
 * which Node.js 20 does not have, takes as long.
 */
export function freeMemory({ buffer, byteLength }: Buffer): void {
  if (byteLength < LEAST_BYTES || byteLength !== buffer.byteLength) return;
  closed.postMessage(undefined, [buffer as ArrayBuffer]);
}
