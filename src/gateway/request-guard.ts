import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { ApiError } from './api-error';

export interface GuardSettings {
  /** Who calls must show it as `Authorization: Bearer <token>`; without one everybody may call. */
  token?: string;
  /** Names, without port, by which the gateway may be asked besides addresses and `localhost`; needed without a token. */
  hosts?: readonly string[];
  /** Origins of web pages that may call besides those of the gateway's own host: `https://panel.example`. */
  origins?: readonly string[];
  /** Whether WebSockets are opened with tickets alone: whoever mounts the gateway asks callers, but sees no requests to upgrade. */
  ticketsOnly?: boolean;
}

/**
 * Keeps web pages of other sites away, which any browser on this machine would otherwise call for: by the Origin that
 * browsers tell, and by the name in Host, as a page may have bent its own name to this address (DNS rebinding).
 */
export class RequestGuard {
  readonly #token: Buffer | undefined;
  readonly #hosts: ReadonlySet<string>;
  readonly #origins: ReadonlySet<string>;
  readonly #ticketsOnly: boolean;

  constructor(settings: GuardSettings) {
    const { token, hosts = [], origins = [], ticketsOnly = false } = settings;
    this.#token = token === undefined ? undefined : digest(token);
    this.#hosts = new Set(hosts.map((host) => host.toLowerCase()));
    this.#origins = new Set(origins);
    this.#ticketsOnly = ticketsOnly;
  }

  /** Whether a caller has to show something. */
  get hasToken(): boolean {
    return this.#token !== undefined;
  }

  /**
   * Refuses what a web page of another site asks for.
   * @param isKnown the caller has shown who it is to whoever mounts the gateway
   * @throws ApiError `forbidden`
   */
  checkSite({ headers }: IncomingMessage, isKnown = false): void {
    const { host = '', origin } = headers;
    const name = hostname(host);
    if (name === undefined) throw new ApiError('invalid_request', 'the Host of the request is not a host');
    // Whoever shows a secret is not bent here by a name: the page of that name does not have it.
    const named = this.#token !== undefined || isKnown || isAddress(name) || this.#hosts.has(name);
    if (!named) {
      throw new ApiError('forbidden', `"${short(name)}" is no name of this gateway, expected an address`);
    }
    const crossSite = headers['sec-fetch-site'] === 'cross-site';
    if (origin === undefined ? !crossSite : this.isAllowedOrigin(origin)) return;
    if (origin !== undefined && hostOf(origin) === hostOf(`http://${host}`)) return;
    throw new ApiError('forbidden', `web pages of ${short(origin ?? 'other sites')} may not call`);
  }

  /**
   * Refuses a WebSocket that a web page of another site opens.
   * @throws ApiError `forbidden`
   */
  checkUpgradeSite(request: IncomingMessage): void {
    // By its ticket the caller is known.
    this.checkSite(request, this.#ticketsOnly);
  }

  /** Whether the settings name the origin. */
  isAllowedOrigin(origin: string): boolean {
    return this.#origins.has(origin);
  }

  /**
   * Asks whoever opens a WebSocket without a ticket.
   * @throws ApiError `unauthorized`
   */
  authoriseUpgrade(request: IncomingMessage): void {
    if (this.#ticketsOnly) throw new ApiError('unauthorized', 'expected a ticket, from POST /ws/tickets');
    this.authorise(request);
  }

  /**
   * Asks for the token, where there is one.
   * @throws ApiError `unauthorized`
   */
  authorise({ headers }: IncomingMessage): void {
    if (this.#token === undefined) return;
    const [, shown] = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '') ?? [];
    if (shown === undefined) {
      throw new ApiError('unauthorized', 'expected a token, as "Authorization: Bearer <token>"');
    }
    // Of equal length, whatever was shown.
    if (!timingSafeEqual(digest(shown), this.#token))
      throw new ApiError('unauthorized', 'the token is wrong');
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

const short = (text: string): string => text.slice(0, 200);

/** The name in a Host field, without its port. */
function hostname(host: string): string | undefined {
  if (/[/?#@\\]/.test(host) || !URL.canParse(`http://${host}`)) return undefined;
  return new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, '');
}

/** With the port, without the one that the scheme has anyway. */
const hostOf = (url: string): string | undefined => (URL.canParse(url) ? new URL(url).host : undefined);

const isAddress = (name: string): boolean => name === 'localhost' || isIP(name) !== 0;
