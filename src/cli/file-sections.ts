import type { AccessRule } from '../broker/access/access-rules';
import type { AccessSettings, UserSettings } from '../broker/access/access-settings';
import { defaultLimits, type Limits, type NumericLimit, queuePolicies } from '../broker/limits';
import type { UpstreamRoute } from '../broker/upstream/upstream-route';
import type { UpstreamSettings } from '../broker/upstream/upstream-settings';
import type { GuardSettings } from '../gateway/request-guard';
import type {
  ActionRouteSettings,
  BridgeSettings,
  RouteRow,
  TopicOptions,
  TopicRouteSettings,
} from '../ros/bridge-settings';
import { PATTERN_KINDS, type PatternSettings } from '../ros/name-patterns';
import { PAYLOAD_FORMATS } from '../ros/payload-format';
import {
  anyShape,
  fieldsShape,
  listShape,
  mapShape,
  numberShape,
  oneOfShape,
  type Shape,
  secretShape,
  textShape,
  yesNoShape,
} from './file-shape';
import { SettingsError } from './settings-error';
import { type Setting, settingNames, settingsTable } from './settings-table';

/** A user of the file: with the password, or with what is stored of it. */
export type FileUser = Omit<UserSettings, 'passwordHash'> &
  Partial<Pick<UserSettings, 'passwordHash'>> & { password?: string };

/** An upstream broker of the file; files are read when the command starts. */
export type FileUpstream = Pick<UpstreamSettings, 'name' | 'url' | 'routes'> &
  Partial<Omit<UpstreamSettings, 'tls'>> & { tls?: { caFile?: string; certFile?: string; keyFile?: string } };

/** What of the configuration file is more than single values. */
export interface FileSections {
  access?: Omit<AccessSettings, 'users' | 'decisionTimeout'> & { users?: FileUser[] };
  upstreams?: FileUpstream[];
  /** Its prefix is that of the settings, its broker the one that the command runs, to which it always speaks MQTT 5. */
  bridge?: Partial<Omit<BridgeSettings, 'prefix' | 'mqtt' | 'bothWaysOverMqtt311'>>;
  limits?: Partial<Limits>;
  gateway?: Pick<GuardSettings, 'hosts' | 'origins'> & { brokers?: FileGatewayBroker[] };
}

/** A broker of the gateway, in the form in which its API takes one, which the gateway checks; and the id it is to have. */
export type FileGatewayBroker = Record<string, unknown> & { id: string };

type FieldsOf<T> = { readonly [Name in keyof T]-?: Shape<NonNullable<T[Name]>> };

const user = fieldsShape(
  { name: textShape },
  { password: secretShape, passwordHash: secretShape, groups: listShape(textShape) },
);

const ruleOptions = { name: textShape, filter: textShape } satisfies FieldsOf<
  Pick<AccessRule, 'name' | 'filter'>
>;
const rule = fieldsShape(
  {
    access: oneOfShape('allow', 'deny'),
    who: oneOfShape('everybody', 'anonymous', 'in-process', 'user', 'group', 'client'),
    action: oneOfShape('connect', 'publish', 'subscribe', 'receive', 'any'),
  },
  ruleOptions,
);

const access = fieldsShape(
  {},
  {
    anonymous: oneOfShape('in-process', 'local'),
    users: listShape(user),
    passwordFile: textShape,
    tokens: fieldsShape(
      {},
      { secret: secretShape, publicKey: textShape, issuer: textShape, audience: textShape },
    ),
    rules: listShape(rule),
    otherwise: oneOfShape('allow', 'deny'),
  },
);

const upstreamRoute: Shape<UpstreamRoute> = (value, place) => ({
  localPrefix: '',
  remotePrefix: '',
  qos: 1,
  ...fieldsShape(
    { direction: oneOfShape('in', 'out', 'both'), filter: textShape },
    { localPrefix: textShape, remotePrefix: textShape, qos: oneOfShape(0, 1, 2) },
  )(value, place),
});

const upstream = fieldsShape(
  { name: textShape, url: textShape, routes: listShape(upstreamRoute) },
  {
    protocolVersion: oneOfShape(4, 5),
    clientId: textShape,
    keepAlive: numberShape,
    username: textShape,
    password: secretShape,
    tls: fieldsShape({}, { caFile: textShape, certFile: textShape, keyFile: textShape }),
    start: yesNoShape,
  },
);

const direction = oneOfShape('ros-to-mqtt', 'mqtt-to-ros', 'both');
const format = oneOfShape(...PAYLOAD_FORMATS);

const topicOptions = {
  format,
  qos: fieldsShape(
    {},
    {
      reliability: oneOfShape('reliable', 'best-effort'),
      durability: oneOfShape('volatile', 'transient-local'),
      depth: numberShape,
      deadline: numberShape,
      lifespan: numberShape,
      mqtt: oneOfShape(0, 1, 2),
      retain: yesNoShape,
    },
  ),
  rate: fieldsShape({ perSecond: numberShape, policy: oneOfShape('latest', 'queue') }, {}),
  deadband: fieldsShape({ path: textShape, threshold: numberShape }, { maxSilence: numberShape }),
} satisfies Record<keyof TopicOptions, Shape<unknown>>;

/** Of all kinds of routes: which of them fit a kind is the bridge's to say. */
const routeOptions = {
  kind: oneOfShape('topic', 'service', 'action', 'parameters'),
  domain: numberShape,
  type: textShape,
  direction,
  ...topicOptions,
  mqttTopic: textShape,
  timeout: numberShape,
  resultTimeout: numberShape,
} satisfies Record<Exclude<keyof TopicRouteSettings | keyof ActionRouteSettings, 'rosName'>, Shape<unknown>>;

const route = fieldsShape({ rosName: textShape }, routeOptions);

const patternOptions = {
  kind: oneOfShape(...PATTERN_KINDS),
  direction,
  domain: numberShape,
  ...topicOptions,
} satisfies Partial<FieldsOf<PatternSettings>>;
const pattern: Shape<PatternSettings> = (value, place) => ({
  direction: 'both',
  ...fieldsShape({ action: oneOfShape('allow', 'deny'), pattern: textShape }, patternOptions)(value, place),
});

const bridgeFields = {
  id: textShape,
  aliases: mapShape(numberShape),
  domains: listShape(numberShape),
  backend: oneOfShape('auto', 'rtps', 'rclnodejs'),
  setupFile: textShape,
  range: oneOfShape('off', 'localhost', 'subnet'),
  interfaces: listShape(textShape),
  peers: listShape(textShape),
  advertisedAddress: textShape,
  maxSampleBytes: numberShape,
  routes: listShape(route),
  namespaces: listShape(fieldsShape({ ros: textShape, mqtt: textShape }, { domain: numberShape })),
  definitions: textShape,
  typeTable: listShape(fieldsShape({ name: textShape, type: textShape }, {})),
  patterns: listShape(pattern),
  maxPatternRoutes: numberShape,
  idleTimeout: numberShape,
  meta: yesNoShape,
  graph: yesNoShape,
  typePatience: numberShape,
  statusInterval: numberShape,
} satisfies Record<keyof NonNullable<FileSections['bridge']>, Shape<unknown>>;

const bridge: Shape<FileSections['bridge'] & object> = (value, place) => {
  const { routes, ...rest } = fieldsShape({}, bridgeFields)(value, place);
  if (routes === undefined) return rest;
  const given = { type: '', direction: 'both' };
  return { ...rest, routes: routes.map((one) => ({ ...given, ...one }) as RouteRow) };
};

const gatewayBroker: Shape<FileGatewayBroker> = (value, place) => {
  const fields = mapShape(anyShape)(value, place);
  return { ...fields, id: textShape(fields.id, `${place}.id`) };
};

/** As browsers write it: another text would never be found equal. */
const origin: Shape<string> = (value, place) => {
  const text = textShape(value, place);
  if (URL.canParse(text) && new URL(text).origin === text) return text;
  throw new SettingsError(
    `${place} is ${JSON.stringify(text)}, expected scheme and host alone, such as https://panel.example`,
  );
};

const limitFields: Record<string, Shape<unknown>> = { queuePolicy: oneOfShape(...queuePolicies) };
for (const name of Object.keys(defaultLimits) as NumericLimit[]) limitFields[name] ??= numberShape;

/** A section of single values only, which are taken before this is read: what is left of it is unknown. */
function singles(section: string): Shape<unknown> {
  const names = settingNames.flatMap((name) => {
    const [first, second = ''] = (settingsTable[name] as Setting<unknown>).key?.split('.') ?? [];
    return first === section ? [[second, textShape]] : [];
  });
  return fieldsShape({}, Object.fromEntries(names));
}

/** The file without its single values. */
export const fileShape: Shape<FileSections> = fieldsShape(
  {},
  {
    mqtt: singles('mqtt'),
    websocket: singles('websocket'),
    http: singles('http'),
    auth: singles('auth'),
    tls: singles('tls'),
    ros: singles('ros'),
    store: singles('store'),
    log: singles('log'),
    limits: fieldsShape({}, limitFields) as Shape<Partial<Limits>>,
    access,
    upstreams: listShape(upstream),
    bridge,
    gateway: fieldsShape(
      {},
      { brokers: listShape(gatewayBroker), hosts: listShape(textShape), origins: listShape(origin) },
    ),
  },
);
