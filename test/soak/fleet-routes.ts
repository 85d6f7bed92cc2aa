export const STRING = 'std_msgs/msg/String';
export const SERVICE = 'example_interfaces/srv/AddTwoInts';
export const ACTION = 'example_interfaces/action/Fibonacci';

/** What the names of a fleet are in turn, and which routes a bridge has for them. */
export const FLEET_KINDS = [
  { kind: 'topic', type: STRING, direction: 'ros-to-mqtt' },
  { kind: 'topic', type: '', direction: 'both' },
  { kind: 'service', type: SERVICE, direction: 'mqtt-to-ros' },
  { kind: 'service', type: SERVICE, direction: 'ros-to-mqtt' },
  { kind: 'action', type: ACTION, direction: 'mqtt-to-ros' },
  { kind: 'action', type: ACTION, direction: 'ros-to-mqtt' },
] as const;

export type FleetKind = (typeof FLEET_KINDS)[number];

/** That a fleet comes with names of these kinds in turn; of 0 names: leaves. */
export interface FleetOrder {
  domain: number;
  count: number;
  kinds: readonly FleetKind[];
}
