import type { Via } from './via';

/**
 * How a bridge reaches ROS 2. What is above this interface (types, JSON, QoS rules, routes) is the same for every
 * backend.
 */
export interface RosBackend {
  readonly name: 'rtps' | 'rclnodejs';
  readonly capabilities: RosBackendCapabilities;
  /** Joins a domain, or shares the place in it of an earlier call with equal options. Rejects when it cannot. */
  openDomain(options: RosDomainOptions): Promise<RosDomain>;
}

/** Which facts come with the samples of this backend. */
export interface RosBackendCapabilities {
  writerGuid: boolean;
  sequence: boolean;
  /** Always, or while they are asked for it (`RosDomain.tellTimes`). */
  sourceTimestamp: boolean;
}

/** ROS 2's own words for how far discovery reaches (`ROS_AUTOMATIC_DISCOVERY_RANGE`). */
export type DiscoveryRange = 'off' | 'localhost' | 'subnet';

export interface RosDomainOptions {
  /** 0..232 */
  domain: number;
  range: DiscoveryRange;
  /** IPv4 addresses of this machine; empty: all. */
  interfaces: readonly string[];
  /** Where to look besides multicast: `address` or `address:port`. */
  peers: readonly string[];
  /** The IPv4 address at which others reach this machine where it is none of its own. */
  advertisedAddress?: string | undefined;
  /** The largest message, in bytes; the backend's own default where absent. */
  maxSampleBytes?: number | undefined;
  /** The name under which ROS 2 lists the user's endpoints, without a namespace. */
  nodeName: string;
  /** The user's, by which other bridges know it in the domain. */
  bridgeId: string;
}

/** A node of somebody else, as ROS 2 lists it. */
export interface RosNode {
  /** With its namespace, for example `/robot1/talker`. */
  name: string;
  /** GUIDs of its publishers and subscriptions, and of the endpoints that services and actions consist of. */
  endpoints: readonly string[];
}

/** The QoS policies of ROS 2. Spans in milliseconds; what is left out, and `Infinity`, means no limit. */
export interface RosQos {
  readonly reliability: 'reliable' | 'best-effort';
  readonly durability: 'volatile' | 'transient-local';
  /** Of a remote endpoint 0 where it is not known or unlimited. */
  readonly depth: number;
  /** A sample is published, or expected, at least this often. */
  readonly deadline?: number;
  /** Of a publisher: its samples are worth nothing when they are older than this. */
  readonly lifespan?: number;
  /** How a publisher shows that it is alive; default `automatic`. */
  readonly liveliness?: 'automatic' | 'manual-by-participant' | 'manual-by-topic';
  readonly livelinessLease?: number;
  /** `exclusive`: of several publishers only the strongest one is heard; default `shared`. */
  readonly ownership?: 'shared' | 'exclusive';
}

/** A publisher or subscription of somebody else, as discovered. */
export interface RosEndpoint {
  guid: string;
  kind: 'publisher' | 'subscription';
  rosName: string;
  /** Interface type, for example `sensor_msgs/msg/Imu`. */
  type: string;
  /** `RIHS01_…`; unknown of ROS 2 before Iron and of other programs. */
  typeHash?: string;
  qos: RosQos;
  /** Of another user in this process, to whom nothing goes over the network. */
  isNeighbour?: true;
}

/** The server or a client of a service, or of one of the services that an action consists of, of somebody else. */
export interface RosServiceEndpoint {
  guid: string;
  kind: 'server' | 'client';
  rosName: string;
  /** For example `example_interfaces/srv/AddTwoInts`. */
  type: string;
  /** The DDS implementation that it is on, where the backend tells; for example `Cyclone DDS`. */
  vendor?: string;
  /** See `RosEndpoint`. */
  isNeighbour?: true;
}

export interface RosSample {
  /** CDR with its 4-byte encapsulation header; the receiver's own. */
  payload: Buffer;
  /** Whether nobody else uses the payload's memory either, which the receiver may then free. */
  ownsMemory?: boolean;
  writerGuid: string | undefined;
  sequence: number | undefined;
  /** Nanoseconds since the epoch. */
  sourceTimestamp: bigint | undefined;
  /** The same when it comes again to a subscription made anew, where no sequence number tells. */
  identity?: string | undefined;
  /** The bridges that carried it here, as far as its publisher tells. */
  via?: Via;
}

/**
 * Another endpoint on the same name that does not suit. `policy` is `type`, or the QoS policy that forbids them to match;
 * with `type hash` they match, but mean different things by the same type.
 */
export interface RosIncompatibility {
  remote: RosEndpoint;
  policy: string;
}

export interface RosEndpointOptions {
  rosName: string;
  type: string;
  /** `RIHS01_…`, the hash of our definition of the type. */
  typeHash: string;
  qos: RosQos;
  onIncompatible: (incompatibility: RosIncompatibility) => void;
  /** Told why it could not be made, by a backend that finds out later; otherwise a warning of the domain says it. */
  onProblem?: (reason: string) => void;
  /** The deadline of `qos` has passed without a sample; each time. */
  onDeadlineMissed?: () => void;
  /** Samples never came, where no sequence numbers tell. */
  onLost?: (count: number) => void;
}

export interface RosPublisher {
  /**
   * Takes CDR with its encapsulation header; the buffer belongs to the publisher afterwards.
   * @param via the bridges that carried it, the publisher's last; without a `viaFault`
   * @param ownsMemory whether nobody else uses its memory, which may be freed when it is not needed any more
   */
  publish(cdr: Buffer, via: Via, ownsMemory?: boolean): void;
  /** Forgets what it keeps for later subscriptions; absent where the backend cannot. */
  forget?(): void;
  close(): void;
}

export interface RosSubscription {
  close(): void;
}

export interface RosServiceOptions {
  /** With its leading slash; of an action's services for example `/fibonacci/_action/send_goal`. */
  rosName: string;
  /** For example `example_interfaces/srv/AddTwoInts` or `example_interfaces/action/Fibonacci_SendGoal`. */
  type: string;
  /** The type of the action that the service belongs to, for example `example_interfaces/action/Fibonacci`. */
  action?: string;
  /** `RIHS01_…` of its request and of its response. */
  requestHash: string;
  responseHash: string;
  /** As for publishers and subscriptions. */
  onProblem?: (reason: string) => void;
}

export interface RosServiceClient {
  /** How many processes serve the service now. */
  readonly servers: number;
  /**
   * Calls the service: CDR with its encapsulation header there and back, in `timeout` milliseconds with the wait for a
   * server. Rejects with ServiceError.
   */
  call(request: Buffer, timeout: number): Promise<Buffer>;
  /** What waits is rejected. */
  close(): void;
}

export interface RosServiceServer {
  /** Takes no further requests, and closes when those under way have their replies. */
  withdraw(): void;
  close(): void;
}

/**
 * Answers a request: CDR with its encapsulation header there and back. Where it rejects the client gets no reply.
 * `settled` resolves when the reply has gone out, which may have to wait for the client to be found, or never will.
 */
export type RosServiceHandler = (request: Buffer, settled: Promise<void>) => Promise<Buffer>;

/**
 * One user's place in a ROS domain. Its subscriptions receive what others publish, never what its own publishers do;
 * its clients call what others serve, never its own servers.
 */
export interface RosDomain {
  readonly domain: number;
  /** Why nothing can be carried now, in words; it is being repaired. */
  readonly problem?: string | undefined;
  /** How many other participants are known now. */
  readonly participants: number;
  /** The ids of the other bridges that are in this domain now. */
  bridges(): ReadonlySet<string>;
  /** The ids of those of them to which a publisher or subscription of others may belong; empty where none is known to. */
  bridgesOf(endpointGuid: string): readonly string[];
  /** The ROS publishers and subscriptions that others have in this domain now; of one name where it is given. */
  endpoints(rosName?: string): Iterable<RosEndpoint>;
  /** The servers and clients of services that others have in this domain now; of one name where it is given. */
  services(rosName?: string): Iterable<RosServiceEndpoint>;
  /** The nodes that others have in this domain now, as far as they tell. */
  nodes(): Iterable<RosNode>;
  /**
   * Calls after participants, nodes or endpoints appeared or left, or with a name after publishers, subscriptions or
   * services of it did; returns what ends it.
   */
  onGraphChange(listener: () => void, rosName?: string): () => void;
  /** Calls with each thing that the user of the machine can repair, also those known before; returns what ends it. */
  onWarning(listener: (warning: string) => void): () => void;
  /**
   * Has samples tell when they were published for so many ms, where that is too dear to be had always: one that does not
   * was published before, or a moment later. Absent where all tell it.
   */
  tellTimes?(duration: number): void;
  createPublisher(options: RosEndpointOptions): RosPublisher;
  createSubscription(options: RosEndpointOptions, onSample: (sample: RosSample) => void): RosSubscription;
  /** @param onServersChange called after `servers` may have changed */
  createServiceClient(options: RosServiceOptions, onServersChange?: () => void): RosServiceClient;
  createServiceServer(options: RosServiceOptions, handler: RosServiceHandler): RosServiceServer;
  /** Resolves when the subscriptions have what was published here, or a moment later where one does not say so. */
  delivered(): Promise<void>;
  /** Closes what was created here, and leaves the domain when no other user is left. */
  close(): Promise<void>;
}
