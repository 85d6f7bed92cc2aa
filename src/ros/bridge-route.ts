import type { ReceivedMessage } from '../client/connection';
import type { RosTopic } from '../topic/ros-topic';
import type { IncomingMessage, RouteConnection } from './bridge-connection';
import type { BridgeEvent } from './bridge-events';
import type { RouteSettings } from './bridge-settings';
import type { RouteTopics } from './bridge-topics';
import type { Fellows } from './fellow-bridges';
import type { InterfaceLibrary } from './interface-library';
import type { Way } from './name-patterns';
import type { PayloadFormat } from './payload-format';
import type { RosDomain, RosQos } from './ros-backend';
import type { RouteDetails } from './ros-worker-messages';
import type { RouteCounts } from './route-counts';
import type { Turn } from './route-turn';
import type { SampleFrame } from './sample-frame';

/** What one of a bridge's routes hears in ROS. */
export interface HeardTopic {
  /** After so many ms it is to be asked again; 0 when what publishers keep for those who come late has been heard. */
  readonly pending: number;
  /**
   * Whether ROS has what the broker has stored, or what takes its place there: a publisher that is there has said it, and
   * was heard.
   */
  hasSaid(stored: Pick<ReceivedMessage, 'payload' | 'properties'>): boolean;
  /** Notes what somebody else has just said on MQTT, perhaps to be stored there. */
  noteSaid(message: Pick<ReceivedMessage, 'payload' | 'properties'>): void;
}

/** What a route has of its bridge. */
export interface RouteContext {
  readonly bridgeId: string;
  /** Of the route in MQTT. */
  readonly topics: RouteTopics;
  readonly library: InterfaceLibrary;
  /** The domain of the route's settings. */
  readonly domain: RosDomain;
  /** What of it belongs to other bridges at the broker. */
  readonly fellows: Fellows;
  /** All open domains of the bridge, by their numbers. */
  readonly domains: ReadonlyMap<number, RosDomain>;
  /** Absent for a bridge without a broker. */
  readonly connection: RouteConnection | undefined;
  /** Of the connection: 4 is MQTT 3.1.1. */
  readonly mqttVersion: 4 | 5 | undefined;
  /** Whether what the broker has stored may be of this bridge, and nothing tells. */
  readonly storedMayBeOwn: boolean;
  /**
   * Takes part with the other bridges of the broker in deciding which of them carries one way of the route.
   * @param topic the MQTT topic name, or what else tells the route from others
   * @param changed called when `active` of the turn has changed
   * @param isTimed see `Place`
   */
  join(way: Way, topic: string, changed?: () => void, isTimed?: boolean): Turn;
  /**
   * Gives what has come at a filter, and this route has not looked at when it is closed, to the route in its place.
   * Returns `false` where there is none.
   */
  passOn(filter: string, message: IncomingMessage): boolean;
  /** Has others know what this route hears in ROS; returns what ends it. */
  hear(topic: HeardTopic): () => void;
  /** What a route of the same ROS name hears, this one or another; `undefined` where none does. */
  readonly heard: HeardTopic | undefined;
  /** ROS has said what the broker is to store, in place of what was said on MQTT before. */
  stateSaid(): void;
  /** Calls when a route of the same ROS name has heard that; returns what ends it. */
  onStateSaid(listener: () => void): () => void;
  /** Whether anybody in the flow takes messages now. */
  readonly flowOutput: boolean;
  /** Gives the flow a message of this route. */
  toFlow(sample: Omit<SampleFrame, 'route'>): void;
  /** Tells of one fault, in words that name what it is about. */
  report(problem: string): void;
  /** Tells of something that happened. */
  tell(event: BridgeEvent): void;
  /** Something that the status shows has changed. */
  changed(): void;
}

/** What others need to know of the messages that a route brings to MQTT, as `@meta` tells it. */
export interface RouteDescription {
  /** In ROS. */
  name: string;
  type: string;
  /** Of its interface type, `RIHS01_…`. */
  hash: string;
  format: PayloadFormat;
  /** With which it subscribes in ROS now. */
  qos: Pick<RosQos, 'reliability' | 'durability' | 'depth'>;
}

/** One bridged ROS name, whatever its kind. */
export interface BridgeRoute {
  readonly settings: RouteSettings;
  /** The MQTT topic name of its messages, or what those of its requests and goals are or begin with. */
  readonly topic: string;
  readonly counts: RouteCounts;
  /** In words while the last message was refused or something keeps the route from carrying. */
  readonly problem: string | undefined;
  /** Whether the broker has granted what the route subscribes, now; `undefined` where it takes nothing from MQTT. */
  readonly subscribed: boolean | undefined;
  /** Whether somebody waits for an answer of it. */
  readonly isBusy?: boolean;
  /** More for the status. */
  readonly details?: RouteDetails;
  /** Which bridge carries each way of the route. */
  readonly turns: Readonly<Partial<Record<Way, Turn>>>;
  /** The same object as before while it says the same; absent of a route that brings none. */
  readonly description?: RouteDescription | undefined;
  /**
   * Whether others serve in ROS what this route does: what is new is left to them, what is under way goes on. Absent of a
   * route that serves nothing.
   */
  leaveToOthers?(yes: boolean): void;
  /** Creates what the route is made of, in ROS and at the broker. Called once. */
  open(): void;
  close(): void;
  /**
   * Takes a message of the flow for a topic of the route: text or bytes in the route's format, or an already parsed value.
   * Throws, or rejects with, an Error that names the route and, when the payload is not of its type, the path. Where the
   * message has an answer, resolves with its JSON text.
   * @param request of the route, which the message answers; see `SampleFrame`
   */
  publish(topic: RosTopic, payload: unknown, request?: number): Promise<string> | undefined;
}
