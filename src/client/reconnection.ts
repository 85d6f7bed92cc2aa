import type { Duplex } from 'node:stream';
import { Backoff } from './backoff';
import type { ConnectionEnd } from './connection-end';
import type { ConnectionSettings } from './connection-settings';
import { AddressList, openStream } from './endpoint';
import { readPassword } from './password';
import { errorText } from './reason';
import { shownUrl } from './shown-url';
import { TakeoverWatch } from './takeover';

/** How long an attempt to connect may take where the settings say nothing, in s. */
const CONNECT_TIMEOUT_S = 15;
/** A connection that lasted this long was a good one, in ms: the next outage starts with short delays and the first address. */
const STABLE_MS = 10_000;

/** A stream to a broker, and what CONNECT needs to be sent on it. */
export interface Opened {
  stream: Duplex;
  password: string | undefined;
  /** ms left for CONNACK. */
  timeout: number;
}

export interface ReconnectionObserver {
  opened(opened: Opened): void;
  /** The attempt has failed before CONNECT could be sent. */
  failed(end: ConnectionEnd): void;
}

/** When, where and with which secrets to connect next: attempt after attempt, until it is stopped. */
export class Reconnection {
  readonly #settings: ConnectionSettings;
  readonly #observer: ReconnectionObserver;
  readonly #backoff: Backoff;
  readonly #addresses: AddressList;
  readonly #takeovers: TakeoverWatch;
  #running = false;
  #attempt: AbortController | undefined;
  #retry: NodeJS.Timeout | undefined;
  #stable: NodeJS.Timeout | undefined;
  #acceptedAt: number | undefined;

  constructor(settings: ConnectionSettings, observer: ReconnectionObserver) {
    this.#settings = settings;
    this.#observer = observer;
    this.#backoff = new Backoff(settings.reconnect);
    this.#addresses = new AddressList(settings.endpoint);
    this.#takeovers = new TakeoverWatch(settings.clientId);
  }

  /** The address that is tried or used, as it may be shown, where there are several. */
  get url(): string | undefined {
    const { several, current } = this.#addresses;
    return several && current !== undefined ? shownUrl(current) : undefined;
  }

  get running(): boolean {
    return this.#running;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#connect();
  }

  /** Gives up what is under way; a connection that has been opened is left to its owner. */
  stop(): void {
    this.#running = false;
    clearTimeout(this.#retry);
    clearTimeout(this.#stable);
    this.#attempt?.abort(new Error('the connection was closed'));
  }

  /** The broker has accepted the connection. */
  accepted(): void {
    this.#acceptedAt = performance.now();
    this.#stable = setTimeout(() => {
      this.#backoff.reset();
      this.#addresses.restart();
    }, STABLE_MS);
    this.#stable.unref();
  }

  /** The attempt or connection has ended: there will be another one. Returns the reason in words. */
  again(end: ConnectionEnd): string {
    clearTimeout(this.#stable);
    const lasted = this.#acceptedAt === undefined ? undefined : performance.now() - this.#acceptedAt;
    this.#acceptedAt = undefined;
    const loop = lasted === undefined ? undefined : this.#takeovers.ended(end, lasted);
    // After one that was good it is the first address again, which restart() has chosen.
    const pause = (lasted !== undefined && lasted >= STABLE_MS) || this.#addresses.next();
    if (this.#running) {
      this.#retry = setTimeout(() => void this.#connect(), pause ? this.#backoff.next() : 0);
    }
    return loop ?? end.reason;
  }

  async #connect(): Promise<void> {
    const attempt = new AbortController();
    this.#attempt = attempt;
    const timeout = (this.#settings.connectTimeout ?? CONNECT_TIMEOUT_S) * 1000;
    const begun = performance.now();
    const timer = setTimeout(() => attempt.abort(new Error('no answer in time')), timeout);
    try {
      const { password: source } = this.#settings;
      const password = source === undefined ? undefined : await readPassword(source);
      attempt.signal.throwIfAborted();
      const stream = await openStream(this.#settings, this.#addresses.current, attempt.signal);
      if (attempt.signal.aborted) {
        stream.destroy();
        throw attempt.signal.reason;
      }
      this.#observer.opened({
        stream,
        password,
        timeout: Math.max(1, timeout - (performance.now() - begun)),
      });
    } catch (error) {
      // One that was given up may fail after the next has begun.
      if (this.#running && this.#attempt === attempt) {
        this.#observer.failed({ reason: errorText(error), refused: false, overPacket: false });
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
