import { actionsAmong } from './ros-action';
import type { RosDomain, RosEndpoint, RosServiceEndpoint } from './ros-backend';

/** Bytes, about, that a description may have: what is beyond is left out, and counted. */
const MAX_BYTES = 256 * 1024;

/** QoS that publishers or subscriptions of a topic have, and how many have it. */
interface DescribedQos {
  reliability: string;
  durability: string;
  count: number;
}

interface DescribedTopic {
  name: string;
  types: string[];
  publishers: DescribedQos[];
  subscriptions: DescribedQos[];
}

interface DescribedService {
  name: string;
  type: string;
  servers: number;
  clients: number;
}

/** What others have in a ROS domain, as `@graph` tells it. */
export interface GraphDescription {
  nodes: string[];
  topics: DescribedTopic[];
  services: DescribedService[];
  actions: DescribedService[];
  /** How many of these are left out, where they are too many. */
  left?: number;
}

type Discovered = Pick<RosDomain, 'nodes' | 'endpoints' | 'services'>;

const ACTION_PART = '/_action/';

/**
 * JSON of what others have in a domain, sorted, so that what is the same reads the same.
 * @param limit about how many bytes it may have
 */
export function describeGraph(domain: Discovered, limit = MAX_BYTES): string {
  const services = [...domain.services()];
  const nodes = [...domain.nodes()].map(({ name }) => name).sort();
  const described: GraphDescription = { nodes: [], topics: [], services: [], actions: [] };
  let left = 0;
  let bytes = 0;
  const fill = <Entry>(list: Entry[], entries: Iterable<Entry>): void => {
    for (const entry of entries) {
      // A comma after each.
      bytes += Buffer.byteLength(JSON.stringify(entry)) + 1;
      if (bytes > limit) left++;
      else list.push(entry);
    }
  };
  fill(described.topics, describeTopics(domain));
  fill(described.actions, describeServices(actionsAmong(services)));
  fill(
    described.services,
    describeServices(services.filter(({ rosName }) => !rosName.includes(ACTION_PART))),
  );
  fill(described.nodes, nodes);
  if (left > 0) described.left = left;
  return JSON.stringify(described);
}

function describeTopics(domain: Discovered): DescribedTopic[] {
  const topics = new Map<string, DescribedTopic>();
  for (const { kind, rosName, type, qos } of domain.endpoints()) {
    if (rosName.includes(ACTION_PART)) continue;
    let topic = topics.get(rosName);
    if (topic === undefined) {
      topic = { name: rosName, types: [], publishers: [], subscriptions: [] };
      topics.set(rosName, topic);
    }
    if (!topic.types.includes(type)) topic.types.push(type);
    count(kind === 'publisher' ? topic.publishers : topic.subscriptions, qos);
  }
  for (const { types, publishers, subscriptions } of topics.values()) {
    types.sort();
    for (const list of [publishers, subscriptions])
      list.sort(byText(({ reliability, durability }) => reliability + durability));
  }
  return [...topics.values()].sort(byText(({ name }) => name));
}

function count(list: DescribedQos[], { reliability, durability }: RosEndpoint['qos']): void {
  const same = list.find((each) => each.reliability === reliability && each.durability === durability);
  if (same === undefined) list.push({ reliability, durability, count: 1 });
  else same.count++;
}

function describeServices(endpoints: Iterable<Omit<RosServiceEndpoint, 'guid'>>): DescribedService[] {
  const services = new Map<string, DescribedService>();
  for (const { kind, rosName: name, type } of endpoints) {
    const key = `${name} ${type}`;
    const service = services.get(key) ?? { name, type, servers: 0, clients: 0 };
    service[kind === 'server' ? 'servers' : 'clients']++;
    services.set(key, service);
  }
  return [...services.values()].sort(byText(({ name, type }) => `${name} ${type}`));
}

function byText<Entry>(textOf: (entry: Entry) => string): (a: Entry, b: Entry) => number {
  return (a, b) => (textOf(a) < textOf(b) ? -1 : textOf(a) > textOf(b) ? 1 : 0);
}
