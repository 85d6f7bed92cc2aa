import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { AccessSettings, UserSettings } from '../broker/access/access-settings';
import { hashPassword } from '../broker/access/password-hash';
import type { BrokerSettings } from '../broker/broker-thread';
import type { ListenerSettings, TlsSettings } from '../broker/listeners/listener-settings';
import type { UpstreamSettings } from '../broker/upstream/upstream-settings';
import { type BridgeSettings, BridgeSettingsError, checkBridge, checkRoute } from '../ros/bridge-settings';
import { bridgeWithDefaults } from '../ros/create-bridge';
import { routesOf } from '../ros/domain-template';
import type { FileUpstream, FileUser } from './file-sections';
import { withoutSlash } from './setting-kind';
import type { Configuration } from './settings';
import { SettingsError } from './settings-error';
import { type SettingName, settingsTable } from './settings-table';

/**
 * The broker that the settings ask for.
 * @throws SettingsError settings do not go together, or a file that one of them names cannot be read
 */
export async function brokerSettings(configuration: Configuration): Promise<BrokerSettings> {
  const { settings, sections } = configuration;
  const { store: directory, durability, maxConnections, maxInFlight, maxQueued } = settings;
  if (directory === '' && configuration.origins.has('durability')) {
    throw new SettingsError(
      `${origin(configuration, 'durability')} is of no use without --store <directory>`,
    );
  }
  return {
    listeners: listeners(configuration),
    allowAnonymousBeyondLoopback: settings.allowAnonymous,
    access: await access(configuration),
    capabilities: { serverKeepAlive: settings.keepAlive },
    limits: {
      ...sections.limits,
      connections: maxConnections,
      packetSize: settings.maxMessageSize,
      inFlight: maxInFlight,
      queuedMessages: maxQueued,
    },
    upstreams: (sections.upstreams ?? []).map((upstream) => upstreamSettings(upstream, settings.mqttPort)),
    ...(directory !== '' && { storage: { directory, durability } }),
  };
}

/**
 * The bridge that the configuration file asks for; none without routes, or where ROS is not wanted.
 * @throws BridgeSettingsError it cannot be used, or one of its routes cannot
 */
export function bridgeSettings({ settings, sections }: Configuration): BridgeSettings | undefined {
  const { bridge } = sections;
  const bridges = (bridge?.routes?.length ?? 0) + (bridge?.patterns?.length ?? 0) > 0;
  if (!settings.rosIntegration || !bridges) return undefined;
  const named = { id: ownName(settings.mqttPort), ...bridge, prefix: withoutSlash(settings.rosPrefix) };
  const complete = bridgeWithDefaults(named);
  checkBridge(complete);
  for (const [index, row] of complete.routes.entries()) {
    try {
      for (const route of routesOf(row, complete)) checkRoute(route, complete);
    } catch (error) {
      throw new BridgeSettingsError(`bridge.routes[${index}]: ${(error as Error).message}`);
    }
  }
  return complete;
}

/**
 * Whether the gateway API is served. Where all clients need a password it must not be a way around it: without a token it
 * is left out, unless it was asked for.
 * @throws SettingsError it was asked for without a token
 */
export function servesGateway(configuration: Configuration): boolean {
  const { httpEnabled, httpToken, enableAuth } = configuration.settings;
  const asksAll = enableAuth || configuration.sections.access?.anonymous === 'in-process';
  if (!httpEnabled || httpToken !== '' || !asksAll) return httpEnabled;
  const asked = (['httpEnabled', 'httpHost', 'httpPort'] as const).find((name) =>
    configuration.origins.has(name),
  );
  if (asked === undefined) return false;
  const asking = enableAuth ? origin(configuration, 'enableAuth') : 'access.anonymous';
  throw new SettingsError(
    `${origin(configuration, asked)} needs ${settingsTable.httpToken.variable}, as ${asking} asks all others for a password`,
  );
}

/** Of this command on this machine: the same after each restart, as far as its port is. */
function ownName(port: number): string {
  const seed = `${hostname()} ${port === 0 ? randomUUID() : port}`;
  return `mqtt-ros-${createHash('sha256').update(seed).digest('hex').slice(0, 12)}`;
}

function listeners(configuration: Configuration): ListenerSettings[] {
  const { mqttHost, mqttPort, webSocketEnabled, webSocketHost, webSocketPort } = configuration.settings;
  const tls = tlsSettings(configuration);
  const secured = tls === undefined ? {} : { tls };
  return [
    { kind: tls === undefined ? 'tcp' : 'tls', host: mqttHost, port: mqttPort, ...secured },
    ...(webSocketEnabled
      ? [
          {
            kind: tls === undefined ? ('ws' as const) : ('wss' as const),
            host: webSocketHost,
            port: webSocketPort,
            ...secured,
          },
        ]
      : []),
  ];
}

function tlsSettings(configuration: Configuration): TlsSettings | undefined {
  const { enableTls, tlsCertFile, tlsKeyFile, tlsCaFile, tlsRequireClientCertificate } =
    configuration.settings;
  if (tlsRequireClientCertificate && !(enableTls && tlsCaFile !== '')) {
    const missing = settingsTable[enableTls ? 'tlsCaFile' : 'enableTls'];
    throw new SettingsError(
      `${origin(configuration, 'tlsRequireClientCertificate')} needs ${missing.variable} (${missing.key})`,
    );
  }
  if (!enableTls) return undefined;
  const needed = { tlsCertFile, tlsKeyFile };
  for (const [name, file] of Object.entries(needed)) {
    if (file !== '') continue;
    const { variable, key } = settingsTable[name as keyof typeof needed];
    throw new SettingsError(`${origin(configuration, 'enableTls')} needs ${variable} (${key})`);
  }
  return {
    certificate: tlsCertFile,
    key: tlsKeyFile,
    ...(tlsCaFile !== '' && {
      ca: tlsCaFile,
      clientCertificate: tlsRequireClientCertificate ? ('required' as const) : ('requested' as const),
    }),
  };
}

async function access(configuration: Configuration): Promise<AccessSettings> {
  const { settings, sections } = configuration;
  const { users: listed = [], ...rest } = sections.access ?? {};
  const { enableAuth, username, password } = settings;
  const users = [...listed];
  if (enableAuth && settings.allowAnonymous) {
    throw new SettingsError(
      `${origin(configuration, 'allowAnonymous')} lets in whom ${origin(configuration, 'enableAuth')} keeps out`,
    );
  }
  if (enableAuth && (username === '') !== (password === '')) {
    const [given, missing] =
      username === '' ? (['password', 'username'] as const) : (['username', 'password'] as const);
    throw new SettingsError(
      `${origin(configuration, given)} is set, but ${settingsTable[missing].variable} is not`,
    );
  }
  if (enableAuth && username !== '') users.push({ name: username, password });
  if (enableAuth && users.length === 0 && rest.passwordFile === undefined && rest.tokens === undefined) {
    throw new SettingsError(
      `${origin(configuration, 'enableAuth')} needs a user: BROKER_USERNAME and BROKER_PASSWORD, or access.users, access.passwordFile or access.tokens in the configuration file`,
    );
  }
  return {
    ...rest,
    ...(enableAuth && { anonymous: 'in-process' as const }),
    users: await Promise.all(users.map(userSettings)),
  };
}

async function userSettings({ password, passwordHash, ...user }: FileUser): Promise<UserSettings> {
  if ((password === undefined) === (passwordHash === undefined)) {
    throw new SettingsError(`user "${user.name}" needs either a password or a passwordHash`);
  }
  return { ...user, passwordHash: passwordHash ?? (await hashPassword(password as string)) };
}

function upstreamSettings({ tls, ...upstream }: FileUpstream, port: number): UpstreamSettings {
  const pem = (file: string): string => {
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      throw new SettingsError(`upstream "${upstream.name}": ${(error as Error).message}`);
    }
  };
  return {
    protocolVersion: 5,
    clientId: `${ownName(port)}-${upstream.name}`,
    keepAlive: 60,
    start: true,
    ...upstream,
    ...(tls !== undefined && {
      tls: {
        ...(tls.caFile !== undefined && { ca: pem(tls.caFile) }),
        ...(tls.certFile !== undefined && { cert: pem(tls.certFile) }),
        ...(tls.keyFile !== undefined && { key: pem(tls.keyFile) }),
      },
    }),
  };
}

function origin({ origins }: Configuration, name: SettingName): string {
  return origins.get(name) ?? settingsTable[name].variable;
}
