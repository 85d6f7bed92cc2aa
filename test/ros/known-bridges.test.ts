import assert from 'node:assert/strict';
import { Connection } from '../../src/client/connection';
import { encodePresence, MAX_TOLD_ROUTES, NOTHING_CARRIED, topicKey } from '../../src/ros/bridge-presence';
import { KnownBridges, type KnownBridgesOptions } from '../../src/ros/known-bridges';
import type { RosDomain } from '../../src/ros/ros-backend';
import { Standby } from '../../src/ros/standby';
import { NetworkLink } from '../broker/upstream/network-link';
import { Mosquitto } from '../client/mosquitto';
import { connected, Inbox, settingsFor } from '../client/observed';
import { Watch } from './bridge-fixture';

describe('the bridges that are known at a broker', function () {
  this.timeout(60_000);
  const connections: Connection[] = [];
  let mosquitto: Mosquitto;

  before(async function () {
    mosquitto = await Mosquitto.start(this);
  });
  after(async () => {
    await Promise.all(connections.map((connection) => connection.close()));
    await mosquitto?.stop();
  });

  const connection = (url = mosquitto.url) => {
    const made = new Connection(settingsFor(url));
    connections.push(made);
    return made;
  };

  it('are asked for without an error out of the process', async () => {
    const watch = new Watch();
    const problems: string[] = [];
    const own = connection();
    const known = new KnownBridges(
      { id: 'one', domains: [0], protocolVersion: 5, topic: 'ros/0/@bridge/one', filter: 'ros/+/@bridge/+' },
      own,
      { changed: () => standby.look(), warning: () => {} },
    );
    const standby = new Standby({ id: 'one', protocolVersion: 5 }, known, (problem) => {
      problems.push(problem);
      watch.changed();
    });
    let found: () => void = () => {};
    standby.addDomain({
      domain: 0,
      bridges: () => {
        throw new Error('lost');
      },
      onGraphChange: (listener) => {
        found = listener;
        return () => {};
      },
    } as Partial<RosDomain> as RosDomain);
    known.open();
    own.open();
    await watch.until(() => problems.length === 1);
    const client = connection();
    client.open();
    await connected(client);
    await client.publish('ros/0/@bridge/other', '{"state":"online"}', { qos: 1, retain: false });
    await watch.until(() => problems.length === 2);
    found();
    await watch.until(() => problems.length === 3);
    assert.deepEqual(new Set(problems), new Set(['which of several bridges carries is not known: lost']));
    standby.close();
    await known.leave();
    known.close();
  });

  it('take no turn by what they say alone: who is not seen in ROS may be made up', async () => {
    const watch = new Watch();
    const own = connection();
    const known = new KnownBridges(
      { id: 'two', domains: [0], protocolVersion: 5, topic: 'ros/0/@bridge/two', filter: 'ros/+/@bridge/+' },
      own,
      {
        changed: () => {
          standby.look();
          watch.changed();
        },
        warning: () => {},
      },
    );
    const standby = new Standby({ id: 'two', protocolVersion: 5 }, known, (problem) => assert.fail(problem));
    const seen = new Set<string>();
    const domain: Partial<RosDomain> = {
      domain: 0,
      bridges: () => seen,
      nodes: () => [],
      onGraphChange: () => () => {},
    };
    standby.addDomain(domain as RosDomain);
    const topic = 'ros/0/chatter';
    const place = { way: 'ros-to-mqtt', domain: 0, topic, rosName: '/chatter' } as const;
    const turn = standby.join(place, { changed: () => watch.changed(), report: () => {} });
    known.open();
    own.open();
    await watch.until(() => turn.active);
    const client = connection();
    client.open();
    await connected(client);
    const say = (state: string) => {
      // Of a later version, which says more.
      const text = `{"state":"${state}","domains":[0],"toMqtt":{"0":"${topicKey(topic)}"},"more":{"of":[1]}}`;
      return client.publish('ros/0/@bridge/one', text, { qos: 1, retain: false });
    };
    await say('online');
    await watch.until(() => known.online.has('one'));
    assert.equal(turn.active, true);
    seen.add('one');
    await say('online');
    await watch.until(() => turn.standbyFor === 'one');
    await say('broken');
    await watch.until(() => turn.active);
    standby.close();
    await known.leave();
    known.close();
  });

  /** One that another bridge knows, over a link that can be held up, with what it says of itself. */
  const linked = async ({ broker = mosquitto, checkInterval = 60_000, isTimed = false } = {}) => {
    const watch = new Watch();
    const warnings: string[] = [];
    const link = await NetworkLink.to(Number(new URL(broker.url).port));
    const own = connection(`mqtt://127.0.0.1:${link.port}`);
    const options: KnownBridgesOptions = {
      ...{ id: 'one', domains: [0], protocolVersion: 5, isTimed },
      ...{ topic: 'ros/0/@bridge/one', filter: 'ros/+/@bridge/+' },
    };
    const known = new KnownBridges(options, own, {
      changed: () => {
        standby.look();
        watch.changed();
      },
      warning: (text) => {
        warnings.push(text);
        watch.changed();
      },
    });
    const fail = (problem: string) => assert.fail(problem);
    const standby = new Standby({ id: 'one', protocolVersion: 5, checkInterval }, known, fail);
    standby.addDomain({
      domain: 0,
      bridges: () => new Set(['two']),
      bridgesOf: () => [],
      nodes: () => [],
      onGraphChange: () => () => {},
    } as Partial<RosDomain> as RosDomain);
    known.open();
    own.open();
    await watch.until(() => known.settled);
    const client = connection(broker.url);
    client.open();
    await connected(client);
    const sayOther = async (keys: string) => {
      const text = `{"state":"online","domains":[0],"toRos":{"0":"${keys}"}}`;
      await client.publish('ros/0/@bridge/two', text, { qos: 1, retain: false });
      const carried = () => known.online.get('two')?.carried['mqtt-to-ros'].get(0);
      await watch.until(() => carried()?.size === keys.length / 8);
    };
    await sayOther('');
    return {
      ...{ watch, link, options, standby, known, warnings, client, sayOther },
      said: await Inbox.on(client, 'ros/0/@bridge/one'),
      join: (topic: string) =>
        standby.join(
          { way: 'mqtt-to-ros', domain: 0, topic, rosName: '/chatter' },
          { changed: () => watch.changed(), report: () => {} },
        ),
      leave: async () => {
        standby.close();
        await known.leave();
        known.close();
        await own.close();
        await link.close();
      },
    };
  };

  it('take the turn of a route that closes and opens again within a round trip, until all know that it is back', async () => {
    const { watch, link, standby, sayOther, said, join, leave } = await linked();
    const topic = 'ros/0/chatter';
    const turns = [join(topic), join('ros/0/other')];
    await watch.until(() => turns.every(({ active }) => active));
    await sayOther(topicKey(topic));
    const release = link.hold();
    for (const turn of turns) turn.close();
    await said.until(({ texts }) => texts.at(-1)?.includes(topicKey(topic)) === false);
    // By now others have been told that they may begin.
    const [shared, alone] = [join(topic), join('ros/0/other')];
    const held: string[] = [];
    const deliver = () => held.push(alone.refusal() ?? 'carried');
    assert.equal(alone.hold({ bytes: 1, deliver, giveUp: () => assert.fail() }), true);
    assert.deepEqual([shared.active, shared.refusal()], [false, 'standby']);
    assert.equal(standby.othersHave({ way: 'mqtt-to-ros', domain: 0, topic }), undefined);
    release();
    await watch.until(() => alone.active);
    assert.deepEqual(held, ['carried']);
    // In a domain that was joined just now it waits for those that may not be seen yet, as long as the other one has it.
    await sayOther('');
    await watch.until(() => shared.active);
    await leave();
  });

  it('take the turn of a route that is removed while it is carried until they can know', async () => {
    const { watch, link, sayOther, said, join, leave } = await linked();
    const topic = 'ros/0/chatter';
    const turns = [join(topic), join('ros/0/back'), join('ros/0/other')];
    const [removed, back, other] = turns;
    await watch.until(() => turns.every(({ active }) => active));
    await sayOther(topicKey(topic) + topicKey('ros/0/back'));
    const release = link.hold();
    const left: string[] = [];
    removed?.leave(() => {
      left.push('removed');
      watch.changed();
    });
    back?.leave(() => left.push('back'));
    other?.leave(() => left.push('other'));
    // Nobody waits for it.
    assert.deepEqual(left, ['other']);
    await said.until(({ texts }) => texts.at(-1)?.includes(topicKey(topic)) === false);
    assert.deepEqual([removed?.active, removed?.refusal(), left], [true, undefined, ['other']]);
    join('ros/0/back');
    assert.deepEqual(left, ['other', 'back']);
    release();
    await watch.until(() => left.includes('removed'));
    await leave();
  });

  it('are known for what they carried a moment ago, of which something may come yet', async () => {
    const { watch, client, known, join, leave } = await linked();
    const topic = 'ros/0/chatter';
    const turn = join(topic);
    await watch.until(() => turn.active);
    const carries = async (keys: string) => {
      const text = `{"state":"online","domains":[0],"toMqtt":{"0":"${keys}"}}`;
      await client.publish('ros/0/@bridge/two', text, { qos: 1, retain: false });
      const carried = () => known.online.get('two')?.carried['ros-to-mqtt'].get(0);
      await watch.until(() => carried()?.size === keys.length / 8);
    };
    assert.equal(turn.refusal(['two']), undefined);
    await carries(topicKey(topic));
    assert.equal(turn.refusal(['two']), 'echo');
    await carries('');
    assert.equal(turn.refusal(['two']), 'echo');
    await leave();
  });

  for (const from of [1000, undefined])
    it(`are left what is published from a told time on, where they ${from === undefined ? 'do not tell' : 'tell'} one`, async () => {
      const { watch, client, standby, known, leave } = await linked({ isTimed: true });
      const topic = 'ros/0/chatter';
      const place = { way: 'ros-to-mqtt', domain: 0, topic, rosName: '/chatter', isTimed: true } as const;
      const turn = standby.join(place, { changed: () => watch.changed(), report: assert.fail });
      await watch.until(() => turn.active);
      const other = { state: 'online', domains: [0], toMqtt: { 0: topicKey(topic) }, from };
      await client.publish('ros/0/@bridge/two', JSON.stringify(other), { qos: 1, retain: false });
      await watch.until(() => known.online.get('two')?.carried['ros-to-mqtt'].has(0) === true);
      await known.leave();
      const time = BigInt(known.from ?? 0) * 1_000_000n;
      const refusals = [time - 1n, time, undefined].map((at) => turn.refusal([], 'guid', at));
      const isTold = from !== undefined;
      // What does not tell when it was published may be of before.
      const before = isTold ? undefined : 'standby';
      assert.deepEqual(refusals, [before, 'standby', before]);
      assert.equal(turn.active, isTold);
      await standby.changedOver();
      assert.equal(turn.standbyFor, 'two');
      turn.close();
      await leave();
    });

  for (const from of [1000, undefined])
    it(`are taken over from ${from === undefined ? 'when they know it' : 'at the told time'}, though this bridge knows it later`, async () => {
      const { watch, link, client, standby, known, said, leave } = await linked({ isTimed: true });
      const release = link.hold();
      const topic = 'ros/0/chatter';
      const other = { state: 'online', domains: [0], toMqtt: { 0: topicKey(topic) }, from };
      await client.publish('ros/0/@bridge/two', JSON.stringify(other), { qos: 1, retain: false });
      const place = { way: 'ros-to-mqtt', domain: 0, topic, rosName: '/chatter', isTimed: true } as const;
      const turn = standby.join(place, { changed: () => watch.changed(), report: assert.fail });
      await said.until(({ texts }) => texts.at(-1)?.includes(topicKey(topic)) === true);
      const told = BigInt(JSON.parse(String(said.messages.at(-1)?.payload)).from) * 1_000_000n;
      const refusals: unknown[] = [];
      for (const time of [told - 1n, told, undefined]) {
        const deliver = () => refusals.push(turn.refusal([], 'guid', time));
        assert.equal(turn.hold({ bytes: 1, deliver, giveUp: assert.fail }), true);
      }
      release();
      await watch.until(() => refusals.length === 3);
      assert.deepEqual(refusals, ['standby', from === undefined ? 'standby' : undefined, 'standby']);
      await watch.until(() => turn.active);
      assert.equal(known.online.has('two'), true);
      turn.close();
      await leave();
    });

  it('are told again what does not come back, which a broker may have lost', async () => {
    const { watch, link, options, warnings, said, join, leave } = await linked();
    const topic = 'ros/0/chatter';
    const release = link.hold();
    // For two repetitions, and not until it is given up.
    let brief = 2;
    Object.defineProperty(options, 'patience', { get: () => (brief-- > 0 ? 50 : undefined) });
    const turn = join(topic);
    const isTold = (text: string) => text.includes(topicKey(topic));
    await said.until(({ texts }) => texts.filter(isTold).length > 2);
    assert.equal(turn.active, false);
    release();
    await watch.until(() => turn.active);
    assert.deepEqual(warnings, []);
    await leave();
  });

  it('are not waited for when what is told never comes back, which is said with what to do, once', async () => {
    const { watch, link, options, known, warnings, join, leave } = await linked();
    const release = link.hold();
    options.patience = 5;
    const turn = join('ros/0/chatter');
    await watch.until(() => warnings.length > 0 && turn.active);
    const words =
      "other bridges of this broker cannot be known (ros/+/@bridge/+: nothing of it comes back), and what two carry would be doubled; the broker must let the bridge's client publish ros/0/@bridge/one and subscribe ros/+/@bridge/+";
    assert.deepEqual([warnings, known.problem], [[words], words]);
    const more = join('ros/0/more');
    await watch.until(() => more.active);
    assert.equal(warnings.length, 1);
    release();
    await watch.until(() => known.problem === undefined);
    await leave();
  });

  it('carry while somebody says of one that it is not there, who is not answered without end', async () => {
    const { watch, known, client, said, sayOther, join, leave } = await linked();
    const topic = 'ros/0/chatter';
    const turn = join(topic);
    await watch.until(() => turn.active);
    await sayOther(topicKey(topic));
    await said.until(({ texts }) => texts.at(-1)?.includes(topicKey(topic)) === true);
    const from = said.messages.length;
    const deny = () => client.publish('ros/0/@bridge/one', '{"state":"offline"}', { qos: 1, retain: false });
    await deny();
    await watch.until(() => turn.standbyFor === 'two');
    // It may have been the will of its connection before.
    await watch.until(() => turn.active);
    assert.equal(known.problem, undefined);
    await deny();
    await watch.until(() => turn.standbyFor === 'two');
    const states = said.messages.slice(from).map(({ payload }) => JSON.parse(String(payload)).state);
    assert.deepEqual(states, ['offline', 'online', 'offline']);
    assert.match(
      known.problem ?? '',
      /^somebody else says at ros\/0\/@bridge\/one that this bridge is not there/,
    );
    // What is new meanwhile waits for the answer.
    const more = join('ros/0/more');
    await watch.until(() => turn.active && more.active);
    await leave();
  });

  it('are asked for again, because a broker may drop what they say', async function () {
    const inFlight = 10;
    const limits = [`max_inflight_messages ${inFlight}`, 'max_queued_messages 1'];
    const broker = await Mosquitto.start(this, limits);
    const { watch, link, known, client, leave } = await linked({ broker, checkInterval: 20 });
    const say = (id: string, state: string) =>
      client.publish(`ros/0/@bridge/${id}`, JSON.stringify({ state }), { qos: 1, retain: true });
    const drop = async (state: string) => {
      const release = link.hold();
      for (let count = 0; count <= inFlight; count++) await say('three', state);
      await say('two', state);
      release();
    };
    await drop('offline');
    await broker.logged(/Outgoing messages are being dropped/);
    await watch.until(() => !known.online.has('two'));
    await drop('online');
    await watch.until(() => known.online.has('two'));
    await leave();
    await broker.stop();
  });

  it('have a bounded number of routes together, because anybody may say that there are more', async () => {
    const watch = new Watch();
    const warnings: string[] = [];
    const own = connection();
    const known = new KnownBridges(
      { id: 'own', domains: [0], protocolVersion: 5, topic: 'ros/0/@bridge/own', filter: 'ros/+/@bridge/+' },
      own,
      {
        changed: () => watch.changed(),
        warning: (text) => {
          warnings.push(text);
          watch.changed();
        },
      },
    );
    known.open();
    own.open();
    await watch.until(() => known.settled);
    const client = connection();
    client.open();
    await connected(client);
    const keys = new Set(Array.from({ length: MAX_TOLD_ROUTES }, (_, n) => String(n).padStart(8, '0')));
    const carried = { 'ros-to-mqtt': new Map([[0, keys]]), 'mqtt-to-ros': new Map([[0, keys]]) };
    const say = (id: number, state: 'online' | 'offline', said = carried) =>
      client.publish(
        `ros/0/@bridge/${id}`,
        encodePresence({ state, domains: [0], protocolVersion: 5, carried: said }),
        { qos: 1, retain: false },
      );
    const full = 2 ** 18 / (2 * MAX_TOLD_ROUTES);
    for (let id = 0; id < full; id++) await say(id, 'online');
    await watch.until(() => known.online.size === full);
    assert.deepEqual(warnings, []);
    await say(full, 'online');
    await watch.until(() => warnings.length > 0);
    assert.equal(known.online.size, full);
    assert.match(warnings[0] ?? '', /bridges with more than 262144 routes, are online at the broker$/);
    // Saying the same again takes no more, and is not read again; who leaves makes room.
    const known0 = known.online.get('0');
    await say(0, 'online');
    await say(1, 'offline');
    await say(full, 'online');
    await say(full + 1, 'online', NOTHING_CARRIED as typeof carried);
    await watch.until(() => known.online.has(String(full + 1)));
    assert.equal(known.online.get('0'), known0);
    assert.equal(known.online.has(String(full)), true);
    assert.equal(known.online.has('1'), false);
    assert.equal(warnings.length, 1);
    // Nothing is kept of what is said beside that.
    const padded = JSON.stringify({ state: 'online', domains: [0], said: 'x'.repeat(100_000) });
    await client.publish('ros/0/@bridge/padded', padded, { qos: 1, retain: false });
    await watch.until(() => known.online.has('padded'));
    assert.ok(JSON.stringify(known.online.get('padded')).length < 1000);
    known.close();
  });
});
