import { randomUUID } from 'node:crypto';
import type { MessagePort } from 'node:worker_threads';
import type { BridgeHandle } from './bridge-handle';
import type { BridgeSettings } from './bridge-settings';
import { RosThread } from './ros-thread';

/** What a bridge needs of a broker in this process: it takes the other end of a connection. */
export interface BridgeBroker {
  acceptPort(port: MessagePort): void;
}

/** What a bridge is given of this process. */
export interface BridgeOptions {
  /** A broker of this process, in place of one that `mqtt` of the settings names. */
  broker?: BridgeBroker;
  /** Whether what comes from ROS is wanted as `message` events; it is by default. */
  flowOutput?: boolean;
}

/** The settings with what is not given: domain 0, nodes of this machine, an id that nobody else has, and no route. */
export function bridgeWithDefaults(settings: Partial<BridgeSettings>): BridgeSettings {
  return {
    id: randomUUID(),
    prefix: 'ros',
    aliases: {},
    domains: [0],
    range: 'localhost',
    interfaces: [],
    peers: [],
    routes: [],
    ...settings,
  };
}

/**
 * A bridge between ROS 2 and MQTT that is yet to be opened: `open()`, and `close()` at its end. What the settings leave
 * out has its default.
 */
export function createBridge(
  settings: Partial<BridgeSettings> = {},
  { broker, flowOutput = true }: BridgeOptions = {},
): BridgeHandle {
  const complete = bridgeWithDefaults(settings);
  if (broker === undefined) return RosThread.shared().createBridge(complete, { flowOutput });
  const clientId = `mqtt-ros-bridge-${complete.id}`;
  return RosThread.shared().createBridge(
    { ...complete, mqtt: { target: 'embedded', protocolVersion: 5, clientId, keepAlive: 60 } },
    { flowOutput, brokerPort: (port) => broker.acceptPort(port) },
  );
}
