import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { Gateway } from '../../src/gateway/gateway';
import { GatewayServer } from '../../src/gateway/gateway-server';
import { GatewayFixture } from './gateway-fixture';

describe('who may call the gateway', () => {
  let fixture: GatewayFixture | undefined;

  afterEach(async () => {
    await fixture?.stop();
    fixture = undefined;
  });

  const status = async (headers: Record<string, string>, method = 'GET', path = '/health') =>
    (await fixture?.api.call(method, path, undefined, headers))?.status;

  it('answers whoever asks by an address or as localhost, and no other name', async () => {
    fixture = await GatewayFixture.start({ guard: { hosts: ['robot.example'] } });
    for (const host of ['127.0.0.1', 'localhost:8441', '[::1]:8441', 'robot.example:80', 'ROBOT.example'])
      assert.equal(await status({ Host: host }), 200, host);
    for (const host of [
      'evil.example',
      'evil.example:8441',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
    ])
      assert.equal(await status({ Host: host }), 403, host);
    for (const host of ['a b', 'x/y@']) assert.equal(await status({ Host: host }), 400, host);
  });

  it('answers pages of its own host and of the origins of its settings alone', async () => {
    fixture = await GatewayFixture.start({ guard: { origins: ['https://panel.example'] } });
    const { port } = fixture;
    assert.equal(await status({ Origin: `http://127.0.0.1:${port}` }), 200);
    for (const origin of ['https://evil.example', 'null', `http://127.0.0.1:${port + 1}`, 'http://localhost'])
      assert.equal(await status({ Origin: origin }), 403, origin);
    assert.equal(await status({ 'Sec-Fetch-Site': 'cross-site' }), 403);
    const { headers } = await fixture.api.call('GET', '/health', undefined, {
      Origin: 'https://panel.example',
      'Sec-Fetch-Site': 'cross-site',
    });
    assert.equal(headers['access-control-allow-origin'], 'https://panel.example');
    assert.equal(headers.vary, 'Origin');
  });

  it('tells a browser before a call whether the page may make it', async () => {
    fixture = await GatewayFixture.start({ guard: { origins: ['https://panel.example'], token: 'secret' } });
    const ask = (origin: string) =>
      fetch(`http://127.0.0.1:${fixture?.port}/health`, { method: 'OPTIONS', headers: { Origin: origin } });
    const allowed = await ask('https://panel.example');
    assert.equal(allowed.status, 204);
    assert.equal(allowed.headers.get('access-control-allow-methods'), 'GET');
    const refused = await ask('https://evil.example');
    assert.equal(refused.status, 403);
    assert.equal(refused.headers.get('access-control-allow-origin'), null);
  });

  it('asks for the token that it has been given, whatever is called', async () => {
    fixture = await GatewayFixture.start({ guard: { token: 'secret' } });
    assert.equal(await status({}), 200);
    for (const shown of ['', 'secret', 'Bearer', 'Bearer secre', 'Bearer secret2', 'Basic secret'])
      assert.equal(await status({ Authorization: shown }), 401, shown);
    assert.equal(await status({ Authorization: 'Bearer x' }, 'GET', '/nothing'), 401);
    const { headers } = await fixture.api.call('GET', '/health', undefined, { Authorization: undefined });
    assert.equal(headers['www-authenticate'], 'Bearer');
    // Who has it may ask by any name.
    assert.equal(await status({ Host: 'robot.example' }), 200);
  });

  it('does not listen beyond loopback without a token', async () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'robot.example']) {
      const gateway = new Gateway({ version: '1' });
      const server = new GatewayServer(gateway, { host, port: 0 });
      await assert.rejects(server.open(), {
        name: 'GatewayServerError',
        message: `the gateway on ${host} would be open to other machines, expected a token or a loopback address`,
      });
    }
  });

  it('says that its port is in use', async () => {
    fixture = await GatewayFixture.start();
    const { gateway, port } = fixture;
    await assert.rejects(new GatewayServer(gateway, { host: '127.0.0.1', port }).open(), {
      message: `the gateway cannot listen on 127.0.0.1 port ${port}: the port is in use`,
    });
  });

  it('closes a connection that does not speak HTTP', async () => {
    fixture = await GatewayFixture.start();
    const socket = connect(fixture.port, '127.0.0.1');
    socket.write('\x10\x0c\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x00');
    assert.match(await text(socket), /^HTTP\/1.1 400 /);
  });
});
