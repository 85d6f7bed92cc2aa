import { createHash } from 'node:crypto';
import type { Node, NodeAPI, NodeDef, NodeMessage, NodeStatus } from 'node-red';
import type { BridgeHandle, BridgeState } from '../src/ros/bridge-handle';
import type {
  BackendChoice,
  BridgeSettings,
  Direction,
  RouteKind,
  RouteSettings,
} from '../src/ros/bridge-settings';
import type { PatternAction, PatternSettings } from '../src/ros/name-patterns';
import type { PayloadFormat } from '../src/ros/payload-format';
import type { DiscoveryRange } from '../src/ros/ros-backend';
import { ENVIRONMENT_DOMAIN, rosEnvironment } from '../src/ros/ros-environment';
import { RosThread } from '../src/ros/ros-thread';
import type { BridgeStatus } from '../src/ros/ros-worker-messages';
import { MAX_DOMAIN } from '../src/topic/ros-topic';
import { wholeNumber } from './form-number';
import { formText } from './form-text';
import type { BrokerConfigNode } from './mqtt-broker-config';
import { type NodeText, nodeText } from './node-text';
import { type TopicOptionRow, topicOptionsOf } from './topic-options';

interface Fields extends NodeDef {
  broker: string;
  prefix: string;
  discoveryRange: DiscoveryRange | 'environment';
  backend?: BackendChoice;
  setupFile?: string;
  interfaces: string;
  peers: string;
  advertisedAddress?: string;
  /** In MiB. */
  maxMessageSize?: number | string;
  domains: Array<{ id: number | string; alias: string }>;
  routes: Array<
    TopicOptionRow & {
      /** Absent: a topic. */
      kind?: RouteKind;
      domain: number | string;
      rosName: string;
      type: string;
      direction: Direction;
      /** Absent or blank: by the mapping. */
      mqttTopic?: string;
      format?: PayloadFormat;
      /** Of a service or an action, in seconds; absent or blank: the default. */
      timeout?: number | string;
      /** Of an action, likewise: how long a goal may take. */
      resultTimeout?: number | string;
    }
  >;
  definitions?: string;
  patterns?: Array<{
    action: PatternAction;
    pattern: string;
    direction: Direction;
    /** Absent or blank: all domains of the bridge. */
    domain?: number | string;
    format?: PayloadFormat;
  }>;
  typeTable?: Array<{ name: string; type: string }>;
  meta?: boolean;
  graph?: boolean;
  wires: string[][];
}

export interface RosBridgeNode extends Node {
  /** Absent where the form cannot be used. */
  bridge?: BridgeHandle;
}

/** In MiB, and as much as CDR may have. */
const DEFAULT_MAX_MESSAGE_SIZE = 64;
const MAX_MESSAGE_SIZE = 128;
/** As much text as is of use below a node, in characters. */
const MAX_STATUS_LENGTH = 100;

export default function (RED: NodeAPI): void {
  function RosBridge(this: RosBridgeNode, fields: Fields) {
    RED.nodes.createNode(this, fields);
    const text = nodeText(RED, 'ros-bridge');
    let shown = '';
    const show = (status: NodeStatus): void => {
      const line = JSON.stringify(status);
      if (line !== shown) this.status(status);
      shown = line;
    };
    let refused: Error | undefined;
    const refuse = (error: Error): void => {
      refused = error;
      show({ fill: 'red', shape: 'ring', text: shortened(error.message) });
      this.error(error.message, {});
    };
    let bridge: BridgeHandle | undefined;
    let defaultDomain = 0;
    this.on('input', (msg, send, done) => {
      if (refused !== undefined || bridge === undefined) return done(refused);
      const answerWith = (payload: unknown) => {
        if (payload !== undefined) send(Object.assign(msg, { payload }));
        done();
      };
      if (isRouteAction(msg)) {
        changeRoutes(bridge, msg, defaultDomain, text).then(answerWith, done);
        return;
      }
      if (typeof msg.topic !== 'string') {
        return done(new Error(text('errors.topic', { value: String(JSON.stringify(msg.topic)) })));
      }
      bridge.publish(msg.topic, msg.payload, requestOf(msg)).then(answerWith, done);
    });

    try {
      const broker = brokerOf(RED, fields, text);
      const settings = bridgeSettings(fields, bridgeId(RED, this), broker, text);
      defaultDomain = settings.domains[0] ?? 0;
      bridge = RosThread.shared().createBridge(settings, {
        flowOutput: isWired(fields.wires),
        // Looked up at each attempt: a deploy may replace the broker under a bridge that stays.
        brokerPort: (port) => broker?.embeddedBroker().acceptPort(port),
        password: () => presentPassword(broker),
      });
      bridge.on('status', (state) => show(nodeStatus(state, settings.range, broker, text)));
    } catch (error) {
      return refuse(error as Error);
    }
    const opened = bridge;
    this.bridge = opened;
    opened.on('message', (message) => this.send({ ...message }));
    opened.on('event', ({ event, ...facts }) => this.send([null, { topic: event, payload: facts }]));
    opened.on('problem', ({ message }) => this.error(message, {}));
    opened.on('warning', (warning) => this.warn(warning));
    let closing = false;
    // A bridge that is closed while it opens has nothing more to say.
    opened.open().catch((error: Error) => !closing && refuse(error));
    this.on('close', (done: () => void) => {
      closing = true;
      opened.removeAllListeners();
      void opened.close().then(done);
    });
    // A deploy that changes nothing but wires keeps the node.
    const updateWires = this.updateWires.bind(this);
    this.updateWires = (wires) => {
      updateWires(wires);
      opened.flowOutput = isWired(wires);
    };
  }

  RED.nodes.registerType('ros-bridge', RosBridge);
}

const ROUTE_ACTIONS: readonly unknown[] = ['add-route', 'remove-route', 'list-routes'];

function isRouteAction({ action }: NodeMessage & { action?: unknown }): boolean {
  return ROUTE_ACTIONS.includes(action);
}

/** By which a flow answers the request of a ROS client, where the message has it. */
function requestOf(msg: NodeMessage & { rosRequest?: unknown }): number | undefined {
  return typeof msg.rosRequest === 'number' ? msg.rosRequest : undefined;
}

/** The chosen broker's configuration; none when the bridge is for the flow alone. */
function brokerOf(RED: NodeAPI, fields: Fields, text: NodeText): BrokerConfigNode | undefined {
  if (!fields.broker) return undefined;
  const broker = RED.nodes.getNode(fields.broker) as BrokerConfigNode | null;
  if (broker?.type !== 'mqtt-broker-config') throw new Error(text('errors.broker'));
  return broker;
}

function domainOf(field: string, value: number | string, text: NodeText): number {
  // Without the variable, programs of ROS 2 are in domain 0.
  const number = value === ENVIRONMENT_DOMAIN ? 0 : wholeNumber(value, 0, MAX_DOMAIN);
  if (number === undefined) throw new Error(text('errors.domain', { field, value, max: MAX_DOMAIN }));
  return number;
}

function stringOf(field: string, value: unknown, text: NodeText): string {
  const found = formText(value);
  if (found === undefined) throw new Error(text('errors.text', { field, value: JSON.stringify(value) }));
  return found;
}

function routeOf(field: string, row: Fields['routes'][number], text: NodeText): RouteSettings {
  const { direction, format } = row;
  const kind = row.kind === 'topic' ? undefined : row.kind;
  const mqttTopic = stringOf(`${field}: MQTT topic`, row.mqttTopic, text).trim();
  return {
    ...(kind !== undefined && { kind }),
    domain: domainOf(`${field}: domain`, row.domain, text),
    rosName: stringOf(`${field}: ROS name`, row.rosName, text),
    type: stringOf(`${field}: type`, row.type, text),
    direction,
    ...(mqttTopic !== '' && { mqttTopic }),
    ...(format !== undefined && { format }),
    ...(kind === undefined && topicOptionsOf(row)),
    ...(kind !== undefined && timeoutsOf(row)),
  } as RouteSettings;
}

/**
 * Adds, removes or lists routes, as `msg.action` asks for. Resolves to what the payload of the answer is to be.
 * @param byDefault the domain where the message names none
 */
async function changeRoutes(
  bridge: BridgeHandle,
  msg: NodeMessage & { action?: unknown },
  byDefault: number,
  text: NodeText,
): Promise<unknown> {
  if (msg.action === 'list-routes') return bridge.listRoutes();
  const { payload } = msg;
  if (typeof payload !== 'object' || payload === null) {
    throw new Error(text('errors.route', { value: String(JSON.stringify(payload)) }));
  }
  const row = { domain: byDefault, type: '', direction: 'both', ...payload } as Fields['routes'][number];
  const route = routeOf('msg.payload', row, text);
  if (msg.action === 'add-route') await bridge.addRoute(route);
  else await bridge.removeRoute(route);
  return payload;
}

/** The form's values as the bridge takes them, which itself refuses what it cannot use. */
function bridgeSettings(
  fields: Fields,
  id: string,
  broker: BrokerConfigNode | undefined,
  text: NodeText,
): BridgeSettings {
  const domain = (field: string, value: number | string) => domainOf(field, value, text);
  const string = (field: string, value: unknown) => stringOf(field, value, text);
  const rows = <Row>(field: string, list: Row[] | undefined): Row[] => {
    if (list === undefined) return [];
    const isRow = (row: unknown) => typeof row === 'object' && row !== null;
    if (Array.isArray(list) && list.every(isRow)) return list;
    throw new Error(text('errors.rows', { field, value: JSON.stringify(list) }));
  };
  const domains = rows('domains', fields.domains).map((row, index) => {
    const field = text('errors.domainRow', { row: index + 1 });
    return { id: domain(field, row.id), alias: string(`${field}: alias`, row.alias).trim() };
  });
  const routes = rows('routes', fields.routes).map((row, index) =>
    routeOf(text('errors.routeRow', { row: index + 1 }), row, text),
  );
  const patterns = rows('patterns', fields.patterns).map((row, index): PatternSettings => {
    const field = text('errors.patternRow', { row: index + 1 });
    const { action, direction, format } = row;
    return {
      action,
      pattern: string(`${field}: pattern`, row.pattern),
      direction,
      ...(row.domain !== undefined &&
        row.domain !== '' && { domain: domain(`${field}: domain`, row.domain) }),
      ...(format !== undefined && { format }),
    };
  });
  const typeTable = rows('type table', fields.typeTable).map((row, index) => {
    const field = text('errors.typeRow', { row: index + 1 });
    return { name: string(`${field}: name`, row.name), type: string(`${field}: type`, row.type) };
  });
  const discovery =
    fields.discoveryRange === 'environment'
      ? rosEnvironment(process.env)
      : { range: fields.discoveryRange, peers: [] };
  const advertisedAddress = string('advertised address', fields.advertisedAddress).trim();
  const { maxMessageSize = DEFAULT_MAX_MESSAGE_SIZE } = fields;
  const mebibytes = wholeNumber(maxMessageSize, 1, MAX_MESSAGE_SIZE);
  if (mebibytes === undefined)
    throw new Error(text('errors.maxMessageSize', { value: maxMessageSize, max: MAX_MESSAGE_SIZE }));
  const aliases = domains.filter(({ alias }) => alias !== '').map((row) => [row.alias, row.id]);
  return {
    id,
    prefix: string('prefix', fields.prefix),
    aliases: Object.fromEntries(aliases),
    domains: domains.length === 0 ? [0] : domains.map((row) => row.id),
    range: discovery.range,
    backend: fields.backend ?? 'auto',
    setupFile: string('setup file', fields.setupFile).trim(),
    interfaces: entries(string('interfaces', fields.interfaces)),
    peers: [...new Set([...entries(string('peers', fields.peers)), ...discovery.peers])],
    ...(advertisedAddress !== '' && { advertisedAddress }),
    maxSampleBytes: mebibytes * 1024 * 1024,
    routes,
    patterns,
    typeTable,
    definitions: string('definitions', fields.definitions),
    // Flows of before these fields have none.
    meta: fields.meta !== false,
    graph: fields.graph !== false,
    ...(broker !== undefined && { mqtt: mqttSettings(broker, id) }),
  };
}

function mqttSettings(broker: BrokerConfigNode, id: string): NonNullable<BridgeSettings['mqtt']> {
  // A bridge keeps no session: what was published while it was away must not reach a robot later.
  const { cleanStart, sessionExpiry, password, ...mqtt } = broker.plainSettings(`-${id}`);
  if (password === undefined) return mqtt;
  return { ...mqtt, password: typeof password === 'function' ? { from: 'owner' } : password };
}

/** The password or token that the environment or a message says now. Throws where there is none. */
function presentPassword(broker: BrokerConfigNode | undefined): string {
  const password = broker?.plainSettings('').password;
  if (typeof password !== 'function') throw new Error('the password is not asked for');
  return password();
}

/** Of this node in this Node-RED: the same flow may run on many robots that share a broker. */
function bridgeId(RED: NodeAPI, node: Node): string {
  const settings = RED.settings as unknown as { available(): boolean; get(name: string): unknown };
  const instance = settings.available() ? String(settings.get('instanceId')) : '';
  return `${node.id}-${createHash('sha256').update(instance).digest('hex').slice(0, 8)}`;
}

/** What a route that waits for answers has for its timeouts, in ms; a blank field leaves the default. */
function timeoutsOf({ kind, timeout = '', resultTimeout = '' }: Fields['routes'][number]) {
  return {
    ...(kind !== undefined && timeout !== '' && { timeout: Number(timeout) * 1000 }),
    ...(kind === 'action' && resultTimeout !== '' && { resultTimeout: Number(resultTimeout) * 1000 }),
  };
}

/** The entries of a comma-separated list. */
function entries(list: string): string[] {
  return list
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

function isWired(wires: readonly (readonly string[])[]): boolean {
  return (wires[0]?.length ?? 0) > 0;
}

function nodeStatus(
  state: BridgeState,
  range: DiscoveryRange,
  broker: BrokerConfigNode | undefined,
  text: NodeText,
): NodeStatus {
  switch (state.state) {
    case 'opening':
      return { fill: 'yellow', shape: 'ring', text: text('status.opening') };
    case 'restarting':
      return {
        fill: 'red',
        shape: 'ring',
        text: shortened(text('status.restarting', { reason: state.reason })),
      };
    case 'closed':
      return {};
  }
  const { mqtt, domains, routes, patterns } = state;
  if (mqtt !== undefined && mqtt.state !== 'connected' && broker !== undefined) return broker.describe(mqtt);
  const problem = firstProblem(state);
  if (problem !== undefined) return { fill: 'red', shape: 'dot', text: shortened(problem) };
  // Other bridges of this Node-RED are no participants of their own, and may carry much.
  if (state.messagesPerSecond === 0 && domains.every(({ participants }) => participants === 0)) {
    const searched = domains.map(({ domain }) => domain).join(', ');
    return { fill: 'yellow', shape: 'ring', text: text(`status.nothing.${range}`, { domains: searched }) };
  }
  const nodes = domains.reduce((sum, domain) => sum + domain.nodes, 0);
  const others = new Set(routes.flatMap(({ standby = {} }) => Object.values(standby)));
  others.delete('');
  const summary = [
    ...(others.size === 0 ? [] : [text('status.standby', { bridges: [...others].join(', ') })]),
    text(domains.length === 1 ? 'status.domain' : 'status.domains', { domains: domains.length }),
    text(nodes === 1 ? 'status.node' : 'status.nodes', { nodes }),
    text(routes.length === 1 ? 'status.route' : 'status.routes', { routes: routes.length }),
    ...(patterns === undefined ? [] : [text('status.byPatterns', { routes: patterns.routes })]),
    text('status.rate', { rate: state.messagesPerSecond }),
    ...firstSilence(state),
    state.backend,
  ];
  return { fill: 'green', shape: 'dot', text: shortened(summary.join(' · ')) };
}

/** Why the first route carries nothing that should, where there is one. */
function firstSilence({ routes }: BridgeStatus): string[] {
  const silent = routes.find(({ silence }) => silence !== undefined);
  return silent?.silence === undefined ? [] : [silent.silence.text];
}

function firstProblem({ domains, routes, patterns }: BridgeStatus): string | undefined {
  return [...domains, ...routes, ...(patterns === undefined ? [] : [patterns])].find(
    ({ problem }) => problem !== undefined,
  )?.problem;
}

function shortened(message: string): string {
  return message.length <= MAX_STATUS_LENGTH ? message : `${message.slice(0, MAX_STATUS_LENGTH - 1)}…`;
}
