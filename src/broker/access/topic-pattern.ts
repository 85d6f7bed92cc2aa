import { parseFilter, topicFilterFault } from '../../topic/topic-filter';

/** A level that any text matches: `+`. */
const ANY = Symbol('any');
type Level = string | typeof ANY;

function levelsOf(filter: string): { levels: Level[]; open: boolean } {
  const levels: Level[] = filter.split('/').map((level) => (level === '+' ? ANY : level));
  const open = levels.at(-1) === '#';
  if (open) levels.pop();
  return { levels, open };
}

// Topic names that start with $ are hidden from filters that start with a wildcard [MQTT-4.7.2-1].
function hides(wild: Level | undefined, other: Level | undefined): boolean {
  return (wild === undefined || wild === ANY) && typeof other === 'string' && other.startsWith('$');
}

/**
 * The topic filter of an access rule, for one client. `%u` and `%c` have been replaced by its user name and client
 * identifier, as texts: wildcards and slashes in them are no wildcards and slashes, so no level of a topic equals them.
 */
export class TopicPattern {
  readonly #levels: readonly Level[];
  readonly #open: boolean;

  private constructor(levels: readonly Level[], open: boolean) {
    this.#levels = levels;
    this.#open = open;
  }

  /**
   * Of a valid filter; `undefined` when it speaks of a user name that the client has not, or when the name would make it
   * one of the topics that start with $, which only a rule that spells them is about.
   */
  static for(filter: string, username: string | undefined, clientId: string): TopicPattern | undefined {
    if (!username && filter.includes('%u')) return undefined;
    const { levels, open } = levelsOf(filter);
    const replaced = levels.map((level) =>
      level === ANY
        ? level
        : level.replace(/%[uc]/g, (name) => (name === '%u' ? (username as string) : clientId)),
    );
    const [first] = replaced;
    if (typeof first === 'string' && first.startsWith('$') && !filter.startsWith('$')) return undefined;
    return new TopicPattern(replaced, open);
  }

  /** Why a rule's filter is refused, or `undefined`. */
  static fault(filter: string): string | undefined {
    const fault = topicFilterFault(filter);
    if (fault !== undefined) return fault;
    return parseFilter(filter).group === undefined
      ? undefined
      : `topic filter "${filter}": a rule applies to shared subscriptions as to others, give the filter alone`;
  }

  /** Whether a topic name matches. */
  matches(topic: string): boolean {
    const names = topic.split('/');
    if (hides(this.#levels[0], names[0])) return false;
    if (this.#open ? names.length < this.#levels.length : names.length !== this.#levels.length) return false;
    return this.#levels.every((level, index) => level === ANY || level === names[index]);
  }

  /** Whether every topic name that the filter matches matches here. */
  covers(filter: string): boolean {
    const { levels, open } = levelsOf(filter);
    if (hides(this.#levels[0], levels[0])) return false;
    if (open && !this.#open) return false;
    if (this.#open ? levels.length < this.#levels.length : levels.length !== this.#levels.length)
      return false;
    return this.#levels.every((level, index) => level === ANY || level === levels[index]);
  }

  /** Whether some topic name that the filter matches matches here. */
  overlaps(filter: string): boolean {
    const { levels, open } = levelsOf(filter);
    if (hides(this.#levels[0], levels[0]) || hides(levels[0], this.#levels[0])) return false;
    const shared = Math.min(levels.length, this.#levels.length);
    for (let index = 0; index < shared; index++) {
      const here = this.#levels[index];
      const there = levels[index];
      if (here !== ANY && there !== ANY && here !== there) return false;
    }
    if (levels.length > shared) return this.#open;
    if (this.#levels.length > shared) return open;
    return true;
  }
}
