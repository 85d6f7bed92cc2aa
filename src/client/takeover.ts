import type { ConnectionEnd } from './connection-end';

/** MQTT 5.0 section 2.4. */
const SESSION_TAKEN_OVER = 0x8e;
/** Takeovers within the time that make a loop of them. */
const LOOP = 3;
const LOOP_MS = 60_000;
/** Before MQTT 5 a broker does not say why it closes: connections that end this soon, this often in a row, are suspect. */
const SHORT_MS = 5000;
const SUSPECT = 4;

/** Recognises from how connections end that another client has the same client id, so that each throws the other out. */
export class TakeoverWatch {
  readonly #clientId: string;
  #takeovers: number[] = [];
  #short = 0;

  constructor(clientId: string) {
    this.#clientId = clientId;
  }

  /**
   * An accepted connection has ended.
   * @param lasted ms since CONNACK
   * @returns what is going on, in words, if that is a loop
   */
  ended(end: ConnectionEnd, lasted: number): string | undefined {
    if (end.code === SESSION_TAKEN_OVER) {
      const now = performance.now();
      this.#takeovers = [...this.#takeovers.filter((then) => now - then < LOOP_MS), now];
      if (this.#takeovers.length < LOOP) return undefined;
      return `another client uses the client id "${this.#clientId}": each takes the session over from the other`;
    }
    this.#short = end.overPacket && end.code === undefined && lasted < SHORT_MS ? this.#short + 1 : 0;
    if (this.#short < SUSPECT) return undefined;
    return `the broker closes the connection soon after it is made, ${this.#short} times now; perhaps another client uses the client id "${this.#clientId}"`;
  }
}
