import { rangeOf } from '../broker/limits';
import {
  choice,
  optionalText,
  type SettingKind,
  text,
  topicPrefix,
  wholeNumber,
  yesNo,
} from './setting-kind';

/** One setting of the command, wherever it is said. */
export interface Setting<T> {
  /** Without its dashes; one that begins with `no-` says no. Absent where only variable and file have it. */
  readonly option?: string;
  /** The option's one-letter form. */
  readonly short?: string;
  readonly variable: string;
  /** Its place in the configuration file; absent where it cannot stand there. */
  readonly key?: string;
  readonly kind: SettingKind<T>;
  readonly standard: NoInfer<T>;
  /** Its value is shown to nobody. */
  readonly secret?: true;
  readonly help: string;
}

/** Makes sure that the default is one of the kind's values. */
function setting<T>(row: Setting<T>): Setting<T> {
  return row;
}

const PORT = [0, 65_535] as const;

/** All settings that are a single value: options, variables, help, checks and the README's table come from here. */
export const settingsTable = {
  mqttHost: setting({
    option: 'mqtt-host',
    variable: 'BROKER_MQTT_HOST',
    key: 'mqtt.host',
    kind: text('<host>'),
    standard: '127.0.0.1',
    help: 'address or name to listen on for MQTT',
  }),
  mqttPort: setting({
    option: 'mqtt-port',
    variable: 'BROKER_MQTT_PORT',
    key: 'mqtt.port',
    kind: wholeNumber('<port>', ...PORT),
    standard: 1883,
    help: 'port for MQTT, 0 for any that is free',
  }),
  keepAlive: setting({
    variable: 'BROKER_MQTT_KEEPALIVE',
    key: 'mqtt.keepAlive',
    kind: wholeNumber('<seconds>', 0, 65_535),
    standard: 60,
    help: 'longest keep alive of MQTT 5 clients, in seconds; 0 leaves it to them',
  }),
  maxConnections: setting({
    variable: 'BROKER_MQTT_MAX_CONNECTIONS',
    key: 'mqtt.maxConnections',
    kind: wholeNumber('<number>', ...rangeOf('connections')),
    standard: 1000,
    help: 'connections at once; a further one is refused',
  }),
  webSocketEnabled: setting({
    option: 'no-ws',
    variable: 'BROKER_WEBSOCKET_ENABLED',
    key: 'websocket.enabled',
    kind: yesNo,
    standard: true,
    help: 'listen for MQTT over WebSocket',
  }),
  webSocketHost: setting({
    option: 'ws-host',
    variable: 'BROKER_WEBSOCKET_HOST',
    key: 'websocket.host',
    kind: text('<host>'),
    standard: '127.0.0.1',
    help: 'address or name to listen on for WebSocket',
  }),
  webSocketPort: setting({
    option: 'ws-port',
    variable: 'BROKER_WEBSOCKET_PORT',
    key: 'websocket.port',
    kind: wholeNumber('<port>', ...PORT),
    standard: 9001,
    help: 'port for WebSocket, 0 for any that is free',
  }),
  httpEnabled: setting({
    option: 'no-http',
    variable: 'BROKER_HTTP_ENABLED',
    key: 'http.enabled',
    kind: yesNo,
    standard: true,
    help: 'serve the gateway API',
  }),
  httpHost: setting({
    option: 'http-host',
    variable: 'BROKER_HTTP_HOST',
    key: 'http.host',
    kind: text('<host>'),
    standard: '127.0.0.1',
    help: 'address or name to serve the gateway API on',
  }),
  httpPort: setting({
    option: 'http-port',
    variable: 'BROKER_HTTP_PORT',
    key: 'http.port',
    kind: wholeNumber('<port>', ...PORT),
    standard: 8441,
    help: 'port for the gateway API, 0 for any that is free',
  }),
  httpToken: setting({
    variable: 'BROKER_HTTP_TOKEN',
    key: 'http.token',
    kind: optionalText('<token>'),
    standard: '',
    secret: true,
    help: 'what callers of the gateway API must show; needed beyond 127.0.0.1',
  }),
  enableAuth: setting({
    option: 'enable-auth',
    variable: 'BROKER_ENABLE_AUTH',
    key: 'auth.enabled',
    kind: yesNo,
    standard: false,
    help: 'let nobody in without a user name and a password',
  }),
  username: setting({
    variable: 'BROKER_USERNAME',
    key: 'auth.username',
    kind: optionalText('<name>'),
    standard: '',
    help: 'a user; more of them below `access` in the configuration file',
  }),
  password: setting({
    variable: 'BROKER_PASSWORD',
    key: 'auth.password',
    kind: optionalText('<password>'),
    standard: '',
    secret: true,
    help: "that user's password",
  }),
  allowAnonymous: setting({
    option: 'allow-anonymous',
    variable: 'BROKER_ALLOW_ANONYMOUS',
    key: 'auth.allowAnonymous',
    kind: yesNo,
    standard: false,
    help: 'let clients of other machines in without a password',
  }),
  enableTls: setting({
    option: 'enable-tls',
    variable: 'BROKER_ENABLE_TLS',
    key: 'tls.enabled',
    kind: yesNo,
    standard: false,
    help: 'listen with TLS, for WebSocket too',
  }),
  tlsCertFile: setting({
    variable: 'BROKER_TLS_CERT_FILE',
    key: 'tls.certFile',
    kind: optionalText('<file>'),
    standard: '',
    help: 'certificate, PEM',
  }),
  tlsKeyFile: setting({
    variable: 'BROKER_TLS_KEY_FILE',
    key: 'tls.keyFile',
    kind: optionalText('<file>'),
    standard: '',
    help: 'its key, PEM',
  }),
  tlsCaFile: setting({
    variable: 'BROKER_TLS_CA_FILE',
    key: 'tls.caFile',
    kind: optionalText('<file>'),
    standard: '',
    help: 'who signs the certificates of clients, PEM; with it clients are asked for one',
  }),
  tlsRequireClientCertificate: setting({
    variable: 'BROKER_TLS_REQUIRE_CLIENT_CERTIFICATE',
    key: 'tls.requireClientCertificate',
    kind: yesNo,
    standard: false,
    help: 'let nobody in without a certificate that it has signed',
  }),
  maxMessageSize: setting({
    variable: 'BROKER_MAX_MESSAGE_SIZE',
    key: 'limits.packetSize',
    kind: wholeNumber('<bytes>', ...rangeOf('packetSize')),
    standard: 268_435_455,
    help: 'largest packet, in bytes; a larger one ends the connection',
  }),
  maxInFlight: setting({
    variable: 'BROKER_MAX_INFLIGHT_MESSAGES',
    key: 'limits.inFlight',
    kind: wholeNumber('<number>', ...rangeOf('inFlight')),
    standard: 20,
    help: 'messages of QoS 1 and 2 under way to one client; further ones wait',
  }),
  maxQueued: setting({
    variable: 'BROKER_MAX_QUEUED_MESSAGES',
    key: 'limits.queuedMessages',
    kind: wholeNumber('<number>', ...rangeOf('queuedMessages')),
    standard: 100,
    help: 'messages that wait for one client; further ones are dropped and counted',
  }),
  rosPrefix: setting({
    variable: 'BROKER_ROS_DOMAIN_PREFIX',
    key: 'ros.prefix',
    kind: topicPrefix('<levels>'),
    standard: 'ros/',
    help: 'first levels of the topics of ROS',
  }),
  rosIntegration: setting({
    variable: 'BROKER_ENABLE_ROS_INTEGRATION',
    key: 'ros.enabled',
    kind: yesNo,
    standard: true,
    help: 'run the bridge of the configuration file, and tell the topics of ROS',
  }),
  store: setting({
    option: 'store',
    variable: 'BROKER_STORE',
    key: 'store.directory',
    kind: optionalText('<directory>'),
    standard: '',
    help: 'keep retained messages and sessions there; without it they end with the broker',
  }),
  durability: setting({
    option: 'durability',
    variable: 'BROKER_STORE_DURABILITY',
    key: 'store.durability',
    kind: choice('<when>', ['write', 'strict']),
    standard: 'write',
    help: 'acknowledge what is kept when the system has it (write) or when the disk has it (strict)',
  }),
  logLevel: setting({
    option: 'log-level',
    variable: 'BROKER_LOG_LEVEL',
    key: 'log.level',
    kind: choice('<level>', ['DEBUG', 'INFO', 'WARNING', 'ERROR']),
    standard: 'INFO',
    help: 'least level of what is logged: DEBUG, INFO, WARNING, ERROR',
  }),
  logFile: setting({
    option: 'log-file',
    variable: 'BROKER_LOG_FILE',
    key: 'log.file',
    kind: optionalText('<file>'),
    standard: '',
    help: 'append the log to it instead of writing it to the standard output',
  }),
  config: setting({
    option: 'config',
    short: 'c',
    variable: 'BROKER_CONFIG',
    kind: optionalText('<file.yaml>'),
    standard: '',
    help: 'configuration file',
  }),
};

export type SettingName = keyof typeof settingsTable;
export const settingNames = Object.keys(settingsTable) as SettingName[];

/** The values of all settings. */
export type Settings = {
  [Name in SettingName]: (typeof settingsTable)[Name] extends Setting<infer T> ? T : never;
};

/** The option as it is written, such as `--mqtt-port`. */
export function optionOf({ option }: Setting<unknown>): string | undefined {
  return option === undefined ? undefined : `--${option}`;
}

/** What an option without a value says. */
export function saysYes({ option }: Setting<unknown>): boolean {
  return option?.startsWith('no-') !== true;
}
