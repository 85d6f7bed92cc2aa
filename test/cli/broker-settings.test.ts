import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { defaultLimits } from '../../src/broker/limits';
import { bridgeSettings, brokerSettings, servesGateway } from '../../src/cli/broker-settings';
import { readSettings } from '../../src/cli/settings';

const HASH = '$7$101$AAAAAAAAAAAAAAAA$BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB';

describe('the broker of the command', () => {
  let directory: string;

  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'broker-settings-'));
  });
  after(() => rmSync(directory, { recursive: true }));

  function configured(environment: Record<string, string>, file?: unknown) {
    const config = join(directory, 'broker.yaml');
    writeFileSync(config, stringify(file ?? {}));
    return readSettings({ options: new Map([['config', config]]), environment, directory });
  }

  const settingsOf = async (environment: Record<string, string>, file?: unknown) =>
    brokerSettings(configured(environment, file));

  it('listens on this machine alone, has the limits of the settings and keeps nothing', async () => {
    const settings = await settingsOf({});
    assert.deepEqual(settings, {
      listeners: [
        { kind: 'tcp', host: '127.0.0.1', port: 1883 },
        { kind: 'ws', host: '127.0.0.1', port: 9001 },
      ],
      allowAnonymousBeyondLoopback: false,
      access: { users: [] },
      capabilities: { serverKeepAlive: 60 },
      limits: { connections: 1000, packetSize: 268_435_455, inFlight: 20, queuedMessages: 100 },
      upstreams: [],
    });
  });

  it('asks clients for a certificate where it has the authority, and lets none in without where it must not', async () => {
    const tls = { enabled: true, certFile: 'cert.pem', keyFile: 'key.pem' };
    const asked = async (more: object) =>
      (await settingsOf({}, { tls: { ...tls, ...more } })).listeners.map(
        (listener) => listener.tls?.clientCertificate,
      );
    assert.deepEqual(await asked({}), [undefined, undefined]);
    assert.deepEqual(await asked({ caFile: 'ca.pem' }), ['requested', 'requested']);
    const required = await asked({ caFile: 'ca.pem', requireClientCertificate: true });
    assert.deepEqual(required, ['required', 'required']);
  });

  it('has each setting where it belongs', async () => {
    const settings = await settingsOf(
      {
        BROKER_MQTT_HOST: 'localhost',
        BROKER_MQTT_PORT: '1',
        BROKER_MQTT_KEEPALIVE: '2',
        BROKER_MQTT_MAX_CONNECTIONS: '3',
        BROKER_WEBSOCKET_HOST: '::1',
        BROKER_WEBSOCKET_PORT: '4',
        BROKER_ALLOW_ANONYMOUS: 'true',
        BROKER_ENABLE_TLS: 'true',
        BROKER_TLS_CERT_FILE: 'cert.pem',
        BROKER_TLS_KEY_FILE: 'key.pem',
        BROKER_TLS_CA_FILE: 'ca.pem',
        BROKER_MAX_MESSAGE_SIZE: '5',
        BROKER_MAX_INFLIGHT_MESSAGES: '6',
        BROKER_MAX_QUEUED_MESSAGES: '7',
        BROKER_STORE: 'kept',
        BROKER_STORE_DURABILITY: 'strict',
      },
      { limits: { retainedMessages: 8, queuePolicy: 'drop-oldest' } },
    );
    const tls = { certificate: 'cert.pem', key: 'key.pem', ca: 'ca.pem', clientCertificate: 'requested' };
    assert.deepEqual(settings.listeners, [
      { kind: 'tls', host: 'localhost', port: 1, tls },
      { kind: 'wss', host: '::1', port: 4, tls },
    ]);
    assert.deepEqual(settings.capabilities, { serverKeepAlive: 2 });
    assert.deepEqual(settings.limits, {
      ...{ connections: 3, packetSize: 5, inFlight: 6, queuedMessages: 7 },
      ...{ retainedMessages: 8, queuePolicy: 'drop-oldest' },
    });
    assert.equal(settings.allowAnonymousBeyondLoopback, true);
    assert.deepEqual(settings.storage, { directory: 'kept', durability: 'strict' });
    assert.equal((await settingsOf({ BROKER_WEBSOCKET_ENABLED: 'false' })).listeners.length, 1);
  });

  it('knows the limits of the broker in the file, each by its name', async () => {
    const limits = Object.fromEntries(
      Object.entries(defaultLimits).filter(([name]) => name !== 'connections'),
    );
    assert.deepEqual((await settingsOf({}, { limits })).limits, { ...limits, connections: 1000 });
  });

  it('has users, rules and upstream brokers of the file, with what each has by default', async () => {
    const rule = { access: 'allow', who: 'group', name: 'staff', action: 'any', filter: '#' };
    const { access, upstreams } = await settingsOf(
      { BROKER_ENABLE_AUTH: 'true', BROKER_USERNAME: 'ann', BROKER_PASSWORD: 'secret' },
      {
        access: {
          users: [{ name: 'bob', passwordHash: HASH, groups: ['staff'] }],
          rules: [rule],
          otherwise: 'allow',
        },
        upstreams: [{ name: 'site', url: 'mqtt://site', routes: [{ direction: 'out', filter: 'a/#' }] }],
      },
    );
    assert.deepEqual(access?.users?.[0], { name: 'bob', passwordHash: HASH, groups: ['staff'] });
    assert.equal(access?.users?.[1]?.name, 'ann');
    assert.match(access?.users?.[1]?.passwordHash ?? '', /^\$scrypt\$/);
    assert.deepEqual(access?.rules, [rule]);
    assert.deepEqual([access?.otherwise, access?.anonymous], ['allow', 'in-process']);
    const { clientId, ...upstream } = upstreams?.[0] ?? { clientId: '' };
    assert.match(clientId, /^mqtt-ros-[0-9a-f]{12}-site$/);
    assert.deepEqual(upstream, {
      ...{ name: 'site', url: 'mqtt://site', protocolVersion: 5, keepAlive: 60, start: true },
      routes: [{ direction: 'out', filter: 'a/#', localPrefix: '', remotePrefix: '', qos: 1 }],
    });
  });

  it('has a bridge where the file has routes or patterns, and ROS is wanted', () => {
    const bridgeOf = (bridge: unknown, environment = {}) =>
      bridgeSettings(configured(environment, { bridge }));
    const routes = [{ rosName: '/chatter' }];
    const { id, ...bridge } = bridgeOf(
      { routes, domains: [7] },
      { BROKER_ROS_DOMAIN_PREFIX: 'fleet/ros/' },
    ) ?? { id: '' };
    assert.match(id, /^mqtt-ros-[0-9a-f]{12}$/);
    assert.deepEqual(bridge, {
      ...{ prefix: 'fleet/ros', aliases: {}, domains: [7], range: 'localhost', interfaces: [], peers: [] },
      routes: [{ rosName: '/chatter', type: '', direction: 'both' }],
    });
    assert.equal(bridgeOf({ routes }, { BROKER_ENABLE_ROS_INTEGRATION: 'false' }), undefined);
    assert.equal(bridgeOf({ domains: [7] }), undefined);
    assert.equal(bridgeOf({ patterns: [{ action: 'allow', pattern: '/**' }] })?.patterns?.length, 1);
    for (const [wrong, message] of [
      [{ routes, domains: [500] }, /^domain: expected an integer from 0 to 232, got 500$/],
      [{ routes: [{ rosName: 'chatter' }] }, /^bridge\.routes\[0\]: ROS name "chatter" does not start with/],
    ] as const) {
      assert.throws(() => bridgeOf(wrong), { name: 'BridgeSettingsError', message });
    }
  });

  it('serves the gateway where it is no way around a password', () => {
    const serves = (environment: Record<string, string>, file = {}) =>
      servesGateway(configured(environment, file));
    const auth = { BROKER_ENABLE_AUTH: 'true' };
    assert.equal(serves({}), true);
    assert.equal(serves({ BROKER_HTTP_ENABLED: 'false' }), false);
    assert.equal(serves(auth), false);
    assert.equal(serves({ ...auth, BROKER_HTTP_TOKEN: 'x' }), true);
    assert.equal(serves({ ...auth, BROKER_HTTP_ENABLED: 'false' }), false);
    assert.throws(
      () => serves({ ...auth, BROKER_HTTP_PORT: '0' }),
      /^SettingsError: BROKER_HTTP_PORT needs BROKER_HTTP_TOKEN, as BROKER_ENABLE_AUTH asks all others for a password$/,
    );
    const asking = { access: { anonymous: 'in-process', users: [{ name: 'ann', password: 'x' }] } };
    assert.equal(serves({}, asking), false);
    assert.equal(serves({ BROKER_HTTP_TOKEN: 'x' }, asking), true);
    assert.throws(
      () => serves({ BROKER_HTTP_PORT: '0' }, asking),
      /^SettingsError: BROKER_HTTP_PORT needs BROKER_HTTP_TOKEN, as access.anonymous asks all others for a password$/,
    );
  });

  for (const [environment, file, message] of [
    [
      { BROKER_ENABLE_AUTH: '1' },
      {},
      /^BROKER_ENABLE_AUTH needs a user: BROKER_USERNAME and BROKER_PASSWORD, /,
    ],
    [
      { BROKER_ENABLE_AUTH: '1', BROKER_ALLOW_ANONYMOUS: '1' },
      {},
      /^BROKER_ALLOW_ANONYMOUS lets in whom BROKER_ENABLE_AUTH keeps out$/,
    ],
    [
      { BROKER_ENABLE_AUTH: '1', BROKER_USERNAME: 'ann' },
      {},
      /^BROKER_USERNAME is set, but BROKER_PASSWORD is not$/,
    ],
    [
      { BROKER_ENABLE_AUTH: '1' },
      { auth: { password: 'x' } },
      /broker\.yaml: auth\.password is set, but BROKER_USERNAME is not$/,
    ],
    [{ BROKER_ENABLE_TLS: '1' }, {}, /^BROKER_ENABLE_TLS needs BROKER_TLS_CERT_FILE \(tls\.certFile\)$/],
    [
      { BROKER_ENABLE_TLS: '1', BROKER_TLS_CERT_FILE: 'c' },
      {},
      /^BROKER_ENABLE_TLS needs BROKER_TLS_KEY_FILE \(tls\.keyFile\)$/,
    ],
    [
      { BROKER_TLS_REQUIRE_CLIENT_CERTIFICATE: '1' },
      {},
      /^BROKER_TLS_REQUIRE_CLIENT_CERTIFICATE needs BROKER_ENABLE_TLS \(tls\.enabled\)$/,
    ],
    [
      { BROKER_ENABLE_TLS: '1', BROKER_TLS_CERT_FILE: 'c', BROKER_TLS_KEY_FILE: 'k' },
      { tls: { requireClientCertificate: true } },
      /broker\.yaml: tls\.requireClientCertificate needs BROKER_TLS_CA_FILE \(tls\.caFile\)$/,
    ],
    [{ BROKER_STORE_DURABILITY: 'strict' }, {}, /^BROKER_STORE_DURABILITY is of no use without --store/],
    [{}, { access: { users: [{ name: 'bob' }] } }, /^user "bob" needs either a password or a passwordHash$/],
    [{}, { access: { users: [{ password: 'x' }] } }, /broker\.yaml: access\.users\[0\]\.name is missing$/],
    [{}, { access: { users: {} } }, /broker\.yaml: access\.users is \{\}, expected a list$/],
    [
      {},
      { access: { users: [{ name: 'bob', password: 5 }] } },
      /access\.users\[0\]\.password is not a text: put it in quotes$/,
    ],
    [
      {},
      { access: { rules: [{ access: 'allow', who: 'all', action: 'any' }] } },
      /access\.rules\[0\]\.who is "all", expected one of everybody, /,
    ],
    [{}, { limits: { retained: 5 } }, /limits\.retained is no setting, expected one of /],
    [{}, { bridge: { routes: [{ rosName: '/a', typ: 'x' }] } }, /bridge\.routes\[0\]\.typ is no setting/],
    [{}, { bridge: { aliases: { factory: 'x' } } }, /bridge\.aliases\.factory is "x", expected a number$/],
    [
      {},
      { bridge: { bothWaysOverMqtt311: true } },
      /bridge\.bothWaysOverMqtt311 is no setting, expected one of /,
    ],
    [{}, { bridge: { meta: 'yes' } }, /bridge\.meta is "yes", expected true or false$/],
    [
      {},
      {
        upstreams: [{ name: 'site', url: 'mqtts://site', routes: [], tls: { caFile: '/nowhere/ca.pem' } }],
      },
      /^upstream "site": ENOENT/,
    ],
  ] as const) {
    it(`refuses ${JSON.stringify({ ...environment, ...file })}`, async () => {
      await assert.rejects(async () => settingsOf(environment, file), { name: 'SettingsError', message });
    });
  }
});
