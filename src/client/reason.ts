import { ReasonCodes } from 'mqtt';
import { networkErrorText } from './network-error';

/** A CONNACK, SUBACK, PUBACK or DISCONNECT reason code in words: "Not authorized (0x87)". */
export function reasonCodeText(code: number): string {
  const words =
    code === 0 ? 'Normal disconnection' : ((ReasonCodes as Record<number, string>)[code] ?? 'unknown reason');
  return `${words} (0x${code.toString(16).padStart(2, '0')})`;
}

/** A reason code with the words that the broker added to it, and the server that it names instead. */
export function refusal(
  code: number,
  { reasonString, serverReference }: { reasonString?: string; serverReference?: string } = {},
): string {
  const text = reasonString ? `${reasonCodeText(code)}: ${reasonString}` : reasonCodeText(code);
  return serverReference ? `${text}: ${serverReference}` : text;
}

/** What went wrong on a connection, in words for a status line. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as Error & { code?: string | number };
  // MQTT.js: the broker's reason code.
  if (typeof code === 'number') return reasonCodeText(code);
  if (error.message === 'connack timeout') return 'the broker did not answer CONNECT in time';
  if (error.message === 'Keepalive timeout') return 'the broker did not answer PINGREQ in time';
  return networkErrorText(error);
}
