import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Gateway } from '../../src/gateway/gateway';
import { GatewayServer } from '../../src/gateway/gateway-server';
import { GatewayFixture } from './gateway-fixture';

describe('the gateway', () => {
  let fixture: GatewayFixture;

  before(async () => {
    fixture = await GatewayFixture.start({ limits: { bodyBytes: 1000 } });
  });
  after(() => fixture.stop());

  it('serves a valid OpenAPI 3.1 document', async () => {
    const validator = new Validator();
    const { document } = fixture.api.contract;
    const { valid, errors } = await validator.validate(structuredClone(document) as never);
    assert.ok(valid, JSON.stringify(errors));
    assert.equal(validator.version, '3.1');
    const ids = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    );
    assert.equal(new Set(ids).size, ids.length);
  });

  it('says how it is', async () => {
    const { status, body, headers } = await fixture.api.get('/health');
    assert.equal(status, 200);
    assert.equal(body.status, 'ok');
    assert.equal(body.version, '1.2.3');
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['x-content-type-options'], 'nosniff');
  });

  for (const [method, path, status, message] of [
    ['GET', '/nothing', 404, 'there is nothing at this path'],
    ['GET', '/health/', 404, 'there is nothing at this path'],
    ['DELETE', '/health', 405, 'DELETE is not possible here, expected GET'],
    ['GET', '/health?a=1', 400, 'there is no parameter "a", expected none'],
  ] as const) {
    it(`answers ${method} ${path} with ${status}`, async () => {
      const answer = await fixture.api.call(method, path);
      assert.equal(answer.status, status);
      assert.equal(answer.body.error.message, message);
      if (status === 405) assert.equal(answer.headers.allow, 'GET');
    });
  }

  it('answers HEAD as GET, without the body', async () => {
    for (const [path, status] of [
      ['/health', 200],
      ['/publish', 405],
    ] as const) {
      const answer = await fetch(`${fixture.api.url}${path}`, { method: 'HEAD' });
      assert.equal(answer.status, status);
      assert.ok(Number(answer.headers.get('content-length')) > 0);
      assert.equal(await answer.text(), '');
    }
  });

  for (const [what, body, headers, status, message] of [
    ['not JSON', '{"a"', {}, 400, /^the body is not JSON: /],
    ['empty', '', {}, 400, /^broker_id is missing$/],
    ['null', 'null', {}, 400, /^the body is null, expected an object$/],
    ['longer than allowed', `{"a":"${'x'.repeat(1000)}"}`, {}, 413, /^the body has more than 1000 bytes$/],
    [
      'longer than allowed, without saying so',
      `{"a":"${'x'.repeat(1000)}"}`,
      { 'Transfer-Encoding': 'chunked', 'Content-Length': undefined },
      413,
      /^the body has more than 1000 bytes$/,
    ],
    [
      'a form',
      'a=b',
      { 'Content-Type': 'application/x-www-form-urlencoded' },
      415,
      /^expected "Content-Type/,
    ],
    ['without a type', '{}', { 'Content-Type': undefined }, 415, /^expected "Content-Type/],
  ] as const) {
    it(`refuses a body that is ${what}`, async () => {
      const answer = await fixture.api.call('POST', '/publish', body, headers);
      assert.equal(answer.status, status);
      assert.match(answer.body.error.message, message);
    });
  }

  it('refuses a body that is not UTF-8', async () => {
    const answer = await fetch(`${fixture.api.url}/publish`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: Buffer.from([0x22, 0xff, 0x22]),
    });
    assert.equal(answer.status, 400);
    assert.match(await answer.text(), /the body is not UTF-8/);
  });

  it('refuses a body that is nested more deeply than others could read it', async () => {
    const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
    for (const [levels, message] of [
      [199, 'there is no broker "x"'],
      [200, 'the body is nested in more than 200 levels'],
    ] as const) {
      const body = `{"broker_id":"x","topic":"a","payload":${nested(levels)}}`;
      assert.equal((await fixture.api.call('POST', '/publish', body)).body.error.message, message);
    }
  });

  it('answers clients that ask for HTTP/2 besides, on the same connection', async () => {
    const socket = connect(fixture.port, '127.0.0.1');
    const fields = [
      'Host: 127.0.0.1',
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AA',
    ];
    const received: string[] = [];
    const answer = async (pattern: RegExp) => {
      while (!pattern.test(received.join(''))) await once(socket, 'data');
    };
    socket.setEncoding('latin1').on('data', (text: string) => received.push(text));
    socket.write(['GET /health HTTP/1.1', ...fields, '', ''].join('\r\n'));
    await answer(/HTTP\/1.1 200 /);
    const head = [
      'POST /publish HTTP/1.1',
      ...fields,
      'Content-Type: application/json',
      'Content-Length: 29',
    ];
    socket.write([...head, '', '{"broker_id":"x",'].join('\r\n'));
    socket.write('"topic":"a"}');
    await answer(/HTTP\/1.1 404 .*there is no broker \\"x\\"/s);
    socket.write(
      ['GET /health HTTP/1.1', 'Host: 127.0.0.1', 'Connection: close, Upgrade', 'Upgrade: h2c', '', ''].join(
        '\r\n',
      ),
    );
    await once(socket, 'close');
  });

  it('ends connections on which a request does not come in time, whole or its head', async () => {
    const gateway = new Gateway({ version: '1.2.3' });
    const timeouts = { headersTimeout: 200, requestTimeout: 400 };
    const server = new GatewayServer(gateway, { host: '127.0.0.1', port: 0, ...timeouts });
    const { port } = await server.open();
    const head = 'POST /publish HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n';
    try {
      for (const part of [head, `${head}Content-Length: 9\r\n\r\n{`]) {
        const socket = connect(port, '127.0.0.1');
        socket.write(part);
        // Of Node.js: what the gateway answers has a body.
        assert.match(await text(socket), /^HTTP\/1\.1 408 .*\r\nConnection: close\r\n\r\n$/);
      }
    } finally {
      await server.close();
    }
  });

  it('goes on when a caller goes within its body', async () => {
    const socket = connect(fixture.port, '127.0.0.1');
    const head = ['POST /publish HTTP/1.1', 'Host: 127.0.0.1', 'Content-Type: application/json'];
    socket.write([...head, 'Content-Length: 100', '', '{"a'].join('\r\n'));
    await once(socket, 'connect');
    socket.destroy();
    assert.equal((await fixture.api.get('/health')).status, 200);
  });

  it('does not wait for a body that does not come', async () => {
    const brief = await GatewayFixture.start({ limits: { bodyTimeout: 50 } });
    try {
      const socket = connect(brief.port, '127.0.0.1');
      const head = ['POST /publish HTTP/1.1', 'Host: 127.0.0.1', 'Content-Type: application/json'];
      socket.write([...head, 'Content-Length: 100', '', '{"a'].join('\r\n'));
      // The connection ends as well: what would come later is no request.
      const answer = await text(socket);
      assert.match(answer, /^HTTP\/1\.1 408 /);
      assert.match(answer, /"code":"request_timeout","message":"the body did not come within 0\.05 s"/);
    } finally {
      await brief.stop();
    }
  });

  it('answers so many calls at a time', async () => {
    const few = await GatewayFixture.start({ limits: { calls: 1 } });
    try {
      const socket = connect(few.port, '127.0.0.1');
      const head = ['POST /publish HTTP/1.1', 'Host: 127.0.0.1', 'Content-Type: application/json'];
      socket.write([...head, 'Expect: 100-continue', 'Content-Length: 100', '', ''].join('\r\n'));
      // The server asks for the body, and so has begun.
      await once(socket, 'data');
      const { status, body } = await few.api.get('/health');
      assert.deepEqual([status, body.error.code], [429, 'limit_reached']);
      socket.destroy();
      await once(socket, 'close');
      while ((await few.api.get('/health')).status !== 200);
    } finally {
      await few.stop();
    }
  });
});
