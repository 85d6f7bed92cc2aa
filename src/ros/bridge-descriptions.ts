import type { RosTopicMapping } from '../topic/ros-topic';
import type { RouteConnection } from './bridge-connection';
import type { RouteDescription } from './bridge-route';
import { describeGraph } from './graph-description';
import type { RosDomain } from './ros-backend';
import type { RouteTable } from './route-table';
import type { Turn } from './route-turn';
import type { Standby } from './standby';
import { StoredTopics } from './stored-topics';

export interface BridgeDescriptionsOptions {
  /** Whether routes and domains are described. */
  meta: boolean;
  graph: boolean;
  bridgeId: string;
  mapping: RosTopicMapping;
  connection: RouteConnection;
  /** The open domains by their numbers. */
  domains: ReadonlyMap<number, RosDomain>;
  table: RouteTable;
  standby: Standby;
  report(problem: string): void;
}

interface Described {
  /** Of the description. */
  topic: string;
  /** Of the route: who carries that describes it. */
  place: { way: 'ros-to-mqtt'; domain: number; topic: string };
  /** The bridge was connected while the route was there. */
  wasOnline: boolean;
  /** What was told; none while another bridge tells it. */
  told: RouteDescription | undefined;
}

/**
 * What a bridge tells at the broker: `@meta` of each route that carries from ROS, and `@graph` of each domain; of several
 * bridges the one whose turn it is. They stay when the bridge ends, so that others still know the types; that of a route
 * goes with the route of the last bridge that has it.
 */
export class BridgeDescriptions {
  readonly #options: BridgeDescriptionsOptions;
  readonly #stored: StoredTopics;
  /** The routes that are described, by their keys. */
  readonly #routes = new Map<number, Described>();
  /** Which bridge describes the domains. */
  readonly #graphs = new Map<number, Turn>();
  readonly #changed = new Set<number>();

  constructor(options: BridgeDescriptionsOptions) {
    this.#options = options;
    this.#stored = new StoredTopics(options.connection, options.bridgeId);
  }

  open(): void {
    const { graph, domains, standby, report } = this.#options;
    if (!graph) return;
    for (const domain of domains.keys()) {
      const place = {
        way: 'ros-to-mqtt',
        domain,
        topic: this.#graphTopic(domain),
        rosName: '@graph',
      } as const;
      const turn = standby.join(place, { changed: () => this.graphChanged(domain), report });
      this.#graphs.set(domain, turn);
      this.#changed.add(domain);
    }
  }

  graphChanged(domain: number): void {
    this.#changed.add(domain);
  }

  /** Sends what has changed; called so often as a change may be told. */
  tell(): void {
    if (this.#options.meta) this.#describeRoutes();
    this.#describeGraphs();
    this.#stored.send();
  }

  #describeRoutes(): void {
    const { table, standby, connection } = this.#options;
    /** Another route may have these. */
    const left = new Set<string>();
    for (const [key, { topic, place, wasOnline }] of this.#routes) {
      if (table.get(key) !== undefined) continue;
      // Nothing was stored of one that came and went without a connection, and of those there may be any number.
      const isLeft = wasOnline ? standby.othersHave(place) : true;
      if (isLeft === undefined) continue;
      this.#routes.delete(key);
      left.add(topic);
      if (isLeft) this.#stored.leave(topic);
      else this.#stored.set(topic, '');
    }
    for (const { key, settings, topics, description, turns } of table.entries()) {
      if (topics === undefined || description === undefined) continue;
      const told = turns['ros-to-mqtt']?.active ? description : undefined;
      const before = this.#routes.get(key);
      if (before !== undefined) {
        before.wasOnline ||= connection.connected;
        if (told === before.told && !left.has(before.topic)) continue;
      }
      const topic = before?.topic ?? topics.below('meta');
      const place = { way: 'ros-to-mqtt', domain: settings.domain, topic: topics.name } as const;
      this.#routes.set(key, { topic, place, wasOnline: before?.wasOnline ?? connection.connected, told });
      if (told !== undefined) this.#stored.set(topic, JSON.stringify(told));
      else this.#stored.leave(topic);
    }
  }

  #describeGraphs(): void {
    const { domains } = this.#options;
    for (const domain of this.#changed) {
      const opened = domains.get(domain);
      const topic = this.#graphTopic(domain);
      if (opened !== undefined && this.#graphs.get(domain)?.active)
        this.#stored.set(topic, describeGraph(opened));
      else this.#stored.leave(topic);
    }
    this.#changed.clear();
  }

  #graphTopic(domain: number): string {
    return this.#options.mapping.toMqtt(domain, '', 'graph');
  }
}
