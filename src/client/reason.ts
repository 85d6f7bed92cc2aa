import { ReasonCodes } from 'mqtt';

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

/** A CONNACK, SUBACK, PUBACK or DISCONNECT reason code in words: "Not authorized (0x87)". */
export function reasonCodeText(code: number): string {
  const words =
    code === 0 ? 'Normal disconnection' : ((ReasonCodes as Record<number, string>)[code] ?? 'unknown reason');
  return `${words} (0x${code.toString(16).padStart(2, '0')})`;
}

/** What went wrong on a connection, in words for a status line. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as Error & { code?: string | number };
  // MQTT.js: the broker's reason code.
  if (typeof code === 'number') return reasonCodeText(code);
  if (error.message === 'connack timeout') return 'the broker did not answer CONNECT in time';
  if (error.message === 'Keepalive timeout') return 'the broker did not answer PINGREQ in time';
  // Node reports a host with several addresses as an AggregateError with an empty message.
  const attempts = error instanceof AggregateError ? error.errors.map(errorMessage) : [error.message];
  const words = code === undefined ? undefined : systemErrors[code];
  return words === undefined ? attempts.join('; ') || String(code) : `${words} (${attempts.join('; ')})`;
}

const errorMessage = (error: unknown): string => (error instanceof Error ? error.message : String(error));
