import type { TopicPattern } from './topic-pattern';

/** A rule as it applies to one client. */
export type PermissionRule =
  | { allow: boolean; action: 'connect' }
  | { allow: boolean; action: 'publish' | 'subscribe' | 'receive'; pattern: TopicPattern };

type TopicRule = Exclude<PermissionRule, { action: 'connect' }>;

/** What the remembered decisions of one client and action may cost, in bytes, before they start over. */
const CACHED_BYTES = 8192;
/** What a decision costs beyond its topic name, roughly. */
const ENTRY_BYTES = 64;

/** The rules for one action on topic names. Each name is judged once and then remembered. */
class TopicDecisions {
  readonly #rules: readonly TopicRule[];
  readonly #otherwise: boolean;
  #known: Map<string, boolean> | undefined;
  #cachedBytes = 0;

  constructor(rules: readonly TopicRule[], otherwise: boolean) {
    this.#rules = rules;
    this.#otherwise = otherwise;
  }

  allows(topic: string): boolean {
    if (this.#rules.length === 0) return this.#otherwise;
    const known = this.#known?.get(topic);
    if (known !== undefined) return known;
    const decision = this.#rules.find(({ pattern }) => pattern.matches(topic))?.allow ?? this.#otherwise;
    const cost = ENTRY_BYTES + 2 * topic.length;
    this.#cachedBytes += cost;
    if (this.#known === undefined || this.#cachedBytes > CACHED_BYTES) {
      this.#known = new Map();
      this.#cachedBytes = cost;
    }
    this.#known.set(topic, decision);
    return decision;
  }
}

/** What one client may do. */
export class Permissions {
  static readonly unrestricted = new Permissions([], true);

  readonly mayConnect: boolean;
  /** Whether `mayReceive` can be false at all. */
  readonly restrictsReceiving: boolean;
  readonly #publish: TopicDecisions;
  readonly #subscribe: readonly TopicRule[];
  readonly #receive: TopicDecisions;
  readonly #otherwise: boolean;

  /** @param otherwise whether publishing and subscribing are allowed where no rule applies */
  constructor(rules: readonly PermissionRule[], otherwise: boolean) {
    this.#otherwise = otherwise;
    const of = (action: TopicRule['action']) =>
      rules.filter((rule): rule is TopicRule => rule.action === action);
    const receive = of('receive');
    this.restrictsReceiving = receive.some(({ allow }) => !allow);
    this.#receive = new TopicDecisions(this.restrictsReceiving ? receive : [], true);
    this.#publish = new TopicDecisions(of('publish'), otherwise);
    this.#subscribe = of('subscribe');
    this.mayConnect = rules.find(({ action }) => action === 'connect')?.allow ?? true;
  }

  mayPublish(topic: string): boolean {
    return this.#publish.allows(topic);
  }

  /**
   * Whether the client may subscribe to a valid filter, given without a share's name: an allowing rule must cover all of
   * it, while a denying one need only overlap with it, since otherwise a wider filter would get around the rule.
   */
  maySubscribe(filter: string): boolean {
    for (const { allow, pattern } of this.#subscribe) {
      if (allow ? pattern.covers(filter) : pattern.overlaps(filter)) return allow;
    }
    return this.#otherwise;
  }

  /** Whether messages of this topic may reach the client. */
  mayReceive(topic: string): boolean {
    return this.#receive.allows(topic);
  }
}
