import type { Node, NodeAPI, NodeStatus } from 'node-red';
import type { Connection, ConnectionStatus } from '../src/client/connection';
import type { BrokerConfigNode } from './mqtt-broker-config';

/** What a node has that shares the connection of an mqtt-broker-config; or why it has none. */
export type BrokerUse =
  | {
      connection: Connection;
      broker: BrokerConfigNode;
      describe: (status: ConnectionStatus) => NodeStatus;
    }
  | { fault: string };

/**
 * Takes part in the connection of a broker configuration for as long as the node lives.
 * @param noBroker what to say when none is chosen, or the chosen one is missing or disabled
 * @param unacknowledged how many messages the node may leave unacknowledged, which takes a connection of its own
 */
export function useBroker(
  RED: NodeAPI,
  node: Node,
  id: string,
  noBroker: string,
  unacknowledged?: number,
): BrokerUse {
  const broker = RED.nodes.getNode(id) as BrokerConfigNode | null;
  if (broker?.type !== 'mqtt-broker-config') return { fault: noBroker };
  try {
    const connection =
      unacknowledged === undefined ? broker.acquire() : broker.acquireOwn(node.id, unacknowledged);
    node.on('close', () => broker.release(connection));
    return { connection, broker, describe: (status) => broker.describe(status) };
  } catch (error) {
    return { fault: (error as Error).message };
  }
}
