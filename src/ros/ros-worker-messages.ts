import type { MessagePort } from 'node:worker_threads';
import type { ConnectionStatus } from '../client/connection';
import type { BridgeEvent } from './bridge-events';
import type { BridgeSettings, Direction, RouteKind, RouteRow } from './bridge-settings';
import type { LatencySummary } from './latency';
import type { LearnedType } from './learned-types';
import type { PatternName, PatternSettings, Way } from './name-patterns';
import type { RosQos } from './ros-backend';
import type { RouteCounts } from './route-counts';
import type { RoutePeers } from './route-peers';
import type { RouteSilence } from './route-silence';

/** What the host asks of the ROS worker; `bridge` is the host's number for a bridge. */
export type RosWorkerRequest =
  | { type: 'open'; bridge: number; settings: BridgeSettings; flowOutput: boolean }
  | { type: 'close'; bridge: number }
  /** `joined`: frames of `v8.serialize([id, topic, payload, FlowFacts])`. */
  | { type: 'publish'; bridge: number; joined: ArrayBuffer }
  /** Answered like a `publish`. */
  | { type: 'routes'; bridge: number; id: number; request: RouteRequest }
  /** Answered like a `publish`, with a `GraphDescription`. */
  | { type: 'graph'; bridge: number; id: number; domain: number }
  | { type: 'flow-output'; bridge: number; wanted: boolean }
  /** One `samples` message has been read. */
  | { type: 'read'; bridge: number }
  /** What was asked for with `password-wanted`; or why there is none, in words. */
  | { type: 'password'; bridge: number; id: number; password: string }
  | { type: 'password'; bridge: number; id: number; error: string };

/** What a message of the flow has beside its topic and payload, as `BridgeMessage` has it. */
export interface FlowFacts {
  /** Of the request of a ROS client that it answers. */
  rosRequest?: number | undefined;
  /** Its interface type, which counts unless it has come from another name of ROS: a flow keeps what it does not change. */
  rosType?: string | undefined;
  rosName?: string | undefined;
}

/** By which a route is known, or one of each domain; without a kind of a topic. */
export type RouteRowName = Pick<RouteRow, 'kind' | 'domain' | 'rosName'>;

/** What is asked about the routes and patterns of a bridge that runs. */
export type RouteRequest =
  | { action: 'add'; route: RouteRow }
  | { action: 'remove'; route: RouteRowName }
  /** Answered with `RouteStatus[]`. */
  | { action: 'list' }
  /** Answered with all that there are then, `PatternSettings[]`. */
  | { action: 'add-pattern'; pattern: PatternSettings }
  | { action: 'remove-pattern'; pattern: PatternName };

/** What the ROS worker answers and reports of a bridge, and what it has learned for all of them. */
export type RosWorkerReport = BridgeReport | { type: 'learned'; learned: LearnedType };

export type BridgeReport =
  | { type: 'opened'; bridge: number }
  | { type: 'refused'; bridge: number; message: string }
  | { type: 'closed'; bridge: number }
  | { type: 'published'; bridge: number; results: PublishResult[] }
  /** Comes before the first sample of the route. */
  | { type: 'route-opened'; bridge: number; name: RouteName }
  /** Nothing comes of it any more. */
  | { type: 'route-closed'; bridge: number; key: number }
  /** `joined`: sample frames. */
  | { type: 'samples'; bridge: number; joined: ArrayBuffer }
  | { type: 'event'; bridge: number; event: BridgeEvent }
  | { type: 'status'; bridge: number; status: BridgeStatus }
  | { type: 'warning' | 'problem'; bridge: number; message: string }
  | { type: 'password-wanted'; bridge: number; id: number }
  /** One end of a new stream to the embedded broker. */
  | { type: 'broker-port'; bridge: number; port: MessagePort };

/** `error` is absent when the message was handed to the ROS publisher, or has its answer. */
export interface PublishResult {
  id: number;
  error?: string;
  /** JSON text, where a message has an answer. */
  answer?: string;
}

/** What a route's messages are named by in the flow. */
export interface RouteName {
  /** Stands in the route's sample frames. */
  key: number;
  /** The MQTT topic name. */
  topic: string;
  domain: number;
  rosName: string;
  type: string;
}

/** What a kind of route tells of itself beside what all do. */
export interface RouteDetails {
  /** All that is wrong, in words, the oldest first; absent where nothing is. */
  problems?: string[];
  /** Why it carries nothing, once it has not for some time. */
  silence?: RouteSilence;
  /** Of what comes from ROS, by the clocks of its publishers. */
  latency?: LatencySummary;
  /** QoS that its ROS publisher offers, and that its ROS subscription requests. */
  offered?: RosQos;
  requested?: RosQos;
  /** What cannot be carried over as it is in ROS, in words. */
  note?: string;
}

/** How one bridged name fares. */
export interface RouteStatus extends RoutePeers, RouteDetails {
  kind: RouteKind;
  domain: number;
  rosName: string;
  type: string;
  direction: Direction;
  /** Its topic name in MQTT, or what its topics there are below of; absent for a route that was refused. */
  mqttTopic?: string;
  /** A pattern has opened it. */
  byPattern?: true;
  /** In words; present while it is not carried, or its last message was refused. */
  problem?: string;
  /** Absent for a route that was refused. */
  counts?: RouteCounts;
  /** Whether the broker has granted its subscription; absent where it has none. */
  subscribed?: boolean;
  /** The bridges that carry those ways of the route that this one does not; empty while that is not known. */
  standby?: Partial<Record<Way, string>>;
}

/** How the routes fare that patterns have opened. */
export interface PatternStatus {
  /** How many there are now. */
  routes: number;
  /** Topics with publishers in ROS that patterns allow and for which there is no room. */
  left: number;
  /** Messages from MQTT for which there was no room, or whose topic names stand for no ROS name. */
  dropped: number;
  /** Whether the broker has granted what brings them messages; absent where nothing does. */
  subscribed?: boolean;
  /** In words: why topics are not carried that patterns allow. */
  problem?: string;
}

export interface DomainStatus {
  domain: number;
  /** Other participants that are known now. */
  participants: number;
  /** How many ROS nodes others have, as far as they tell. */
  nodes: number;
  /** Why the domain is not open. */
  problem?: string;
}

/** How a bridge fares; sent when it changes, at most once a second for counts. */
export interface BridgeStatus {
  backend: 'rtps' | 'rclnodejs';
  /** Absent without a broker. */
  mqtt?: ConnectionStatus;
  /** What keeps it from taking turns with other bridges of the broker, in words. */
  problem?: string;
  domains: DomainStatus[];
  /** Those that the settings list; the same objects as in the status before where they fare as they did. */
  routes: readonly RouteStatus[];
  /** Absent without patterns. */
  patterns?: PatternStatus;
  /** Carried in either direction. */
  messagesPerSecond: number;
}
