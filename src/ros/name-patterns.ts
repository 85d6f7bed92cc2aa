import type { Direction, RouteKind, TopicOptions } from './bridge-settings';

export type PatternAction = 'allow' | 'deny';
export const PATTERN_ACTIONS: readonly PatternAction[] = ['allow', 'deny'];

/** What patterns are of; those of parameters are of the names of nodes. */
export const PATTERN_KINDS: readonly RouteKind[] = ['topic', 'service', 'action', 'parameters'];

/** Lets what has matching ROS names pass, or keeps it back; the options are of the topics that it allows. */
export interface PatternSettings extends TopicOptions {
  /** Absent: topics. */
  kind?: RouteKind;
  action: PatternAction;
  /** A ROS name in which a part may be `*`, one part, or `**`, any number of parts, also none. */
  pattern: string;
  /** As a route of that kind has it. */
  direction: Direction;
  /** Absent: of all domains of the bridge. */
  domain?: number;
}

/** By which patterns are found: those that have all that is given; without a kind of topics. */
export type PatternName = Pick<PatternSettings, 'pattern'> &
  Partial<Pick<PatternSettings, 'kind' | 'action' | 'direction' | 'domain'>>;

export function isPattern({ kind = 'topic', ...given }: PatternName, settings: PatternSettings): boolean {
  const fields = Object.entries(given) as Array<[keyof PatternSettings, unknown]>;
  return (settings.kind ?? 'topic') === kind && fields.every(([name, value]) => settings[name] === value);
}

/** A way in which messages of a topic may go. */
export type Way = Exclude<Direction, 'both'>;

/** What ROS 2 itself has in every domain; only a pattern without wildcards allows it. */
const OF_ROS_ITSELF: ReadonlySet<string> = new Set(['/rosout', '/parameter_events']);
/** The services that ROS 2 itself gives each node, by the last part of their names. Source: rclcpp and rclpy. */
const OF_EACH_NODE: ReadonlySet<string> = new Set([
  'describe_parameters',
  'get_parameter_types',
  'get_parameters',
  'list_parameters',
  'set_parameters',
  'set_parameters_atomically',
  'get_type_description',
  'get_logger_levels',
  'set_logger_levels',
]);

const MAX_LENGTH = 247;

/** Says what is wrong with a pattern, or `undefined` when it is valid. */
export function patternFault(pattern: string): string | undefined {
  const named = `pattern "${pattern.slice(0, 60)}"`;
  if (pattern.length > MAX_LENGTH)
    return `${named} has ${pattern.length} characters; at most ${MAX_LENGTH} are allowed`;
  if (!pattern.startsWith('/')) return `${named} does not start with /`;
  const part = pattern
    .slice(1)
    .split('/')
    .find((text) => !/^(?:\*{1,2}|[A-Za-z_][A-Za-z0-9_]*)$/.test(text));
  if (part !== undefined) return `${named}: "${part}" is neither part of a ROS name nor * or **`;
  if (/\*\*\/\*\*/.test(pattern)) return `${named} has ** twice in a row`;
  return undefined;
}

interface Compiled extends PatternSettings {
  expression: RegExp;
  options: TopicOptions;
}

/**
 * Which topics, services, actions and parameters are bridged without a route of their own: those that a pattern of their kind allows
 * and none denies. Wildcards do not allow hidden names (with a part that starts with `_`) nor what ROS 2 itself has in
 * every domain or node.
 */
export class NamePatterns {
  readonly #patterns: readonly Compiled[];

  /** The patterns must be valid (see `patternFault`). */
  constructor(patterns: readonly PatternSettings[]) {
    this.#patterns = patterns.map((settings) => {
      const { kind, action, pattern, direction, domain, ...options } = settings;
      return { ...settings, expression: expressionOf(settings), options };
    });
  }

  /** The options with which messages of a name may go that way; `undefined` where they may not. */
  allowing(domain: number, rosName: string, way: Way, kind: RouteKind = 'topic'): TopicOptions | undefined {
    let allowing: TopicOptions | undefined;
    for (const pattern of this.#patterns) {
      if ((pattern.kind ?? 'topic') !== kind) continue;
      if (pattern.domain !== undefined && pattern.domain !== domain) continue;
      if (pattern.direction !== 'both' && pattern.direction !== way) continue;
      if (!pattern.expression.test(rosName)) continue;
      if (pattern.action === 'deny') return undefined;
      if (!isOfRosItself(kind, rosName) || pattern.pattern === rosName) allowing ??= pattern.options;
    }
    return allowing;
  }

  /** Whether messages of any name of a domain may go that way, or of any name of one kind. */
  any(domain: number, way: Way, kind?: RouteKind): boolean {
    return this.#patterns.some(
      (pattern) =>
        pattern.action === 'allow' &&
        (pattern.domain ?? domain) === domain &&
        (kind === undefined || (pattern.kind ?? 'topic') === kind) &&
        (pattern.direction === 'both' || pattern.direction === way),
    );
  }
}

function isOfRosItself(kind: RouteKind, rosName: string): boolean {
  if (kind === 'service') return OF_EACH_NODE.has(rosName.slice(rosName.lastIndexOf('/') + 1));
  return OF_ROS_ITSELF.has(rosName);
}

function expressionOf({ action, pattern }: PatternSettings): RegExp {
  const part = action === 'allow' ? '/[^_/][^/]*' : '/[^/]+';
  const parts = pattern
    .slice(1)
    .split('/')
    .map((text) => (text === '**' ? `(?:${part})*` : text === '*' ? part : `/${text}`));
  return new RegExp(`^${parts.join('')}$`);
}
