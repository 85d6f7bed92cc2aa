import assert from 'node:assert/strict';
import type { UserSettings } from '../../src/broker/access/access-settings';
import { hashPassword, scramVerifier } from '../../src/broker/access/password-hash';
import { encodeAuth } from '../../src/broker/codec/auth-packet';
import type { ConnectPacket } from '../../src/broker/codec/connect-packet';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { BrokerInProcess } from './broker-in-process';
import type { MqttPeer } from './mqtt-peer';
import { ScramClient } from './scram-client';

const {
  badAuthenticationMethod,
  badUserNameOrPassword,
  connectionRateExceeded,
  continueAuthentication,
  notAuthorized,
  protocolError,
  reauthenticate,
} = ReasonCode;
const authenticationMethod = 'SCRAM-SHA-256';
const elsewhere = { address: '192.0.2.7:4711', host: '192.0.2.7' };

describe('enhanced authentication', () => {
  let users: UserSettings[];
  let broker: BrokerInProcess;

  before(async () => {
    users = [
      { name: 'anna', passwordHash: await scramVerifier('a', 4096), groups: ['staff'] },
      { name: 'ben', passwordHash: await scramVerifier('b', 4096) },
      { name: 'carl', passwordHash: await hashPassword('c') },
    ];
  });
  beforeEach(() => {
    broker = new BrokerInProcess({}, undefined, { users });
  });

  function sendConnect(peer: MqttPeer, scram: ScramClient, options: Partial<ConnectPacket> = {}): void {
    peer.send({
      type: 'connect',
      protocolVersion: 5,
      clientId: 'c',
      cleanStart: true,
      keepAlive: 0,
      ...options,
      properties: { authenticationMethod, authenticationData: scram.first, ...options.properties },
    });
  }

  function sendAuth(peer: MqttPeer, authenticationData: Buffer, reasonCode: number = continueAuthentication) {
    peer.send({ type: 'auth', reasonCode, properties: { authenticationMethod, authenticationData } });
  }

  /** The server's challenge, which begins the exchange. */
  async function challenged(scram: ScramClient, options?: Partial<ConnectPacket>) {
    const peer = broker.open(5, elsewhere);
    sendConnect(peer, scram, options);
    const auth = await peer.expect('auth');
    return { peer, auth, serverFirst: auth.properties.authenticationData as Buffer };
  }

  async function login(username: string, password: string) {
    const scram = new ScramClient(username, password);
    const { peer, serverFirst } = await challenged(scram);
    sendAuth(peer, scram.final(serverFirst));
    const connack = await peer.expect('connack');
    return { peer, scram, connack };
  }

  it('asks with AUTH and lets in with the proof of both sides, naming the method [MQTT-4.12.0-2], [MQTT-4.12.0-5], [MQTT-3.15.2-1]', async () => {
    const scram = new ScramClient('anna', 'a');
    const { peer, auth, serverFirst } = await challenged(scram);
    assert.equal(auth.reasonCode, continueAuthentication);
    assert.deepEqual(Object.keys(auth.properties), ['authenticationMethod', 'authenticationData']);
    assert.equal(auth.properties.authenticationMethod, authenticationMethod);
    assert.equal(broker.statistics.clients, 0);
    sendAuth(peer, scram.final(serverFirst));
    const { reasonCode, properties } = await peer.expect('connack');
    assert.equal(reasonCode, 0);
    assert.equal(properties.authenticationMethod, authenticationMethod);
    assert.ok(scram.trusts(properties.authenticationData));
    await peer.expectNothing();
    const [connected] = broker.events;
    assert.equal(connected?.type === 'connected' && connected.username, 'anna');
  });

  it('takes no longer than CONNECT may, in all', async () => {
    const { peer } = await challenged(new ScramClient('anna', 'a'));
    broker.pass(9);
    assert.equal(broker.events.length, 0);
    broker.pass(2);
    assert.equal((await peer.expect('connack')).reasonCode, ReasonCode.maximumConnectTime);
    assert.equal(await peer.next(), undefined);
  });

  it('refuses a wrong password, and who does not exist with the same answers [MQTT-4.12.0-4]', async () => {
    const shapes = [];
    for (const [username, password] of [
      ['anna', 'b'],
      ['nobody', 'a'],
      ['carl', 'c'],
    ] as const) {
      const scram = new ScramClient(username, password);
      const { peer, serverFirst } = await challenged(scram);
      shapes.push(serverFirst.toString().replace(/[\w+/%$]/g, 'x').length);
      sendAuth(peer, scram.final(serverFirst));
      const { reasonCode, properties } = await peer.expect('connack');
      assert.equal(reasonCode, badUserNameOrPassword);
      assert.deepEqual(Object.keys(properties), ['reasonString']);
      assert.equal(await peer.next(), undefined);
    }
    assert.equal(new Set(shapes).size, 1);
    assert.equal(broker.statistics.loginsFailed, 3);
    const salt = async (name: string) =>
      /s=[^,]+/.exec((await challenged(new ScramClient(name, 'x'))).serverFirst.toString())?.[0];
    assert.equal(await salt('nobody'), await salt('nobody'), 'the salt of nobody stays the same');
    assert.notEqual(await salt('nobody'), await salt('somebody'));
  });

  it('refuses methods that are not offered', async () => {
    for (const [method, access] of [
      ['SCRAM-SHA-1', { users }],
      ['', { users }],
      [authenticationMethod, {}],
      [authenticationMethod, { users: users.slice(2) }],
    ] as const) {
      broker = new BrokerInProcess({}, undefined, access);
      const peer = broker.open(5);
      sendConnect(peer, new ScramClient('anna', 'a'), { properties: { authenticationMethod: method } });
      assert.equal((await peer.expect('connack')).reasonCode, badAuthenticationMethod);
      assert.equal(await peer.next(), undefined);
    }
  });

  for (const [name, packet, reasonCode] of [
    ['another method', { authenticationMethod: 'PLAIN' }, badAuthenticationMethod],
    ['no method', {}, badAuthenticationMethod],
    ['no data', { authenticationMethod }, badUserNameOrPassword],
    [
      'a message cut off',
      { authenticationMethod, authenticationData: Buffer.from('c=biws,r=fyko') },
      badUserNameOrPassword,
    ],
  ] as const) {
    it(`ends when AUTH comes with ${name}`, async () => {
      const { peer } = await challenged(new ScramClient('anna', 'a'));
      peer.send({ type: 'auth', reasonCode: continueAuthentication, properties: packet });
      assert.equal((await peer.expect('connack')).reasonCode, reasonCode);
      assert.equal(await peer.next(), undefined);
    });
  }

  it('ends when something else comes before it is over', async () => {
    for (const send of [
      (peer: MqttPeer) => peer.send({ type: 'pingreq' }),
      (peer: MqttPeer) => peer.publish('t', 'x'),
      (peer: MqttPeer) => sendConnect(peer, new ScramClient('anna', 'a')),
      (peer: MqttPeer) => sendAuth(peer, Buffer.alloc(0), reauthenticate),
      (peer: MqttPeer) => peer.send({ type: 'auth', reasonCode: 0, properties: { authenticationMethod } }),
      (peer: MqttPeer) => peer.send({ type: 'auth', reasonCode: 7, properties: { authenticationMethod } }),
    ]) {
      const { peer } = await challenged(new ScramClient('anna', 'a'));
      send(peer);
      assert.equal((await peer.expect('connack')).reasonCode, protocolError);
      assert.equal(await peer.next(), undefined);
    }
    const { peer } = await challenged(new ScramClient('anna', 'a'));
    peer.send({ type: 'disconnect', reasonCode: 0, properties: {} });
    assert.equal(await peer.next(), undefined);
    assert.equal(broker.statistics.messagesReceived, 0);
  });

  it('fits its packets into what the client accepts, which has no reason strings or user properties [MQTT-3.15.2-2], [MQTT-3.15.2-3]', async () => {
    const { auth, peer } = await challenged(new ScramClient('anna', 'a'));
    await peer.vanish();
    const size = encodeAuth(auth).length;
    for (const [maximumPacketSize, sent] of [
      [size, true],
      [size - 1, false],
    ] as const) {
      const client = broker.open(5);
      sendConnect(client, new ScramClient('anna', 'a'), { properties: { maximumPacketSize } });
      const packet = await client.next();
      assert.equal(packet?.type, sent ? 'auth' : 'connack');
      if (packet?.type === 'auth')
        assert.deepEqual(Object.keys(packet.properties), Object.keys(auth.properties));
      await client.vanish();
    }
  });

  it('refuses more guesses from an address that has failed too often, also of exchanges begun before', async () => {
    const begun = await challenged(new ScramClient('anna', 'guess'));
    const rightful = new ScramClient('anna', 'a');
    const early = await challenged(rightful);
    for (let count = 0; count < 30; count++) await login(`nobody-${count}`, 'x');
    sendAuth(begun.peer, new ScramClient('anna', 'guess').final(begun.serverFirst));
    assert.equal((await begun.peer.expect('connack')).reasonCode, connectionRateExceeded);
    sendAuth(early.peer, rightful.final(early.serverFirst));
    assert.equal((await early.peer.expect('connack')).reasonCode, connectionRateExceeded);
    broker.pass(3);
    assert.equal((await login('anna', 'a')).connack.reasonCode, 0);
    await login('nobody', 'x');
    await login('nobody', 'x');
    assert.equal((await login('ben', 'b')).connack.reasonCode, connectionRateExceeded);
    assert.equal((await login('anna', 'a')).connack.reasonCode, 0, 'who is known here already gets in');
  });

  it('heeds the rules for the user', async () => {
    broker = new BrokerInProcess({}, undefined, {
      users,
      rules: [{ access: 'deny', who: 'user', name: 'ben', action: 'connect' }],
    });
    assert.equal((await login('ben', 'b')).connack.reasonCode, notAuthorized);
    assert.equal((await login('anna', 'a')).connack.reasonCode, 0);
  });

  it('can be done again on a connection that goes on meanwhile', async () => {
    const { peer } = await login('anna', 'a');
    await peer.subscribe('t');
    for (let count = 0; count < 2; count++) {
      const again = new ScramClient('anna', 'a', `nonce${count}`);
      sendAuth(peer, again.first, reauthenticate);
      const auth = await peer.expect('auth');
      peer.publish('t', 'meanwhile');
      assert.equal((await peer.expect('publish')).payload.toString(), 'meanwhile');
      sendAuth(peer, again.final(auth.properties.authenticationData as Buffer));
      const { reasonCode, properties } = await peer.expect('auth');
      assert.equal(reasonCode, 0);
      assert.equal(properties.authenticationMethod, authenticationMethod);
      assert.ok(again.trusts(properties.authenticationData));
    }
    await peer.expectNothing();
  });

  for (const [name, username, password, reasonCode] of [
    ['a wrong password', 'anna', 'b', badUserNameOrPassword],
    ['another user', 'ben', 'b', notAuthorized],
  ] as const) {
    it(`done again with ${name} ends the connection [MQTT-4.12.1-2]`, async () => {
      const { peer } = await login('anna', 'a');
      const again = new ScramClient(username, password);
      sendAuth(peer, again.first, reauthenticate);
      const { properties } = await peer.expect('auth');
      sendAuth(peer, again.final(properties.authenticationData as Buffer));
      assert.equal((await peer.expect('disconnect')).reasonCode, reasonCode);
      assert.equal(await peer.next(), undefined);
      assert.equal(broker.statistics.clients, 0);
    });
  }

  it('done again out of turn or with another method ends the connection', async () => {
    for (const [reasonCode, method, expected] of [
      [continueAuthentication, authenticationMethod, protocolError],
      [0, authenticationMethod, protocolError],
      [reauthenticate, 'PLAIN', badAuthenticationMethod],
    ] as const) {
      const { peer } = await login('anna', 'a');
      peer.send({ type: 'auth', reasonCode, properties: { authenticationMethod: method } });
      assert.equal((await peer.expect('disconnect')).reasonCode, expected);
      assert.equal(await peer.next(), undefined);
    }
  });
});
