import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { connect, type MqttClient } from 'mqtt';
import type { BrokerEvent } from '../../src/broker/broker-event';
import { BrokerThread } from '../../src/broker/broker-thread';
import type { Limits } from '../../src/broker/limits';
import type { ListenerSettings } from '../../src/broker/listeners/listener-settings';
import { CertificateAuthority, type IssuedCertificate } from '../certificates';
import { counterpart, freePort } from '../counterparts';
import { launchBrowser } from '../editor/editor-page';

const SCHEMES = { tcp: 'mqtt', tls: 'mqtts', ws: 'ws', wss: 'wss' } as const;

describe('the listeners of a broker', function () {
  this.timeout(60_000);
  let authority: CertificateAuthority;
  let tls: IssuedCertificate;
  let broker: BrokerThread;
  let clients: MqttClient[];

  before(function () {
    authority = new CertificateAuthority(counterpart(this, 'openssl'));
    tls = authority.issue('server');
  });
  after(() => authority?.remove());
  beforeEach(() => {
    clients = [];
  });
  afterEach(async () => {
    for (const client of clients) await client.endAsync(true);
    await broker.stop();
  });

  async function start(listeners: ListenerSettings[], limits: Partial<Limits> = {}): Promise<void> {
    broker = new BrokerThread({ listeners, limits });
    await broker.start();
  }
  const kinds = (): ListenerSettings[] =>
    (['tcp', 'tls', 'ws', 'wss'] as const).map((kind) => ({
      kind,
      host: '127.0.0.1',
      port: 0,
      ...(kind.endsWith('s') && kind !== 'ws' && { tls }),
    }));

  async function client(url: string): Promise<MqttClient> {
    const opened = connect(url, {
      reconnectPeriod: 0,
      ca: readFileSync(authority.certificate),
      protocolVersion: 5,
    });
    clients.push(opened);
    await new Promise<void>((resolve) => opened.once('connect', () => resolve()));
    return opened;
  }

  function nextEvent<T extends BrokerEvent['type']>(type: T): Promise<Extract<BrokerEvent, { type: T }>> {
    return new Promise((resolve) => {
      const listener = (event: BrokerEvent) => {
        if (event.type !== type) return;
        broker.off('event', listener);
        resolve(event as Extract<BrokerEvent, { type: T }>);
      };
      broker.on('event', listener);
    });
  }

  it('are joined: what comes in by one goes out by all', async () => {
    await start(kinds());
    const opened = [];
    for (const { kind, host, port } of broker.status.listeners) {
      opened.push(await client(`${SCHEMES[kind]}://${host}:${port}`));
    }
    assert.equal(opened.length, 4);
    for (const subscriber of opened) await subscriber.subscribeAsync('t', { qos: 1 });
    for (const publisher of opened) {
      for (const size of [0, 1000, 200_000]) {
        const payload = Buffer.alloc(size, `${size}-`);
        const received = opened.map(
          (subscriber) =>
            new Promise<Buffer>((resolve) => {
              subscriber.once('message', (_topic, message) => resolve(message));
            }),
        );
        await publisher.publishAsync('t', payload, { qos: 1 });
        for (const message of await Promise.all(received)) assert.ok(payload.equals(message));
      }
    }
  });

  it('serve mosquitto_sub over TLS with a client certificate', async function () {
    const program = counterpart(this, 'mosquitto_sub');
    const robot = authority.issue('robot');
    const clientCertificate = 'required';
    await start([
      {
        kind: 'tls',
        host: '127.0.0.1',
        port: 0,
        tls: { ...tls, clientCertificate, ca: authority.certificate },
      },
    ]);
    const port = String(broker.status.listeners[0]?.port);
    const connected = nextEvent('connected');
    const subscriber = spawn(program, [
      ...['-h', '127.0.0.1', '-p', port, '-i', 'robot', '-t', 't', '-E'],
      ...['--cafile', authority.certificate, '--cert', robot.certificate, '--key', robot.key],
    ]);
    assert.deepEqual(await once(subscriber, 'exit'), [0, null]);
    assert.equal((await connected).clientId, 'robot');
  });

  it('listen on every address that a name has', async () => {
    await start([{ host: 'localhost', port: 0 }]);
    const port = broker.status.listeners[0]?.port as number;
    for (const { address } of await lookup('localhost', { all: true })) {
      const socket = connectTcp(port, address);
      await once(socket, 'connect');
      socket.destroy();
    }
  });

  it('name a port that is taken and leave none open', async () => {
    await start([{ host: '127.0.0.1', port: 0 }]);
    const first = broker;
    const taken = broker.status.listeners[0]?.port as number;
    const free = await freePort();
    broker = new BrokerThread({
      listeners: [
        { kind: 'ws', host: '127.0.0.1', port: free },
        { host: '127.0.0.1', port: taken },
      ],
    });
    await assert.rejects(broker.start(), new RegExp(`listener tcp://127.0.0.1:${taken}: the port is in use`));
    const socket = connectTcp(free, '127.0.0.1');
    const [error] = await once(socket, 'error').catch((thrown) => [thrown]);
    assert.equal(error.code, 'ECONNREFUSED');
    await first.stop();
  });

  it('refuse a client of another machine that a proxy on this one speaks for', async () => {
    await start([{ host: '127.0.0.1', port: 0, proxies: ['127.0.0.1'] }]);
    const refused = nextEvent('refused');
    const socket = connectTcp(broker.status.listeners[0]?.port as number, '127.0.0.1');
    socket.write(Buffer.from('0d0a0d0a000d0a515549540a2111000cc0000207c00002011234075b', 'hex'));
    const { address, reason } = await refused;
    assert.equal(address, '192.0.2.7:4660');
    assert.match(reason, /other machines are not allowed/);
    socket.destroy();
  });

  it('report what they refuse, and count it', async () => {
    await start([{ kind: 'tls', host: '127.0.0.1', port: 0, tls }], { connectionsPerAddress: 1 });
    const port = broker.status.listeners[0]?.port as number;
    const refused = nextEvent('refused');
    // The first may come between the two connections.
    const counted = new Promise<void>((resolve) => {
      broker.on('statistics', ({ connectionsRefused }) => {
        if (connectionsRefused === 1) resolve();
      });
    });
    const sockets = [connectTcp(port, '127.0.0.1'), connectTcp(port, '127.0.0.1')];
    for (const socket of sockets) socket.on('error', () => {});
    // Counted before the handshake.
    assert.match((await refused).reason, /more than 1 connections from 127\.0\.0\.1/);
    await counted;
    for (const socket of sockets) socket.destroy();
  });

  describe('and a browser', () => {
    let web: Server;
    before(async () => {
      web = createServer(({ url }, response) => {
        // A sandbox is the page of another site, as far as the browser says.
        const policy = url === '/sandbox' ? { 'Content-Security-Policy': 'sandbox allow-scripts' } : {};
        response.writeHead(200, { 'Content-Type': 'text/html', ...policy }).end('<title>page</title>');
      });
      web.listen(0, '127.0.0.1');
      await once(web, 'listening');
    });
    after(() => web.close());

    it('accept a page of the same host, and no other', async function () {
      this.timeout(60_000);
      const chromium = counterpart(this, 'chromium');
      await start([{ kind: 'ws', host: '127.0.0.1', port: 0 }]);
      const url = `ws://127.0.0.1:${broker.status.listeners[0]?.port}`;
      const browser = await launchBrowser(chromium);
      try {
        const page = await browser.newPage();
        // CONNECT of MQTT 3.1.1 with client identifier "page"; resolves with the answer, or the code of the end.
        const talk = (address: string) =>
          page.evaluate(
            (to) =>
              new Promise<number[] | number>((resolve) => {
                const socket = new WebSocket(to, 'mqtt');
                socket.binaryType = 'arraybuffer';
                socket.onopen = () =>
                  socket.send(
                    Uint8Array.of(16, 16, 0, 4, 77, 81, 84, 84, 4, 2, 0, 60, 0, 4, 112, 97, 103, 101),
                  );
                socket.onmessage = ({ data }) => resolve([...new Uint8Array(data)]);
                socket.onclose = ({ code }) => resolve(code);
              }),
            address,
          );
        const site = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
        await page.goto(site);
        assert.deepEqual(await talk(url), [32, 2, 0, 0]);
        // A browser may also open and close a spare connection.
        const refused = new Promise<void>((resolve) => {
          broker.on('event', (event) => {
            if (event.type === 'refused' && event.reason === 'web pages of null may not connect') resolve();
          });
        });
        await page.goto(`${site}/sandbox`);
        assert.equal(await talk(url), 1006);
        await refused;
      } finally {
        await browser.close();
      }
    });
  });
});
