import type { RosTopicMapping } from '../topic/ros-topic';
import type { RouteConnection } from './bridge-connection';
import { describeGraph } from './graph-description';
import type { RosDomain } from './ros-backend';
import type { RouteTable } from './route-table';
import { StoredTopics } from './stored-topics';

export interface BridgeDescriptionsOptions {
  /** Whether routes and domains are described. */
  meta: boolean;
  graph: boolean;
  mapping: RosTopicMapping;
  connection: RouteConnection;
  /** The open domains by their numbers. */
  domains: ReadonlyMap<number, RosDomain>;
  table: RouteTable;
}

/**
 * What a bridge tells of itself at the broker: `@meta` of each route that carries from ROS, and `@graph` of each domain.
 * They stay when the bridge ends, so that others still know the types; that of a route goes with the route.
 */
export class BridgeDescriptions {
  readonly #options: BridgeDescriptionsOptions;
  readonly #stored: StoredTopics;
  /** Topics of the routes that are described, by the routes' keys. */
  readonly #routes = new Map<number, string>();
  readonly #changed = new Set<number>();

  constructor(options: BridgeDescriptionsOptions) {
    this.#options = options;
    this.#stored = new StoredTopics(options.connection);
    for (const domain of options.domains.keys()) this.#changed.add(domain);
  }

  graphChanged(domain: number): void {
    this.#changed.add(domain);
  }

  /** Sends what has changed; called so often as a change may be told. */
  tell(): void {
    if (this.#options.meta) this.#describeRoutes();
    if (this.#options.graph) this.#describeGraphs();
    this.#stored.send();
  }

  #describeRoutes(): void {
    const { table } = this.#options;
    for (const [key, topic] of this.#routes) {
      if (table.get(key) !== undefined) continue;
      this.#routes.delete(key);
      this.#stored.remove(topic);
    }
    for (const { key, topics, description } of table.entries()) {
      if (topics === undefined || description === undefined) continue;
      const topic = topics.below('meta');
      this.#routes.set(key, topic);
      this.#stored.set(topic, JSON.stringify(description));
    }
  }

  #describeGraphs(): void {
    const { mapping, domains } = this.#options;
    for (const domain of this.#changed) {
      const opened = domains.get(domain);
      if (opened !== undefined) this.#stored.set(mapping.toMqtt(domain, '', 'graph'), describeGraph(opened));
    }
    this.#changed.clear();
  }
}
