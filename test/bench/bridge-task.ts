import type { RouteSettings } from '../../src/ros/bridge-settings';

/** What a process of the bridge's bench is to bridge. */
export interface BridgeTask {
  /** Of the MQTT broker on this machine. */
  readonly port: number;
  readonly flowOutput: boolean;
  readonly route: RouteSettings;
}
