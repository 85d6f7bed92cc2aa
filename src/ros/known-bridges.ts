import { createHash } from 'node:crypto';
import type { Connection, ReceivedMessage, Subscription } from '../client/connection';
import { type BridgePresence, decodePresence, encodePresence, NOTHING_CARRIED } from './bridge-presence';
import type { Way } from './name-patterns';
import { bridgeIdFault } from './via';

export interface KnownBridgesOptions {
  id: string;
  domains: readonly number[];
  protocolVersion: 4 | 5;
  /** Whether ROS messages tell this bridge when they were published. */
  isTimed?: boolean;
  /** Where this bridge's presence stands. */
  topic: string;
  /** Where those of all bridges of the prefix stand. */
  filter: string;
  /** How long the broker may take to send back what this bridge says of itself, in ms. */
  patience?: number;
}

export interface KnownBridgesListener {
  /** Who is there, what they carry, what has come back of this bridge's own presence, or the connection has changed. */
  changed(): void;
  /** Why others cannot be known, in words. */
  warning(text: string): void;
}

/** Online bridges that are kept in mind, and the routes that they have together; what is beyond is not known. */
const MAX_BRIDGES = 1000;
const MAX_ROUTES = 2 ** 18;
/**
 * How long what a bridge has carried may be under way after it has left, or has the route no more, in ms; of more the last
 * are kept in mind.
 */
const UNDER_WAY = 10_000;
const MAX_LEFT = 32;
/**
 * How long after this bridge has said it what it has said is to count for what ROS publishes, in ms: by then all have
 * heard it.
 */
const NOTICE = 500;
/** How long the broker may take to send back what this bridge says of itself, in ms, and how often it is said. */
const PATIENCE = 3000;
const MAX_REPEATS = 5;
/** Who says again and again that this bridge is not there is answered after this time, twice as long each time, in ms. */
const FIRST_ANSWER = 500;
const LONGEST_ANSWER = 30_000;
/** After so many ms without that it is over. */
const QUIET = 60_000;
/** Of so many bridges each check of what the broker has stored may cost a message. */
const CHECKED_AT_ONCE = 10;

/**
 * The bridges that are online at a broker under one prefix, by what they and their wills publish under `@bridge`, and
 * this bridge's own presence there.
 *
 * After each connect it says that it is there, and is settled when that has come back: the broker keeps the order, so by
 * then it has sent what it had stored. Until then others may be there that are not known.
 */
export class KnownBridges {
  readonly #options: KnownBridgesOptions;
  readonly #connection: Connection;
  readonly #listener: KnownBridgesListener;
  readonly #online = new Map<string, BridgePresence & { topic: string; digest: string }>();
  /** Of all that are online. */
  #routes = 0;
  /** What those carried that were online, or had more routes. */
  readonly #left: Array<{ id: string; presence: BridgePresence; at: number; from: number | undefined }> = [];
  #subscription: Subscription | undefined;
  #carried = NOTHING_CARRIED;
  /** What was said last, while connected, as it was sent, and whether it has yet to come back. */
  #said: { what: string; text: string; from: number | undefined } | undefined;
  #isUnderWay = false;
  /** It is said again: what was said before may have come to others alone. */
  #isRepeated = false;
  /** What this carries by that, and by what came back before. */
  #saidCarried = NOTHING_CARRIED;
  #knownCarried = NOTHING_CARRIED;
  /** How often it was said again in a row. */
  #repeats = 0;
  /** What is said does not come back, in words. */
  #alone: string | undefined;
  /** The broker has told all that this bridge is not there, and not yet again that it is. */
  #isDenied = false;
  /** How often that was so in a row, and when it was last (`performance.now()`). */
  #denials = 0;
  #deniedAt = Number.NEGATIVE_INFINITY;
  #checks = 0;
  #isChecking = false;
  #isLeaving = false;
  #hasLeft = false;
  #from: number | undefined;
  #settled = false;
  #patience: NodeJS.Timeout | undefined;
  #isFull = false;
  #told: (() => void) | undefined;

  constructor(options: KnownBridgesOptions, connection: Connection, listener: KnownBridgesListener) {
    this.#options = options;
    this.#connection = connection;
    this.#listener = listener;
  }

  /** The others, by their ids. */
  get online(): ReadonlyMap<string, BridgePresence> {
    return this.#online;
  }

  /**
   * What another is, and was until a moment ago: what it has carried may come after the word that it has left, or has the
   * route no more. Empty of one that is not known.
   */
  lately(id: string): BridgePresence[] {
    const since = performance.now() - UNDER_WAY;
    const before = this.#left.filter((left) => left.id === id && left.at > since);
    const now = this.#online.get(id);
    return [...(now === undefined ? [] : [now]), ...before.map(({ presence }) => presence)];
  }

  /** From when on counts what came back of this bridge's presence last, where it tells it; see `BridgePresence`. */
  get from(): number | undefined {
    return this.#from;
  }

  /** The same of the last word of another; `undefined` where it has not said it, or has left some time ago. */
  fromOf(id: string): number | undefined {
    const now = this.#online.get(id);
    return now === undefined ? this.#left.findLast((left) => left.id === id)?.from : now.from;
  }

  /** Whether all have been told that this bridge is leaving. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** Whether others have been told by somebody else that this bridge is not there: they carry now. */
  get isDenied(): boolean {
    return this.#isDenied;
  }

  /** What is wrong with this bridge's presence, in words. */
  get problem(): string | undefined {
    if (this.#denials < 2 || performance.now() - this.#deniedAt > QUIET) return this.#alone;
    const { topic } = this.#options;
    return `somebody else says at ${topic} that this bridge is not there, or what it has not; only its own client should be allowed to publish there`;
  }

  /** Whether the connection is there. */
  get connected(): boolean {
    return this.#connection.status.state === 'connected';
  }

  /** Whether the connection is there and all others are known. */
  get settled(): boolean {
    return this.#settled;
  }

  /**
   * Whether all others who are sent what this bridge says know that it has one way of a route, or all know that it has
   * not; `undefined` while some may know the one and some the other.
   */
  told(way: Way, domain: number, key: string): boolean | undefined {
    const has = (carried: BridgePresence['carried']) => carried[way].get(domain)?.has(key) === true;
    if (this.#alone !== undefined) return has(this.#carried);
    const known = has(this.#knownCarried);
    const isSame = !this.#isRepeated && has(this.#saidCarried) === known;
    return !this.#isUnderWay || isSame ? known : undefined;
  }

  open(): void {
    this.#connection.onStatus(({ state }) => {
      if (state !== 'connected') this.#reset();
    });
    this.#subscription = this.#connection.subscribe(
      this.#options.filter,
      { qos: 1, retainHandling: 0 },
      {
        message: (message) => this.#receive(message, !message.retain),
        result: (error) => {
          // Another time on the same connection it changes nothing.
          if (this.#said !== undefined) return;
          this.#carried = NOTHING_CARRIED;
          this.#say();
          if (error !== undefined) this.#settleAlone(error.message);
        },
      },
    );
  }

  /** Says what this bridge carries from now on. */
  carry(carried: BridgePresence['carried']): void {
    this.#carried = carried;
    if (this.#settled && this.#say() && this.#alone !== undefined) this.#listener.changed();
  }

  /** Says that this bridge is leaving. Resolves when others have been told, in so far as that can be known. */
  async leave(): Promise<void> {
    if (!this.connected) return;
    this.#isLeaving = true;
    const told = new Promise<void>((resolve) => {
      this.#told = resolve;
    });
    const { patience = PATIENCE } = this.#options;
    const timeout = setTimeout(() => this.#told?.(), patience);
    const wasSettled = this.#settled;
    this.#say();
    if (wasSettled && this.#alone === undefined) await told;
    clearTimeout(timeout);
  }

  /**
   * Asks the broker what it has stored of all: it may have dropped what was said, because more was waiting for this bridge
   * than it keeps. To be called now and then; where there are many bridges it asks less often.
   */
  check(): void {
    if (!this.#settled || this.#isChecking || this.#isLeaving) return;
    if (this.#checks++ % Math.ceil((this.#online.size + 1) / CHECKED_AT_ONCE) !== 0) return;
    this.#isChecking = true;
    const stored = this.#connection.subscribe(
      this.#options.filter,
      { qos: 1, retainHandling: 0 },
      {
        message: (message) => message.retain && this.#settled && this.#receive(message, true),
        result: () => {
          // What the broker has stored comes before its answer.
          void this.#connection
            .ping()
            .catch(() => {})
            .then(() => {
              this.#isChecking = false;
              stored.close();
            });
        },
      },
    );
  }

  close(): void {
    this.#subscription?.close();
    clearTimeout(this.#patience);
  }

  /** Returns whether there was anything to say that it has not said yet. */
  #say(): boolean {
    const { domains, protocolVersion, isTimed = false, topic } = this.#options;
    const state = this.#isLeaving ? 'offline' : 'online';
    const presence = { state, domains, protocolVersion, carried: this.#carried } as const;
    const what = encodePresence(presence);
    if (what === this.#said?.what) return false;
    // One at a time: of many routes that come and go each would tell all.
    const isAlone = this.#alone !== undefined;
    if (this.#isUnderWay && this.#settled && !isAlone && !this.#isLeaving) return false;
    // Over MQTT 3.1.1 both ways change at once, because nothing tells what a bridge has published.
    const from = isTimed && protocolVersion === 5 ? Date.now() + NOTICE : undefined;
    const text = encodePresence(from === undefined ? presence : { ...presence, from });
    this.#said = { what, text, from };
    this.#saidCarried = this.#carried;
    this.#isUnderWay = true;
    this.#waitForOwn();
    // What is lost with the connection is said again when it is back, or corrected by the will.
    this.#connection.publish(topic, text, { qos: 1, retain: true }).catch((error: Error) => {
      if (this.connected) this.#settleAlone(error.message);
    });
    return true;
  }

  #waitForOwn(): void {
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => {
      if (this.#alone !== undefined) return;
      if (!this.#settled || ++this.#repeats > MAX_REPEATS) this.#settleAlone('nothing of it comes back');
      else this.#sayAgain();
    }, this.#options.patience ?? PATIENCE);
  }

  /** A broker may have lost it, because more was waiting for this bridge than it keeps. */
  #sayAgain(): void {
    this.#said = undefined;
    this.#isUnderWay = false;
    this.#isRepeated = true;
    this.#say();
  }

  /** @param isPresent it does not tell of an earlier time */
  #receive({ topic, payload }: ReceivedMessage, isPresent: boolean): void {
    if (topic === this.#options.topic) {
      if (!isPresent) return;
      // What it has said itself it need not read.
      const isLast = payload.toString() === this.#said?.text;
      const isOnline = isLast ? !this.#isLeaving : decodePresence(payload)?.state === 'online';
      this.#receiveOwn(isOnline, isLast);
      return;
    }
    const id = topic.slice(topic.lastIndexOf('/') + 1);
    if (id !== this.#options.id && bridgeIdFault(id) === undefined) {
      this.#receiveOther(id, topic, payload);
    }
  }

  #receiveOwn(isOnline: boolean, isLast: boolean): void {
    if (this.#isLeaving) {
      if (isOnline) return;
      this.#from = this.#said?.from;
      this.#hasLeft = true;
      this.#settled = false;
      this.#listener.changed();
      this.#told?.();
    } else if (isOnline && isLast) {
      this.#isUnderWay = false;
      this.#isRepeated = false;
      this.#repeats = 0;
      this.#isDenied = false;
      this.#alone = undefined;
      this.#knownCarried = this.#saidCarried;
      this.#from = this.#said?.from;
      this.#settle();
      this.#say();
    } else if (this.#alone === undefined && !(isOnline && this.#isUnderWay)) {
      // An earlier word of its own, or one of a connection before this, comes while the last is under way.
      this.#contradict(!isOnline);
    }
  }

  /**
   * Says again what there is: at once after the will of a connection that ended while the next one was made already, later
   * to somebody who says the contrary again and again.
   */
  #contradict(isDenied: boolean): void {
    const now = performance.now();
    if (now - this.#deniedAt > QUIET) this.#denials = 0;
    this.#deniedAt = now;
    this.#denials++;
    this.#isDenied ||= isDenied;
    const wait = Math.min(FIRST_ANSWER * 2 ** (this.#denials - 2), LONGEST_ANSWER);
    if (this.#denials === 1) this.#sayAgain();
    else {
      // Until then nothing is said.
      this.#isUnderWay = true;
      this.#isRepeated = true;
      clearTimeout(this.#patience);
      this.#patience = setTimeout(() => this.#sayAgain(), wait);
    }
    this.#listener.changed();
  }

  #receiveOther(id: string, topic: string, payload: Buffer): void {
    const known = this.#online.get(id);
    const digest = createHash('sha256').update(payload).digest('base64');
    // The same word again, of thousands of routes.
    if (known?.topic === topic && known.digest === digest) return;
    const presence = decodePresence(payload);
    if (presence?.state === 'online') {
      const routes = this.#routes - routesOf(known) + routesOf(presence);
      if ((known === undefined && this.#online.size >= MAX_BRIDGES) || routes > MAX_ROUTES) {
        if (!this.#isFull) {
          this.#listener.warning(
            `more than ${MAX_BRIDGES} bridges, or bridges with more than ${MAX_ROUTES} routes, are online at the broker`,
          );
        }
        this.#isFull = true;
        return;
      }
      this.#routes = routes;
      this.#online.set(id, { ...presence, topic, digest });
      if (known !== undefined && !hasAll(presence, known)) this.#noteLeft(id, known, presence.from);
    } else if (known?.topic === topic) {
      this.#online.delete(id);
      this.#routes -= routesOf(known);
      this.#noteLeft(id, known, presence?.from);
    } else return;
    this.#listener.changed();
  }

  #noteLeft(id: string, presence: BridgePresence, from: number | undefined): void {
    this.#left.push({ id, presence, at: performance.now(), from });
    if (this.#left.length > MAX_LEFT) this.#left.shift();
  }

  #settle(): void {
    clearTimeout(this.#patience);
    this.#settled = true;
    this.#listener.changed();
  }

  /** Without its own presence coming back there is nothing to wait for. */
  #settleAlone(reason: string): void {
    const { filter, topic } = this.#options;
    const problem = `other bridges of this broker cannot be known (${filter}: ${reason}), and what two carry would be doubled; the broker must let the bridge's client publish ${topic} and subscribe ${filter}`;
    if (this.#alone === undefined) this.#listener.warning(problem);
    this.#alone = problem;
    this.#settle();
  }

  #reset(): void {
    clearTimeout(this.#patience);
    this.#online.clear();
    this.#routes = 0;
    this.#left.length = 0;
    this.#said = undefined;
    this.#isUnderWay = false;
    this.#isRepeated = false;
    this.#repeats = 0;
    this.#isDenied = false;
    this.#denials = 0;
    this.#saidCarried = NOTHING_CARRIED;
    this.#knownCarried = NOTHING_CARRIED;
    this.#alone = undefined;
    this.#told?.();
    this.#settled = false;
    this.#listener.changed();
  }
}

function routesOf(presence: BridgePresence | undefined): number {
  const byDomain = Object.values(presence?.carried ?? {}).flatMap((carried) => [...carried.values()]);
  return byDomain.reduce((sum, keys) => sum + keys.size, 0);
}

/** Whether a bridge carries what it has carried from ROS before. */
function hasAll(now: BridgePresence, before: BridgePresence): boolean {
  const carried = now.carried['ros-to-mqtt'];
  return [...before.carried['ros-to-mqtt']].every(([domain, keys]) =>
    [...keys].every((key) => carried.get(domain)?.has(key)),
  );
}
