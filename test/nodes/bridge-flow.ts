import { once } from 'node:events';
import helper from 'node-red-node-test-helper';
import type { RosBridgeNode } from '../../nodes/ros-bridge';
import { bridgeForm, type FlowNode, report, sink, statusText, tab } from './flow';

/** A row of the form's list of routes. */
export const routeTo = (domain: number | string, change: object = {}) => ({
  domain,
  rosName: '/chatter',
  type: 'std_msgs/msg/String',
  direction: 'both',
  ...change,
});

/** The bridge `bridge-1` with its output at `out-1`, and what Catch and Complete say of it at `caught` and `completed`. */
export const bridgeFlow = (fields: Partial<FlowNode>, ...more: FlowNode[]): FlowNode[] => [
  tab,
  bridgeForm(fields),
  sink(),
  report('catch', 'bridge-1', 'caught'),
  sink('caught'),
  report('complete', 'bridge-1', 'completed'),
  sink('completed'),
  ...more,
];

/** Waits until its status begins so, and gives all of it. */
export const bridgeStatus = (start: string) => statusText('bridge-1', (text) => text.startsWith(start));

/**
 * Waits until the bridge has found so many subscriptions of others for each of its routes of this name, and is itself
 * subscribed for them at the broker: what is published before is lost.
 */
export async function listened(rosName = '/chatter', id = 'bridge-1', subscriptions = 1): Promise<void> {
  const { bridge } = helper.getNode(id) as RosBridgeNode;
  const isReady = () =>
    bridge?.state.state === 'open' &&
    bridge.state.routes.every(
      (route) =>
        route.rosName !== rosName ||
        ((route.subscriptions ?? 0) >= subscriptions && route.subscribed !== false),
    );
  while (bridge !== undefined && !isReady()) await once(bridge, 'status');
}

/** What the flow sends to it. */
export const receive = (topic: unknown, payload: unknown) =>
  helper.getNode('bridge-1').receive({ topic: topic as string, payload });
