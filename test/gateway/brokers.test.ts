import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { BrokerThread } from '../../src/broker/broker-thread';
import { Connection } from '../../src/client/connection';
import { Gateway, type GatewaySettings } from '../../src/gateway/gateway';
import { Mosquitto } from '../client/mosquitto';
import { CONNECT, packet, ScriptedBroker, SUBSCRIBE } from '../client/scripted-broker';
import { counterpart } from '../counterparts';
import { endingAfterEach } from '../ending-after-each';
import { GatewayFixture } from './gateway-fixture';

const execute = promisify(execFile);

const SECRET = 'do-not-tell-7351';

describe('brokers of the gateway', function () {
  this.timeout(60_000);
  const keep = endingAfterEach();
  let mosquitto: Mosquitto;
  let fixture: GatewayFixture;

  before(async function () {
    mosquitto = await Mosquitto.start(this, [], { anna: SECRET });
  });
  after(() => mosquitto?.stop());
  beforeEach(async () => {
    fixture = await GatewayFixture.start();
  });
  afterEach(() => fixture.stop());

  const added = async (input: object = {}) => {
    const { status, body } = await fixture.api.post('/brokers', {
      name: 'ours',
      host: '127.0.0.1',
      port: mosquitto.port,
      username: 'anna',
      password: SECRET,
      ...input,
    });
    assert.equal(status, 201);
    return body;
  };

  it('that are removed while a caller waits for a subscription take it with them, and say so', async () => {
    const silent = keep(
      await ScriptedBroker.start(({ type }, socket) => {
        if (type === CONNECT) socket.write(packet(2, 0, 0, 0, 0));
      }),
    );
    const { broker_id } = await added({ port: Number(new URL(silent.url).port) });
    await fixture.api.post(`/brokers/${broker_id}/connect`);
    const subscribing = fixture.api.post('/subscribe', { broker_id, topic: 'a' });
    await silent.until((broker) => broker.of(SUBSCRIBE).length === 1);
    assert.equal((await fixture.api.call('DELETE', `/brokers/${broker_id}`)).status, 204);
    const { status, body } = await subscribing;
    assert.equal(status, 404);
    assert.equal(body.error.message, 'the broker was removed meanwhile');
    assert.deepEqual((await fixture.api.get('/subscriptions')).body, { subscriptions: [] });
  });

  it('are added, connected, disconnected and removed', async () => {
    const broker = await added({ client_id: 'robot-1', keepalive: 30 });
    assert.deepEqual(broker, {
      broker_id: broker.broker_id,
      name: 'ours',
      origin: 'api',
      host: '127.0.0.1',
      port: mosquitto.port,
      use_ssl: false,
      transport: 'tcp',
      username: 'anna',
      client_id: 'robot-1',
      keepalive: 30,
      protocol_version: '5',
      clean_start: true,
      state: 'disconnected',
    });
    const path = `/brokers/${broker.broker_id}`;
    const { body: connected } = await fixture.api.post(`${path}/connect`);
    assert.equal(connected.state, 'connected');
    assert.deepEqual((await fixture.api.get(path)).body, connected);
    assert.deepEqual((await fixture.api.get('/brokers')).body, { brokers: [connected] });
    assert.equal((await fixture.api.post(`${path}/disconnect`)).body.state, 'disconnected');
    assert.equal((await fixture.api.call('DELETE', path)).status, 204);
    assert.equal((await fixture.api.get(path)).status, 404);
    assert.deepEqual((await fixture.api.get('/brokers')).body, { brokers: [] });
  });

  it('connect at once where that is asked for', async () => {
    const connects = mosquitto.logged(/New client connected .* as at-once/);
    await added({ client_id: 'at-once', auto_connect: true });
    await connects;
  });

  it('say why they are not connected', async () => {
    const { broker_id } = await added({ password: 'wrong' });
    const { body } = await fixture.api.post(`/brokers/${broker_id}/connect`);
    assert.equal(body.state, 'error');
    assert.match(body.reason, /Not authorized \(0x87\)/);
    const { body: health } = await fixture.api.get('/health');
    assert.equal(health.status, 'degraded');
    assert.match(health.problems[0], /^broker ours: Not authorized/);
  });

  it('never tell a password, a key or a passphrase', async () => {
    const { broker_id } = await added({
      will: { topic: 'gone', payload: 'will' },
      use_ssl: true,
      tls: { passphrase: SECRET, verify: false },
    });
    await fixture.api.call('PATCH', `/brokers/${broker_id}`, { name: 'renamed', password: `${SECRET}-2` });
    for (const path of ['/brokers', `/brokers/${broker_id}`, '/health', '/stats', '/metrics']) {
      const { body } = await fixture.api.get(path);
      assert.ok(!JSON.stringify(body).includes(SECRET), path);
    }
  });

  it('connect anew when what they connect with is changed', async () => {
    const { broker_id } = await added({ client_id: 'before' });
    await fixture.api.post(`/brokers/${broker_id}/connect`);
    const connects = mosquitto.logged(/New client connected .* as after/);
    const { body } = await fixture.api.call('PATCH', `/brokers/${broker_id}`, {
      client_id: 'after',
      keepalive: null,
    });
    assert.equal(body.client_id, 'after');
    assert.equal(body.keepalive, 60);
    await connects;
    // A name is the gateway's alone.
    const { body: renamed } = await fixture.api.call('PATCH', `/brokers/${broker_id}`, { name: 'new' });
    assert.deepEqual([renamed.name, renamed.client_id], ['new', 'after']);
  });

  it('have the port that goes with a change where none was given', async () => {
    const { body } = await fixture.api.post('/brokers', { name: 'a', host: 'a' });
    const path = `/brokers/${body.broker_id}`;
    for (const [patch, port] of [
      [{ use_ssl: true }, 8883],
      [{ transport: 'websocket' }, 443],
      [{ port: 1, use_ssl: false }, 1],
      [{ name: 'b' }, 1],
      [{ port: null }, 80],
    ] as const) {
      const { body: changed } = await fixture.api.call('PATCH', path, patch);
      assert.deepEqual([changed.port, changed.client_id], [port, body.client_id]);
    }
  });

  it('keep what a change does not name, within a will too', async function () {
    const subscriber = counterpart(this, 'mosquitto_sub');
    const will = { topic: 'gone', payload: 'will', qos: 1, properties: { content_type: 'a/b' } };
    const { broker_id } = await added({ client_id: 'willing', will });
    const path = `/brokers/${broker_id}`;
    for (const [index, [patch, left]] of (
      [
        [{ will: { payload: 'changed' } }, 'changed|1|a/b'],
        [{ will: { qos: null, properties: { content_type: null } } }, 'changed|0|'],
      ] as const
    ).entries()) {
      assert.equal((await fixture.api.call('PATCH', path, patch)).status, 200);
      await fixture.api.post(`${path}/connect`);
      const subscribed = mosquitto.logged(/ 1 gone$/, index + 1);
      const address = [
        '-h',
        '127.0.0.1',
        '-p',
        String(mosquitto.port),
        '-V',
        '5',
        '-u',
        'anna',
        '-P',
        SECRET,
      ];
      const options = ['-q', '1', '-C', '1', '-t', 'gone', '-F', '%p|%q|%C'];
      const heard = execute(subscriber, [...address, ...options]);
      await subscribed;
      // Another of its name takes its place, which ends it without a word.
      const other = new Connection({
        endpoint: { url: `mqtt://127.0.0.1:${mosquitto.port}` },
        ...{ protocolVersion: 5, clientId: 'willing', keepAlive: 0, cleanStart: true },
        ...{ username: 'anna', password: SECRET },
      });
      other.open();
      assert.equal((await heard).stdout.trim(), left);
      await other.close();
      await fixture.api.post(`${path}/disconnect`);
    }
  });

  it('stay as they are when a change cannot be', async () => {
    const broker = await added();
    const path = `/brokers/${broker.broker_id}`;
    for (const [patch, field] of [
      [{ port: 0 }, 'port'],
      [{ host: null }, 'host'],
      [{ host: 'a/b' }, 'host'],
      [{ nmae: 'x' }, 'nmae'],
      [{ will: { topic: 5 } }, 'will.topic'],
      [{ will: { retain: true } }, 'will.topic'],
      [{ tls: { verify: 'no' } }, 'tls.verify'],
    ] as const) {
      const { status, body } = await fixture.api.call('PATCH', path, patch);
      assert.equal(status, 400, field);
      assert.equal(body.error.field, field);
    }
    const { body: refused } = await fixture.api.call('PATCH', path, { username: null });
    assert.equal(refused.error.message, 'the broker cannot be used: a password is given without a user name');
    assert.deepEqual((await fixture.api.get(path)).body, broker);
  });

  for (const [input, field, message] of [
    [{ host: 'a' }, 'name', 'name is missing'],
    [{ name: 'a', host: '' }, 'host', 'host is "", expected a name or an address'],
    [
      { name: 'a', host: 'a', port: 65_536 },
      'port',
      'port is 65536, expected a whole number from 1 to 65535',
    ],
    [
      { name: 'a', host: 'a', port: '1883' },
      'port',
      'port is "1883", expected a whole number from 1 to 65535',
    ],
    [{ name: 'a', host: 'a', keepalive: 1.5 }, 'keepalive', /keepalive is 1.5, expected a whole number/],
    [{ name: 'a', host: 'a', protocol_version: 5 }, 'protocol_version', /is 5, expected 5 or 3.1.1/],
    [{ name: 'a', host: 'a', passwort: 'x' }, 'passwort', /^passwort is unknown, expected name, host/],
    [
      { name: 'a', host: 'a', will: { topic: 't', properties: { correlation_data: '?' } } },
      'will.properties.correlation_data',
      /is not base64/,
    ],
    [{ name: 'a', host: 'a', user_properties: { a: [1] } }, 'user_properties.a.0', /is 1, expected text/],
    [
      { name: 'a', host: 'a', will: { topic: 'a/#' } },
      undefined,
      /will: topic name "a\/#" contains a wildcard/,
    ],
    [[], undefined, 'the body is a list, expected an object'],
  ] as const) {
    it(`are not added as ${JSON.stringify(input).slice(0, 80)}`, async () => {
      const { status, body } = await fixture.api.post('/brokers', input);
      assert.equal(status, 400);
      assert.equal(body.error.field, field);
      if (typeof message === 'string') assert.equal(body.error.message, message);
      else assert.match(body.error.message, message);
    });
  }

  it('are bounded in number', async () => {
    await fixture.stop();
    fixture = await GatewayFixture.start({ limits: { brokers: 2 } });
    await added();
    const { broker_id } = await added();
    const { status, body } = await fixture.api.post('/brokers', { name: 'x', host: 'x' });
    assert.equal(status, 429);
    assert.equal(body.error.message, 'there are 2 brokers already');
    await fixture.api.call('DELETE', `/brokers/${broker_id}`);
    await added();
  });

  it('of the configuration file are there from the start and cannot be changed', async () => {
    await fixture.stop();
    const connects = mosquitto.logged(/New client connected .* as of-file/);
    const login = { username: 'anna', password: SECRET, client_id: 'of-file', auto_connect: true };
    const file = { id: 'main', name: 'Main', host: '127.0.0.1', port: mosquitto.port, ...login };
    fixture = await GatewayFixture.start({ brokers: [file] });
    await connects;
    const { body } = await fixture.api.get('/brokers/main');
    assert.equal(body.origin, 'file');
    for (const [method, change] of [
      ['PATCH', { name: 'x' }],
      ['DELETE', undefined],
    ] as const) {
      const { status, body: refused } = await fixture.api.call(method, '/brokers/main', change);
      assert.equal(status, 403);
      assert.deepEqual(refused.error, {
        code: 'read_only',
        message: 'broker "Main" is of the configuration file, and can only be changed there',
      });
    }
  });

  for (const [brokers, message] of [
    [[{ name: 'a', host: 'a' }], 'brokers.0.id is missing'],
    [[{ id: 'a b', name: 'a', host: 'a' }], 'brokers.0.id is "a b", expected letters, digits, _, . and -'],
    [
      [{ id: 'a', name: 'a', host: 'a', port: 0 }],
      'brokers.0.port is 0, expected a whole number from 1 to 65535',
    ],
    [Array(2).fill({ id: 'a', name: 'a', host: 'a' }), 'broker "a" is there twice'],
  ] as const) {
    it(`of the configuration file are refused: ${message}`, async () => {
      const settings = { version: '1', brokers } as unknown as GatewaySettings;
      assert.throws(() => new Gateway(settings), { name: 'ApiError', message });
    });
  }

  it('of flows say why they cannot connect, and when the flows have them no more', async () => {
    await fixture.stop();
    const control = { connect: async () => {}, disconnect: async () => {} };
    const connection = new Connection({
      endpoint: { url: `mqtt://127.0.0.1:${mosquitto.port}` },
      protocolVersion: 5,
      clientId: 'node',
      keepAlive: 60,
      cleanStart: true,
    });
    const common = { name: 'Node', status: connection.status, control, release: () => {} };
    const wrong = () => {
      throw new Error('the URL is wrong');
    };
    const known = [
      { ...common, id: 'good', acquire: () => connection },
      { ...common, id: 'wrong', acquire: wrong },
    ];
    fixture = await GatewayFixture.start({ sources: { connections: () => known } });
    const refusal = async (id: string) => {
      const { status, body } = await fixture.api.post(`/brokers/${id}/connect`);
      return [status, body.error.message];
    };
    assert.deepEqual(await refusal('wrong'), [409, 'the URL is wrong']);
    assert.equal((await fixture.api.post('/subscribe', { broker_id: 'good', topic: 'a' })).status, 201);
    known.length = 0;
    assert.deepEqual(await refusal('good'), [409, 'the flows have no broker "good" any more']);
    await connection.close();
  });

  it('that run in this process may be replaced by others', async () => {
    await fixture.stop();
    let broker = new BrokerThread({ listeners: [] });
    await broker.start();
    let isThere = true;
    fixture = await GatewayFixture.start({
      sources: { embeddedBrokers: () => (isThere ? [{ id: 'ours', name: 'Ours', broker }] : []) },
    });
    const message = { broker_id: 'ours', topic: 'a', payload: 1, qos: 1 };
    const { broker_id, topic } = message;
    assert.equal((await fixture.api.post('/subscribe', { broker_id, topic })).status, 201);
    isThere = false;
    await broker.stop();
    const state = async () => (await fixture.api.get('/brokers/ours')).body.state;
    while ((await state()) !== 'reconnecting');
    broker = new BrokerThread({ listeners: [] });
    await broker.start();
    isThere = true;
    fixture.gateway.renew();
    assert.equal((await fixture.api.post('/publish', message)).status, 200);
    while ((await fixture.api.get('/messages')).body.messages.length === 0);
    await fixture.stop();
    await broker.stop();
    fixture = await GatewayFixture.start();
  });

  it('are also those that run in this process, over no port at all', async () => {
    await fixture.stop();
    const broker = new BrokerThread({ listeners: [] });
    await broker.start();
    fixture = await GatewayFixture.start({
      sources: { embeddedBrokers: () => [{ id: 'embedded', name: 'Ours', broker }] },
    });
    const { body } = await fixture.api.get('/brokers/embedded');
    assert.deepEqual([body.origin, body.state], ['embedded', 'disconnected']);
    // Whoever uses it first connects it.
    const { status } = await fixture.api.post('/publish', { broker_id: 'embedded', topic: 'a', qos: 1 });
    assert.equal(status, 200);
    assert.equal((await fixture.api.get('/brokers/embedded')).body.state, 'connected');
    assert.equal((await fixture.api.call('DELETE', '/brokers/embedded')).status, 403);
    assert.deepEqual((await fixture.api.get('/health')).body.embedded_brokers, [
      { id: 'embedded', name: 'Ours', state: 'running' },
    ]);
    const stopped = once(broker, 'status');
    await broker.stop();
    await stopped;
    await fixture.stop();
    fixture = await GatewayFixture.start();
  });
});
