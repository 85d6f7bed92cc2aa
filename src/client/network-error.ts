const systemErrors: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was reset',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name could not be looked up',
  EPIPE: 'the broker closed the connection',
  ETIMEDOUT: 'no answer',
};

/** What the network says when a connection cannot be made or breaks, in words for a status line. */
export function networkErrorText(error: Error & { code?: string | number }): string {
  const { code } = error;
  // Node reports a host with several addresses as an AggregateError with an empty message.
  const attempts = error instanceof AggregateError ? error.errors.map(errorMessage) : [error.message];
  const words = code === undefined ? undefined : systemErrors[code];
  return words === undefined ? attempts.join('; ') || String(code) : `${words} (${attempts.join('; ')})`;
}

const errorMessage = (error: unknown): string => (error instanceof Error ? error.message : String(error));
