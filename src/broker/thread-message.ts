import type { MessagePort } from 'node:worker_threads';
import type { BrokerEvent } from './broker-event';
import type { Capabilities } from './capabilities';
import type { Limits } from './limits';
import type { ListenerAddress, ListenerSettings } from './listeners/listener-settings';
import type { BrokerStatistics } from './statistics';

/** What the broker's worker is started with. */
export interface WorkerSettings {
  listeners: ListenerSettings[];
  allowAnonymousBeyondLoopback: boolean;
  limits: Limits;
  capabilities: Capabilities;
}

/** From the main thread to the worker. */
export type ToWorker = { type: 'accept'; port: MessagePort } | { type: 'stop' };

/** From the worker to the main thread. */
export type FromWorker =
  | { type: 'running'; listeners: ListenerAddress[] }
  | { type: 'failed'; reason: string }
  | { type: 'statistics'; statistics: BrokerStatistics }
  | { type: 'events'; events: BrokerEvent[] };
