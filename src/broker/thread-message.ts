import type { MessagePort } from 'node:worker_threads';
import type { AccessSettings, UserSettings } from './access/access-settings';
import type { Decision, DecisionRequest } from './access/decisions';
import type { AdministrationCalls } from './administration-calls';
import type { BrokerEvent } from './broker-event';
import type { Capabilities } from './capabilities';
import type { Limits } from './limits';
import type { ListenerAddress, ListenerSettings } from './listeners/listener-settings';
import type { Peer } from './peer';
import type { BrokerStatistics } from './statistics';
import type { Durability } from './store/journal';
import type { UpstreamSettings } from './upstream/upstream-settings';

/** What the broker's worker is started with. */
export interface WorkerSettings {
  listeners: ListenerSettings[];
  allowAnonymousBeyondLoopback: boolean;
  access: AccessSettings;
  limits: Limits;
  capabilities: Capabilities;
  /** Topic filter of the messages that the application wants to see; none without one. */
  watch: string | undefined;
  /** Absent when all ends with the worker. */
  storage: StorageSettings | undefined;
  upstreams: UpstreamSettings[];
}

/** Where the broker keeps retained messages and the sessions that outlive their connections. */
export interface StorageSettings {
  /** Of this broker alone; created when it is not there. */
  directory: string;
  /** `write`: acknowledged when the system has it, so that it outlives the process; `strict`: when the disk has it. */
  durability: Durability;
}

/** From the main thread to the worker. */
export type ToWorker =
  | { type: 'accept'; port: MessagePort; peer: Peer }
  | { type: 'upstream'; name: string; run: boolean }
  | { type: 'decide'; id: number; decision: Decision }
  | { type: 'setUser'; user: UserSettings }
  | { type: 'removeUser'; name: string }
  | { type: 'request'; id: number; call: AdministrationCall }
  /** The application has had a batch of messages. */
  | { type: 'taken' }
  | { type: 'stop' };

/** One call of an administration with its argument. */
export type AdministrationCall = {
  [Name in keyof AdministrationCalls]: { name: Name; argument: Parameters<AdministrationCalls[Name]>[0] };
}[keyof AdministrationCalls];

/** From the worker to the main thread. */
export type FromWorker =
  | { type: 'running'; listeners: ListenerAddress[] }
  /** It cannot start; `fault` says by what, where it is of the settings. */
  | { type: 'failed'; reason: string; fault?: 'listener' | 'access' }
  | { type: 'decision'; request: DecisionRequest }
  | { type: 'statistics'; statistics: BrokerStatistics }
  | { type: 'events'; events: BrokerEvent[] }
  /** What was published and is watched: `messagesIn` a batch. Each is to be answered by `taken`. */
  | { type: 'messages'; batch: ArrayBuffer }
  /** To the request of the same id; `fault` says why there is none. */
  | { type: 'answer'; id: number; answer: unknown }
  | { type: 'answer'; id: number; fault: string };
