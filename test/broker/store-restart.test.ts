import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AccessSettings } from '../../src/broker/access/access-settings';
import { scramVerifier } from '../../src/broker/access/password-hash';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import type { Limits } from '../../src/broker/limits';
import { JournalStore } from '../../src/broker/store/journal-store';
import type { Store } from '../../src/broker/store/store';
import { crashImage } from '../journal/crash-image';
import { BrokerInProcess } from './broker-in-process';
import { lasting, type MqttPeer } from './mqtt-peer';

describe('a broker with a journal', () => {
  let folder: string;
  let directory: string;
  let stores: JournalStore[];
  let broker: BrokerInProcess;
  let time: { monotonic: number; wall: number };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'restart-'));
    directory = join(folder, '0');
    stores = [];
    time = { monotonic: 5000, wall: 1_700_000_000_000 };
    await boot();
  });
  afterEach(async () => {
    for (const store of stores) await store.close();
    rmSync(folder, { recursive: true });
  });

  async function boot(
    limits: Partial<Limits> = {},
    wrap: (store: JournalStore) => Store = (store) => store,
    access: AccessSettings = {},
  ) {
    const store = new JournalStore({
      directory,
      durability: 'write',
      maximumBytes: limits.storedBytes ?? 1 << 20,
      monotonic: () => time.monotonic,
      wall: () => time.wall,
    });
    assert.deepEqual(await store.open(() => broker.storeChanged()), []);
    stores.push(store);
    broker = new BrokerInProcess(limits, wrap(store), access);
  }

  /** The next broker finds the files as they are now, and an unrelated clock that does not jump. */
  async function crash(limits: Partial<Limits> = {}, access?: AccessSettings): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    const image = join(folder, String(stores.length));
    crashImage(directory, image);
    directory = image;
    time.monotonic = 77;
    await boot(limits, undefined, access);
  }

  function pass(seconds: number): void {
    time.monotonic += seconds * 1000;
    time.wall += seconds * 1000;
    broker.pass(0);
  }

  const journalBytes = () =>
    readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);

  it('brings a session back to the user whose it is, and to nobody else', async () => {
    for (const thief of [{}, { username: 'ben', password: Buffer.from('b') }]) {
      const access = {
        users: [
          { name: 'anna', passwordHash: await scramVerifier('a', 4096) },
          { name: 'ben', passwordHash: await scramVerifier('b', 4096) },
        ],
      };
      const anna = { ...lasting, username: 'anna', password: Buffer.from('a') };
      await crash({}, access);
      const first = await broker.client(5, anna);
      await first.subscribe('t', { qos: 1 });
      await crash({}, access);
      const again = broker.open(5);
      assert.equal((await again.connect(anna)).sessionPresent, true);
      await crash({}, access);
      const other = broker.open(5);
      assert.equal((await other.connect({ ...lasting, ...thief })).sessionPresent, false);
      assert.equal(broker.statistics.subscriptions, 0);
    }
  });

  for (const version of [4, 5] as const) {
    it(`brings back subscriptions, waiting messages and those in flight to clients of level ${version}`, async () => {
      const first = await broker.client(version, lasting);
      await first.subscribe('t/#', { qos: 2 });
      await first.subscribe('gone', { qos: 2 });
      first.send({ type: 'unsubscribe', packetId: 3, filters: ['gone'], properties: {} });
      await first.expect('unsuback');
      const publisher = await broker.client(version);
      for (const [packetId, qos] of [1, 2, 2, 1].entries()) {
        publisher.publish('t/a', `message ${packetId}`, { qos: qos as 1 | 2, packetId: packetId + 1 });
        await publisher.expect(qos === 1 ? 'puback' : 'pubrec');
      }
      const sent = [];
      for (let count = 0; count < 4; count++) sent.push((await first.expect('publish')).packetId);
      first.acknowledge('puback', sent[0] as number);
      first.acknowledge('pubrec', sent[1] as number);
      await first.expect('pubrel');
      await first.vanish();
      publisher.publish('t/b', 'while away', { qos: 2, packetId: 10 });
      await publisher.expect('pubrec');
      publisher.publish('gone', 'to nobody', { qos: 1, packetId: 11 });
      await publisher.expect('puback');

      await crash();
      const second = broker.open(version);
      assert.equal((await second.connect(lasting)).sessionPresent, true);
      assert.equal((await second.expect('pubrel')).packetId, sent[1]);
      for (const [index, payload] of [
        [2, 'message 2'],
        [3, 'message 3'],
      ] as const) {
        const again = await second.expect('publish');
        assert.deepEqual([again.packetId, again.dup, again.payload.toString()], [sent[index], true, payload]);
      }
      const late = await second.expect('publish');
      assert.deepEqual([late.topic, late.dup, late.payload.toString()], ['t/b', false, 'while away']);
      assert.ok(!sent.slice(1).includes(late.packetId));
      second.acknowledge('pubcomp', sent[1] as number);
      second.acknowledge('pubrec', sent[2] as number);
      await second.expect('pubrel');
      second.acknowledge('pubcomp', sent[2] as number);
      second.acknowledge('puback', sent[3] as number);
      await second.expectNothing();
      const other = await broker.client(version);
      other.publish('t/c', 'live', { qos: 1, packetId: 1 });
      assert.equal((await second.expect('publish')).payload.toString(), 'live');
      await second.vanish();

      await crash();
      const third = await broker.client(version, lasting);
      const rest = [await third.expect('publish'), await third.expect('publish')];
      assert.deepEqual(
        rest.map(({ payload }) => payload.toString()),
        ['while away', 'live'],
      );
      await third.expectNothing();
    });
  }

  it('keeps what a shared subscription has passed on for the member that has it now', async () => {
    const lastingAs = (clientId: string) => ({ ...lasting, clientId });
    const first = await broker.client(5, lastingAs('first'));
    await first.subscribe('$share/group/t', { qos: 1 });
    const publisher = await broker.client(5);
    publisher.publish('t', 'shared', { qos: 1, packetId: 1 });
    await publisher.expect('puback');
    await first.expect('publish');
    const second = await broker.client(5, lastingAs('second'));
    await second.subscribe('$share/group/t', { qos: 1 });
    await first.vanish();
    assert.equal((await second.expect('publish')).payload.toString(), 'shared');
    await crash();
    await (await broker.client(5, lastingAs('first'))).expectNothing();
    const again = await broker.client(5, lastingAs('second'));
    assert.equal((await again.expect('publish')).payload.toString(), 'shared');
  });

  it('takes a QoS 2 message that is sent again after a restart for the same, until it is released', async () => {
    const subscriber = await broker.client(5, lasting);
    await subscriber.subscribe('t', { qos: 2 });
    await subscriber.vanish();
    const publisher = await broker.client(5, { ...lasting, clientId: 'publisher' });
    publisher.publish('t', 'once', { qos: 2, packetId: 4 });
    await publisher.expect('pubrec');
    await crash();
    const again = await broker.client(5, { ...lasting, clientId: 'publisher' });
    again.publish('t', 'once', { qos: 2, packetId: 4, dup: true });
    await again.expect('pubrec');
    again.acknowledge('pubrel', 4);
    await again.expect('pubcomp');
    await crash();
    const third = await broker.client(5, { ...lasting, clientId: 'publisher' });
    third.publish('t', 'another', { qos: 2, packetId: 4 });
    await third.expect('pubrec');
    const back = await broker.client(5, lasting);
    assert.equal((await back.expect('publish')).payload.toString(), 'once');
    assert.equal((await back.expect('publish')).payload.toString(), 'another');
    await back.expectNothing();
  });

  it('brings back retained messages with what is left of their expiry', async () => {
    const publisher = await broker.client(5);
    publisher.publish('r/1', 'kept', { retain: true, qos: 1, packetId: 1 });
    publisher.publish('r/2', 'short', {
      retain: true,
      qos: 1,
      packetId: 2,
      properties: { messageExpiryInterval: 50, contentType: 'text' },
    });
    publisher.publish('r/3', 'shorter', {
      retain: true,
      qos: 1,
      packetId: 3,
      properties: { messageExpiryInterval: 20 },
    });
    publisher.publish('r/4', 'removed', { retain: true });
    publisher.publish('r/4', '', { retain: true, qos: 1, packetId: 4 });
    for (let count = 0; count < 4; count++) await publisher.expect('puback');
    time.wall += 30_000;
    await crash();
    const subscriber = await broker.client(5);
    await subscriber.subscribe('r/#');
    const found = [await subscriber.expect('publish'), await subscriber.expect('publish')];
    assert.deepEqual(
      found.map(({ topic, payload, properties }) => [topic, payload.toString(), properties]).sort(),
      [
        ['r/1', 'kept', {}],
        ['r/2', 'short', { messageExpiryInterval: 20, contentType: 'text' }],
      ],
    );
    await subscriber.expectNothing();
  });

  it('writes nothing for sessions that end with their connection, nor for QoS 0', async () => {
    const persistent = await broker.client(5, lasting);
    await persistent.subscribe('t', { qos: 0 });
    const before = journalBytes();
    const subscriber = await broker.client(5);
    await subscriber.subscribe('t', { qos: 2 });
    const publisher = await broker.client(4);
    for (const qos of [0, 1, 2] as const) {
      publisher.publish('t', 'x', { qos, packetId: qos });
      await persistent.expect('publish');
      const { packetId } = await subscriber.expect('publish');
      if (qos === 1) subscriber.acknowledge('puback', packetId);
      if (qos === 2) {
        subscriber.acknowledge('pubrec', packetId);
        await subscriber.expect('pubrel');
      }
    }
    await publisher.vanish();
    await subscriber.vanish();
    await persistent.expectNothing();
    assert.equal(journalBytes(), before);
  });

  describe('counts the time of an absent client', () => {
    async function leave(): Promise<void> {
      const client = await broker.client(5, lasting);
      await client.subscribe('t', { qos: 1 });
      client.send({ type: 'disconnect', reasonCode: 0, properties: {} });
      await client.closed;
    }
    const present = async () => {
      broker.pass(0);
      return (await broker.open(5).connect(lasting)).sessionPresent;
    };

    it('before, during and after an outage together', async () => {
      await leave();
      pass(30);
      time.wall += 40_000;
      await crash();
      pass(29);
      await crash();
      assert.equal(await present(), true);
      await leave();
      pass(30);
      time.wall += 40_000;
      await crash();
      pass(31);
      assert.equal(await present(), false);
    });

    it('without going back more than a minute when the clock was set back', async () => {
      await leave();
      pass(61);
      pass(30);
      time.wall -= 1_000_000_000;
      await crash();
      pass(40);
      assert.equal(await present(), false);
    });

    it('without a leap when the clock was set while the broker ran', async () => {
      await leave();
      pass(10);
      time.wall += 1_000_000_000;
      pass(10);
      time.wall += 10_000;
      await crash();
      assert.equal(await present(), true);
      await leave();
      time.wall -= 2_000_000_000;
      pass(10);
      time.wall += 91_000;
      await crash();
      assert.equal(await present(), false);
    });

    it('from the crash on for one who was connected then', async () => {
      const client = await broker.client(5, lasting);
      await client.subscribe('t', { qos: 1 });
      for (let minute = 0; minute < 1000; minute++) pass(60);
      time.wall += 99_000;
      await crash();
      assert.equal(await present(), true);
      pass(60);
      time.wall += 200_000;
      await crash();
      assert.equal(await present(), false);
    });
  });

  it('publishes the will of a client that was connected or lately gone', async () => {
    const watcher = { clientId: 'watcher', cleanStart: false, properties: { sessionExpiryInterval: 1000 } };
    const first = await broker.client(5, watcher);
    await first.subscribe('w/#', { qos: 1 });
    const will = (name: string, willDelayInterval: number) => ({
      topic: `w/${name}`,
      payload: Buffer.from(name),
      qos: 1 as const,
      retain: false,
      properties: { willDelayInterval },
    });
    await broker.client(5, { ...lasting, clientId: 'a', will: will('connected', 0) });
    const gone = await broker.client(5, { ...lasting, clientId: 'b', will: will('gone', 20) });
    const polite = await broker.client(5, { ...lasting, clientId: 'c', will: will('polite', 0) });
    polite.send({ type: 'disconnect', reasonCode: 0, properties: {} });
    await polite.closed;
    await gone.vanish();
    await first.expectNothing();
    await crash();
    broker.pass(0);
    const second = await broker.client(5, watcher);
    assert.equal((await second.expect('publish')).topic, 'w/connected');
    await second.expectNothing();
    pass(21);
    assert.equal((await second.expect('publish')).topic, 'w/gone');
    await crash();
    pass(50);
    const third = await broker.client(5, watcher);
    assert.deepEqual(
      [(await third.expect('publish')).topic, (await third.expect('publish')).topic],
      ['w/connected', 'w/gone'],
    );
    await third.expectNothing();
  });

  it('counts retained messages for which limits are too low now', async () => {
    const publisher = await broker.client(5);
    for (const topic of ['a', 'b', 'c']) publisher.publish(topic, 'x', { retain: true });
    await publisher.expectNothing();
    await crash({ retainedMessages: 2 });
    assert.equal(broker.statistics.retained, 2);
    assert.equal(broker.statistics.dropped, 1);
  });

  it('resumes the later one of two sessions of a client, of which damage leaves both', async () => {
    const store = stores.at(-1) as JournalStore;
    const subscription = {
      filter: 't',
      qos: 1,
      noLocal: false,
      retainAsPublished: false,
      identifier: 0,
    } as const;
    for (let count = 0; count < 2; count++) {
      const session = store.newSession('lasting', '');
      session.subscribed(subscription);
      session.left(store.clock() + 60_000, Number.POSITIVE_INFINITY);
    }
    await crash();
    assert.equal(broker.statistics.subscriptions, 1);
    const client = await broker.client(5, lasting);
    client.publish('t', 'x', { qos: 1 });
    await client.expect('publish');
    await client.expect('puback');
    await crash();
    assert.equal([...(stores.at(-1) as JournalStore).sessions()].length, 1);
  });

  it('does not refuse what it has taken before, and takes again when what was kept has expired', async () => {
    directory = join(folder, 'small');
    await boot({ storedBytes: 4000 });
    const subscriber = await broker.client(5, lasting);
    await subscriber.subscribe('t', { qos: 2 });
    await subscriber.vanish();
    const options = { ...lasting, clientId: 'publisher' };
    const first = await broker.client(5, options);
    const publish = (peer: MqttPeer, packetId: number) =>
      peer.publish('t', 'x'.repeat(500), {
        qos: 2,
        packetId,
        properties: { messageExpiryInterval: 5 },
      });
    const refused = async (peer: MqttPeer, packetId: number) => {
      publish(peer, packetId);
      return (await peer.expect('pubrec')).reasonCode === ReasonCode.quotaExceeded;
    };
    let packetId = 1;
    while (!(await refused(first, packetId))) packetId++;
    assert.ok(packetId > 3);
    await first.vanish();
    const again = await broker.client(5, options);
    assert.equal(await refused(again, 1), false);
    assert.equal(await refused(again, packetId), true);
    pass(20);
    assert.equal(await refused(again, packetId), false);
  });

  it('refuses what it has no room to keep, and nothing else', async () => {
    directory = join(folder, 'small');
    await boot({ storedBytes: 4000 });
    const subscriber = await broker.client(5, lasting);
    await subscriber.subscribe('t', { qos: 2 });
    await subscriber.vanish();
    const publisher = await broker.client(5);
    let accepted = 0;
    for (let packetId = 1; ; packetId++, accepted++) {
      publisher.publish('t', 'x'.repeat(500), { qos: 1, packetId });
      const { reasonCode } = await publisher.expect('puback');
      if (reasonCode === ReasonCode.quotaExceeded) break;
      assert.equal(reasonCode, 0);
      assert.ok(accepted < 10);
    }
    publisher.publish('t', 'x', { qos: 2, packetId: 99 });
    assert.equal((await publisher.expect('pubrec')).reasonCode, ReasonCode.quotaExceeded);
    publisher.publish('r', 'x', { qos: 1, packetId: 100, retain: true });
    assert.equal((await publisher.expect('puback')).reasonCode, ReasonCode.quotaExceeded);
    publisher.publish('elsewhere', 'x', { qos: 2, packetId: 101 });
    assert.equal((await publisher.expect('pubrec')).reasonCode, 0);
    const old = await broker.client(4);
    old.publish('t', 'x', { qos: 1, packetId: 1 });
    assert.equal(await old.next(), undefined);
    const late = broker.open(5);
    assert.equal((await late.connect({ ...lasting, clientId: 'late' })).reasonCode, ReasonCode.quotaExceeded);
    assert.ok(accepted > 3);

    const back = await broker.client(5, lasting);
    const kept: number[] = [];
    for (let count = 0; count < accepted; count++) kept.push((await back.expect('publish')).packetId);
    assert.equal((await back.subscribe('more', { qos: 1 })).reasonCodes[0], ReasonCode.quotaExceeded);
    for (const packetId of kept) back.acknowledge('puback', packetId);
    await back.expectNothing();
    publisher.publish('t', 'fits', { qos: 1, packetId: 5 });
    assert.equal((await publisher.expect('puback')).reasonCode, 0);
    assert.equal((await back.expect('publish')).payload.toString(), 'fits');
  });
});
