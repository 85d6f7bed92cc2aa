import type { NodeDef } from 'node-red';
import type {
  BackendChoice,
  BridgeSettings,
  Direction,
  RouteKind,
  RouteRow,
} from '../src/ros/bridge-settings';
import type { PatternAction, PatternSettings } from '../src/ros/name-patterns';
import type { PayloadFormat } from '../src/ros/payload-format';
import type { DiscoveryRange } from '../src/ros/ros-backend';
import { ENVIRONMENT_DOMAIN, rosEnvironment } from '../src/ros/ros-environment';
import { MAX_DOMAIN } from '../src/topic/ros-topic';
import { wholeNumber } from './form-number';
import { formText } from './form-text';
import type { BrokerConfigNode } from './mqtt-broker-config';
import type { NodeText } from './node-text';
import { type TopicOptionRow, topicOptionsOf } from './topic-options';

/** A bridge's form, as the flow file keeps it. */
export interface BridgeForm extends NodeDef {
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
      /** Absent or blank: each domain of the bridge. */
      domain?: number | string;
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
  patterns?: Array<
    TopicOptionRow & {
      /** Absent: topics. */
      kind?: RouteKind;
      action: PatternAction;
      pattern: string;
      direction: Direction;
      /** Absent or blank: all domains of the bridge. */
      domain?: number | string;
      format?: PayloadFormat;
    }
  >;
  /** Blank as `idleTimeout`: the default. */
  maxPatternRoutes?: number | string;
  /** In seconds. */
  idleTimeout?: number | string;
  typeTable?: Array<{ name: string; type: string }>;
  namespaces?: Array<{ ros: string; mqtt: string; domain?: number | string }>;
  meta?: boolean;
  graph?: boolean;
  bothWaysOverMqtt311?: boolean;
  wires: string[][];
}

/** In MiB, and as much as CDR may have. */
const DEFAULT_MAX_MESSAGE_SIZE = 64;
const MAX_MESSAGE_SIZE = 128;
/** The form's values as the bridge takes them, which itself refuses what it cannot use. */
export function bridgeSettings(
  fields: BridgeForm,
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
  const patterns = rows('patterns', fields.patterns).map((row, index) =>
    patternOf(text('errors.patternRow', { row: index + 1 }), row, text),
  );
  const typeTable = rows('type table', fields.typeTable).map((row, index) => {
    const field = text('errors.typeRow', { row: index + 1 });
    return { name: string(`${field}: name`, row.name), type: string(`${field}: type`, row.type) };
  });
  const namespaces = rows('namespaces', fields.namespaces).map((row, index) => {
    const field = text('errors.namespaceRow', { row: index + 1 });
    return {
      ros: string(`${field}: namespace`, row.ros).trim(),
      mqtt: string(`${field}: topic levels`, row.mqtt).trim(),
      ...rowDomainOf(field, row, text),
    };
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
    namespaces,
    patterns,
    // Text that is no number becomes NaN, which the bridge refuses.
    ...(isGiven(fields.maxPatternRoutes) && { maxPatternRoutes: Number(fields.maxPatternRoutes) }),
    ...(isGiven(fields.idleTimeout) && { idleTimeout: Number(fields.idleTimeout) * 1000 }),
    typeTable,
    definitions: string('definitions', fields.definitions),
    // Flows of before these fields have none.
    meta: fields.meta !== false,
    graph: fields.graph !== false,
    ...(fields.bothWaysOverMqtt311 === true && { bothWaysOverMqtt311: true }),
    ...(broker !== undefined && { mqtt: mqttSettings(broker, id) }),
  };
}

function mqttSettings(broker: BrokerConfigNode, id: string): NonNullable<BridgeSettings['mqtt']> {
  // A bridge keeps no session: what was published while it was away must not reach a robot later.
  const { cleanStart, sessionExpiry, password, ...mqtt } = broker.plainSettings(`-${id}`);
  if (password === undefined) return mqtt;
  return { ...mqtt, password: typeof password === 'function' ? { from: 'owner' } : password };
}

function domainOf(field: string, value: number | string, text: NodeText): number {
  // Without the variable, programs of ROS 2 are in domain 0.
  const number = value === ENVIRONMENT_DOMAIN ? 0 : wholeNumber(value, 0, MAX_DOMAIN);
  if (number === undefined) throw new Error(text('errors.domain', { field, value, max: MAX_DOMAIN }));
  return number;
}

/** The domain of a row that may be for each domain of the bridge. */
function rowDomainOf(field: string, { domain }: { domain?: number | string }, text: NodeText) {
  if (domain === undefined || domain === '') return {};
  return { domain: domainOf(`${field}: domain`, domain, text) };
}

function stringOf(field: string, value: unknown, text: NodeText): string {
  const found = formText(value);
  if (found === undefined) throw new Error(text('errors.text', { field, value: JSON.stringify(value) }));
  return found;
}

/** A route of the form or of a message. Throws an Error that names the field. */
export function routeOf(field: string, row: BridgeForm['routes'][number], text: NodeText): RouteRow {
  const { direction, format } = row;
  const kind = row.kind === 'topic' ? undefined : row.kind;
  const mqttTopic = stringOf(`${field}: MQTT topic`, row.mqttTopic, text).trim();
  return {
    ...(kind !== undefined && { kind }),
    ...rowDomainOf(field, row, text),
    rosName: stringOf(`${field}: ROS name`, row.rosName, text),
    type: stringOf(`${field}: type`, row.type, text),
    direction,
    ...(mqttTopic !== '' && { mqttTopic }),
    ...(format !== undefined && { format }),
    ...topicOptionsOf(row),
    ...(kind !== undefined && timeoutsOf(row)),
  } as RouteRow;
}

/** A pattern of the form or of a message, without what is not given. Throws an Error that names the field. */
export function patternOf(
  field: string,
  row: NonNullable<BridgeForm['patterns']>[number],
  text: NodeText,
): PatternSettings {
  const { kind, action, direction, format } = row;
  return {
    ...(kind !== undefined && { kind }),
    ...(action !== undefined && { action }),
    pattern: stringOf(`${field}: pattern`, row.pattern, text),
    ...(direction !== undefined && { direction }),
    ...rowDomainOf(field, row, text),
    ...(format !== undefined && { format }),
    ...topicOptionsOf(row),
  } as PatternSettings;
}

/** What a route that waits for answers has for its timeouts, in ms; a blank field leaves the default. */
function timeoutsOf({ kind, timeout = '', resultTimeout = '' }: BridgeForm['routes'][number]) {
  return {
    ...(kind !== undefined && timeout !== '' && { timeout: Number(timeout) * 1000 }),
    ...(kind === 'action' && resultTimeout !== '' && { resultTimeout: Number(resultTimeout) * 1000 }),
  };
}

function isGiven(value: number | string | undefined): boolean {
  return value !== undefined && String(value).trim() !== '';
}

/** The entries of a comma-separated list. */
function entries(list: string): string[] {
  return list
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}
