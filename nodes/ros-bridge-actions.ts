import type { NodeMessage } from 'node-red';
import type { BridgeHandle } from '../src/ros/bridge-handle';
import type { NodeText } from './node-text';
import { type BridgeForm, patternOf, routeOf } from './ros-bridge-settings';

interface Circumstances {
  text: NodeText;
  /** Of a route for which the message names none. */
  defaultDomain: number;
}

/** What a message may ask for in place of being published. Resolves to what the payload of the answer is to be. */
type BridgeAction = (bridge: BridgeHandle, payload: unknown, about: Circumstances) => Promise<unknown>;

const ACTIONS: Readonly<Record<string, BridgeAction>> = {
  'list-routes': (bridge) => bridge.listRoutes(),
  'add-route': async (bridge, payload, about) => {
    await bridge.addRoute(routeIn(payload, about));
    return payload;
  },
  'remove-route': async (bridge, payload, about) => {
    await bridge.removeRoute(routeIn(payload, about));
    return payload;
  },
  'list-patterns': async (bridge) => bridge.patterns,
  'add-pattern': async (bridge, payload, about) => {
    await bridge.addPattern(patternIn({ action: 'allow', direction: 'both' }, payload, about));
    return payload;
  },
  'remove-pattern': async (bridge, payload, about) => {
    await bridge.removePattern(patternIn({}, payload, about));
    return payload;
  },
};

/** By `msg.action`; `undefined` for a message that is to be published. */
export function bridgeActionOf({ action }: NodeMessage & { action?: unknown }): BridgeAction | undefined {
  return typeof action === 'string' && Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
}

function routeIn(payload: unknown, { text, defaultDomain }: Circumstances) {
  const row = {
    domain: defaultDomain,
    type: '',
    direction: 'both',
    ...objectIn(payload, 'errors.route', text),
  };
  return routeOf('msg.payload', row as BridgeForm['routes'][number], text);
}

function patternIn(given: object, payload: unknown, { text }: Circumstances) {
  const row = { ...given, ...objectIn(payload, 'errors.pattern', text) };
  return patternOf('msg.payload', row as NonNullable<BridgeForm['patterns']>[number], text);
}

/** Throws an Error with the text where it is no object. */
function objectIn(payload: unknown, key: string, text: NodeText): object {
  if (typeof payload === 'object' && payload !== null) return payload;
  throw new Error(text(key, { value: String(JSON.stringify(payload)) }));
}
