import { errorText, refusal } from './reason';

/** Reason codes of DISCONNECT that may be about a packet of ours, MQTT 5.0 section 3.14.2.1. */
const PACKET_FAULTS = new Set([0x80, 0x81, 0x82, 0x83, 0x87, 0x90, 0x94, 0x95, 0x97, 0x99, 0x9a, 0x9b]);

/** Why and how a connection has ended. */
export interface ConnectionEnd {
  /** In words. */
  reason: string;
  /** The broker's reason code in CONNACK or DISCONNECT. */
  code?: number;
  /** CONNACK said no. */
  refused: boolean;
  /** The broker ended it, and what it was sent may have been the reason: it has said so, or nothing. */
  overPacket: boolean;
}

/** Finds the cause in what is seen of a connection that ends: what the broker says, or else what was seen first. */
export class EndCause {
  #reason: string | undefined;
  #code: number | undefined;
  #refused = false;
  #byBroker = false;

  /** In words, as far as it is known. */
  get reason(): string | undefined {
    return this.#reason;
  }

  get end(): ConnectionEnd {
    return {
      reason: this.#reason ?? 'the broker closed the connection',
      ...(this.#code !== undefined && { code: this.#code }),
      refused: this.#refused,
      overPacket: this.#byBroker && (this.#code === undefined || PACKET_FAULTS.has(this.#code)),
    };
  }

  /** CONNACK has said no. */
  refused(code: number, properties: Parameters<typeof refusal>[1]): void {
    this.#refused = true;
    this.#code = code;
    this.#reason = refusal(code, properties);
  }

  /** DISCONNECT has come. */
  disconnected(code: number, properties: Parameters<typeof refusal>[1]): void {
    this.#byBroker = true;
    this.#code = code;
    this.#reason = `the broker ended the connection: ${refusal(code, properties)}`;
  }

  /** The broker sends nothing more. */
  finished(): void {
    this.#byBroker = true;
  }

  /** The network connection is broken. */
  broken(error: Error & { code?: string }, accepted: boolean): void {
    const unanswered = error.code === 'ECONNRESET' && !accepted;
    this.failed(
      unanswered
        ? `no answer to CONNECT: perhaps MQTT is not spoken there, or only with TLS (${error.message})`
        : errorText(error),
    );
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE') this.#byBroker = true;
  }

  /** It is given up here. */
  failed(reason: string): void {
    this.#reason ??= reason;
  }
}
