import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import WebSocket from 'ws';
import { BrokerThread } from '../../src/broker/broker-thread';
import { Connection } from '../../src/client/connection';
import type { GatewaySettings } from '../../src/gateway/gateway';
import { Mosquitto } from '../client/mosquitto';
import { GatewayFixture } from './gateway-fixture';
import { LiveClient, refusal } from './live-client';

describe('WebSockets of the gateway', function () {
  this.timeout(60_000);
  let embedded: BrokerThread;
  let fixture: GatewayFixture;
  let clients: LiveClient[];

  before(async () => {
    embedded = new BrokerThread({ listeners: [{ host: '127.0.0.1', port: 0 }] });
    await embedded.start();
  });
  after(() => embedded.stop());
  beforeEach(() => {
    clients = [];
  });
  afterEach(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await fixture.stop();
  });

  const begin = async (settings: Partial<GatewaySettings> = {}) => {
    const broker = { id: 'ours', name: 'Ours', broker: embedded };
    fixture = await GatewayFixture.start({ ...settings, sources: { embeddedBrokers: () => [broker] } });
  };
  const url = (topic: string, broker = 'ours') =>
    `ws://127.0.0.1:${fixture.port}/ws/${broker}/${encodeURIComponent(topic)}`;
  const listen = async (topic: string, options = {}) => {
    const client = await LiveClient.open(url(topic), options);
    clients.push(client);
    await client.until('subscribed');
    return client;
  };
  const readers = async () => (await fixture.api.get('/stats')).body.readers;
  const publish = async (topic: string, payload: unknown, more: object = {}) => {
    const { status } = await fixture.api.post('/publish', {
      broker_id: 'ours',
      topic,
      payload,
      qos: 1,
      ...more,
    });
    assert.equal(status, 200);
  };

  it('tell what is published, as the document says', async () => {
    await begin();
    const client = await listen('a/+');
    assert.deepEqual(client.events, [{ type: 'subscribed', broker_id: 'ours', topic: 'a/+' }]);
    await publish('a/b', { x: 1 }, { properties: { content_type: 'application/json' } });
    await publish('a/c', 'text');
    const [first, second] = await client.until('message', 2);
    const { type, received_at, ...message } = first;
    assert.deepEqual(message, {
      broker_id: 'ours',
      topic: 'a/b',
      payload: { x: 1 },
      payload_encoding: 'json',
      qos: 0,
      retain: false,
      properties: { content_type: 'application/json' },
    });
    assert.ok(Math.abs(Date.parse(received_at) - Date.now()) < 60_000);
    const check = fixture.api.contract.schema('components', 'schemas', 'Message');
    for (const { type: _type, ...body } of [first, second])
      assert.ok(check(body), JSON.stringify(check.errors));
  });

  it('tell messages of any length, in order', async () => {
    await begin();
    const client = await listen('a');
    const lengths = [0, 1, 120, 65_300, 65_536, 300_000, 700_000];
    for (const length of lengths) await publish('a', 'ü'.repeat(length / 2));
    await client.until('message', lengths.length);
    assert.deepEqual(
      client.payloads.map((payload) => String(payload).length),
      lengths.map((length) => Math.floor(length / 2)),
    );
  });

  it('share one subscription, and each gets every message once', async function () {
    const mosquitto = await Mosquitto.start(this, ['set_tcp_nodelay true']);
    try {
      await begin();
      const { body } = await fixture.api.post('/brokers', {
        name: 'm',
        host: '127.0.0.1',
        port: mosquitto.port,
      });
      const id = body.broker_id;
      await fixture.api.post(`/brokers/${id}/connect`);
      await fixture.api.post('/publish', { broker_id: id, topic: 'a', payload: 0, retain: true, qos: 1 });
      const first = await LiveClient.open(url('a', id));
      clients.push(first);
      await first.until('message');
      for (let each = 0; each < 20; each++) clients.push(await LiveClient.open(url('a', id)));
      // Those who come later are sent what is retained as well.
      for (const client of clients) await client.until('message');
      for (let count = 1; count <= 50; count++) {
        await fixture.api.post('/publish', { broker_id: id, topic: 'a', payload: count, qos: 1 });
      }
      const all = Array.from({ length: 51 }, (_each, index) => index);
      for (const client of clients) {
        await client.until('message', all.length);
        assert.deepEqual(client.payloads, all);
      }
      const subscribes = mosquitto.log.filter((line) => /Received SUBSCRIBE/.test(line)).length;
      assert.ok(subscribes < 10, `${subscribes} SUBSCRIBE packets`);
      const gone = mosquitto.logged(/Received UNSUBSCRIBE/);
      await Promise.all(clients.splice(0).map((client) => client.close()));
      await gone;
    } finally {
      await mosquitto.stop();
    }
  });

  it('tell a slow reader how many messages it has missed', async () => {
    await begin({ limits: { readerBytes: 100_000 } });
    const [slow, quick] = [await listen('a'), await listen('a')];
    slow.network.pause();
    let sent = 0;
    // Until more is under way than the system's buffers take.
    while ((await readers()).missed === 0) {
      await publish('a', { number: sent++, filling: 'x'.repeat(50_000) });
    }
    slow.network.resume();
    const [missed] = await slow.until('missed');
    await publish('a', { number: sent++ });
    const read = ({ events }: LiveClient) => events.filter(({ type }) => type === 'message').length;
    const lost = ({ events }: LiveClient) => events.reduce((sum, { count = 0 }) => sum + count, 0);
    for (const client of [slow, quick]) {
      while (read(client) + lost(client) < sent) await client.next();
      assert.equal(read(client) + lost(client), sent);
    }
    assert.ok(missed.count > 0);
    assert.equal((await readers()).waiting_bytes, 0);
  });

  it('tell all readers what came faster than it could be passed on', async () => {
    await begin();
    const both = [await listen('a'), await listen('a')];
    const source = new Connection({
      endpoint: { openStream: () => embedded.openStream() },
      protocolVersion: 5,
      clientId: 'source',
      keepAlive: 0,
      cleanStart: true,
    });
    source.open();
    const payload = 'x'.repeat(2000);
    const flood = Array.from({ length: 2000 }, () => source.publish('a', payload, { qos: 0, retain: false }));
    await Promise.all(flood);
    await source.close();
    let sent = flood.length;
    for (; !both.every(({ payloads }) => payloads.includes('last')); sent++) await publish('a', 'last');
    const account = (client: LiveClient) =>
      client.events.reduce((sum, { type, count = 0 }) => sum + (type === 'message' ? 1 : count), 0);
    for (const client of both) {
      while (account(client) < sent) await client.next();
      assert.equal(account(client), sent);
      assert.ok(client.events.some(({ type }) => type === 'missed'));
    }
  });

  it('are one client of an embedded broker for each topic filter, as long as there are readers', async () => {
    await begin();
    const clients = async () => {
      const { entries } = await embedded.administration.clients({ clientId: '-live-', offset: 0, limit: 9 });
      return entries.length;
    };
    const [one, other, another] = [await listen('a'), await listen('a'), await listen('b')];
    assert.equal(await clients(), 2);
    await one.close();
    await another.close();
    while ((await clients()) === 2);
    await publish('a', 1);
    await other.until('message');
    const source = embedded.listenerCount('event');
    await other.close();
    while ((await clients()) === 1);
    assert.equal(embedded.listenerCount('event'), source - 1);
  });

  it('are sent nothing while the broker is disconnected by a call, and go on when it is connected again', async () => {
    await begin();
    const client = await listen('a');
    await fixture.api.post('/brokers/ours/disconnect');
    const { entries } = await embedded.administration.clients({ clientId: '', offset: 0, limit: 9 });
    assert.deepEqual(entries, []);
    await fixture.api.post('/brokers/ours/connect');
    await client.until('subscribed', 2);
    await publish('a', 'again');
    await client.until('message');
    assert.deepEqual(client.payloads, ['again']);
  });

  for (const [what, limits, reason] of [
    [
      'has missed too many',
      { readerBytes: 100_000, readerMissed: 5 },
      /^too slow: \d+ messages were missed$/,
    ],
    ['takes too much memory', { readersBytes: 200_000 }, /^too slow: 200000 bytes wait for all readers$/],
  ] as const) {
    it(`cut off a reader that ${what}, and only that`, async () => {
      await begin({ limits });
      const [slow, quick] = [await listen('a'), await listen('a')];
      slow.network.pause();
      let sent = 0;
      while ((await readers()).cut_off === 0) {
        await publish('a', { number: sent++, filling: 'x'.repeat(50_000) });
      }
      slow.network.resume();
      const { code, reason: said } = await slow.closed;
      assert.equal(code, 1013);
      assert.match(said, reason);
      while (!quick.payloads.includes('last')) await publish('a', 'last');
    });
  }

  it('have nothing waiting any more when they have taken it, or have gone', async () => {
    await begin();
    const [taking, gone] = [await listen('a'), await listen('a')];
    for (const { network } of [taking, gone]) network.pause();
    for (let sent = 0; (await readers()).missed < 20; sent++) {
      await publish('a', { number: sent, filling: 'x'.repeat(50_000) });
    }
    assert.ok((await readers()).waiting_bytes > 50_000);
    taking.network.resume();
    await gone.close();
    while ((await readers()).waiting_bytes > 0);
  });

  it('are opened with a ticket, once and only where it is for', async () => {
    await begin({ guard: { token: 'secret' } });
    const ticket = async (topic: string) => {
      const { status, body } = await fixture.api.post('/ws/tickets', { broker_id: 'ours', topic });
      assert.equal(status, 201);
      assert.equal(body.url, `/ws/ours/${encodeURIComponent(topic)}?ticket=${body.ticket}`);
      return body.ticket as string;
    };
    const one = await ticket('a/#');
    const client = await LiveClient.open(`${url('a/#')}?ticket=${one}`);
    clients.push(client);
    const [none, used, other] = [
      await refusal(url('a/#')),
      await refusal(`${url('a/#')}?ticket=${one}`),
      await refusal(`${url('b')}?ticket=${await ticket('a')}`),
    ];
    assert.deepEqual([none.status, used.status, other.status], [401, 401, 401]);
    assert.equal(none.message, 'expected a token, as "Authorization: Bearer <token>"');
    assert.equal(used.message, 'the ticket is not good for this, or not any more');
    // A program that can send the token needs no ticket.
    clients.push(await LiveClient.open(url('a/#'), { headers: { Authorization: 'Bearer secret' } }));
  });

  it('are not opened for pages of other sites, by other names, or beside the paths that there are', async () => {
    await begin({ limits: { readers: 1 } });
    const bad = encodeURIComponent('a/#/b');
    const base = `ws://127.0.0.1:${fixture.port}`;
    for (const [address, options, status] of [
      [url('a'), { origin: 'https://evil.example' }, 403],
      [url('a'), { headers: { Host: 'evil.example' } }, 403],
      [url('a', 'other'), {}, 404],
      [`${base}/ws/ours`, {}, 404],
      [`${base}/health`, {}, 404],
      [`${base}/ws/ours/${bad}`, {}, 400],
      [`${base}/ws/ours/%ff`, {}, 400],
      [`${base}/ws/ours/a?x=1`, {}, 400],
      [url('$share/g/a'), {}, 400],
    ] as const) {
      assert.equal((await refusal(address, options)).status, status, address);
    }
    await listen('a');
    assert.deepEqual(await refusal(url('b')), {
      status: 429,
      code: 'limit_reached',
      message: 'there are 1 readers already',
    });
  });

  it('that are refused are closed, whether or not the client closes them', async () => {
    await begin();
    const socket = connect({ port: fixture.port, host: '127.0.0.1', allowHalfOpen: true });
    const head = [
      'GET /ws/nobody/a HTTP/1.1',
      'Host: 127.0.0.1',
      'Connection: Upgrade',
      'Upgrade: websocket',
    ];
    socket.write([...head, '', ''].join('\r\n'));
    const [answer] = await once(socket, 'data');
    assert.match(String(answer), /^HTTP\/1.1 404 /);
    await once(socket, 'end');
    // Nobody is there any more who reads.
    const refused = once(socket, 'error');
    const writing = setInterval(() => socket.write('x'), 10);
    const [{ code }] = await refused;
    clearInterval(writing);
    assert.match(code, /^(EPIPE|ECONNRESET)$/);
  });

  it('do not come back while the server closes', async () => {
    await begin();
    const again = (): void => {
      const socket = new WebSocket(url('a'));
      socket.on('error', () => {}).on('open', () => socket.on('close', again));
    };
    again();
    while ((await readers()).connected === 0);
    await fixture.stop();
  });

  it('say why there is nothing to read', async () => {
    await begin();
    const [{ port = 0 } = {}] = embedded.status.listeners;
    const { body } = await fixture.api.post('/brokers', { name: 'x', host: '127.0.0.1', port });
    const { broker_id } = body;
    await fixture.api.post('/subscribe', { broker_id, topic: 'a', retain_as_published: true });
    const client = await LiveClient.open(url('a', broker_id));
    const [{ error }] = await client.until('error');
    assert.equal(error.code, 'refused');
    assert.match(error.message, /differ in Retain As Published/);
    assert.equal((await client.closed).code, 1011);
  });

  it('end when the reader says something, when the broker is removed, and with the gateway', async () => {
    await begin();
    const talker = await listen('a');
    talker.socket.send('hello');
    assert.deepEqual(await talker.closed, { code: 1008, reason: 'nothing is expected from a reader' });
    const { body } = await fixture.api.post('/brokers', { name: 'x', host: '127.0.0.1', port: 1 });
    const orphan = await LiveClient.open(url('a', body.broker_id));
    await fixture.api.call('DELETE', `/brokers/${body.broker_id}`);
    assert.deepEqual(await orphan.closed, { code: 1001, reason: 'the broker has been removed' });
    const last = await listen('a');
    await fixture.gateway.close();
    assert.equal((await last.closed).code, 1006);
  });
});
