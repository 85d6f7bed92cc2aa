import { randomBytes } from 'node:crypto';
import { ApiError } from './api-error';

/** How long a ticket is good for, ms. */
const LIFETIME = 30_000;
/** That are not used and not expired. */
const MAX_TICKETS = 10_000;

interface Ticket {
  purpose: string;
  expiresAt: number;
}

/**
 * What stands in a WebSocket's URL for the permission that a call has shown: browsers send no fields of our own with
 * the request, and what stands in a URL may be logged. So it is good for one connection to one place, and soon for none.
 */
export class Tickets {
  /** The oldest first. */
  readonly #tickets = new Map<string, Ticket>();
  readonly #clock: () => number;

  /** @param clock ms since 1970 */
  constructor(clock: () => number = Date.now) {
    this.#clock = clock;
  }

  /** @throws ApiError too many are waiting to be used */
  issue(purpose: string): { ticket: string; expiresAt: Date } {
    const now = this.#clock();
    for (const [ticket, { expiresAt }] of this.#tickets) {
      if (expiresAt > now) break;
      this.#tickets.delete(ticket);
    }
    if (this.#tickets.size >= MAX_TICKETS) {
      throw new ApiError('limit_reached', `${MAX_TICKETS} tickets have not been used`);
    }
    const ticket = randomBytes(24).toString('base64url');
    this.#tickets.set(ticket, { purpose, expiresAt: now + LIFETIME });
    return { ticket, expiresAt: new Date(now + LIFETIME) };
  }

  /** Takes a ticket, and says whether it was good for this. */
  redeem(ticket: string, purpose: string): boolean {
    const found = this.#tickets.get(ticket);
    this.#tickets.delete(ticket);
    return found !== undefined && found.purpose === purpose && found.expiresAt > this.#clock();
  }
}
