import { type RosTopic, type RosTopicKind, RosTopicMapping, topicBelow } from '../topic/ros-topic';
import { shown, topicNameFault } from '../topic/topic-name';
import type { BridgeSettings, RouteKind, RouteSettings } from './bridge-settings';
import { namespacesOf } from './domain-template';
import { listedRoutes, nameKey } from './route-rows';

/** The MQTT topic names of one route. */
export class RouteTopics {
  /** Of the messages of a topic; for the other kinds what their topics are below of. */
  readonly name: string;
  readonly #isOwn: (topic: string) => boolean;

  constructor(name: string, isOwn: (topic: string) => boolean) {
    this.name = name;
    this.#isOwn = isOwn;
  }

  /** `<name>/@<kind>[/<rest>]`. Throws an Error that names the fault when a further level is invalid. */
  below(kind: RosTopicKind, rest: readonly string[] = []): string {
    return topicBelow(this.name, kind, rest);
  }

  /** Whether a topic is that of a route of the bridge, or could become one. */
  isOfBridge(topic: string): boolean {
    return this.#isOwn(topic);
  }
}

type Named = Pick<RouteSettings, 'kind' | 'domain' | 'rosName' | 'mqttTopic'>;

/** The level by which the topics of a route begin below its name; none of a topic's messages. */
export const LEVEL_OF: Readonly<Record<RouteKind, RosTopicKind | undefined>> = {
  topic: undefined,
  service: 'req',
  action: 'action',
  parameters: 'param',
};
/** Which routes have topics with a level `@<kind>`; of the others those of topics. */
export const ROUTE_KIND_OF: Partial<Record<RosTopicKind, RouteKind>> = {
  req: 'service',
  rep: 'service',
  action: 'action',
  param: 'parameters',
};
export const ROUTE_KINDS: readonly RouteKind[] = ['topic', 'service', 'action', 'parameters'];

/**
 * The MQTT topic names of a bridge's routes: by its mapping, or those that listed routes name. A name stands for one
 * ROS name of a kind: a route whose topic is another's is refused.
 */
export class BridgeTopics {
  readonly #mapping: RosTopicMapping;
  /** Of the bridge: their part of the mapping is in use. */
  readonly #domains: readonly number[];
  /** The routes that name their topics, by kind and topic, and by kind, domain and ROS name. */
  readonly #named = new Map<string, Named>();
  readonly #moved = new Map<string, string>();

  constructor(mapping: RosTopicMapping, domains: readonly number[]) {
    this.#mapping = mapping;
    this.#domains = domains;
  }

  /**
   * Those of a bridge with these settings. A route whose topic cannot be had has none of its own. Throws an Error that
   * names the fault in prefix, aliases or namespaces.
   */
  static for(settings: BridgeSettings): BridgeTopics {
    const topics = new BridgeTopics(mappingOf(settings), settings.domains);
    for (const { route } of listedRoutes(settings.routes, settings)) {
      try {
        topics.take(route);
      } catch {
        // The bridge refuses the route, and says so.
      }
    }
    return topics;
  }

  /**
   * The topics of a route, which are its own from now on. Throws an Error that names the fault where they are invalid or another's.
   */
  take(route: Named): RouteTopics {
    const { kind = 'topic', domain, rosName, mqttTopic } = route;
    if (mqttTopic === undefined || this.#isMapped(mqttTopic, route)) return this.of(route);
    const fault = mqttTopicFault(mqttTopic) ?? this.#overlap(route, kind, mqttTopic);
    if (fault !== undefined) throw new Error(`MQTT topic "${shown(mqttTopic)}" ${fault}`);
    this.#named.set(topicKey(kind, mqttTopic), route);
    this.#moved.set(nameKey(kind, domain, rosName), mqttTopic);
    return this.of(route);
  }

  /** Gives back what `take` has given. */
  release({ kind = 'topic', domain, rosName }: Named): void {
    const key = nameKey(kind, domain, rosName);
    const topic = this.#moved.get(key);
    if (topic === undefined) return;
    this.#moved.delete(key);
    this.#named.delete(topicKey(kind, topic));
  }

  /** The topics of a route. Throws an Error that names the fault where its ROS name is invalid. */
  of({ kind = 'topic', domain, rosName }: Named): RouteTopics {
    const name = this.#moved.get(nameKey(kind, domain, rosName)) ?? this.#mapping.toMqtt(domain, rosName);
    return new RouteTopics(name, (topic) => this.toRos(topic) !== undefined);
  }

  /** See `RosTopicMapping.toRos`. */
  toRos(topic: string): RosTopic | { fault: string } | undefined {
    return this.#toNamed(topic) ?? this.#toMapped(topic);
  }

  #toNamed(topic: string): RosTopic | undefined {
    const [, name = '', level, more] = /^(.*?)(?:\/@([^/]*)(?:\/(.*))?)?$/s.exec(topic) ?? [];
    const kinds = level === undefined ? ROUTE_KINDS : [ROUTE_KIND_OF[level as RosTopicKind] ?? 'topic'];
    for (const kind of kinds) {
      const route = this.#named.get(topicKey(kind, name));
      if (route === undefined) continue;
      const { domain, rosName } = route;
      const of = (level as RosTopicKind | undefined) ?? LEVEL_OF[kind];
      return { domain, rosName, ...(of !== undefined && { kind: of, rest: more?.split('/') ?? [] }) };
    }
    return undefined;
  }

  #toMapped(topic: string): RosTopic | { fault: string } | undefined {
    const ros = this.#mapping.toRos(topic);
    if (ros === undefined || 'fault' in ros) return ros;
    const { domain, rosName, kind } = ros;
    const moved = this.#moved.get(nameKey((kind && ROUTE_KIND_OF[kind]) ?? 'topic', domain, rosName));
    return moved === undefined
      ? ros
      : { fault: `topic "${shown(topic)}": ${rosName} has the MQTT topic "${shown(moved)}" here` };
  }

  /** Whether the topic is that of the route anyway. It may have none by the mapping, where another's name takes its place. */
  #isMapped(topic: string, { domain, rosName }: Named): boolean {
    const ros = this.#mapping.toRos(topic);
    if (ros === undefined || 'fault' in ros) return false;
    return ros.domain === domain && ros.rosName === rosName && ros.kind === undefined;
  }

  #overlap(route: Named, kind: RouteKind, topic: string): string | undefined {
    const other = this.#named.get(topicKey(kind, topic));
    if (other !== undefined && other !== route)
      return `is already that of ${other.rosName} in domain ${other.domain}`;
    const mapped = this.#mapping.toRos(topic);
    if (mapped === undefined || 'fault' in mapped || !this.#domains.includes(mapped.domain)) return undefined;
    return `is that of ${mapped.rosName} in domain ${mapped.domain} by the mapping`;
  }
}

/** The mapping of a bridge. Throws an Error that names the fault. */
export function mappingOf(
  settings: Pick<BridgeSettings, 'prefix' | 'domains' | 'aliases' | 'namespaces'>,
): RosTopicMapping {
  const { prefix, aliases, namespaces = [] } = settings;
  return new RosTopicMapping({ prefix, aliases, namespaces: namespacesOf(namespaces, settings) });
}

/** Says what is wrong with the MQTT topic of a route, or `undefined` when it is valid. */
export function mqttTopicFault(topic: string): string | undefined {
  const fault = topicNameFault(topic);
  if (fault !== undefined) return `is not valid: ${fault}`;
  if (topic.startsWith('$')) return 'begins with $, which is kept for brokers';
  if (topic.endsWith('/')) return 'ends with /, which would leave an empty level';
  if (/(?:^|\/)@/.test(topic)) return "has a level that begins with @, which are the bridge's own";
  return undefined;
}

function topicKey(kind: RouteKind, topic: string): string {
  return `${kind} ${topic}`;
}
