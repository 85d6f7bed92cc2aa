import type { RouteSettings } from '../../src/ros/bridge-settings';
import type { RouteCounts } from '../../src/ros/route-counts';

/** What a process of the bridge's bench is to bridge. */
export interface BridgeTask {
  /** Of the MQTT broker on this machine; where there is none, the process has an embedded broker. */
  readonly port: number | undefined;
  readonly flowOutput: boolean;
  readonly route: RouteSettings;
}

/** What a process with an embedded broker tells first. */
export interface EmbeddedBroker {
  readonly port: number;
  /** The system's number of the broker's thread. */
  readonly threadId: number;
}

/** What a process tells when it is asked. */
export interface BridgeReport {
  /** How long the flows' event loop was delayed at p99 since it was asked before, ms. */
  readonly loopDelay: number;
  /** Of its route, as it knows them. */
  readonly counts?: RouteCounts | undefined;
}
