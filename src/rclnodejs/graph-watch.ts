import {
  type EndpointInfo,
  INFINITE_SECONDS,
  MANUAL_BY_TOPIC,
  type NamesAndTypes,
  type RclNode,
  RELIABLE,
  type Span,
  TRANSIENT_LOCAL,
} from './library';
import type { FoundEndpoint, FoundService, GraphChange } from './process-messages';

/** Between two looks, in ms: at least this, and as much as keeps them below a twentieth of the time. */
const INTERVAL = 200;
const TIME_BETWEEN = 20;
/** Of a graph beyond this nobody is told more. */
const MAX_FOUND = 20_000;
const GUID_BYTES = 16;
/** ROS 2 counts the servers and clients of a service in all releases but this, and older ones. */
const COUNTLESS = 'humble';

/** Looks at the ROS graph, of which the library tells no changes, again and again, and reports what has changed. */
export class GraphWatch {
  readonly #node: RclNode;
  readonly #isOurs: (node: string) => boolean;
  readonly #onChange: (change: GraphChange) => void;
  readonly #onFault: (fault: unknown) => void;
  #known = new Map<string, string>();
  #nodes = '';
  #timer: NodeJS.Timeout | undefined;

  /** @param isOurs whether a node, by its full name, is this process's own */
  constructor(
    node: RclNode,
    isOurs: (node: string) => boolean,
    onChange: (change: GraphChange) => void,
    onFault: (fault: unknown) => void,
  ) {
    this.#node = node;
    this.#isOurs = isOurs;
    this.#onChange = onChange;
    this.#onFault = onFault;
  }

  start(): void {
    this.#timer = setTimeout(() => this.#look(), 0);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const started = performance.now();
    try {
      this.#compare();
    } catch (error) {
      this.#onFault(error);
    }
    const delay = Math.max(INTERVAL, (performance.now() - started) * TIME_BETWEEN);
    this.#timer = setTimeout(() => this.#look(), delay);
  }

  #compare(): void {
    const nodes = this.#node.getNodeNamesAndNamespaces();
    const others = nodes.filter((node) => !this.#isOurs(fullName(node.name, node.namespace)));
    const endpoints = this.#endpoints();
    const byNode = nodes.flatMap(({ name, namespace }) => this.#services(name, namespace));
    const services = [
      ...byNode.filter(({ node }) => !this.#isOurs(node)),
      ...(process.env.ROS_DISTRO === COUNTLESS ? [] : this.#servicesWithoutNode(byNode)),
    ];
    const known = new Map<string, string>();
    const isNew = (found: FoundEndpoint | FoundService): boolean => {
      if (known.size >= MAX_FOUND) return false;
      const text = JSON.stringify(found);
      known.set(found.guid, text);
      return this.#known.get(found.guid) !== text;
    };
    const change: GraphChange = {
      foundEndpoints: endpoints.filter(isNew),
      foundServices: services.filter(isNew),
      lost: [...this.#known.keys()].filter((guid) => !known.has(guid)),
    };
    const names = [...new Set(others.map(({ name, namespace }) => fullName(name, namespace)))].sort();
    const nodesChanged = JSON.stringify(names) !== this.#nodes;
    if (nodesChanged) change.nodes = names;
    this.#known = known;
    this.#nodes = JSON.stringify(names);
    const { foundEndpoints, foundServices, lost } = change;
    if (nodesChanged || foundEndpoints.length + foundServices.length + lost.length > 0)
      this.#onChange(change);
  }

  #endpoints(): FoundEndpoint[] {
    return this.#node.getTopicNamesAndTypes().flatMap(({ name }) => {
      const publishers = this.#node.getPublishersInfoByTopic(name, false);
      const subscriptions = this.#node.getSubscriptionsInfoByTopic(name, false);
      return [
        ...publishers.map((info) => foundEndpoint(info, 'publisher', name)),
        ...subscriptions.map((info) => foundEndpoint(info, 'subscription', name)),
      ].filter(({ node }) => !this.#isOurs(node));
    });
  }

  #services(name: string, namespace: string): FoundService[] {
    const node = fullName(name, namespace);
    const found = (kind: FoundService['kind'], services: NamesAndTypes[]): FoundService[] =>
      services.flatMap(({ name: rosName, types }) =>
        types.map((type) => ({ guid: `${node} ${kind} ${rosName} ${type}`, kind, rosName, type, node })),
      );
    try {
      return [
        ...found('server', this.#node.getServiceNamesAndTypesByNode(name, namespace)),
        ...found('client', this.#node.getClientNamesAndTypesByNode(name, namespace)),
      ];
    } catch {
      // It has left since its name was read.
      return [];
    }
  }

  /** Of programs that tell of no nodes: whose ends of a service are more than those of all nodes. */
  #servicesWithoutNode(byNode: readonly FoundService[]): FoundService[] {
    return this.#node.getServiceNamesAndTypes().flatMap(({ name: rosName, types }) => {
      const counts = {
        server: this.#node.countServices(rosName),
        client: this.#node.countClients(rosName),
      };
      for (const { kind, rosName: other } of byNode) if (other === rosName) counts[kind]--;
      return (['server', 'client'] as const)
        .filter((kind) => counts[kind] > 0)
        .flatMap((kind) =>
          types.map((type) => ({ guid: ` ${kind} ${rosName} ${type}`, kind, rosName, type, node: '' })),
        );
    });
  }
}

/** `undefined` without a limit. */
function milliseconds({ seconds, nanoseconds }: Span): number | undefined {
  const span = Number(seconds) * 1000 + nanoseconds / 1e6;
  return span === 0 || seconds >= INFINITE_SECONDS ? undefined : span;
}

/** For example `/robot1/talker`. */
export function fullName(name: string, namespace: string): string {
  return `${namespace === '/' ? '' : namespace}/${name}`;
}

function foundEndpoint(info: EndpointInfo, kind: FoundEndpoint['kind'], rosName: string): FoundEndpoint {
  const { depth, reliability, durability, liveliness } = info.qos_profile;
  const deadline = milliseconds(info.qos_profile.deadline);
  const lifespan = milliseconds(info.qos_profile.lifespan);
  const livelinessLease = milliseconds(info.qos_profile.liveliness_lease_duration);
  const hash = info.topic_type_hash;
  return {
    guid: Buffer.from(info.endpoint_gid.slice(0, GUID_BYTES)).toString('hex'),
    kind,
    rosName,
    type: info.topic_type,
    ...(hash !== undefined &&
      hash.version > 0 && {
        typeHash: `RIHS${String(hash.version).padStart(2, '0')}_${Buffer.from(hash.value).toString('hex')}`,
      }),
    qos: {
      reliability: reliability === RELIABLE ? 'reliable' : 'best-effort',
      durability: durability === TRANSIENT_LOCAL ? 'transient-local' : 'volatile',
      depth,
      ...(deadline !== undefined && { deadline }),
      ...(lifespan !== undefined && { lifespan }),
      liveliness: liveliness === MANUAL_BY_TOPIC ? 'manual-by-topic' : 'automatic',
      ...(livelinessLease !== undefined && { livelinessLease }),
    },
    node: fullName(info.node_name, info.node_namespace),
  };
}
