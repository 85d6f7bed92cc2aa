import { createHmac, randomBytes } from 'node:crypto';
import { networkOf, type Peer } from '../peer';

/** Failures of a user at an address that cost nothing yet; the next attempts wait, each twice as long as the one before. */
const FREE_FAILURES = 3;
const FIRST_DELAY = 100;
const LONGEST_DELAY = 4000;
/** How long after the last failure a user's are forgiven, ms. */
const FORGET_AFTER = 5 * 60_000;
/** Failures of an address, whatever the user, and how many are forgiven per second. */
const FREE_FAILURES_OF_ADDRESS = 30;
const FORGIVEN_PER_SECOND = 0.5;
/** Bound on what attackers can make us remember of each kind; the oldest is forgotten first. */
const MAX_ENTRIES = 10_000;

/** Who tries to log in, from where. */
export interface LoginKeys {
  readonly address: string;
  /** Of a user at an address. */
  readonly user: string;
}

interface UserFailures {
  count: number;
  last: number;
  /** When the next attempt may be checked. */
  next: number;
}

interface AddressFailures {
  /** Forgiven ones taken off. */
  count: number;
  at: number;
}

/**
 * Slows down guessing: the attempts for one user at one address wait ever longer and for each other, and an address that
 * has failed too often gets none, except for users who have logged in from there before. So neither one device with an
 * old password nor an attacker locks out the others that share its address. Times in ms of a clock that does not jump.
 */
export class LoginThrottle {
  readonly #users = new Map<string, UserFailures>();
  readonly #addresses = new Map<string, AddressFailures>();
  readonly #known = new Set<string>();
  readonly #secret = randomBytes(32);

  keysOf({ host = '' }: Peer, username: string): LoginKeys {
    const address = networkOf(host);
    // A digest, so that long names do not make the memory of failures large.
    const digest = createHmac('sha256', this.#secret).update(username).digest('base64');
    return { address, user: `${address} ${digest}` };
  }

  /** How long an attempt must wait from now; `undefined` when it is refused, as so many wait already. */
  wait({ user }: LoginKeys, now: number): number | undefined {
    const failures = this.#users.get(user);
    if (failures === undefined) return 0;
    if (now - failures.last > FORGET_AFTER) {
      this.#users.delete(user);
      return 0;
    }
    if (failures.count < FREE_FAILURES) return 0;
    const at = Math.max(now, failures.next);
    if (at - now > LONGEST_DELAY) return undefined;
    failures.next = at + delayAfter(failures.count);
    return at - now;
  }

  /** Whether the address may try; to be asked right before each check, as many attempts may be under way. */
  mayTry({ address, user }: LoginKeys, now: number): boolean {
    return this.#known.has(user) || this.#failuresOf(address, now) < FREE_FAILURES_OF_ADDRESS;
  }

  failed({ address, user }: LoginKeys, now: number): void {
    const before = this.#users.get(user);
    const count = (before?.count ?? 0) + 1;
    const next = Math.max(before?.next ?? 0, now + delayAfter(count));
    remember(this.#users, user, { count, last: now, next });
    remember(this.#addresses, address, { count: this.#failuresOf(address, now) + 1, at: now });
  }

  succeeded({ user }: LoginKeys): void {
    this.#users.delete(user);
    this.#known.delete(user);
    this.#known.add(user);
    if (this.#known.size > MAX_ENTRIES) this.#known.delete(this.#known.keys().next().value as string);
  }

  #failuresOf(address: string, now: number): number {
    const { count, at } = this.#addresses.get(address) ?? { count: 0, at: now };
    return Math.max(0, count - ((now - at) / 1000) * FORGIVEN_PER_SECOND);
  }
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > MAX_ENTRIES) map.delete(map.keys().next().value as string);
}

function delayAfter(failures: number): number {
  if (failures < FREE_FAILURES) return 0;
  return Math.min(FIRST_DELAY * 2 ** Math.min(failures - FREE_FAILURES, 16), LONGEST_DELAY);
}
