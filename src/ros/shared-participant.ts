import { prefixOf } from '../rtps/guid';
import type { EndpointPair } from '../rtps/matching';
import { Multimap } from '../rtps/multimap';
import type { RemoteParticipant } from '../rtps/participant';
import { Participant } from '../rtps/participant';
import type { RemoteEndpoint } from '../rtps/remote-endpoint';
import { Writer } from '../rtps/writer';
import { bridgeIdOfNode } from './bridge-node';
import { typeHashIn } from './endpoint-user-data';
import { FoundEndpoints } from './found-endpoints';
import { GraphListeners } from './graph-listeners';
import { rosNameOf, rosServiceOf, rosTypeOf } from './names';
import { Neighbours } from './neighbours';
import type {
  RosDomain,
  RosDomainOptions,
  RosEndpoint,
  RosServiceEndpoint,
  RosServiceHandler,
} from './ros-backend';
import { bridgeIdsOf, participantUserData, RosGraph } from './ros-graph';
import type { RtpsServiceClient } from './rtps-service-client';
import { vendorIdFor, vendorOf } from './service-dialect';

/** Different ones that are told of a participant. */
const MAX_WARNINGS = 100;
/** How long a subscription must have been behind for a warning, in ms. */
const BEHIND_FOR = 1000;
/** More would make announcements of a participant too long; the others are known by the samples that they carry alone. */
const MAX_ANNOUNCED_BRIDGES = 256;

/** A participant, what it has discovered in ROS's words, and the bridges that use it. */
export class SharedParticipant {
  readonly participant: Participant;
  readonly graph: RosGraph;
  readonly endpoints = new FoundEndpoints<RosEndpoint>();
  readonly services = new FoundEndpoints<RosServiceEndpoint>();
  readonly graphListeners = new GraphListeners();
  readonly warningListeners = new Set<(warning: string) => void>();
  /** What it has warned of so far. */
  readonly warnings = new Set<string>();
  /** What its users have for each other. */
  readonly neighbours = new Neighbours((rosName) => this.#neighboursChanged(rosName));
  /** By the names of their services. */
  readonly #servers = new Multimap<string, LocalServer>();
  readonly #clients = new Multimap<string, RtpsServiceClient>();
  readonly #users: string[] = [];
  #bridges: ReadonlySet<string> | undefined;
  /** The ids of bridges by the prefixes of the participants of others; as long as their endpoints are known. */
  readonly #remoteBridges = new Map<string, readonly string[]>();
  /** The same of those that do not tell them: they are on rclnodejs, and known by the names of their nodes. */
  readonly #bridgeNodes = new Map<string, readonly string[]>();
  #started: Promise<void> | undefined;
  #telling: NodeJS.Immediate | undefined;
  /** What of the neighbours has changed until it is told. */
  readonly #changedNames = new Set<string>();

  constructor({ domain, range, interfaces, peers, advertisedAddress, maxSampleBytes }: RosDomainOptions) {
    this.participant = new Participant({
      domain,
      range,
      interfaces,
      peers,
      ...(advertisedAddress !== undefined && { advertisedAddress }),
      ...(maxSampleBytes !== undefined && { maxSampleBytes }),
    });
    this.graph = new RosGraph(this.participant, (prefix) => this.#nodesChanged(prefix));
  }

  join(bridgeId: string): void {
    this.#users.push(bridgeId);
    this.#usersChanged();
  }

  /** Whether there are others than one user. */
  get isShared(): boolean {
    return this.#users.length > 1;
  }

  /** Returns how many are left. */
  leave(bridgeId: string): number {
    this.#users.splice(this.#users.indexOf(bridgeId), 1);
    if (this.#users.length > 0) this.#usersChanged();
    return this.#users.length;
  }

  /** The ids of all bridges in the domain that are known, those of this participant among them. */
  get bridges(): ReadonlySet<string> {
    this.#bridges ??= new Set([
      ...this.#users,
      ...[...this.#remoteBridges.values(), ...this.#bridgeNodes.values()].flat(),
    ]);
    return this.#bridges;
  }

  /** Those of which the endpoint may be: a participant like this one does not tell which of its users has made it. */
  bridgesOf(endpointGuid: string): readonly string[] {
    const prefix = prefixOf(endpointGuid);
    if (prefix !== prefixOf(this.participant.guid))
      return this.#remoteBridges.get(prefix) ?? this.#bridgesByNode(prefix, endpointGuid);
    const owner = this.neighbours.ownerOf(endpointGuid)?.bridgeId;
    return owner === undefined ? [] : [owner];
  }

  started(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }

  close(): Promise<void> {
    this.graph.close();
    return this.participant.close();
  }

  async #start(): Promise<void> {
    const { participant } = this;
    const bridgesChanged = ({ guid }: RemoteParticipant, ids?: readonly string[]) => {
      if (ids === undefined) this.#remoteBridges.delete(prefixOf(guid));
      else {
        this.#remoteBridges.set(prefixOf(guid), ids);
        this.#bridgeNodes.delete(prefixOf(guid));
      }
      this.#bridges = undefined;
      this.graphListeners.tell();
    };
    participant.on('participant', (remote) => bridgesChanged(remote, bridgeIdsOf(remote)));
    participant.on('participant-changed', (remote) => bridgesChanged(remote, bridgeIdsOf(remote)));
    participant.on('participant-lost', (remote) => bridgesChanged(remote));
    participant.on('endpoint', (remote) => {
      const endpoint = rosEndpoint(remote);
      const service = serviceEndpoint(remote, vendorIdFor(participant, remote.guid));
      if (endpoint !== undefined) this.#found(endpoint);
      else if (service !== undefined) {
        this.services.set(service);
        this.graphListeners.tell([service.rosName]);
      }
    });
    participant.on('endpoint-lost', ({ guid }) => {
      const lost = this.endpoints.delete(guid) ?? this.services.delete(guid);
      if (lost !== undefined) this.graphListeners.tell([lost.rosName]);
    });
    participant.on('warning', (warning) => this.#warn(warning));
    participant.on('behind', (pair) => {
      // A burst is more than the history holds, and is acknowledged soon.
      setTimeout(() => this.#checkBehind(pair), BEHIND_FOR).unref();
    });
    await participant.start();
    this.graph.open();
  }

  #bridgesByNode(prefix: string, guid: string): readonly string[] {
    const ids = this.#bridgeNodes.get(prefix) ?? [];
    if (ids.length < 2) return ids;
    const nodes = [...this.graph.nodes(prefix)];
    const owner = nodes.find(({ readers, writers }) => readers.includes(guid) || writers.includes(guid));
    const id = owner && bridgeIdOfNode(fullName(owner));
    return id === undefined ? ids : [id];
  }

  #nodesChanged(prefix: string): void {
    const known = this.#bridgeNodes.get(prefix) ?? [];
    const nodes = this.#remoteBridges.has(prefix) ? [] : [...this.graph.nodes(prefix)];
    const ids = nodes.flatMap((node) => bridgeIdOfNode(fullName(node)) ?? []);
    if (ids.join('/') === known.join('/')) {
      this.graphListeners.tell();
      return;
    }
    if (ids.length > 0) this.#bridgeNodes.set(prefix, ids);
    else this.#bridgeNodes.delete(prefix);
    this.#bridges = undefined;
    // Their endpoints are another's than was thought.
    const own = [...this.endpoints.of()].filter(({ guid }) => prefixOf(guid) === prefix);
    this.graphListeners.tell(new Set(own.map(({ rosName }) => rosName)));
  }

  #found(endpoint: RosEndpoint): void {
    const { guid, rosName } = endpoint;
    const before = this.endpoints.get(guid)?.rosName ?? rosName;
    this.endpoints.set(endpoint);
    this.graphListeners.tell(new Set([before, rosName]));
  }

  #checkBehind({ local, remote }: EndpointPair): void {
    const topic = rosNameOf(local.topic);
    if (topic === undefined || !(local instanceof Writer) || local.unacknowledged <= local.qos.depth) return;
    const node = [...this.graph.nodes()].find(({ readers }) => readers.includes(remote.guid));
    const of = node === undefined ? '' : ` of node ${fullName(node)}`;
    this.#warn(`topic ${topic}: a subscription${of} does not keep up, and misses messages`);
  }

  /** Says each thing once. */
  #warn(warning: string): void {
    if (this.warnings.has(warning) || this.warnings.size >= MAX_WARNINGS) return;
    this.warnings.add(warning);
    for (const listener of [...this.warningListeners]) listener(warning);
  }

  #usersChanged(): void {
    this.participant.setUserData(participantUserData(this.#users.slice(0, MAX_ANNOUNCED_BRIDGES)));
    this.#bridges = undefined;
    this.graphListeners.tell();
  }

  /** Adds a server for the clients of the same participant; returns what takes it away. */
  addServer(server: LocalServer): () => void {
    const { rosName } = server;
    this.#servers.add(rosName, server);
    this.#serversChanged(rosName);
    return () => {
      this.#servers.delete(rosName, server);
      this.#serversChanged(rosName);
    };
  }

  /** Adds who is told when there are other servers of a name for it; returns what takes it away. */
  addServiceClient(rosName: string, client: RtpsServiceClient): () => void {
    this.#clients.add(rosName, client);
    return () => this.#clients.delete(rosName, client);
  }

  /** Those of the same participant for a client of one of its users. */
  serversFor(user: RosDomain, { rosName, type }: Pick<LocalServer, 'rosName' | 'type'>): LocalServer[] {
    return [...this.#servers.get(rosName)].filter((server) => server.owner !== user && server.type === type);
  }

  #serversChanged(rosName: string): void {
    for (const client of [...this.#clients.get(rosName)]) client.serversChanged();
  }

  /** Not from within the call that makes an endpoint, as from the network; many come and go in one turn. */
  #neighboursChanged(rosName: string): void {
    if (!this.isShared) return;
    this.#changedNames.add(rosName);
    this.#telling ??= setImmediate(() => {
      this.#telling = undefined;
      const names = [...this.#changedNames];
      this.#changedNames.clear();
      this.graphListeners.tell(names);
    });
  }
}

/** A service, for the clients of the same participant, whose requests do not reach it over the network. */
export interface LocalServer {
  owner: RosDomain;
  rosName: string;
  type: string;
  handler: RosServiceHandler;
}

/** `undefined` for what is no ROS topic: services, ROS 2's own discovery, and DDS programs without ROS. */
export function rosEndpoint(remote: RemoteEndpoint): RosEndpoint | undefined {
  const rosName = rosNameOf(remote.topic);
  const type = rosTypeOf(remote.type);
  if (rosName === undefined || type === undefined) return undefined;
  const kind = remote.kind === 'writer' ? 'publisher' : 'subscription';
  const typeHash = typeHashIn(remote.userData);
  return { guid: remote.guid, kind, rosName, type, qos: remote.qos, ...(typeHash && { typeHash }) };
}

/** `undefined` for what does not carry the requests of a ROS service. */
function serviceEndpoint(
  { guid, kind, topic, type }: RemoteEndpoint,
  vendorId: number | undefined,
): RosServiceEndpoint | undefined {
  const rosName = rosServiceOf(topic);
  const requestType = rosTypeOf(type);
  if (rosName === undefined || requestType?.endsWith('_Request') !== true) return undefined;
  return {
    guid,
    kind: kind === 'reader' ? 'server' : 'client',
    rosName,
    type: requestType.slice(0, -'_Request'.length),
    ...(vendorId !== undefined && { vendor: vendorOf(vendorId) }),
  };
}

/** With its namespace, for example `/robot1/talker`. */
export function fullName({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace === '/' ? '' : namespace}/${name}`;
}
