import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { mock } from 'node:test';
import { type ConnectionOptions, connect, type SecureContextOptions, type TLSSocket } from 'node:tls';
import type { ListenerSettings, TlsSettings } from '../../src/broker/listeners/listener-settings';
import { TlsCredentials } from '../../src/broker/listeners/tls-credentials';
import { CertificateAuthority, type IssuedCertificate } from '../certificates';
import { counterpart } from '../counterparts';
import { Listening } from './listening';

describe('a TLS listener', () => {
  let authority: CertificateAuthority;
  let server: IssuedCertificate;
  let client: IssuedCertificate;
  let listening: Listening;

  before(function () {
    authority = new CertificateAuthority(counterpart(this, 'openssl'));
    server = authority.issue('server');
    client = authority.issue('client', { commonName: 'robot-7' });
  });
  after(() => authority?.remove());
  afterEach(() => listening?.close());

  const start = async (tls: Partial<TlsSettings> = {}, settings: Partial<ListenerSettings> = {}) => {
    listening = await Listening.open(
      { kind: 'tls', tls: { ...server, ...tls }, ...settings },
      { connectTimeout: 5000 },
    );
  };
  /** Opens a connection; what the server thinks of it comes separately, in TLS 1.3 even later. */
  const open = (options: ConnectionOptions = {}): TLSSocket => {
    const ca = readFileSync(authority.certificate);
    const socket = connect({ port: listening.port, host: '127.0.0.1', ca, ...options });
    socket.on('error', () => {});
    return socket;
  };
  const pem = ({ certificate, key }: IssuedCertificate) => ({
    cert: readFileSync(certificate),
    key: readFileSync(key),
  });

  it('carries bytes both ways', async () => {
    await start();
    const served = listening.served();
    const socket = open();
    await once(socket, 'secureConnect');
    assert.equal(socket.getProtocol(), 'TLSv1.3');
    const { stream, peer } = await served;
    assert.deepEqual(peer, { address: `127.0.0.1:${socket.localPort}`, host: '127.0.0.1' });
    assert.deepEqual(listening.admitted, [peer]);
    stream.write('there');
    assert.equal(String((await once(socket, 'data'))[0]), 'there');
    socket.write('back');
    assert.equal(String((await once(stream, 'data'))[0]), 'back');
  });

  it('takes PEM text in place of paths', async () => {
    await start({
      certificate: readFileSync(server.certificate, 'utf8'),
      key: readFileSync(server.key, 'utf8'),
    });
    await once(open(), 'secureConnect');
  });

  it('opens an encrypted key with its passphrase', async () => {
    const encrypted = authority.issue('encrypted', { passphrase: 'open sesame' });
    await start({ ...encrypted, passphrase: 'open sesame' });
    await once(open(), 'secureConnect');
    await assert.rejects(
      Listening.open({ kind: 'tls', tls: { ...encrypted, passphrase: 'wrong' } }),
      /listener tls:\/\/127\.0\.0\.1:0: TLS certificate and key cannot be used/,
    );
  });

  it('comes after the header of a proxy, even when both come together', async () => {
    await start({}, { proxies: ['127.0.0.1'] });
    const served = listening.served();
    const socket = await listening.socket();
    socket.write(Buffer.from('0d0a0d0a000d0a515549540a2111000cc0000207c00002011234075b', 'hex'));
    open({ socket });
    assert.equal((await served).peer.address, '192.0.2.7:4660');
  });

  it('refuses an older version than its minimum', async () => {
    await start({ minimumVersion: 'TLSv1.3' });
    const refusal = listening.refusal();
    open({ maxVersion: 'TLSv1.2' });
    assert.match(await refusal, /TLS: .*protocol/);
    await once(open(), 'secureConnect');
  });

  it('refuses who speaks no TLS, or not soon enough, and goes on', async () => {
    // By the real clock a handshake may take longer than a test wants to wait.
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      await start();
      let refusal = listening.refusal();
      const stranger = await listening.socket();
      stranger.resume().write('not TLS at all');
      assert.match(await refusal, /TLS: /);
      refusal = listening.refusal();
      (await listening.socket()).resume();
      while (listening.admitted.length < 2) await new Promise(setImmediate);
      mock.timers.tick(5000);
      assert.match(await refusal, /too slow/);
      await once(open(), 'secureConnect');
    } finally {
      mock.timers.reset();
    }
  });

  describe('with client certificates', () => {
    let foreign: IssuedCertificate;
    before(function () {
      const other = new CertificateAuthority(counterpart(this, 'openssl'));
      const issued = other.issue('robot-7');
      foreign = { certificate: authority.path('foreign.pem'), key: authority.path('foreign.key') };
      copyFileSync(issued.certificate, foreign.certificate);
      copyFileSync(issued.key, foreign.key);
      other.remove();
    });

    for (const clientCertificate of ['requested', 'required'] as const) {
      const ask = () => start({ clientCertificate, ca: authority.certificate });

      it(`says the common name of a valid one that is ${clientCertificate}`, async () => {
        await ask();
        for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
          const served = listening.served();
          open({ ...pem(client), maxVersion });
          assert.equal((await served).peer.certificateName, 'robot-7', maxVersion);
        }
      });

      it(`says it again when the session is resumed, ${clientCertificate}`, async () => {
        await ask();
        const first = open({ ...pem(client), maxVersion: 'TLSv1.2' });
        await once(first, 'secureConnect');
        const served = listening.served();
        const second = open({ maxVersion: 'TLSv1.2', session: first.getSession() as Buffer });
        assert.equal((await served).peer.certificateName, 'robot-7');
        assert.ok(second.isSessionReused());
      });

      it(`refuses one of another authority, ${clientCertificate}`, async () => {
        await ask();
        const refusal = listening.refusal();
        open(pem(foreign)).resume();
        assert.match(await refusal, /client's certificate is not valid/);
      });
    }

    it('lets in without one that is only requested', async () => {
      await start({ clientCertificate: 'requested', ca: authority.certificate });
      const served = listening.served();
      open();
      assert.equal((await served).peer.certificateName, undefined);
    });

    it('refuses without one that is required', async () => {
      await start({ clientCertificate: 'required', ca: authority.certificate });
      const refusal = listening.refusal();
      open().resume();
      assert.match(await refusal, /client's certificate is missing/);
    });

    it('needs to know who signs them', async () => {
      await assert.rejects(
        Listening.open({ kind: 'tls', tls: { ...server, clientCertificate: 'required' } }),
        /need the certificate authority/,
      );
    });
  });

  describe('whose files change', () => {
    let files: IssuedCertificate;
    const put = ({ certificate, key }: IssuedCertificate) => {
      copyFileSync(certificate, files.certificate);
      copyFileSync(key, files.key);
    };
    const changed = async () => (await once(listening, 'credentials'))[0];
    const presented = async (): Promise<string> => {
      const socket = open();
      await once(socket, 'secureConnect');
      return socket.getPeerCertificate().subject.CN as string;
    };

    beforeEach(async () => {
      files = { certificate: authority.path('live.pem'), key: authority.path('live.key') };
      put(server);
      await start(files);
    });

    it('presents the new certificate to new connections and keeps the old ones', async function () {
      this.timeout(60_000);
      const next = authority.issue('next');
      const served = listening.served();
      const old = open();
      const { stream } = await served;
      const change = changed();
      put(next);
      assert.deepEqual(await change, { listener: 'listener tls://127.0.0.1:0', failure: undefined });
      assert.equal(await presented(), 'next');
      stream.write('still here');
      assert.equal(String((await once(old, 'data'))[0]), 'still here');
    });

    it('finds what changed between reading them and looking at them first', async function () {
      this.timeout(60_000);
      await listening.close();
      const credentials = new TlsCredentials(files);
      await credentials.load();
      const next = authority.issue('next');
      put(next);
      const { cert } = await new Promise<SecureContextOptions>((resolve, reject) =>
        credentials.watch(resolve, reject),
      ).finally(() => credentials.unwatch());
      assert.equal(cert, readFileSync(next.certificate, 'utf8'));
    });

    it('keeps the old certificate when the new one cannot be used, and says so', async function () {
      this.timeout(60_000);
      const change = changed();
      writeFileSync(files.certificate, 'half a certifi');
      assert.match((await change).failure, /TLS certificate and key cannot be used/);
      assert.equal(await presented(), 'server');
    });

    it('keeps the old certificate when the new one does not fit the key', async function () {
      this.timeout(60_000);
      const change = changed();
      copyFileSync(client.certificate, files.certificate);
      assert.match((await change).failure, /key values mismatch/);
      assert.equal(await presented(), 'server');
    });
  });

  describe('is not opened', () => {
    const refused = (tls: Partial<TlsSettings>, message: RegExp) =>
      assert.rejects(Listening.open({ kind: 'tls', tls: { ...server, ...tls } }), message);

    it('without certificate, key or files', async () => {
      await assert.rejects(Listening.open({ kind: 'tls' }), /TLS certificate and key are missing/);
      await refused({ certificate: '' }, /TLS certificate is missing/);
      await refused({ key: '/no/such.key' }, /TLS key cannot be read: ENOENT/);
      await refused({ ca: '/no/such.pem' }, /TLS certificate authority cannot be read/);
    });

    it('with a key of another certificate', () => refused({ key: client.key }, /key values mismatch/));
  });
});
