/** Bytes from the network that break the protocol. The message says what was expected where. */
export class MalformedError extends Error {
  override name = 'MalformedError';
}
