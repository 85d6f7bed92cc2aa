import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { CertificateAuthority, type IssuedCertificate } from '../certificates';
import { Mosquitto } from '../client/mosquitto';
import { httpProxy, socksProxy } from '../client/proxies';
import { counterpart, freePort } from '../counterparts';
import { freshDomain } from '../rtps/test-domain';
import {
  bridgeForm,
  brokerForm,
  type Credentials,
  connectedStatus,
  type FlowNode,
  pubForm,
  sink,
  start,
  statusText,
  stop,
  tab,
} from './flow';

const flow = (fields: Partial<FlowNode>, ...more: FlowNode[]): FlowNode[] => [
  tab,
  brokerForm({ reconnectFirst: 10, reconnectLongest: 1, ...fields }),
  pubForm({ topic: 't' }),
  ...more,
];

const tls = (fields: Partial<FlowNode>): FlowNode => ({
  id: 'tls-1',
  type: 'tls-config',
  cert: '',
  key: '',
  ca: '',
  servername: '',
  alpnprotocol: '',
  verifyservercert: true,
  ...fields,
});

describe('mqtt-broker-config: security', function () {
  this.timeout(60_000);
  let broker: Mosquitto;
  afterEach(async () => {
    await stop();
    await broker?.stop();
  });

  describe('with TLS', () => {
    let authority: CertificateAuthority;
    let server: IssuedCertificate;
    let client: IssuedCertificate;
    let url: string;

    before(function () {
      authority = new CertificateAuthority(counterpart(this, 'openssl'));
      server = authority.issue('server');
      client = authority.issue('client', { passphrase: 'phrase' });
    });
    after(() => authority?.remove());

    beforeEach(async function () {
      const port = await freePort();
      url = `mqtts://127.0.0.1:${port}`;
      broker = await Mosquitto.start(this, [
        'per_listener_settings false',
        `listener ${port} 127.0.0.1`,
        `cafile ${authority.certificate}`,
        `certfile ${server.certificate}`,
        `keyfile ${server.key}`,
        'require_certificate true',
        'use_identity_as_username true',
      ]);
    });

    it('shows the client certificate of a tls-config', async () => {
      const files = { ca: authority.certificate, cert: client.certificate, key: client.key };
      await start(flow({ url, tls: 'tls-1' }, tls(files)), { 'tls-1': { passphrase: 'phrase' } });
      await connectedStatus('pub-1');
      await broker.logged(/u'client'/);
    });

    it('refuses a tls-config that could not read its files', async () => {
      await start(flow({ url, tls: 'tls-1' }, tls({ ca: '/nowhere/ca.pem' })));
      assert.equal(
        await statusText('pub-1', () => true),
        'The TLS configuration "tls-1" cannot be used: it has said why itself',
      );
    });

    it('reads files of its own anew at each attempt', async () => {
      const [tlsCaFile, tlsCertFile, tlsKeyFile] = ['ca', 'cert', 'key'].map((name) =>
        join(broker.folder, `${name}.pem`),
      ) as [string, string, string];
      copyFileSync(client.certificate, tlsCertFile);
      copyFileSync(client.key, tlsKeyFile);
      writeFileSync(tlsCaFile, readFileSync(client.certificate));
      await start(flow({ url, tlsCaFile, tlsCertFile, tlsKeyFile }), {
        'broker-1': { tlsPassphrase: 'phrase' },
      });
      await statusText('pub-1', (text) => /certificate/.test(text));
      copyFileSync(authority.certificate, tlsCaFile);
      await connectedStatus('pub-1');
      await broker.logged(/u'client'/);
    });

    it('hands its files, a proxy and further addresses on to a bridge', async () => {
      const proxy = await httpProxy('ann:secret');
      try {
        const dead = `mqtts://127.0.0.1:${await freePort()}`;
        const files = {
          tlsCaFile: authority.certificate,
          tlsCertFile: client.certificate,
          tlsKeyFile: client.key,
        };
        const domain = freshDomain();
        const route = { domain, rosName: '/chatter', type: 'std_msgs/msg/String', direction: 'both' };
        await start(
          [
            tab,
            brokerForm({ url: dead, alternatives: [url], clientId: 'mine', proxy: proxy.url, ...files }),
            bridgeForm({ broker: 'broker-1', domains: [{ id: domain, alias: '' }], routes: [route] }),
            sink(),
          ],
          { 'broker-1': { tlsPassphrase: 'phrase', proxyUsername: 'ann', proxyPassword: 'secret' } },
        );
        await broker.logged(/ as mine-bridge-1-\w+ .*u'client'/);
        assert.deepEqual(
          proxy.targets,
          [dead, url].map((address) => address.slice('mqtts://'.length)),
        );
      } finally {
        await stop();
        await proxy.close();
      }
    });

    it('names the file that is missing beside another', async () => {
      await start(flow({ url, tlsCertFile: client.certificate }));
      assert.match(await statusText('pub-1', () => true), /^tlsKeyFile: it is blank/);
    });

    it('asks for the server name and the protocol of a tls-config', async () => {
      const asked = new Promise<TLSSocket>((resolve) => {
        const secure = createTlsServer(
          {
            cert: readFileSync(server.certificate),
            key: readFileSync(server.key),
            ALPNProtocols: ['mqtt', 'x-amzn-mqtt-ca'],
          },
          (socket) => {
            resolve(socket);
            socket.on('error', () => {});
            secure.close();
            socket.destroy();
          },
        );
        secure.listen(0, '127.0.0.1', () => {
          const { port } = secure.address() as AddressInfo;
          const options = { servername: 'broker.example', alpnprotocol: 'x-amzn-mqtt-ca' };
          const target = { url: `mqtts://127.0.0.1:${port}`, tls: 'tls-1' };
          void start(flow(target, tls({ ...options, verifyservercert: false })));
        });
      });
      const { servername, alpnProtocol } = (await asked) as TLSSocket & { servername: string };
      assert.deepEqual([servername, alpnProtocol], ['broker.example', 'x-amzn-mqtt-ca']);
    });
  });

  for (const [field, fields] of [
    ['tlsCaFile', { tlsCaFile: '/ca.pem' }],
    ['tls', { tls: 'tls-1' }],
    [
      'tlsPfxFile',
      { url: 'wss://127.0.0.1:1', alternatives: ['mqtt://127.0.0.1:1'], tlsPfxFile: '/store.p12' },
    ],
  ] as const) {
    const addresses = { url: 'mqtt://127.0.0.1:1', ...fields };
    it(`says what to do about ${field} without TLS at ${JSON.stringify(addresses)}`, async () => {
      await start(flow(addresses as Partial<FlowNode>, tls({})), { 'broker-1': { tlsPassphrase: 'phrase' } });
      assert.equal(
        await statusText('pub-1', () => true),
        `${field}: it is for TLS, but the address mqtt://127.0.0.1:1 is not secure: begin that with mqtts:// or wss://, or clear this field`,
      );
    });
  }

  it('does not mind a passphrase that is left over where there is nothing that it could be of', async function () {
    broker = await Mosquitto.start(this);
    await start(flow({ url: broker.url }), { 'broker-1': { tlsPassphrase: 'phrase' } });
    await connectedStatus('pub-1');
  });

  it('does not mind TLS fields that are left over where the broker is embedded', async () => {
    const embedded = { target: 'embedded', embedded: 'none', url: 'mqtt://127.0.0.1:1' };
    await start(flow({ ...embedded, tlsCaFile: '/ca.pem' }));
    await statusText('pub-1', (text) => text.includes('The embedded broker "none" is missing'));
  });

  it('speaks WebSocket, with the headers of the credentials', async function () {
    const port = await freePort();
    broker = await Mosquitto.start(this, [`listener ${port} 127.0.0.1`, 'protocol websockets']);
    let seen: IncomingMessage | undefined;
    const near = new Set<Duplex>();
    const gate = createServer().on('upgrade', (request: IncomingMessage, socket: Duplex) => {
      seen = request;
      near.add(socket);
      const far = connect(port, '127.0.0.1', () => {
        const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${value}`);
        far.write(`GET ${request.url} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`);
        socket.pipe(far).pipe(socket);
      });
      for (const end of [socket, far]) end.on('error', () => {}).on('close', () => far.destroy());
    });
    await new Promise<void>((resolve) => gate.listen(0, '127.0.0.1', resolve));
    try {
      const url = `ws://127.0.0.1:${(gate.address() as AddressInfo).port}/mqtt`;
      await start(flow({ url }), {
        'broker-1': {
          webSocketHeaders: JSON.stringify([{ name: 'Authorization', value: 'Bearer token' }]),
        },
      });
      await connectedStatus('pub-1');
      assert.deepEqual([seen?.url, seen?.headers.authorization], ['/mqtt', 'Bearer token']);
    } finally {
      await stop();
      for (const socket of near) socket.destroy();
      await new Promise((resolve) => gate.close(resolve));
    }
  });

  for (const [name, open] of [
    ['an HTTP', () => httpProxy('ann:secret')],
    ['a SOCKS', socksProxy],
  ] as const) {
    it(`goes through ${name} proxy, with the credentials for it`, async function () {
      broker = await Mosquitto.start(this);
      const proxy = await open();
      const credentials: Credentials = { 'broker-1': { proxyUsername: 'ann', proxyPassword: 'secret' } };
      try {
        await start(flow({ url: broker.url, proxy: proxy.url }), credentials);
        await connectedStatus('pub-1');
        assert.deepEqual([proxy.targets, proxy.users], [[`127.0.0.1:${broker.port}`], ['ann:secret']]);
      } finally {
        await stop();
        await proxy.close();
      }
    });
  }
});
