import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { AccessSettings, UserSettings } from '../../src/broker/access/access-settings';
import { scramVerifier } from '../../src/broker/access/password-hash';
import type { ProtocolVersion } from '../../src/broker/codec/packet-type';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { BrokerInProcess } from './broker-in-process';
import { MqttPeer } from './mqtt-peer';

const { badUserNameOrPassword, notAuthorized } = ReasonCode;
const elsewhere = { address: '192.0.2.7:4711', host: '192.0.2.7' };
const lasting = { clientId: 'c', cleanStart: false, properties: { sessionExpiryInterval: 60 } };
const SECRET = 'a secret of thirty-two characters';

describe('a client that logs in', () => {
  let broker: BrokerInProcess;
  let users: UserSettings[];
  const start = (access: AccessSettings) => {
    broker = new BrokerInProcess({}, undefined, access);
  };
  before(async () => {
    users = [
      { name: 'anna', passwordHash: await scramVerifier('a', 4096), groups: ['staff'] },
      { name: 'ben', passwordHash: await scramVerifier('b', 4096) },
    ];
  });

  const as = (username: string, password: string) => ({ username, password: Buffer.from(password) });
  const login = (username: string, password: string, version: ProtocolVersion = 5, peer?: typeof elsewhere) =>
    broker.open(version, peer).connect(as(username, password));

  for (const [version, code] of [
    [3, 4],
    [4, 4],
    [5, badUserNameOrPassword],
  ] as const) {
    it(`gets in with its password alone, protocol level ${version}`, async () => {
      start({ users });
      const options = { clientId: 'c', ...as('anna', 'a') };
      assert.equal((await broker.open(version).connect(options)).reasonCode, 0);
      assert.equal(broker.statistics.loginsFailed, 0);
      const answers = [];
      for (const [username, password] of [
        ['anna', 'b'],
        ['anna', ''],
        ['ann', 'a'],
        ['', 'a'],
      ] as const) {
        answers.push(await broker.open(version).connect({ clientId: 'd', ...as(username, password) }));
      }
      for (const answer of answers) {
        assert.equal(answer.reasonCode, code);
        assert.deepEqual(answer, answers[0], 'an unknown user looks like a wrong password');
      }
      assert.equal(broker.statistics.loginsFailed, 4);
      const [connected, ...refused] = broker.events.filter(({ type }) => type !== 'disconnected');
      assert.equal(connected?.type === 'connected' && connected.username, 'anna');
      assert.equal(refused.length, 4);
      assert.doesNotMatch(JSON.stringify(broker.events), /"a"|"b"/, 'no event has a password');
    });
  }

  it('needs no password on this machine, unless it is asked of it, and then in process only', async () => {
    const local = { address: '127.0.0.1:1', host: '127.0.0.1' };
    start({ users });
    assert.equal((await broker.open(5, local).connect()).reasonCode, 0);
    assert.equal((await broker.open(5).connect()).reasonCode, 0);
    assert.equal((await broker.open(5, elsewhere).connect()).reasonCode, notAuthorized);
    assert.equal((await broker.open(4, elsewhere).connect({ clientId: 'c' })).reasonCode, 5);
    assert.equal((await login('anna', 'a', 5, elsewhere)).reasonCode, 0);
    start({ users, anonymous: 'in-process' });
    assert.equal((await broker.open(5, local).connect()).reasonCode, notAuthorized);
    assert.equal((await broker.open(5).connect()).reasonCode, 0);
  });

  it('may say anything where nobody has a password', async () => {
    start({});
    assert.equal((await login('anna', 'x')).reasonCode, 0);
    assert.equal((await login('anna', 'x', 5, elsewhere)).reasonCode, notAuthorized);
  });

  it('is who its certificate says, and in the groups of a user of that name', async () => {
    start({
      users,
      rules: [{ access: 'allow', who: 'group', name: 'staff', action: 'any', filter: '#' }],
    });
    for (const [certificateName, code] of [
      ['anna', 0],
      ['ben', notAuthorized],
      ['nobody', notAuthorized],
    ] as const) {
      const client = broker.open(5, { ...elsewhere, ...{ certificateName } });
      assert.equal((await client.connect()).reasonCode, 0);
      assert.deepEqual((await client.subscribe('t')).reasonCodes, [code]);
    }
  });

  it('is not let in with the password that was replaced while it was checked', async () => {
    const dear = { name: 'ben', passwordHash: await scramVerifier('b', 300_000) };
    start({ users: [...users.slice(0, 1), dear] });
    const early = broker.open(5);
    const answer = early.connect(as('ben', 'b'));
    while (broker.statistics.packetsReceived === 0) await turn();
    broker.access.setUser({ name: 'ben', passwordHash: (users[0] as UserSettings).passwordHash });
    assert.equal((await answer).reasonCode, badUserNameOrPassword);
    assert.equal((await login('ben', 'a')).reasonCode, 0);
    broker.access.removeUser('ben');
    assert.equal((await login('ben', 'a')).reasonCode, badUserNameOrPassword);
  });

  it('with a token is connected as long as that says', async () => {
    start({ tokens: { secret: SECRET } });
    const token = (claims: object) => {
      const text = [{ alg: 'HS256' }, claims].map((part) =>
        Buffer.from(JSON.stringify(part)).toString('base64url'),
      );
      const signature = createHmac('sha256', SECRET).update(text.join('.')).digest('base64url');
      return [...text, signature].join('.');
    };
    const seconds = Math.floor(Date.now() / 1000);
    const client = await broker.client(5, as('ignored', token({ sub: 'anna', exp: seconds + 60 })));
    assert.equal(broker.events.find(({ type }) => type === 'connected' && true)?.type, 'connected');
    broker.pass(50);
    await client.expectNothing();
    broker.pass(11);
    assert.equal((await client.expect('disconnect')).reasonCode, ReasonCode.maximumConnectTime);
    assert.equal((await login('x', token({ sub: 'anna', exp: seconds }))).reasonCode, badUserNameOrPassword);
    assert.equal((await login('x', token({ exp: seconds + 60 }))).reasonCode, badUserNameOrPassword);
    assert.equal((await login('anna', 'a')).reasonCode, badUserNameOrPassword);
  });

  it('may have a password as long as MQTT carries', async () => {
    const password = 'x'.repeat(65_535);
    start({ users: [{ name: 'anna', passwordHash: await scramVerifier(password, 4096) }] });
    assert.equal((await login('anna', password)).reasonCode, 0);
    assert.equal((await login('anna', password.slice(1))).reasonCode, badUserNameOrPassword);
    assert.equal((await login('x'.repeat(65_535), password)).reasonCode, badUserNameOrPassword);
  });

  it('gets in where it is known while a thousand guesses are made at once, of which few are checked', async () => {
    start({ users });
    assert.equal((await login('anna', 'a', 5, elsewhere)).reasonCode, 0);
    const guesses = Array.from({ length: 1000 }, (_, index) => login(`user ${index}`, 'x', 5, elsewhere));
    const answers = (await Promise.all(guesses)).map(({ reasonCode }) => reasonCode);
    const checked = answers.filter((code) => code === badUserNameOrPassword).length;
    assert.ok(checked >= 30 && checked < 40, `${checked} were checked`);
    assert.equal(answers.filter((code) => code === ReasonCode.connectionRateExceeded).length, 1000 - checked);
    assert.equal(broker.statistics.loginsFailed, checked);
    assert.equal((await login('ben', 'b', 5, elsewhere)).reasonCode, ReasonCode.connectionRateExceeded);
    assert.equal((await login('anna', 'a', 5, elsewhere)).reasonCode, 0);
    assert.equal((await login('ben', 'b')).reasonCode, 0);
  });

  it('that comes back finds only what it may still have', async () => {
    const rules = ['subscribe', 'receive'] as const;
    start({
      users,
      rules: rules.map((action) => ({
        access: 'deny',
        who: 'group',
        name: 'guests',
        action,
        filter: `${action}/#`,
      })),
      otherwise: 'allow',
    });
    const options = {
      clientId: 'c',
      cleanStart: false,
      ...as('anna', 'a'),
      properties: { sessionExpiryInterval: 60, receiveMaximum: 1 },
    };
    const client = await broker.client(5, options);
    for (const filter of ['receive/+', '$share/g/subscribe/+', 'subscribe/a', 'yes/+'])
      assert.deepEqual((await client.subscribe(filter, { qos: 1 })).reasonCodes, [1]);
    const publisher = await broker.client(5);
    const publish = async (...topics: string[]) => {
      for (const topic of topics) {
        publisher.publish(topic, topic, { qos: 1 });
        await publisher.expect('puback');
      }
    };
    await publish('receive/in-flight');
    assert.equal((await client.expect('publish')).topic, 'receive/in-flight');
    await client.vanish();
    await publish('receive/waiting', 'yes/1');
    broker.access.setUser({ ...(users[0] as UserSettings), groups: ['guests'] });
    const again = broker.open(5);
    assert.equal((await again.connect(options)).sessionPresent, true);
    assert.equal(broker.statistics.subscriptions, 2);
    await publish('receive/now', 'subscribe/a', 'yes/2');
    for (const topic of ['yes/1', 'yes/2']) {
      const { packetId, ...message } = await again.expect('publish');
      assert.equal(message.topic, topic);
      again.send({ type: 'puback', packetId, reasonCode: 0, properties: {} });
    }
    await again.expectNothing();
  });

  it('that comes back as less than it was gets no more of a topic that it got before', async () => {
    start({
      users,
      rules: [
        { access: 'allow', who: 'group', name: 'staff', action: 'receive', filter: '#' },
        { access: 'deny', who: 'user', name: 'anna', action: 'receive', filter: '#' },
      ],
      otherwise: 'allow',
    });
    const options = { ...lasting, ...as('anna', 'a') };
    const client = await broker.client(5, options);
    await client.subscribe('t', { qos: 1 });
    const publisher = await broker.client(5);
    publisher.publish('t', 'for staff');
    assert.equal((await client.expect('publish')).payload.toString(), 'for staff');
    broker.access.setUser({ ...(users[0] as UserSettings), groups: [] });
    const again = await broker.client(5, options);
    assert.equal(broker.statistics.subscriptions, 1);
    publisher.publish('t', 'for staff');
    await publisher.expectNothing();
    await again.expectNothing();
    assert.equal(broker.statistics.denied, 1);
  });

  describe('when somebody decides about it', () => {
    const decisionTimeout = 60_000;
    const request = async (index: number) => {
      while (broker.decisions.length <= index) await turn();
      return broker.decisions[index] as (typeof broker.decisions)[number];
    };
    const decide = async (index: number, allow: boolean, groups?: string[]) =>
      broker.access.decide((await request(index)).id, { allow, ...(groups && { groups }) });

    it('is described, and gets the groups of the answer', async () => {
      start({
        users,
        decisionTimeout,
        rules: [{ access: 'allow', who: 'group', name: 'guests', action: 'any', filter: '#' }],
      });
      const client = broker.open(5, { ...elsewhere, ...{ certificateName: 'cn' } });
      const answer = client.connect({ clientId: 'c', ...as('carl', 'c') });
      const { id, ...asked } = await request(0);
      assert.deepEqual(asked, {
        clientId: 'c',
        address: elsewhere.address,
        username: 'carl',
        password: Buffer.from('c'),
        certificateName: 'cn',
      });
      broker.access.decide(id, { allow: true, groups: ['guests'] });
      assert.equal((await answer).reasonCode, 0);
      assert.deepEqual((await client.subscribe('t')).reasonCodes, [0]);
      // A known user is nobody else's decision.
      assert.equal((await login('anna', 'b')).reasonCode, badUserNameOrPassword);
      assert.equal(broker.decisions.length, 1);
    });

    it('is refused when the answer is no, or does not come in time', async () => {
      start({ decisionTimeout });
      const refused = login('carl', 'c');
      await decide(0, false);
      assert.equal((await refused).reasonCode, badUserNameOrPassword);
      const anonymous = broker.open(5, elsewhere).connect();
      await decide(1, false);
      assert.equal((await anonymous).reasonCode, notAuthorized);
      start({ decisionTimeout: 1 });
      assert.equal((await login('carl', 'c')).reasonCode, badUserNameOrPassword);
      await decide(0, true);
    });

    it('is refused when a thousand wait already', async () => {
      start({ decisionTimeout });
      const waiting = Array.from({ length: 1000 }, () => broker.open(5));
      for (const client of waiting) void client.connect(as('carl', 'c')).catch(() => {});
      await request(999);
      assert.equal((await login('carl', 'c')).reasonCode, badUserNameOrPassword);
      // One that goes makes room.
      await (waiting[0] as MqttPeer).vanish();
      const next = login('dora', 'd');
      await decide(1000, true);
      assert.equal((await next).reasonCode, 0);
      await Promise.all(waiting.map((client) => client.vanish()));
    });

    it('has what it sends meanwhile handled afterwards, in order', async () => {
      start({ decisionTimeout });
      const witness = await broker.client(5);
      await witness.subscribe('#');
      const client = broker.open(5);
      const answer = client.connect({ clientId: 'c', ...as('carl', 'c') });
      await request(0);
      for (const text of ['1', '2', '3']) client.publish('t', text, { qos: 1 });
      await witness.expectNothing();
      // Longer than its time for CONNECT: it is the broker who takes so long.
      broker.pass(60);
      await decide(0, true);
      assert.equal((await answer).reasonCode, 0);
      for (const text of ['1', '2', '3']) {
        assert.equal((await witness.expect('publish')).payload.toString(), text);
        await client.expect('puback');
      }
      broker.pass(60);
      await client.expectNothing();
    });

    it('is not read without bound meanwhile', async () => {
      start({ decisionTimeout });
      const witness = await broker.client(5);
      await witness.subscribe('#');
      const client = broker.open(5);
      const answer = client.connect({ clientId: 'c', ...as('carl', 'c') });
      await request(0);
      const text = 'x'.repeat(10_000);
      let sent = 0;
      while (!client.stream.writableNeedDrain) {
        client.publish('t', text);
        sent++;
        await turn();
        assert.ok(sent < 100, 'more than a megabyte was read');
      }
      await decide(0, true);
      assert.equal((await answer).reasonCode, 0);
      for (let count = 0; count < sent; count++) await witness.expect('publish');
      await client.expectNothing();
    });

    it('leaves nothing behind when it goes meanwhile', async () => {
      start({ decisionTimeout });
      const will = { topic: 'will', payload: Buffer.alloc(0), qos: 0 as const, retain: true, properties: {} };
      const present = await broker.client(5, { clientId: 'c' });
      await present.subscribe('#');
      const client = broker.open(5);
      void client.connect({ clientId: 'c', ...as('carl', 'c'), will }).catch(() => {});
      const { id } = await request(0);
      await client.vanish();
      broker.access.decide(id, { allow: true });
      await turn();
      await present.expectNothing();
      assert.equal(broker.statistics.clients, 1);
      assert.equal(broker.statistics.retained, 0);
      assert.deepEqual(
        broker.events.map(({ type }) => type),
        ['connected', 'subscribed', 'refused'],
      );
    });

    it('is still heard when it says all at once and stops talking', async () => {
      start({ decisionTimeout });
      const witness = await broker.client(5);
      await witness.subscribe('#');
      const [ours, theirs] = duplexPair();
      broker.accept(theirs);
      const client = new MqttPeer(ours, 5);
      const answer = client.connect(as('carl', 'c'));
      client.publish('t', 'last');
      client.stream.end();
      await request(0);
      // Long enough for the end to have come.
      await witness.expectNothing();
      await decide(0, true);
      assert.equal((await answer).reasonCode, 0);
      assert.equal((await witness.expect('publish')).payload.toString(), 'last');
      assert.equal(await client.next(), undefined);
    });

    it('gives way to one that came later with the same client identifier', async () => {
      start({ decisionTimeout });
      const [slow, quick] = [broker.open(5), broker.open(5)];
      const slowAnswer = slow.connect({ clientId: 'c', ...as('carl', 'c') });
      await request(0);
      const quickAnswer = quick.connect({ clientId: 'c', ...as('carl', 'c') });
      await decide(1, true);
      assert.equal((await quickAnswer).reasonCode, 0);
      await decide(0, true);
      assert.equal((await slowAnswer).reasonCode, ReasonCode.clientIdentifierNotValid);
      await quick.expectNothing();
      // Whoever comes now takes over, as ever.
      const third = broker.open(5);
      const thirdAnswer = third.connect({ clientId: 'c', ...as('carl', 'c') });
      await decide(2, true);
      assert.equal((await thirdAnswer).reasonCode, 0);
      assert.equal((await quick.expect('disconnect')).reasonCode, ReasonCode.sessionTakenOver);
    });
  });
});
