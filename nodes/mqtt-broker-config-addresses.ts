import type { ConnectionStatus } from '../src/client/connection';

/** Why the addresses of a connection with several could not be reached, since it was connected last. */
export class AddressFailures {
  readonly #reasons = new Map<string, string>();

  /** To be told each status. */
  note({ state, url, reason }: ConnectionStatus): void {
    if (state === 'connected' || state === 'disconnected') this.#reasons.clear();
    else if (url !== undefined && reason !== undefined) this.#reasons.set(url, reason);
  }

  /** The reason of a status, with each address that failed where there are several. */
  reason({ reason = '' }: ConnectionStatus): string {
    if (this.#reasons.size === 0) return reason;
    return [...this.#reasons].map(([url, why]) => `${url}: ${why}`).join('; ');
  }
}
