import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import type { AccessSettings, UserSettings } from '../../src/broker/access/access-settings';
import type { DecisionRequest } from '../../src/broker/access/decisions';
import { hashPassword, scramVerifier } from '../../src/broker/access/password-hash';
import { BrokerThread } from '../../src/broker/broker-thread';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { CertificateAuthority } from '../certificates';
import { counterpart } from '../counterparts';
import { MqttPeer } from './mqtt-peer';

const { administrativeAction, badUserNameOrPassword, notAuthorized } = ReasonCode;
const run = promisify(execFile);

describe('access to the broker in its thread', () => {
  let broker: BrokerThread;
  let peers: MqttPeer[];
  let anna: string;

  before(async () => {
    anna = await scramVerifier('a', 4096);
  });
  beforeEach(() => {
    peers = [];
  });
  afterEach(async () => {
    for (const { stream } of peers) stream.destroy();
    await broker.stop();
  });

  const start = async (access: AccessSettings, host = '127.0.0.1') => {
    broker = new BrokerThread({ listeners: [{ host, port: 0 }], access });
    await broker.start();
  };
  const port = () => (broker.status.listeners[0] as { port: number }).port;
  const open = async (): Promise<MqttPeer> => {
    const socket = connectTcp(port(), '127.0.0.1');
    await once(socket, 'connect');
    const peer = new MqttPeer(socket, 5);
    peers.push(peer);
    return peer;
  };
  const as = (username: string, password: string) => ({ username, password: Buffer.from(password) });
  const login = async (username: string, password: string) => {
    const peer = await open();
    const { reasonCode } = await peer.connect(as(username, password));
    return { peer, reasonCode };
  };

  it('is had by mosquitto_pub with a password of scrypt', async function () {
    const mosquittoPub = counterpart(this, 'mosquitto_pub');
    this.timeout(60_000);
    await start({ users: [{ name: 'anna', passwordHash: await hashPassword('sesame 4') }] });
    const publish = (version: string, password: string) =>
      run(mosquittoPub, [
        ...['-h', '127.0.0.1', '-p', String(port()), '-V', version, '-q', '1'],
        ...['-u', 'anna', '-P', password, '-t', 't', '-m', 'm'],
      ]);
    for (const version of ['mqttv311', 'mqttv5']) {
      await publish(version, 'sesame 4');
      await assert.rejects(publish(version, 'sesame 5'), /not authori[sz]ed|bad user name or password/i);
    }
  });

  it('is had by the users of a password file', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'broker-access-'));
    try {
      const passwordFile = join(directory, 'passwords');
      writeFileSync(passwordFile, `# of the house\n\nanna:${anna}\nben:${anna}\n`);
      await start({ passwordFile, users: [{ name: 'ben', passwordHash: await scramVerifier('b', 4096) }] });
      assert.equal((await login('anna', 'a')).reasonCode, 0);
      assert.equal((await login('anna', 'b')).reasonCode, badUserNameOrPassword);
      assert.equal((await login('ben', 'a')).reasonCode, badUserNameOrPassword);
      assert.equal((await login('ben', 'b')).reasonCode, 0);
      assert.equal(broker.removeUser('anna'), false);
      await broker.stop();
      writeFileSync(passwordFile, 'anna:sesame\n');
      await assert.rejects(
        broker.start(),
        (error: Error) =>
          /passwords, line 1: the password is not stored as/.test(error.message) &&
          !error.message.includes('sesame'),
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('opens a listener beyond loopback where there is a way to log in', async () => {
    await start({ users: [{ name: 'anna', passwordHash: anna }] }, '0.0.0.0');
    assert.equal((await login('anna', 'a')).reasonCode, 0);
    await broker.stop();
    await assert.rejects(start({}, '0.0.0.0'), /open to other machines without a password/);
  });

  it('is had beyond loopback with a certificate, where each client must have one', async function () {
    const authority = new CertificateAuthority(counterpart(this, 'openssl'));
    try {
      const ca = authority.certificate;
      const tls = { ...authority.issue('server'), ca, clientCertificate: 'required' as const };
      const client = authority.issue('client', { commonName: 'robot-7' });
      broker = new BrokerThread({
        listeners: [{ kind: 'tls', host: '0.0.0.0', port: 0, tls }],
        access: { rules: [{ access: 'allow', who: 'user', name: 'robot-7', action: 'any', filter: '%u/#' }] },
      });
      await broker.start();
      const socket = connectTls({
        ...{ port: port(), host: '127.0.0.1' },
        ca: readFileSync(ca),
        cert: readFileSync(client.certificate),
        key: readFileSync(client.key),
      });
      const peer = new MqttPeer(socket, 5);
      peers.push(peer);
      assert.equal((await peer.connect()).reasonCode, 0);
      assert.deepEqual((await peer.subscribe('robot-7/#')).reasonCodes, [0]);
      assert.deepEqual((await peer.subscribe('robot-8/#')).reasonCodes, [notAuthorized]);
    } finally {
      authority.remove();
    }
  });

  for (const [name, settings, message] of [
    ['twice the same user', (user) => ({ users: [user, user] }), /user "anna" exists twice/],
    ['a user without a name', (user) => ({ users: [{ ...user, name: '' }] }), /a user has no name/],
    [
      'a rule without a name',
      () => ({ rules: [{ access: 'deny', who: 'user', action: 'any', filter: '#' }] }),
      /access rule 1/,
    ],
    ['tokens without a key', () => ({ tokens: {} }), /either a secret or a public key/],
    ['no time to decide', () => ({ decisionTimeout: 0 }), /time for decisions is 0 ms/],
    ['no password file', () => ({ passwordFile: '/nonexistent' }), /password file: ENOENT/],
  ] as Array<[string, (user: UserSettings) => AccessSettings, RegExp]>) {
    it(`does not begin with ${name}`, async () => {
      await assert.rejects(start(settings({ name: 'anna', passwordHash: anna })), message);
      assert.match(broker.status.reason ?? '', message);
    });
  }

  it('changes with the users while it runs, also over a restart', async () => {
    await start({ users: [{ name: 'anna', passwordHash: anna }] });
    const { peer: first } = await login('anna', 'a');
    broker.setUser({ name: 'anna', passwordHash: await scramVerifier('new', 4096) });
    broker.setUser({ name: 'ben', passwordHash: await scramVerifier('b', 4096) });
    assert.equal((await first.expect('disconnect')).reasonCode, administrativeAction);
    assert.equal((await login('anna', 'a')).reasonCode, badUserNameOrPassword);
    assert.equal((await login('anna', 'new')).reasonCode, 0);
    const { peer: ben, reasonCode } = await login('ben', 'b');
    assert.equal(reasonCode, 0);
    assert.equal(broker.removeUser('ben'), true);
    assert.equal(broker.removeUser('ben'), false);
    assert.equal((await ben.expect('disconnect')).reasonCode, notAuthorized);
    assert.throws(
      () => broker.setUser({ name: 'carl', passwordHash: 'plain' }),
      /user "carl": .*not stored as/,
    );
    await broker.stop();
    await broker.start();
    assert.equal((await login('anna', 'new')).reasonCode, 0);
    assert.equal((await login('ben', 'b')).reasonCode, badUserNameOrPassword);
  });

  it('may be decided by whoever listens, else it is denied', async () => {
    await start({ decisionTimeout: 60_000 });
    assert.equal((await login('carl', 'c')).reasonCode, badUserNameOrPassword);
    broker.on('decision', ({ id, username, password }: DecisionRequest) => {
      const right = Buffer.from(password ?? []).toString() === 'c';
      broker.decide(id + 1, { allow: true });
      broker.decide(id, { allow: username === 'carl' && right });
    });
    assert.equal((await login('carl', 'c')).reasonCode, 0);
    assert.equal((await login('carl', 'd')).reasonCode, badUserNameOrPassword);
  });

  it('lets a client say all at once and stop talking', async () => {
    await start({ users: [{ name: 'anna', passwordHash: anna }] });
    const witness = await open();
    await witness.connect();
    await witness.subscribe('#');
    const client = await open();
    const answer = client.connect(as('anna', 'a'));
    client.publish('t', 'last', { qos: 1 });
    client.stream.end();
    assert.equal((await answer).reasonCode, 0);
    assert.equal((await witness.expect('publish')).payload.toString(), 'last');
    assert.equal((await client.expect('puback')).reasonCode, ReasonCode.success);
    assert.equal(await client.next(), undefined);
  });
});
