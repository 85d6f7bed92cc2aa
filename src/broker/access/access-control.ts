import { setTimeout as delay } from 'node:timers/promises';
import { ProtocolError } from '../codec/protocol-error';
import { ReasonCode } from '../codec/reason-code';
import { isLocal, type Peer } from '../peer';
import type { BrokerStatistics } from '../statistics';
import { AccessRules } from './access-rules';
import { type AccessSettings, AccessSettingsError, type UserSettings } from './access-settings';
import { type Decision, type DecisionRequest, Decisions } from './decisions';
import type { Identity } from './identity';
import type { LoginRequest } from './login-request';
import { type LoginKeys, LoginThrottle } from './login-throttle';
import type { Permissions } from './permissions';
import { readClientFirst, ScramError, ScramExchange } from './scram';
import { looksLikeToken, TokenVerifier } from './token';
import { UserList } from './user-list';
import { WorkQueue } from './work-queue';

/** Passwords checked at once: each takes a thread of the pool that files need as well. */
const CHECKS_AT_ONCE = 2;
const CHECKS_WAITING = 1000;
/** ms */
const LONGEST_DECISION = 60_000;

/** A SCRAM exchange that waits for the client's last message. */
export interface ScramLogin {
  /** What the client is sent. */
  readonly serverFirst: Buffer;
  /**
   * @returns who it is, and what to send last
   * @throws ProtocolError the proof is wrong, or the message
   */
  finish(message: Buffer): { identity: Identity; serverFinal: Buffer };
}

/**
 * Who may connect, and what each client may do. A user that does not exist is told from a wrong password neither by
 * the answer nor by its time: its password is compared with that of another user.
 */
export class AccessControl {
  readonly #settings: AccessSettings;
  readonly #anonymous: 'in-process' | 'local' | 'anyone';
  readonly #statistics: BrokerStatistics;
  readonly #now: () => number;
  readonly #users: UserList;
  readonly #rules: AccessRules;
  readonly #tokens: TokenVerifier | undefined;
  readonly #decisions: Decisions | undefined;
  readonly #checks = new WorkQueue(CHECKS_AT_ONCE, CHECKS_WAITING);
  readonly #throttle = new LoginThrottle();

  /**
   * @param anyone whether clients beyond this machine need no password either
   * @param clock milliseconds of a clock that does not jump
   * @param ask told about clients to decide about, when the settings have a decision timeout
   * @throws AccessSettingsError a rule, a user, the key of tokens or the decision timeout is not valid
   */
  constructor(
    settings: AccessSettings,
    anyone: boolean,
    statistics: BrokerStatistics,
    clock: () => number,
    ask: (request: DecisionRequest) => void,
  ) {
    this.#settings = settings;
    this.#anonymous = anyone ? 'anyone' : (settings.anonymous ?? 'local');
    this.#statistics = statistics;
    this.#now = clock;
    this.#rules = new AccessRules(settings.rules, settings.otherwise);
    this.#users = new UserList(settings.users ?? []);
    this.#tokens = settings.tokens && new TokenVerifier(settings.tokens);
    const { decisionTimeout } = settings;
    if (decisionTimeout !== undefined) {
      if (!(decisionTimeout >= 1 && decisionTimeout <= LONGEST_DECISION)) {
        throw new AccessSettingsError(
          `the time for decisions is ${decisionTimeout} ms, expected 1 to ${LONGEST_DECISION}`,
        );
      }
      this.#decisions = new Decisions(decisionTimeout, ask);
    }
  }

  /** Reads the password file. @throws AccessSettingsError */
  async open(): Promise<void> {
    const { passwordFile } = this.#settings;
    if (passwordFile !== undefined) await this.#users.open(passwordFile);
  }

  /** Whether credentials are checked at all; otherwise they are ignored. */
  get checksCredentials(): boolean {
    return this.#users.size > 0 || this.#tokens !== undefined || this.#decisions !== undefined;
  }

  /** Whether clients can log in by SCRAM-SHA-256. */
  get offersScram(): boolean {
    return this.#users.offersScram;
  }

  /** Whether there is any way in for this peer. */
  mayTry(peer: Peer): boolean {
    return this.checksCredentials || peer.certificateName !== undefined || this.#admitsAnonymous(peer);
  }

  /** Adds or replaces a user. @throws AccessSettingsError */
  setUser(user: UserSettings): void {
    this.#users.set(user);
  }

  removeUser(name: string): void {
    this.#users.remove(name);
  }

  /** The answer to a decision request; without effect when it comes too late. */
  decide(id: number, decision: Decision): void {
    this.#decisions?.answer(id, decision);
  }

  /**
   * Who a client is. At once for one that needs no proof.
   * @throws ProtocolError it may not connect, as does the promise, which rejects otherwise when the client has gone
   */
  authenticate(login: LoginRequest): Identity | Promise<Identity> {
    const { peer, username, password } = login;
    if ((username !== undefined || password !== undefined) && this.checksCredentials) {
      return this.#throttled(login, (keys) => this.#check(login, keys));
    }
    if (peer.certificateName !== undefined) return this.#identity(peer, peer.certificateName);
    if (this.#admitsAnonymous(peer)) return this.#identity(peer);
    if (this.#decisions !== undefined) return this.#askAbout(login, this.#decisions);
    throw new ProtocolError(ReasonCode.notAuthorized, 'a user name and a password are needed');
  }

  /**
   * Begins a SCRAM exchange with the client's first message.
   * @param signal aborted when the client goes
   * @throws ProtocolError the promise: the message is not valid, or too many attempts have failed
   */
  async beginScram(peer: Peer, message: Buffer, signal: AbortSignal): Promise<ScramLogin> {
    const first = orRefused(() => readClientFirst(message));
    const { username } = first;
    const keys = this.#throttle.keysOf(peer, username);
    await this.#wait(keys, signal);
    const user = this.#users.get(username);
    const verifier = user?.password.scram ?? this.#users.standInVerifier(username);
    const exchange = new ScramExchange(first, verifier);
    return {
      serverFirst: exchange.serverFirst,
      finish: (last) => {
        this.#checkAddress(keys);
        const serverFinal = orRefused(() => exchange.finish(last));
        // Nobody can prove anything to a stand-in. The user may have been replaced meanwhile.
        if (serverFinal === undefined || this.#users.get(username) !== user) {
          this.#failed(keys);
          throw wrong();
        }
        this.#throttle.succeeded(keys);
        return { identity: this.#identity(peer, username), serverFinal };
      },
    };
  }

  /** What a client may do. */
  permissionsOf(identity: Identity, clientId: string): Permissions {
    return this.#rules.permissionsOf(identity, clientId);
  }

  #identity(peer: Peer, username?: string): Identity {
    return {
      ...(username !== undefined && { username }),
      groups: (username !== undefined && this.#users.get(username)?.groups) || [],
      inProcess: peer.host === undefined,
    };
  }

  #admitsAnonymous(peer: Peer): boolean {
    if (this.#anonymous === 'anyone' || peer.host === undefined) return true;
    return this.#anonymous === 'local' && isLocal(peer);
  }

  async #check(login: LoginRequest, keys: LoginKeys): Promise<Identity> {
    const { peer, username = '', password = Buffer.alloc(0), signal } = login;
    this.#checkAddress(keys);
    if (this.#tokens !== undefined) {
      const text = password.toString('latin1');
      if (looksLikeToken(text)) {
        const bearer = this.#tokens.verify(text, Date.now());
        if (typeof bearer === 'string') throw new ProtocolError(ReasonCode.badUserNameOrPassword, bearer);
        return { ...bearer, inProcess: peer.host === undefined };
      }
    }
    const user = this.#users.get(username);
    const stored = user?.password ?? this.#users.standIn(username);
    if (stored !== undefined && this.#checks.full) {
      throw new ProtocolError(ReasonCode.serverBusy, 'too many clients log in at once');
    }
    const verified =
      stored &&
      this.#checks.run(() => {
        this.#checkAddress(keys);
        return stored.verify(password);
      }, signal);
    if (user === undefined && this.#decisions !== undefined) {
      // The stand-in is checked all the same: the time must not say that the user is unknown.
      const [identity] = await Promise.allSettled([this.#askAbout(login, this.#decisions), verified]);
      if (identity.status === 'rejected') throw identity.reason;
      return identity.value;
    }
    // The user may have been replaced meanwhile.
    if ((await verified) && user !== undefined && this.#users.get(username) === user) {
      return this.#identity(peer, username);
    }
    throw wrong();
  }

  async #askAbout(login: LoginRequest, decisions: Decisions): Promise<Identity> {
    const { allow, groups = [] } = await decisions.decide(login);
    if (!allow) {
      if (login.username !== undefined || login.password !== undefined) throw wrong();
      throw new ProtocolError(ReasonCode.notAuthorized, 'not authorized');
    }
    return { ...this.#identity(login.peer, login.username), groups };
  }

  async #throttled(
    { peer, username = '', signal }: LoginRequest,
    check: (keys: LoginKeys) => Promise<Identity>,
  ): Promise<Identity> {
    const keys = this.#throttle.keysOf(peer, username);
    await this.#wait(keys, signal);
    try {
      const identity = await check(keys);
      this.#throttle.succeeded(keys);
      return identity;
    } catch (error) {
      if (error instanceof ProtocolError && error.reasonCode === ReasonCode.badUserNameOrPassword)
        this.#failed(keys);
      throw error;
    }
  }

  async #wait(keys: LoginKeys, signal: AbortSignal): Promise<void> {
    const time = this.#throttle.wait(keys, this.#now());
    if (time === undefined) throw tooManyFailures();
    if (time > 0) await delay(time, undefined, { ref: false, signal });
  }

  /** To be called right before a password, a token or a proof is checked. */
  #checkAddress(keys: LoginKeys): void {
    if (!this.#throttle.mayTry(keys, this.#now())) throw tooManyFailures();
  }

  #failed(keys: LoginKeys): void {
    this.#statistics.loginsFailed++;
    this.#throttle.failed(keys, this.#now());
  }
}

function tooManyFailures(): ProtocolError {
  return new ProtocolError(ReasonCode.connectionRateExceeded, 'too many logins have failed, try again later');
}

function wrong(): ProtocolError {
  return new ProtocolError(ReasonCode.badUserNameOrPassword, 'the user name or the password is wrong');
}

function orRefused<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ScramError)) throw error;
    throw new ProtocolError(ReasonCode.badUserNameOrPassword, error.message);
  }
}
