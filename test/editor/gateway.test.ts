import assert from 'node:assert/strict';
import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiClient } from '../gateway/api-client';
import { LiveClient, refusal } from '../gateway/live-client';
import { bridgeForm, brokerForm, embeddedForm, subForm, tab } from '../nodes/flow';
import { freshDomain } from '../rtps/test-domain';
import { createUserDir, linkPackage, NODE_RED_VERSIONS, NodeRedProcess } from './node-red-process';

const PATH = '/admin/mqtt-ros/v1';
const FLOWS = [
  tab,
  embeddedForm({ name: 'Embedded', persistence: 'memory', wires: [[]] }),
  brokerForm({ name: 'Shared', target: 'embedded', embedded: 'embedded-1', clientId: 'shared' }),
  subForm({ topicFilter: 'x', wires: [[]] }),
  bridgeForm({
    broker: 'broker-1',
    discoveryRange: 'off',
    domains: [{ id: freshDomain(), alias: 'car' }],
    namespaces: [{ ros: '/robot1', mqtt: '' }],
    routes: [],
    wires: [[], []],
  }),
];

/** Who has which permission, by token. */
const ADMIN_AUTH = `module.exports.adminAuth = {
  type: 'credentials',
  users: [],
  tokens: async (token) => {
    const permissions = { reads: ['mqtt-ros.read'], writes: ['mqtt-ros.read', 'mqtt-ros.write', 'flows.write'], none: ['flows.read'] };
    return Object.hasOwn(permissions, token) ? { username: token, permissions: permissions[token] } : null;
  },
};\n`;

/** Anybody may all that somebody may. */
const OPEN = `module.exports.adminAuth = {
  type: 'credentials',
  users: [],
  default: { permissions: '*' },
  tokens: async (token) => (token === 'known' ? { username: token, permissions: '*' } : null),
};
module.exports.mqttRosGateway = { hosts: ['robot.example'], controlNodes: true };\n`;

for (const version of NODE_RED_VERSIONS) {
  describe(`the gateway API (${version.title})`, function () {
    this.timeout(60_000);
    const userDirs: string[] = [];
    let asked: NodeRedProcess;
    let open: NodeRedProcess;

    const start = (program: { node: string; script: string }, settings: string) => {
      const userDir = createUserDir();
      userDirs.push(userDir);
      linkPackage(userDir);
      writeFileSync(join(userDir, 'flows.json'), JSON.stringify(FLOWS));
      appendFileSync(join(userDir, 'settings.js'), `module.exports.httpAdminRoot = '/admin';\n${settings}`);
      return NodeRedProcess.start(program, userDir);
    };
    before(async function () {
      const program = version.program(this);
      [asked, open] = await Promise.all([start(program, ADMIN_AUTH), start(program, OPEN)]);
    });
    after(async () => {
      await Promise.all([asked?.stop(), open?.stop()]);
      for (const userDir of userDirs) rmSync(userDir, { recursive: true });
    });
    const client = (nodeRed: NodeRedProcess, token?: string) =>
      ApiClient.create(
        `${nodeRed.url}${PATH}`,
        token === undefined ? {} : { Authorization: `Bearer ${token}` },
      );

    it('asks for mqtt-ros.read and mqtt-ros.write where Node-RED asks who is there', async () => {
      const status = async (
        token: string | undefined,
        method: string,
        path: string,
        body?: object | string,
      ) => {
        const { status: answered } = await fetch(`${asked.url}${PATH}${path}`, {
          method,
          headers: {
            'Content-Type': 'application/json',
            ...(token !== undefined && { Authorization: `Bearer ${token}` }),
          },
          ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
        });
        return answered;
      };
      const message = { broker_id: 'broker-1', topic: 'a', qos: 1 };
      const ticket = { broker_id: 'broker-1', topic: 'a' };
      for (const [token, read, write] of [
        [undefined, 401, 401],
        ['unknown', 401, 401],
        ['none', 401, 401],
        ['reads', 200, 401],
        ['writes', 200, 200],
      ] as const) {
        assert.equal(await status(token, 'GET', '/brokers'), read, `${token} reads`);
        assert.equal(await status(token, 'GET', '/openapi.json'), read, `${token} reads`);
        assert.equal(await status(token, 'HEAD', '/brokers'), read, `${token} reads`);
        assert.equal(await status(token, 'HEAD', '/publish'), read === 200 ? 405 : read, `${token} reads`);
        assert.equal(await status(token, 'POST', '/publish', message), write, `${token} writes`);
        // What Node-RED's body parser cannot read has not passed those who ask.
        assert.equal(
          await status(token, 'POST', '/publish', '{'),
          write === 200 ? 400 : write,
          `${token} errs`,
        );
        assert.equal(await status(token, 'POST', '/ws/tickets', ticket), read === 200 ? 201 : 401);
      }
    });

    it('shows the brokers of the flows, which it cannot change', async () => {
      const api = await client(asked, 'writes');
      const { body } = await api.get('/brokers');
      const [embedded, shared] = body.brokers;
      assert.deepEqual([embedded.broker_id, embedded.origin], ['embedded-1', 'embedded']);
      assert.deepEqual(shared, {
        broker_id: 'broker-1',
        name: 'Shared',
        origin: 'node',
        client_id: 'shared',
        keepalive: 60,
        protocol_version: '5',
        state: 'connected',
      });
      for (const [method, path] of [
        ['DELETE', ''],
        ['PATCH', ''],
        ['POST', '/connect'],
        ['POST', '/disconnect'],
      ] as const) {
        const { status, body: refused } = await api.call(method, `/brokers/broker-1${path}`, {});
        assert.deepEqual([status, refused.error.code], [403, 'read_only'], `${method} ${path}`);
      }
    });

    it('goes on after a deploy with what replaces the brokers, and opens WebSockets by tickets alone', async () => {
      const api = await client(asked, 'writes');
      const { body: subscription } = await api.post('/subscribe', {
        broker_id: 'broker-1',
        topic: 'a',
        qos: 1,
      });
      assert.equal(subscription.state, 'subscribed');
      const ticketed = async () => {
        const { body } = await api.post('/ws/tickets', { broker_id: 'broker-1', topic: 'a' });
        return `${asked.url.replace('http', 'ws')}${body.url}`;
      };
      const reader = await LiveClient.open(await ticketed());
      await reader.until('subscribed');
      const headers = { Authorization: 'Bearer writes' };
      const place = `${asked.url.replace('http', 'ws')}${PATH}/ws/broker-1/a`;
      assert.equal((await refusal(place, { headers })).status, 401);
      const changed = FLOWS.map((node) => (node.id === 'broker-1' ? { ...node, keepAlive: 30 } : node));
      const { status } = await fetch(`${asked.url}/admin/flows`, {
        method: 'POST',
        headers: { ...headers, 'Content-Type': 'application/json' },
        body: JSON.stringify(changed),
      });
      assert.equal(status, 204);
      await reader.until('subscribed', 2);
      assert.equal((await api.get('/brokers/broker-1')).body.keepalive, 30);
      await api.post('/publish', { broker_id: 'embedded-1', topic: 'a', payload: { x: 1 }, qos: 1 });
      const [message] = await reader.until('message');
      assert.deepEqual(message.payload, { x: 1 });
      for (;;) {
        const { body } = await api.get(`/messages?subscription_id=${subscription.subscription_id}`);
        if (body.messages.length === 1) break;
      }
      await reader.close();
    });

    it('tells which ROS topics were published to, by the names that the bridges of the flows have for them', async () => {
      const api = await client(open);
      for (const topic of ['a', 'ros/car/scan', 'ros/0/scan'])
        await api.post('/publish', { broker_id: 'embedded-1', topic, payload: {}, qos: 1 });
      const { body } = await api.get('/stats');
      const [{ topic, name }, ...others] = body.embedded_brokers[0].ros_topics;
      assert.deepEqual([topic, name, others], ['ros/car/scan', '/robot1/scan', []]);
    });

    it('keeps pages of other sites away where Node-RED lets anybody in', async () => {
      const api = await client(open);
      assert.equal((await api.get('/health')).status, 200);
      assert.deepEqual((api.contract.document as unknown as { servers: unknown }).servers, [{ url: PATH }]);
      const status = async (headers: Record<string, string>) =>
        (await api.call('GET', '/health', undefined, headers)).status;
      assert.equal(await status({ Origin: 'https://evil.example' }), 403);
      for (const shown of [{}, { Authorization: 'Bearer made-up' }])
        assert.equal(await status({ ...shown, Host: 'evil.example' }), 403);
      assert.equal(await status({ Host: 'robot.example:1880' }), 200);
      assert.equal(await status({ Authorization: 'Bearer known', Host: 'other.example' }), 200);
      const text = { 'Content-Type': 'text/plain' };
      assert.equal((await api.call('POST', '/publish', '{}', text)).status, 415);
      for (const [body, answered, message] of [
        [`{"a":"${'x'.repeat(2_000_000)}"}`, 413, /^the body has more than/],
        // Beyond what Node-RED itself takes.
        [`{"a":"${'x'.repeat(6_000_000)}"}`, 413, /^the body cannot be read: request entity too large$/],
        ['{"broker_id"', 400, /^the body is not JSON: /],
      ] as const) {
        const refused = await api.call('POST', '/publish', body);
        assert.equal(refused.status, answered);
        assert.match(refused.body.error.message, message);
      }
    });

    it('connects and disconnects brokers of the flows where the settings allow it', async () => {
      const api = await client(open);
      const { body } = await api.post('/brokers/broker-1/disconnect');
      assert.equal(body.state, 'disconnected');
      assert.equal((await api.post('/brokers/broker-1/connect')).body.state, 'connected');
    });
  });
}
