import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { mock } from 'node:test';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { Connection, type ConnectionSettings, type PasswordSource } from '../../src/client/connection';
import { CertificateAuthority } from '../certificates';
import { counterpart, freePort } from '../counterparts';
import { endingAfterEach } from '../ending-after-each';
import { Mosquitto } from './mosquitto';
import { connected, Inbox, settingsFor, statusOf } from './observed';
import { httpProxy, socksProxy } from './proxies';
import {
  CONNECT,
  PUBLISH,
  packet,
  type RawPacket,
  ScriptedBroker,
  SUBSCRIBE,
  UNSUBSCRIBE,
} from './scripted-broker';

const CONNACK = packet(2, 0, 0, 0, 0);
const quick = { qos: 1, retain: false } as const;
const agile = { reconnect: { first: 1, longest: 5 } };

describe('connecting', function () {
  this.timeout(60_000);
  const keep = endingAfterEach();

  const connect = (
    url: string,
    settings: Partial<ConnectionSettings> = {},
    version: 4 | 5 = 5,
  ): Connection => {
    const connection = keep(new Connection(settingsFor(url, version, { ...agile, ...settings })));
    connection.open();
    return connection;
  };
  const scripted = async (answer: (packet: RawPacket, socket: Socket) => void) =>
    keep(await ScriptedBroker.start(answer));
  /** Accepts, and acknowledges what comes. */
  const friendly = (connack = CONNACK) =>
    scripted((received, socket) => {
      if (received.type === CONNECT) socket.write(connack);
      if (received.type === SUBSCRIBE) socket.write(packet(9, 0, received.body.subarray(0, 2), 0, 0));
      if (received.type === UNSUBSCRIBE) socket.write(packet(11, 0, received.body.subarray(0, 2), 0, 0));
      if (received.type === PUBLISH && (received.flags & 6) === 2) {
        const id = 2 + received.body.readUInt16BE(0);
        socket.write(packet(4, 0, received.body.subarray(id, id + 2)));
      }
      if (received.type === 12) socket.write(packet(13, 0));
    });
  const folder = (): string =>
    keep(mkdtempSync(join(tmpdir(), 'client-')), (path) => rmSync(path, { recursive: true }));

  it('tries several addresses in turn, and says which it is about', async () => {
    const second = await friendly();
    const nobody = `mqtt://127.0.0.1:${await freePort()}`;
    const connection = keep(
      new Connection({ ...settingsFor(''), ...agile, endpoint: { url: nobody, alternatives: [second.url] } }),
    );
    const seen: string[] = [];
    connection.onStatus(({ state, url, reason }) => seen.push(`${state} ${url} ${reason ?? ''}`.trim()));
    connection.open();
    await connected(connection);
    assert.equal(connection.status.url, second.url);
    assert.match(seen.join('\n'), new RegExp(`reconnecting ${nobody} nothing listens there`));
    await second.stop();
    const back = await friendly();
    assert.ok(back);
    await statusOf(connection, ({ state, url }) => state === 'reconnecting' && url === nobody);
  });

  it('gives up an attempt that takes too long, before and after the network connection', async () => {
    const silent = keep(createServer(), (server) => server.close());
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    const port = typeof address === 'object' ? address?.port : 0;
    for (const [scheme, late] of [
      ['mqtt', 'the broker did not answer CONNECT in time'],
      ['ws', 'no answer in time'],
    ]) {
      const asked = new Promise<void>((resolve) => {
        silent.once('connection', (socket) => {
          keep(socket, (open) => open.destroy()).once('data', () => resolve());
        });
      });
      // The time may not be over before it has asked.
      mock.timers.enable({ apis: ['setTimeout'] });
      try {
        const attempt = connect(`${scheme}://127.0.0.1:${port}`, { connectTimeout: 0.05 });
        await asked;
        mock.timers.tick(50);
        const { reason } = await statusOf(attempt, ({ state }) => state === 'reconnecting');
        assert.equal(reason, late);
      } finally {
        mock.timers.reset();
      }
    }
  });

  for (const [name, open] of [
    ['an HTTP', () => httpProxy('ann:secret')],
    ['a SOCKS', socksProxy],
  ] as const) {
    it(`goes through ${name} proxy by TCP, TLS, WebSocket and both`, async function () {
      const authority = keep(new CertificateAuthority(counterpart(this, 'openssl')), (made) => made.remove());
      const { certificate, key } = authority.issue('server');
      const [tls, ws, wss] = [await freePort(), await freePort(), await freePort()];
      const secrets = [`certfile ${certificate}`, `keyfile ${key}`];
      const broker = keep(
        await Mosquitto.start(this, [
          ...[`listener ${tls} 127.0.0.1`, ...secrets],
          ...[`listener ${ws} 127.0.0.1`, 'protocol websockets'],
          ...[`listener ${wss} 127.0.0.1`, 'protocol websockets', ...secrets],
        ]),
      );
      const proxy = keep(await open());
      const settings = { proxy: { url: proxy.url, username: 'ann', password: 'secret' } };
      const tlsFiles = { ca: authority.certificate };
      for (const [url, more] of [
        [broker.url, {}],
        [`mqtts://127.0.0.1:${tls}`, { tlsFiles }],
        [`ws://127.0.0.1:${ws}/mqtt`, {}],
        [`wss://127.0.0.1:${wss}/mqtt`, { tlsFiles }],
      ] as [string, Partial<ConnectionSettings>][]) {
        const connection = connect(url, { ...settings, ...more });
        const inbox = await Inbox.on(connection, 'p');
        await connection.publish('p', 'x'.repeat(20_000), quick);
        await inbox.until(({ messages }) => messages.length === 1);
        await connection.close();
      }
      assert.deepEqual(
        proxy.targets,
        [broker.port, tls, ws, wss].map((port) => `127.0.0.1:${port}`),
      );
      assert.deepEqual(proxy.users, Array(4).fill('ann:secret'));
    });
  }

  it('has the proxy look the host up', async () => {
    const proxy = keep(await socksProxy());
    const broker = await friendly();
    const port = new URL(broker.url).port;
    const connection = connect(`mqtt://no-such-host.invalid:${port}`, {
      proxy: { url: proxy.url, username: 'u', password: 'p' },
    });
    await connected(connection);
    assert.deepEqual(proxy.targets, [`no-such-host.invalid:${port}`]);
  });

  it('says that it is the proxy who refuses, or is not there', async () => {
    const proxy = keep(await httpProxy('ann:secret'));
    const refused = connect('mqtt://127.0.0.1:1', { proxy: { url: proxy.url } });
    assert.equal(
      (await statusOf(refused, ({ state }) => state === 'reconnecting')).reason,
      'proxy: it answered 407 Proxy Authentication Required',
    );
    for (const scheme of ['http', 'socks5']) {
      const absent = connect('mqtt://127.0.0.1:1', {
        proxy: { url: `${scheme}://127.0.0.1:${await freePort()}` },
      });
      const { reason } = await statusOf(absent, ({ state }) => state === 'reconnecting');
      assert.match(reason ?? '', /^proxy: connect ECONNREFUSED/);
    }
  });

  it('sends its headers and the path with a WebSocket request', async () => {
    const server = keep(new WebSocketServer({ port: 0, host: '127.0.0.1' }));
    await once(server, 'listening');
    const asked = new Promise<string>((resolve) => {
      server.on('connection', (socket, request) => {
        resolve(`${request.url} ${request.headers['x-token']} ${request.headers['sec-websocket-protocol']}`);
        createWebSocketStream(socket)
          .on('data', () => socket.send(CONNACK))
          .on('error', () => {});
      });
    });
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const connection = connect(`ws://127.0.0.1:${port}/broker/mqtt?fleet=7`, {
      webSocketHeaders: { 'X-Token': 'abc' },
    });
    await connected(connection);
    assert.equal(await asked, '/broker/mqtt?fleet=7 abc mqtt');
  });

  it('takes the password anew at each attempt: from the environment, a file, or a function', async () => {
    const passwords: string[] = [];
    const broker = await scripted(({ type, body }, socket) => {
      if (type !== CONNECT) return;
      passwords.push(body.subarray(body.lastIndexOf('ann') + 5).toString());
      socket.write(packet(2, 0, 0, passwords.at(-1) === 'right' ? 0 : 0x86, 0));
    });
    const file = join(folder(), 'token');
    const variable = `PASSWORD_${Math.random().toString(36).slice(2)}`;
    let current: string | undefined;
    const given = async () => {
      if (current === undefined) throw new Error('password: ask again later');
      return current;
    };
    for (const [password, set, absence] of [
      [
        { environment: variable },
        (value) => (env[variable] = value),
        /^password: environment variable .* is not set$/,
      ],
      [
        { file },
        (value) => {
          // Whole at once: it is read in another thread meanwhile.
          writeFileSync(`${file}.new`, `${value}\n`);
          renameSync(`${file}.new`, file);
        },
        /no such file/,
      ],
      [given, (value) => (current = value), /^password: ask again later$/],
    ] as [PasswordSource, (value: string) => void, RegExp][]) {
      passwords.length = 0;
      const connection = connect(broker.url, { username: 'ann', password });
      assert.match(
        (await statusOf(connection, ({ state }) => state === 'reconnecting')).reason ?? '',
        absence,
      );
      set('wrong');
      await statusOf(connection, ({ state }) => state === 'error');
      set('right');
      await connected(connection);
      assert.deepEqual([passwords[0], passwords.at(-1)], ['wrong', 'right']);
      await connection.close();
    }
    delete env[variable];
  });

  it('reads its TLS files again at each attempt', async function () {
    const authority = keep(new CertificateAuthority(counterpart(this, 'openssl')), (made) => made.remove());
    const other = keep(new CertificateAuthority(counterpart(this, 'openssl')), (made) => made.remove());
    const { certificate, key } = authority.issue('server');
    const port = await freePort();
    keep(
      await Mosquitto.start(this, [
        `listener ${port} 127.0.0.1`,
        `certfile ${certificate}`,
        `keyfile ${key}`,
      ]),
    );
    const ca = join(folder(), 'ca.pem');
    const { readFileSync } = await import('node:fs');
    writeFileSync(ca, readFileSync(other.certificate));
    const connection = connect(`mqtts://127.0.0.1:${port}`, { tlsFiles: { ca } });
    const { reason } = await statusOf(connection, ({ state }) => state === 'reconnecting');
    assert.match(reason ?? '', /certificate/);
    writeFileSync(ca, readFileSync(authority.certificate));
    await connected(connection);
  });

  it('says in CONNECT what its settings say', async () => {
    const broker = await friendly();
    const settings: Partial<ConnectionSettings> = {
      clientId: 'c',
      receiveMaximum: 7,
      maximumPacketSize: 1000,
      topicAliasMaximum: 5,
      sessionExpiry: 60,
      userProperties: { u: 'v' },
      will: { topic: 'w', payload: 'gone', qos: 1, retain: true, delay: 9, properties: { contentType: 't' } },
    };
    await connected(connect(broker.url, settings));
    await connected(connect(broker.url, settings, 4));
    const [five, four] = broker.of(CONNECT).map(({ body }) => body.toString('hex'));
    const hex = (text: string) => Buffer.from(text).toString('hex');
    for (const property of [
      '110000003c',
      '210007',
      '27000003e8',
      '220005',
      `260001${hex('u')}0001${hex('v')}`,
      '1800000009',
      `030001${hex('t')}`,
    ]) {
      assert.ok(five?.includes(property), property);
    }
    assert.equal(four, `0004${hex('MQTT')}042e003c0001${hex('c')}0001${hex('w')}0004${hex('gone')}`);
  });

  it('speaks MQTT 3.1', async function () {
    const broker = keep(await Mosquitto.start(this));
    const connection = connect(broker.url, { protocolVersion: 3 });
    const inbox = await Inbox.on(connection, 'old', 2);
    await connection.publish('old', 'x', { qos: 2, retain: false });
    await inbox.until(({ messages }) => messages.length === 1);
    await broker.logged(/\(p1, c1, k60\)/);
    const nameless = connect(broker.url, { protocolVersion: 3, clientId: 'x'.repeat(24) });
    assert.equal(
      nameless.status.reason,
      `client id "${'x'.repeat(24)}" has 24 characters, and MQTT 3.1 expects 1 to 23`,
    );
  });

  for (const [settings, reason] of [
    [{ receiveMaximum: 0 }, 'receive maximum is 0, expected whole messages from 1 to 65535'],
    [{ password: 'x' }, 'a password is given without a user name'],
    [{ clientId: 'a\0' }, 'client id contains a NUL character'],
    [{ username: '\ud800' }, 'user name is not well-formed Unicode (a lone surrogate)'],
    [
      { proxy: { url: 'ftp://h' } },
      'proxy URL "ftp://h" starts with ftp:, expected http:, https:, socks5: or socks4:',
    ],
    [
      { proxy: { url: 'http://a:b@h' } },
      'the proxy URL contains credentials, which belong in fields of their own',
    ],
    [{ birth: { topic: '', payload: '', qos: 0, retain: false } }, 'birth message: topic name is empty'],
    [
      { proxy: { url: 'http://a:b/c@h' } },
      'the proxy URL contains credentials, which belong in fields of their own',
    ],
    [{ userProperties: { a: 1 as unknown as string } }, 'userProperties.a is 1, expected text'],
    [
      { endpoint: { url: 'mqtt://127.0.0.1', alternatives: ['ftp://h'] } },
      'URL "ftp://h" starts with ftp:, expected mqtt:, mqtts:, ws: or wss:',
    ],
  ] as [Partial<ConnectionSettings>, string][]) {
    it(`refuses at once: ${reason}`, () => {
      assert.deepEqual(connect('mqtt://127.0.0.1:1', settings).status, {
        state: 'error',
        reason,
        ...('endpoint' in settings && { url: 'mqtt://127.0.0.1' }),
      });
    });
  }

  it('publishes its birth message first after each CONNACK, and its closing message last', async () => {
    const broker = await friendly();
    const connection = connect(broker.url, {
      birth: { topic: 's', payload: 'online', qos: 1, retain: true },
      closing: { topic: 's', payload: 'offline', qos: 1, retain: true },
    });
    await connection.publish('m', 'x', quick);
    await connection.disconnect();
    const waits = connection.publish('m', 'y', quick);
    connection.open();
    await waits;
    await connection.close();
    const text = ({ body }: RawPacket) => body.subarray(2 + body.readUInt16BE(0) + 3).toString();
    assert.deepEqual(
      broker.received
        .filter(({ type }) => type !== SUBSCRIBE)
        .map((each) => (each.type === PUBLISH ? text(each) : each.type)),
      [CONNECT, 'online', 'x', 'offline', 14, CONNECT, 'online', 'y', 'offline', 14],
    );
  });

  it('disconnects and connects on request, keeping its subscriptions', async () => {
    const broker = await friendly();
    const connection = connect(broker.url);
    const inbox = await Inbox.on(connection, 'a');
    const disconnected = connection.disconnect();
    await disconnected;
    assert.deepEqual(connection.status, { state: 'disconnected', reason: 'disconnected on request' });
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    assert.equal(broker.of(CONNECT).length, 1);
    connection.open();
    await inbox.until(({ results }) => results.length === 2);
    // In the middle of it.
    void connection.disconnect();
    connection.open();
    await inbox.until(({ results }) => results.length === 3);
    assert.equal(broker.of(CONNECT).length, 3);
  });

  it('unsubscribes when it is closed, if that is wanted', async () => {
    const broker = await friendly();
    for (const unsubscribeOnClose of [false, true]) {
      const connection = connect(broker.url, { unsubscribeOnClose });
      await Inbox.on(connection, 'a');
      await Inbox.on(connection, 'b');
      await connection.close();
      assert.equal(broker.of(UNSUBSCRIBE).length, unsubscribeOnClose ? 2 : 0);
    }
  });

  it('measures how long the broker takes to answer a ping', async () => {
    const broker = await friendly();
    const connection = connect(broker.url);
    await assert.rejects(connection.ping(), /not connected/);
    await connected(connection);
    assert.equal(connection.statistics.roundTrip, undefined);
    const took = await connection.ping();
    assert.ok(took > 0 && took < 5000);
    assert.equal(connection.statistics.roundTrip, took);
  });

  for (const version of [4, 5] as const) {
    it(`names a fight over the client id, protocol level ${version}`, async function () {
      const broker = keep(await Mosquitto.start(this));
      const settings = { clientId: 'twin', reconnect: { first: 20, longest: 40 } };
      const [one, two] = [connect(broker.url, settings, version), connect(broker.url, settings, version)];
      const about = (connection: Connection) =>
        statusOf(
          connection,
          ({ reason }) => reason?.includes('another client uses the client id "twin"') === true,
        );
      const { state } = await Promise.race([about(one), about(two)]);
      assert.equal(state, 'reconnecting');
    });
  }

  it('says in words what is wrong with TLS, or with the port', async function () {
    const authority = keep(new CertificateAuthority(counterpart(this, 'openssl')), (made) => made.remove());
    const { certificate, key } = authority.issue('server');
    const tls = await freePort();
    const lines = [`listener ${tls} 127.0.0.1`, `certfile ${certificate}`, `keyfile ${key}`];
    const { port: plain } = keep(await Mosquitto.start(this, lines));
    const resetting = await scripted((_received, socket) => socket.resetAndDestroy());
    const tlsFiles = { ca: authority.certificate };
    for (const [url, settings, words] of [
      [`mqtts://127.0.0.1:${tls}`, {}, /certificate is of an authority that is not trusted here \(/],
      [`mqtts://localhost:${tls}`, { tlsFiles }, /certificate is for another host \(/],
      [`mqtts://127.0.0.1:${plain}`, {}, /^perhaps no TLS is spoken there \(/],
      [`ws://127.0.0.1:${plain}`, {}, /^perhaps no WebSocket is spoken there \(/],
      [resetting.url, {}, /^no answer to CONNECT: perhaps MQTT is not spoken there, or only with TLS \(/],
    ] as const) {
      const { reason } = await statusOf(connect(url, settings), ({ state }) => state === 'reconnecting');
      assert.match(reason ?? '', words);
    }
  });

  it('uses topic aliases as far as the broker allows', async () => {
    // Topic Alias Maximum 2.
    const broker = await friendly(packet(2, 0, 0, 0, 3, 0x22, 0, 2));
    const connection = connect(broker.url, { topicAliases: true });
    for (const topic of ['a', 'a', 'a', 'b', 'b', 'a', 'c', 'c', 'b', 'b', 'a']) {
      await connection.publish(topic, 'x', { qos: 0, retain: false });
    }
    await connection.publish('a', 'x', quick);
    const sent = broker.of(PUBLISH).map(({ body, flags }) => {
      const end = 2 + body.readUInt16BE(0);
      const properties = end + (flags & 6 ? 2 : 0);
      return `${body.subarray(2, end)}${body[properties] === 3 ? body.readUInt16BE(properties + 2) : ''}`;
    });
    assert.deepEqual(sent, ['a', 'a1', '1', 'b', 'b2', '1', 'c', 'c2', 'b', 'b1', 'a', 'a2']);
  });
});
