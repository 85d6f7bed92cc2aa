import assert from 'node:assert/strict';
import { type AccessRule, AccessRules } from '../../src/broker/access/access-rules';
import type { AccessSettings } from '../../src/broker/access/access-settings';
import { scramVerifier } from '../../src/broker/access/password-hash';
import { TopicPattern } from '../../src/broker/access/topic-pattern';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { BrokerInProcess } from './broker-in-process';

const { notAuthorized } = ReasonCode;

describe("a rule's topic filter", () => {
  const pattern = (filter: string, username?: string, clientId = 'c') => {
    const found = TopicPattern.for(filter, username, clientId);
    assert.ok(found);
    return found;
  };
  const relations: Array<[rule: string, filter: string, covers: boolean, overlaps: boolean]> = [
    ['a/b', 'a/b', true, true],
    ['a/b', 'a/+', false, true],
    ['a/+', 'a/b', true, true],
    ['a/+', 'a/+', true, true],
    ['a/+', 'a/#', false, true],
    ['a/#', 'a/+', true, true],
    ['a/#', 'a', true, true],
    ['a/#', 'a/b/#', true, true],
    ['a/b/#', 'a/#', false, true],
    ['a/b/#', 'a/+/c', false, true],
    ['a/b', 'a/b/c', false, false],
    ['a/b', 'a/c/#', false, false],
    ['a', 'a/#', false, true],
    ['#', '#', true, true],
    ['#', '+/a', true, true],
    ['#', '$SYS/#', false, false],
    ['+/#', '$SYS/x', false, false],
    ['$SYS/#', '#', false, false],
    ['$SYS/#', '$SYS/+', true, true],
    ['a//b', 'a/+/b', false, true],
    ['secret/#', '#', false, true],
  ];
  for (const [rule, filter, covers, overlaps] of relations) {
    it(`${rule} ${covers ? 'covers' : overlaps ? 'overlaps with' : 'has nothing of'} ${filter}`, () => {
      assert.equal(pattern(rule).covers(filter), covers);
      assert.equal(pattern(rule).overlaps(filter), overlaps);
    });
  }

  it('agrees with itself on all pairs of small filters, told by the names they match', () => {
    const levels = ['a', '$b', '+', ''];
    const filters = ['#', ...levels];
    for (const one of levels) for (const two of [...levels, '#']) filters.push(`${one}/${two}`);
    const names: string[] = [];
    const words = ['a', '$b', '', 'x'];
    for (const one of words) {
      names.push(one);
      for (const two of words) {
        names.push(`${one}/${two}`);
        for (const three of words) names.push(`${one}/${two}/${three}`);
      }
    }
    for (const rule of filters) {
      const mine = names.filter((name) => pattern(rule).matches(name));
      for (const filter of filters) {
        const theirs = names.filter((name) => pattern(filter).matches(name));
        const shared = theirs.filter((name) => mine.includes(name));
        assert.equal(pattern(rule).overlaps(filter), shared.length > 0, `${rule} overlaps ${filter}`);
        // "covers" may miss what only the equivalence of # and +/# would tell; it never says too much.
        if (pattern(rule).covers(filter)) assert.deepEqual(shared, theirs, `${rule} covers ${filter}`);
      }
    }
  });

  it('has the names of user and client in their places, as texts and not as wildcards', () => {
    assert.equal(pattern('u/%u/%c', 'anna', 'c1').matches('u/anna/c1'), true);
    assert.equal(pattern('u/%u-%c', 'anna', 'c1').matches('u/anna-c1'), true);
    assert.equal(pattern('u/%u', '%c', 'c1').matches('u/c1'), false);
    for (const name of ['+', '#', 'a/b', '+/#']) {
      assert.equal(pattern('u/%u/#', name).matches('u/b/x'), false, name);
      assert.equal(pattern('u/%u/#', name).covers('u/+/x'), false, name);
      assert.equal(pattern('u/%c', undefined, name).matches('u/a/b'), false, name);
    }
    assert.equal(TopicPattern.for('u/%u', undefined, 'c'), undefined);
    assert.equal(TopicPattern.for('u/%u', '', 'c'), undefined);
    // Nor does a name reach what the broker keeps apart.
    assert.equal(TopicPattern.for('%c/#', undefined, '$SYS'), undefined);
    assert.ok(pattern('$SYS/%c', undefined, '$x').matches('$SYS/$x'));
  });
});

describe('access rules', () => {
  const everything: AccessRule = { access: 'allow', who: 'everybody', action: 'any', filter: '#' };
  const anna = { username: 'anna', groups: ['staff'], inProcess: false };

  it('are gone through in order, and the first that applies decides', () => {
    const rules = new AccessRules([
      { access: 'deny', who: 'user', name: 'anna', action: 'publish', filter: 'a/secret' },
      { access: 'allow', who: 'group', name: 'staff', action: 'publish', filter: 'a/+' },
      { access: 'deny', who: 'everybody', action: 'publish', filter: '#' },
    ]);
    const permissions = rules.permissionsOf(anna, 'c');
    for (const [topic, allowed] of [
      ['a/b', true],
      ['a/secret', false],
      ['b', false],
    ] as const) {
      assert.equal(permissions.mayPublish(topic), allowed, topic);
      assert.equal(permissions.mayPublish(topic), allowed, `${topic}, remembered`);
    }
  });

  it('concern whom they name', () => {
    const who: Array<[Partial<AccessRule>, boolean]> = [
      [{ who: 'everybody' }, true],
      [{ who: 'anonymous' }, false],
      [{ who: 'in-process' }, false],
      [{ who: 'user', name: 'anna' }, true],
      [{ who: 'user', name: 'an*' }, true],
      [{ who: 'user', name: 'an' }, false],
      [{ who: 'group', name: 'staff' }, true],
      [{ who: 'group', name: 'guests' }, false],
      [{ who: 'client', name: 'sensor-*' }, true],
      [{ who: 'client', name: 'sensor' }, false],
    ];
    for (const [part, concerned] of who) {
      const permissions = new AccessRules([{ ...everything, ...part }]).permissionsOf(anna, 'sensor-1');
      assert.equal(permissions.mayPublish('t'), concerned, JSON.stringify(part));
    }
    const flow = { groups: [], inProcess: true };
    assert.ok(
      new AccessRules([{ ...everything, who: 'in-process' }]).permissionsOf(flow, 'x').mayPublish('t'),
    );
    assert.ok(
      new AccessRules([{ ...everything, who: 'anonymous' }]).permissionsOf(flow, 'x').mayPublish('t'),
    );
  });

  it('refuse a subscription that would get around a denied one', () => {
    const permissions = new AccessRules([
      { access: 'deny', who: 'everybody', action: 'subscribe', filter: 'secret/#' },
      { access: 'allow', who: 'everybody', action: 'subscribe', filter: '#' },
    ]).permissionsOf(anna, 'c');
    for (const filter of ['#', '+/a', 'secret', 'secret/a']) {
      assert.equal(permissions.maySubscribe(filter), false, filter);
    }
    for (const filter of ['a/#', 'a']) assert.equal(permissions.maySubscribe(filter), true, filter);
  });

  it('leave the rest to "otherwise", but connecting and receiving are allowed', () => {
    for (const otherwise of ['allow', 'deny'] as const) {
      const permissions = new AccessRules(
        [{ access: 'allow', who: 'user', name: 'ben', action: 'any', filter: '#' }],
        otherwise,
      ).permissionsOf(anna, 'c');
      assert.equal(permissions.mayPublish('t'), otherwise === 'allow');
      assert.equal(permissions.maySubscribe('t'), otherwise === 'allow');
      assert.equal(permissions.mayReceive('t'), true);
      assert.equal(permissions.mayConnect, true);
    }
  });

  it('remember a bounded number of topics and are right about forgotten ones', () => {
    const permissions = new AccessRules([
      { access: 'allow', who: 'everybody', action: 'publish', filter: 'even/+' },
    ]).permissionsOf(anna, 'c');
    for (let round = 0; round < 2; round++) {
      for (let index = 0; index < 500; index++) {
        assert.equal(permissions.mayPublish(`${index % 2 === 0 ? 'even' : 'odd'}/${index}`), index % 2 === 0);
      }
    }
  });

  for (const [message, rule] of [
    [/^access rule 2: expected allow or deny/, { access: 'permit' }],
    [/^access rule 2: it concerns "me"/, { who: 'me' }],
    [/^access rule 2: its action is "read"/, { action: 'read' }],
    [/^access rule 2: the name of the user is missing/, { who: 'user' }],
    [/^access rule 2: .*# must be alone/, { filter: 'a#' }],
    [/^access rule 2: .*shared subscriptions/, { filter: '$share/g/a' }],
    [/^access rule 2: /, { filter: '' }],
  ] as const) {
    it(`are refused with ${JSON.stringify(rule)}`, () => {
      assert.throws(() => new AccessRules([everything, { ...everything, ...rule } as AccessRule]), {
        name: 'AccessSettingsError',
        message,
      });
    });
  }
});

describe('a client under access rules', () => {
  let broker: BrokerInProcess;
  const start = (rules: AccessRule[], more: Partial<AccessSettings> = {}) => {
    broker = new BrokerInProcess({}, undefined, { rules, otherwise: 'allow', ...more });
  };
  const deny = (action: AccessRule['action'], filter: string, who: Partial<AccessRule> = {}): AccessRule => ({
    access: 'deny',
    who: 'everybody',
    action,
    filter,
    ...who,
  });

  for (const [version, qos, answer, reasonCode] of [
    [5, 1, 'puback', notAuthorized],
    [5, 2, 'pubrec', notAuthorized],
    [4, 1, 'puback', 0],
    [4, 2, 'pubrec', 0],
  ] as const) {
    it(`gets ${answer} ${reasonCode} for a denied QoS ${qos} message, protocol level ${version}`, async () => {
      start([deny('publish', 'no/#')]);
      const witness = await broker.client(5);
      await witness.subscribe('#', { qos: 2 });
      const client = await broker.client(version);
      client.publish('no/way', 'x', { qos, packetId: 7, retain: true });
      const acknowledgement = await client.expect(answer);
      assert.equal(acknowledgement.reasonCode, reasonCode);
      if (qos === 2 && version === 4) {
        client.send({ type: 'pubrel', packetId: 7, reasonCode: 0, properties: {} });
        await client.expect('pubcomp');
      }
      client.publish('yes', 'y');
      assert.equal((await witness.expect('publish')).topic, 'yes');
      assert.equal(broker.statistics.denied, 1);
      assert.equal(broker.statistics.retained, 0);
      // The packet identifier is free again.
      client.publish('yes', 'z', { qos, packetId: 7 });
      assert.equal((await client.expect(answer)).reasonCode, 0);
    });
  }

  it('loses a denied QoS 0 message, also one named by a topic alias, and it is counted', async () => {
    start([deny('publish', 'no')]);
    const witness = await broker.client(5);
    await witness.subscribe('#');
    const client = await broker.client(5);
    client.publish('no', 'x', { properties: { topicAlias: 1 } });
    client.publish('', 'x', { properties: { topicAlias: 1 } });
    await client.expectNothing();
    await witness.expectNothing();
    assert.equal(broker.statistics.denied, 2);
  });

  for (const [version, code] of [
    [5, notAuthorized],
    [4, 0x80],
  ] as const) {
    it(`gets ${code} for a denied subscription alone, protocol level ${version}`, async () => {
      start([deny('subscribe', 'no/#')]);
      const client = await broker.client(version);
      const one = { qos: 1 as const, noLocal: false, retainAsPublished: false, retainHandling: 0 as const };
      client.send({
        type: 'subscribe',
        packetId: 1,
        subscriptions: [
          { ...one, filter: 'no/a' },
          { ...one, filter: 'yes' },
        ],
        properties: {},
      });
      assert.deepEqual((await client.expect('suback')).reasonCodes, [code, 1]);
      assert.equal(broker.statistics.subscriptions, 1);
    });
  }

  it('does not receive what is kept from it, live, retained or of a will; others do', async () => {
    start([deny('receive', 'secret/#', { who: 'client', name: 'guest' })]);
    const publisher = await broker.client(5, {
      will: { topic: 'secret/will', payload: Buffer.from('w'), qos: 0, retain: false, properties: {} },
    });
    publisher.publish('secret/kept', 'r', { retain: true });
    await publisher.expectNothing();
    const guest = await broker.client(5, { clientId: 'guest' });
    const friend = await broker.client(5, { clientId: 'friend' });
    await guest.subscribe('#');
    await friend.subscribe('#');
    publisher.publish('secret/live', 'x');
    await publisher.expectNothing();
    await publisher.vanish();
    for (const topic of ['secret/kept', 'secret/live', 'secret/will']) {
      assert.equal((await friend.expect('publish')).topic, topic);
    }
    await guest.expectNothing();
    assert.equal(broker.statistics.denied, 3);
  });

  it('is passed over by a shared subscription whose messages are kept from it', async () => {
    start([deny('receive', 'secret/#', { who: 'client', name: 'guest' })]);
    const guest = await broker.client(5, { clientId: 'guest' });
    const friend = await broker.client(5, { clientId: 'friend' });
    for (const client of [guest, friend]) await client.subscribe('$share/g/#');
    const publisher = await broker.client(5);
    for (const topic of ['secret/1', 'open/1', 'secret/2', 'open/2']) publisher.publish(topic, '');
    for (const [client, part] of [
      [friend, 'secret'],
      [guest, 'open'],
    ] as const) {
      for (const number of [1, 2]) assert.equal((await client.expect('publish')).topic, `${part}/${number}`);
      await client.expectNothing();
    }
    await friend.vanish();
    publisher.publish('secret/3', '');
    await publisher.expectNothing();
    await guest.expectNothing();
  });

  for (const [version, code] of [
    [5, notAuthorized],
    [4, 5],
  ] as const) {
    it(`is refused with ${code} when it may not connect, or not publish its will, protocol level ${version}`, async () => {
      start([deny('connect', '', { who: 'client', name: 'bad-*' }), deny('publish', 'no')]);
      assert.equal((await broker.open(version).connect({ clientId: 'bad-1' })).reasonCode, code);
      const will = { topic: 'no', payload: Buffer.alloc(0), qos: 0 as const, retain: false, properties: {} };
      assert.equal((await broker.open(version).connect({ clientId: 'good', will })).reasonCode, code);
      assert.equal((await broker.open(version).connect({ clientId: 'good' })).reasonCode, 0);
    });
  }

  it('resumes its own session, but not that of another user', async () => {
    const users = [
      { name: 'anna', passwordHash: await scramVerifier('a', 4096) },
      { name: 'ben', passwordHash: await scramVerifier('b', 4096) },
    ];
    start([], { users });
    const options = (username: string) => ({
      clientId: 'shared',
      cleanStart: false,
      username,
      password: Buffer.from(username.slice(0, 1)),
      properties: { sessionExpiryInterval: 60 },
    });
    const first = await broker.client(5, options('anna'));
    await first.subscribe('t', { qos: 1 });
    await first.vanish();
    const again = broker.open(5);
    assert.equal((await again.connect(options('anna'))).sessionPresent, true);
    await again.vanish();
    const publisher = await broker.client(5);
    publisher.publish('t', 'for anna', { qos: 1 });
    await publisher.expect('puback');
    const other = broker.open(5);
    assert.equal((await other.connect(options('ben'))).sessionPresent, false);
    await other.expectNothing();
    assert.equal(broker.statistics.subscriptions, 0);
  });
});
