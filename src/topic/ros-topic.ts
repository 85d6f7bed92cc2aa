import { type Namespace, NamespaceMapping } from './namespace-mapping';
import { rosNameFault } from './ros-name';
import { shown, topicNameFault } from './topic-name';

/** Highest ROS domain: the RTPS ports of domain 232 are the last below 65,536 (RTPS 9.6.1.1). */
export const MAX_DOMAIN = 232;

/**
 * The levels that are ours, which start with `@` because no ROS name can, and what each belongs to:
 * a ROS name below a domain, or the domain itself.
 */
const KINDS = {
  req: 'name',
  rep: 'name',
  action: 'name',
  param: 'name',
  meta: 'name',
  bridge: 'domain',
  graph: 'domain',
} as const;

/** A level `@<kind>` without its `@`. */
export type RosTopicKind = keyof typeof KINDS;

/** What a mapping knows beside the names themselves. */
export interface RosTopicMappingOptions {
  /** One or more levels without leading or trailing slash; default `ros`. */
  prefix?: string;
  /** Domain ids by alias; at most one alias per domain. */
  aliases?: Record<string, number>;
  /** What the names of a domain's namespaces have in their place in topics. */
  namespaces?: readonly Namespace[];
}

/** What a topic name below the prefix stands for. */
export interface RosTopic {
  domain: number;
  /** Fully qualified, with its leading slash; empty for the kinds that belong to the domain (`bridge`, `graph`). */
  rosName: string;
  kind?: RosTopicKind;
  /** The levels after `@<kind>`, where there is a kind. */
  rest?: string[];
}

/**
 * The mapping between ROS names in ROS domains and MQTT topic names:
 *
 *     <prefix>/<domain>/<ros name without its leading slash>[/@<kind>[/<more>]]
 *
 * The domain is written as its alias where it has one, otherwise in decimal without leading zeros; a namespace may have
 * other levels in its place. Each (domain, name, kind, rest) has exactly one topic name, and no two share one: a name
 * whose topic would be another's is refused.
 */
export class RosTopicMapping {
  readonly #prefix: string;
  readonly #aliasOf = new Map<number, string>();
  readonly #domainOf = new Map<string, number>();
  readonly #namespaces = new Map<number, NamespaceMapping>();

  /** Throws an Error that names the fault when the prefix, an alias or a namespace is invalid. */
  constructor(options: RosTopicMappingOptions = {}) {
    const prefix = options.prefix ?? 'ros';
    const fault = prefixFault(prefix);
    if (fault !== undefined) throw new Error(`topic prefix "${prefix}" ${fault}`);
    this.#prefix = `${prefix}/`;
    for (const [alias, domain] of Object.entries(options.aliases ?? {})) this.#addAlias(alias, domain);
    for (const namespace of options.namespaces ?? []) this.#addNamespace(namespace);
  }

  /**
   * The topic name of a fully qualified ROS name in a domain, or of one of its `@` levels. Throws an Error that names
   * the fault when the domain, the name, the kind or a further level is invalid.
   */
  toMqtt(domain: number, rosName: string, kind?: RosTopicKind, rest?: readonly string[]): string {
    const ofDomain = kind !== undefined && KINDS[kind] === 'domain';
    const fault = ofDomain ? undefined : rosNameFault(rosName);
    if (fault !== undefined) throw new Error(fault);
    if (ofDomain && rosName !== '') throw new Error(`@${kind} belongs to the domain, not to "${rosName}"`);
    const levels = rosName === '' ? '' : (this.#namespaces.get(domain)?.toLevels(rosName) ?? rosName);
    const name = `${this.#prefix}${this.#spell(domain)}${levels}`;
    if (kind !== undefined || rest?.[0] !== undefined) return topicBelow(name, kind, rest);
    const topicFault = topicNameFault(name);
    if (topicFault !== undefined) throw new Error(topicFault);
    return name;
  }

  /**
   * What a valid topic name stands for: `undefined` when it is not below the prefix, a fault in words when it is below
   * the prefix but not a topic of this mapping.
   */
  toRos(topic: string): RosTopic | { fault: string } | undefined {
    if (!topic.startsWith(this.#prefix)) return undefined;
    const levels = topic.slice(this.#prefix.length).split('/');
    const refuse = (fault: string) => ({ fault: `topic "${shown(topic)}": ${fault}` });
    const domain = this.#read(levels[0] as string);
    if (typeof domain === 'string') return refuse(domain);
    const at = levels.findIndex((level, index) => index > 0 && level.startsWith('@'));
    const name = levels.slice(1, at === -1 ? undefined : at);
    const rosName = this.#nameOf(domain, name);
    if (typeof rosName !== 'string') return refuse(rosName.fault);
    if (at === -1) {
      if (rosName === '') return refuse('no ROS name after the domain');
      const fault = rosNameFault(rosName);
      return fault === undefined ? { domain, rosName } : refuse(fault);
    }
    const kind = (levels[at] as string).slice(1);
    if (!Object.hasOwn(KINDS, kind)) return refuse(`unknown level "@${shown(kind)}"`);
    const fault = this.#kindFault(kind as RosTopicKind, rosName);
    if (fault !== undefined) return refuse(fault);
    const rest = levels.slice(at + 1);
    if (rest.includes('')) return refuse(`empty level after "@${kind}"`);
    return { domain, rosName, kind: kind as RosTopicKind, rest };
  }

  /** The topic filter for everything in a domain. */
  filterFor(domain: number): string {
    return `${this.#prefix}${this.#spell(domain)}/#`;
  }

  /** The topic filter for what the bridges of all domains say of themselves. */
  get filterForBridges(): string {
    return `${this.#prefix}+/@bridge/+`;
  }

  #nameOf(domain: number, levels: readonly string[]): string | { fault: string } {
    if (levels.length === 0) return '';
    const name = `/${levels.join('/')}`;
    return this.#namespaces.get(domain)?.toRosName(name) ?? name;
  }

  #kindFault(kind: RosTopicKind, rosName: string): string | undefined {
    if (KINDS[kind] === 'name') {
      return rosName === '' ? `"@${kind}" needs a ROS name before it` : rosNameFault(rosName);
    }
    return rosName === '' ? undefined : `"@${kind}" belongs to the domain, not to "${shown(rosName)}"`;
  }

  #addAlias(alias: string, domain: number): void {
    const fault = aliasFault(alias) ?? domainFault(domain);
    if (fault !== undefined) throw new Error(`domain alias "${alias}": ${fault}`);
    const other = this.#aliasOf.get(domain);
    if (other !== undefined) {
      throw new Error(`domain alias "${alias}": domain ${domain} already has the alias "${other}"`);
    }
    this.#aliasOf.set(domain, alias);
    this.#domainOf.set(alias, domain);
  }

  #addNamespace({ domain, ...namespace }: Namespace): void {
    const mapping = this.#namespaces.get(domain) ?? new NamespaceMapping();
    this.#namespaces.set(domain, mapping);
    mapping.add(namespace);
  }

  #spell(domain: number): string {
    const fault = domainFault(domain);
    if (fault !== undefined) throw new Error(fault);
    return this.#aliasOf.get(domain) ?? String(domain);
  }

  /** The domain that a level spells, or the fault. */
  #read(level: string): number | string {
    const aliased = this.#domainOf.get(level);
    if (aliased !== undefined) return aliased;
    if (!/^\d+$/.test(level)) return `unknown domain "${shown(level)}"`;
    const domain = Number(level);
    const fault = domainFault(domain);
    if (fault !== undefined) return fault;
    if (level !== String(domain)) return `domain "${shown(level)}" has leading zeros`;
    const alias = this.#aliasOf.get(domain);
    return alias === undefined ? domain : `domain ${domain} is spelled "${alias}" here`;
  }
}

/**
 * The topic name `<name>/@<kind>[/<rest>]`. Throws an Error that names the fault when the result is no topic name, or a
 * further level is none.
 */
export function topicBelow(
  name: string,
  kind: RosTopicKind | undefined,
  rest: readonly string[] = [],
): string {
  const wrong = rest.find((level) => kind === undefined || level === '' || level.includes('/'));
  if (wrong !== undefined) throw new Error(`"${wrong}" is not a topic level below @${kind}`);
  const topic = [name, `@${kind}`, ...rest].join('/');
  const fault = topicNameFault(topic);
  if (fault !== undefined) throw new Error(fault);
  return topic;
}

function prefixFault(prefix: string): string | undefined {
  const fault = topicNameFault(prefix);
  if (fault !== undefined) return `is not valid: ${fault}`;
  if (prefix.startsWith('$')) return 'starts with $, which is kept for brokers [MQTT-4.7.2-1]';
  if (prefix.split('/').includes('')) return 'has an empty level';
  return undefined;
}

function aliasFault(alias: string): string | undefined {
  if (/^\d*$/.test(alias)) return 'must not be empty or a decimal number';
  if (alias.includes('/') || alias.startsWith('@')) return 'must be one level that does not start with @';
  return topicNameFault(alias);
}

function domainFault(domain: number): string | undefined {
  if (Number.isInteger(domain) && domain >= 0 && domain <= MAX_DOMAIN) return undefined;
  return `domain ${domain} is not an integer from 0 to ${MAX_DOMAIN}`;
}
