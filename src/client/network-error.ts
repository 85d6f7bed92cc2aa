const UNTRUSTED = "the broker's certificate is of an authority that is not trusted here";

const systemErrors: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was reset',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name could not be looked up',
  EPIPE: 'the broker closed the connection',
  ETIMEDOUT: 'no answer',
  CERT_HAS_EXPIRED: "the broker's certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  ERR_SSL_WRONG_VERSION_NUMBER: 'no TLS is spoken there',
  ERR_TLS_CERT_ALTNAME_INVALID: "the broker's certificate is for another host",
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
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
