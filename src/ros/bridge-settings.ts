import { isIPv4 } from 'node:net';
import { isAbsolute } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import type { ConnectionSettings } from '../client/connection';
import type { Namespace } from '../topic/namespace-mapping';
import { MAX_DOMAIN } from '../topic/ros-topic';
import { MAX_CDR_BYTES } from './cdr-reader';
import { type DeadbandSettings, deadbandFault } from './deadband';
import { placeholderFault } from './domain-template';
import { PATTERN_ACTIONS, PATTERN_KINDS, type PatternSettings, patternFault } from './name-patterns';
import { actionTypeFault, interfaceTypeFault, rosNameFault, serviceTypeFault } from './names';
import { PAYLOAD_FORMATS, type PayloadFormat } from './payload-format';
import { type RateLimitSettings, rateLimitFault } from './rate-limit';
import type { DiscoveryRange } from './ros-backend';
import { type RouteQosSettings, routeQosFault } from './route-qos';
import { type TypeTableRow, typeTableFault } from './type-table';
import { bridgeIdFault } from './via';

/** Which way a route carries messages; without a broker the flow stands in MQTT's place. */
export type Direction = 'ros-to-mqtt' | 'mqtt-to-ros' | 'both';

/** One bridged name. */
export type RouteSettings =
  | TopicRouteSettings
  | ServiceRouteSettings
  | ActionRouteSettings
  | ParametersRouteSettings;

/** A route, or one for each domain: `{domain}` in its names is the domain's number then, `{name}` its alias. */
export type RouteRow = WithoutDomain<RouteSettings>;

type WithoutDomain<Route> = Route extends RouteSettings
  ? Omit<Route, 'domain'> & {
      /** Absent: each of the bridge's. */
      domain?: number;
    }
  : never;

/** What a namespace of ROS names has in its place in MQTT topics, likewise of one domain or of each. */
export type NamespaceRow = Omit<Namespace, 'domain'> & Partial<Pick<Namespace, 'domain'>>;

/** What a route's ROS name is the name of; of a node for its parameters. Each kind may have the same. */
export type RouteKind = 'topic' | 'service' | 'action' | 'parameters';

/** How the messages of a topic are carried. */
export interface TopicOptions {
  /** Of its payloads; default `json`. */
  format?: PayloadFormat;
  qos?: RouteQosSettings;
  /** Of each direction. */
  rate?: RateLimitSettings;
  deadband?: DeadbandSettings;
}

/** A topic of ROS that is bridged. */
export interface TopicRouteSettings extends TopicOptions {
  kind?: 'topic';
  /** One of the bridge's domains. */
  domain: number;
  /** With its leading slash, for example `/robot1/cmd_vel`. */
  rosName: string;
  /** For example `geometry_msgs/msg/Twist`; empty: found by `RouteType`. */
  type: string;
  direction: Direction;
  /** Its topic name in MQTT, with the `@` levels below it; absent: by the mapping. */
  mqttTopic?: string;
}

/** A service of ROS that is called from MQTT, or served from there. */
export interface ServiceRouteSettings
  extends Omit<TopicRouteSettings, 'kind' | 'direction' | keyof TopicOptions> {
  kind: 'service';
  /** For example `example_interfaces/srv/AddTwoInts`; empty: that of who serves it in ROS, or calls it there. */
  type: string;
  /** Which way requests go: `mqtt-to-ros` calls a service of ROS, `ros-to-mqtt` serves one. */
  direction: 'mqtt-to-ros' | 'ros-to-mqtt';
  /** How long an answer may take, in ms; default 5000. */
  timeout?: number;
}

/** An action of ROS that is called from MQTT, or served from there. */
export interface ActionRouteSettings extends Omit<ServiceRouteSettings, 'kind' | 'direction'> {
  kind: 'action';
  /** For example `example_interfaces/action/Fibonacci`; empty: likewise. */
  type: string;
  /** Which way goals go: `mqtt-to-ros` has an action of ROS called, `ros-to-mqtt` one served for ROS. */
  direction: 'mqtt-to-ros' | 'ros-to-mqtt';
  /** How long it may take until a goal is accepted, or the wish to cancel it is answered, in ms; default 5000. */
  timeout?: number;
  /** How long an accepted goal may take, in ms; default an hour. */
  resultTimeout?: number;
}

/** The parameters of a node of ROS, as topics of MQTT. */
export interface ParametersRouteSettings extends Omit<ServiceRouteSettings, 'kind' | 'direction'> {
  kind: 'parameters';
  /** Empty: the types of parameters are ROS 2's own. */
  type: string;
  /** `ros-to-mqtt`: nobody sets them. */
  direction: 'both' | 'ros-to-mqtt';
}

/** How a bridge reaches ROS 2. */
export type BackendChoice = 'auto' | 'rtps' | 'rclnodejs';

/** The bridge's own MQTT connection, plain enough to cross to the ROS worker. */
export interface BridgeMqttSettings
  extends Pick<
    ConnectionSettings,
    'tlsFiles' | 'proxy' | 'webSocketHeaders' | 'userProperties' | 'connectTimeout' | 'reconnect'
  > {
  /** `embedded`: the broker whose port the bridge's owner hands out. */
  target: { url: string; alternatives?: readonly string[] } | 'embedded';
  protocolVersion: 4 | 5;
  clientId: string;
  /** Seconds; 0 switches it off. */
  keepAlive: number;
  username?: string;
  /** `owner`: asked of the bridge's owner, anew at each attempt to connect. */
  password?: string | { file: string } | { from: 'owner' };
  /** Without functions, which cannot cross. */
  tls?: ConnectionOptions;
}

/** Which part of ROS 2 a bridge joins with which topics of a broker, and how. */
export interface BridgeSettings {
  /** Unique among the bridges of a broker: it tells a bridge's own messages and stands in its topic `@bridge/<id>`. */
  id: string;
  /** First topic levels, for example `ros`. */
  prefix: string;
  /** Alias -> domain. */
  aliases: Record<string, number>;
  domains: number[];
  /** Default `auto`: `rclnodejs` where it can be used, otherwise `rtps`. */
  backend?: BackendChoice;
  /** The file that sets up ROS 2 for rclnodejs, an absolute path; default '': the environment as it is. */
  setupFile?: string;
  range: DiscoveryRange;
  /** IPv4 addresses of this machine; empty: all. */
  interfaces: string[];
  /** `address` or `address:port`. */
  peers: string[];
  /** The IPv4 address at which others reach this machine where it is none of its own, as from within a container. */
  advertisedAddress?: string;
  /** The largest message of ROS, in bytes; default 64 MiB. */
  maxSampleBytes?: number;
  routes: RouteRow[];
  /** Namespaces that have other levels in topics than in ROS; default none. */
  namespaces?: NamespaceRow[];
  /** Interface types that are not bundled, as text that `parseInterfaces` reads. */
  definitions?: string;
  /** Types by the names of topics, for routes without one of which nothing else tells it. */
  typeTable?: TypeTableRow[];
  /** Topics that are bridged without a route of their own. */
  patterns?: PatternSettings[];
  /** Routes that patterns may open, at most; default 500. */
  maxPatternRoutes?: number;
  /** How long a route that a pattern opened stays while it carries nothing, in ms; default 60,000. */
  idleTimeout?: number;
  /** How long after a report of its status the next one comes at the latest, in ms; default 1000. */
  statusInterval?: number;
  /** Whether the broker keeps a description of each route from ROS (`@meta`); default true. */
  meta?: boolean;
  /** Whether the broker keeps what there is in each domain (`@graph`); default true. */
  graph?: boolean;
  /** How long a message waits until the type of its route is known, in ms; default 10,000. */
  typePatience?: number;
  /** Absent: messages travel between ROS and the flow only. */
  mqtt?: BridgeMqttSettings;
  /**
   * Whether a topic may be carried both ways over MQTT 3.1.1, where the bridge's own messages are only known by what they
   * are (`ExpectedEchoes`), and a ring over several brokers is not known at all; default false.
   */
  bothWaysOverMqtt311?: boolean;
}

/** A setting that cannot be used; the message names the field, the value and what was expected. */
export class BridgeSettingsError extends Error {
  override readonly name = 'BridgeSettingsError';
}

const DIRECTIONS: Record<RouteKind, readonly Direction[]> = {
  topic: ['ros-to-mqtt', 'mqtt-to-ros', 'both'],
  service: ['mqtt-to-ros', 'ros-to-mqtt'],
  action: ['mqtt-to-ros', 'ros-to-mqtt'],
  parameters: ['both', 'ros-to-mqtt'],
};
/** Each has its endpoints in ROS. */
const MAX_PATTERN_ROUTES = 10_000;
/** The longest timeout of a call, in ms: a day. */
const MAX_TIMEOUT = 86_400_000;
const BACKENDS: readonly BackendChoice[] = ['auto', 'rtps', 'rclnodejs'];
const RANGES: readonly DiscoveryRange[] = ['off', 'localhost', 'subnet'];

/**
 * Refuses settings with which no route could work. Prefix and aliases are the mapping's to judge (it is made
 * first), and a route's own faults `checkRoute`'s, so that they do not stop the other routes.
 */
export function checkBridge(settings: BridgeSettings): void {
  const { id, domains, aliases, range, interfaces, peers, typeTable = [] } = settings;
  const { backend = 'auto', setupFile = '' } = settings;
  if (bridgeIdFault(id) !== undefined) refuse('bridge id', id, 'one topic level without wildcards');
  if (domains.length === 0) refuse('domains', domains, 'at least one ROS domain');
  for (const domain of domains) {
    const valid = Number.isInteger(domain) && domain >= 0 && domain <= MAX_DOMAIN;
    if (!valid) refuse('domain', domain, `an integer from 0 to ${MAX_DOMAIN}`);
  }
  if (new Set(domains).size < domains.length) refuse('domains', domains, 'each domain once');
  for (const [alias, domain] of Object.entries(aliases)) {
    if (!domains.includes(domain)) refuse(`domain of alias "${alias}"`, domain, oneOf(domains));
  }
  if (!BACKENDS.includes(backend)) refuse('backend', backend, oneOf(BACKENDS));
  if ((setupFile !== '' && !isAbsolute(setupFile)) || setupFile.includes('\0')) {
    refuse('setup file', setupFile, 'an absolute path such as /opt/ros/jazzy/setup.bash');
  }
  if (!RANGES.includes(range)) refuse('discovery range', range, oneOf(RANGES));
  for (const address of interfaces) {
    if (!isIPv4(address)) refuse('interface', address, 'an IPv4 address of this machine');
  }
  for (const peer of peers) {
    const [, address = '', port = '1'] = /^([^:]*)(?::(\d{1,5}))?$/.exec(peer) ?? [];
    if (!isIPv4(address) || Number(port) < 1 || Number(port) > 65535) {
      refuse('peer', peer, 'an IPv4 address or address:port');
    }
  }
  const { advertisedAddress, maxSampleBytes = 1, statusInterval = 1000 } = settings;
  if (advertisedAddress !== undefined && !isIPv4(advertisedAddress)) {
    refuse('advertised address', advertisedAddress, 'an IPv4 address');
  }
  if (!Number.isInteger(maxSampleBytes) || maxSampleBytes < 1 || maxSampleBytes > MAX_CDR_BYTES) {
    refuse('largest message', maxSampleBytes, `an integer from 1 to ${MAX_CDR_BYTES} bytes`);
  }
  if (!(statusInterval >= 10 && statusInterval <= 3_600_000)) {
    refuse('status interval', statusInterval, 'a number of ms from 10 to 3600000');
  }
  for (const [index, row] of typeTable.entries()) {
    const fault = typeTableFault(row, typeTable.slice(0, index));
    if (fault !== undefined) throw new BridgeSettingsError(`type table, row ${index + 1}: ${fault}`);
  }
  checkPatterns(settings);
}

/** Refuses patterns that cannot work, and bounds of what they open. */
export function checkPatterns({
  patterns = [],
  domains,
  mqtt,
  bothWaysOverMqtt311 = false,
  maxPatternRoutes = 1,
  idleTimeout = 1,
}: BridgeSettings): void {
  const isCount = Number.isInteger(maxPatternRoutes) && maxPatternRoutes <= MAX_PATTERN_ROUTES;
  if (!isCount || maxPatternRoutes < 1) {
    refuse('routes by patterns', maxPatternRoutes, `an integer from 1 to ${MAX_PATTERN_ROUTES}`);
  }
  checkTimeout('time after which an idle route is closed', idleTimeout);
  for (const [index, settingsOfRow] of patterns.entries()) {
    const { kind = 'topic', action, pattern, direction, domain, ...options } = settingsOfRow;
    const row = `patterns, row ${index + 1}`;
    const fault = patternFault(pattern) ?? topicOptionsFault(options);
    if (fault !== undefined) throw new BridgeSettingsError(`${row}: ${fault}`);
    if (!PATTERN_ACTIONS.includes(action)) refuse(`${row}: action`, action, oneOf(PATTERN_ACTIONS));
    if (!PATTERN_KINDS.includes(kind)) refuse(`${row}: kind`, kind, oneOf(PATTERN_KINDS));
    if (!DIRECTIONS[kind].includes(direction))
      refuse(`${row}: direction`, direction, oneOf(DIRECTIONS[kind]));
    const [option] = kind === 'topic' ? [] : Object.keys(options);
    if (option !== undefined)
      refuse(
        `${row}: ${option}`,
        settingsOfRow[option as keyof typeof settingsOfRow],
        `none for a pattern of kind ${kind}`,
      );
    if (domain !== undefined && !domains.includes(domain)) refuse(`${row}: domain`, domain, oneOf(domains));
  }
  // See `checkRoute`: two patterns of different directions may allow one topic.
  const allowed = new Set(
    patterns
      .filter(({ action, kind = 'topic' }) => action === 'allow' && kind === 'topic')
      .map(({ direction }) => direction),
  );
  if (mqtt?.protocolVersion === 4 && !bothWaysOverMqtt311 && (allowed.has('both') || allowed.size > 1)) {
    const expected = 'one direction in all that allow, because the broker is used with MQTT 3.1.1';
    refuse('directions of patterns', [...allowed], expected);
  }
}

/** Refuses a route whose own fields cannot work. */
export function checkRoute(route: RouteSettings, settings: BridgeSettings): void {
  const { kind = 'topic', domain, rosName, type, direction } = route;
  if (!Object.hasOwn(DIRECTIONS, kind)) refuse('kind', kind, oneOf(Object.keys(DIRECTIONS)));
  if (!settings.domains.includes(domain)) refuse('domain', domain, oneOf(settings.domains));
  const fault =
    placeholderFault(rosName) ??
    placeholderFault(route.mqttTopic ?? '') ??
    rosNameFault(rosName) ??
    typeFault(kind, type);
  if (fault !== undefined) throw new BridgeSettingsError(fault);
  if (!DIRECTIONS[kind].includes(direction)) refuse('direction', direction, oneOf(DIRECTIONS[kind]));
  if (route.kind === 'service' || route.kind === 'action' || route.kind === 'parameters') {
    const { format, qos, rate, deadband }: TopicOptions = route as object;
    for (const [option, value] of Object.entries({ format, qos, rate, deadband }))
      if (value !== undefined) refuse(option, value, `none for a route of kind ${kind}`);
    checkTimeout('timeout', route.timeout);
    if (route.kind === 'action') checkTimeout('result timeout', route.resultTimeout);
    return;
  }
  const optionsFault = topicOptionsFault(route);
  if (optionsFault !== undefined) throw new BridgeSettingsError(optionsFault);
  // MQTT 3.1.1 has neither No Local nor user properties, so nothing surely tells the bridge's own messages.
  const { mqtt, bothWaysOverMqtt311 = false } = settings;
  if (direction === 'both' && mqtt?.protocolVersion === 4 && !bothWaysOverMqtt311) {
    refuse('direction', direction, 'one direction, because the broker is used with MQTT 3.1.1');
  }
}

/** Says what is wrong with the type of a route, or `undefined` when it is valid or left open. */
export function typeFault(kind: RouteKind = 'topic', type: string): string | undefined {
  if (type === '') return undefined;
  if (kind === 'service') return serviceTypeFault(type);
  if (kind === 'action') return actionTypeFault(type);
  if (kind === 'parameters') return `type: expected none for parameters, got "${type}"`;
  return interfaceTypeFault(type);
}

function topicOptionsFault({ format = 'json', qos, rate, deadband }: TopicOptions): string | undefined {
  if (!PAYLOAD_FORMATS.includes(format)) return mismatch('payload format', format, oneOf(PAYLOAD_FORMATS));
  return (
    (qos && routeQosFault(qos)) ?? (rate && rateLimitFault(rate)) ?? (deadband && deadbandFault(deadband))
  );
}

function checkTimeout(field: string, timeout: number | undefined): void {
  const valid = timeout === undefined || (timeout > 0 && timeout <= MAX_TIMEOUT);
  if (!valid) refuse(field, timeout, `more than 0 and at most ${MAX_TIMEOUT} ms`);
}

function refuse(field: string, value: unknown, expected: string): never {
  throw new BridgeSettingsError(mismatch(field, value, expected));
}

function mismatch(field: string, value: unknown, expected: string): string {
  return `${field}: expected ${expected}, got ${JSON.stringify(value)}`;
}

function oneOf(values: ReadonlyArray<string | number>): string {
  return values.length === 1 ? `${values[0]}` : `one of ${values.join(', ')}`;
}
