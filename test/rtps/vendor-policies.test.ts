import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import type { EndpointPair } from '../../src/rtps/matching';
import type { Participant } from '../../src/rtps/participant';
import type { EndpointQos } from '../../src/rtps/qos';
import { hearsAll, matched, withEachVendor } from './each-vendor';
import {
  BEST_EFFORT,
  encodeString,
  freshDomain,
  freshTopic,
  Inbox,
  numberedTexts,
  RELIABLE,
  STRING,
  TRANSIENT_LOCAL,
} from './fixture';

interface Mismatch {
  readonly policy: string;
  /** What DDS calls the policy; partitions that differ are no incompatibility to it. */
  readonly id?: number;
  readonly qos: Partial<EndpointQos>;
  readonly args: Readonly<Record<string, string | number>>;
}

/** What our reader requests and a talker does not offer. */
const OFFERED_LESS: readonly Mismatch[] = [
  { policy: 'reliability', id: 11, qos: {}, args: { rel: 'b' } },
  { policy: 'deadline', id: 4, qos: { deadline: 100 }, args: { deadline: 200 } },
  { policy: 'liveliness', id: 8, qos: { livelinessLease: 500 }, args: {} },
  { policy: 'liveliness', id: 8, qos: { liveliness: 'manual-by-topic' }, args: { liveliness: 'p' } },
  { policy: 'ownership', id: 6, qos: { ownership: 'exclusive' }, args: {} },
  { policy: 'partition', qos: { partitions: ['a*'] }, args: { partition: 'b' } },
];

/** What a listener requests and our writer does not offer. */
const REQUESTED_MORE: readonly Mismatch[] = [
  { policy: 'durability', id: 2, qos: {}, args: { dur: 't' } },
  { policy: 'deadline', id: 4, qos: { deadline: 200 }, args: { deadline: 100 } },
  { policy: 'liveliness', id: 8, qos: { livelinessLease: 1000 }, args: { 'liveliness-lease': 500 } },
  { policy: 'liveliness', id: 8, qos: {}, args: { liveliness: 't' } },
  { policy: 'ownership', id: 6, qos: {}, args: { ownership: 'e' } },
  { policy: 'partition', qos: { partitions: ['a', 'b'] }, args: { partition: 'c*' } },
];

/** Policies of a writer that suit those of a reader. */
const OFFERED: Partial<EndpointQos> = {
  deadline: 10_000,
  livelinessLease: 5000,
  lifespan: 30_000,
  ownership: 'exclusive',
  ownershipStrength: 3,
  partitions: ['robot 1'],
};
const OFFERED_ARGS = {
  deadline: 10_000,
  'liveliness-lease': 5000,
  lifespan: 30_000,
  ownership: 'e',
  strength: 3,
  partition: 'robot 1',
};
const REQUESTED: Partial<EndpointQos> = {
  deadline: 20_000,
  livelinessLease: 5000,
  ownership: 'exclusive',
  partitions: ['robot*'],
};
const REQUESTED_ARGS = {
  deadline: 20_000,
  'liveliness-lease': 5000,
  ownership: 'e',
  partition: 'robot*',
};

withEachVendor('the policies of a participant', (cast, vendor) => {
  /** The policy that keeps an endpoint of ours from another one on that topic. */
  async function incompatible(participant: Participant, topic: string): Promise<string> {
    for (;;) {
      const [pair]: Array<EndpointPair & { policy: string }> = await once(participant, 'incompatible');
      if (pair?.local.topic === topic) return pair.policy;
    }
  }

  for (const { policy, id, qos, args } of OFFERED_LESS)
    it(`does not match a talker whose ${policy} is not enough (${JSON.stringify(qos)})`, async function () {
      const domain = freshDomain();
      const topic = freshTopic();
      const participant = await cast.participant({ domain });
      const named = incompatible(participant, topic);
      const reader = participant.createReader({ topic, type: STRING, qos: { ...RELIABLE, ...qos } }, () =>
        assert.fail('no match'),
      );
      const talker = cast.peer(this, 'pub', {
        args: { domain, topic, match: 0, count: 0, rate: 100, ...args },
      });
      assert.equal(await named, policy);
      if (id !== undefined) await talker.until(({ incompatible }) => incompatible === id);
      assert.deepEqual([reader.matchedCount, talker.matched], [0, 0]);
    });

  for (const { policy, id, qos, args } of REQUESTED_MORE)
    it(`does not match a listener to whom its ${policy} is not enough (${JSON.stringify(args)})`, async function () {
      const domain = freshDomain();
      const topic = freshTopic();
      const participant = await cast.participant({ domain });
      const named = incompatible(participant, topic);
      const writer = participant.createWriter({ topic, type: STRING, qos: { ...RELIABLE, ...qos } });
      const listener = cast.peer(this, 'sub', { args: { domain, topic, count: 0, timeout: 30, ...args } });
      assert.equal(await named, policy);
      if (id !== undefined) await listener.until(({ incompatible }) => incompatible === id);
      assert.deepEqual([writer.matchedCount, listener.matched], [0, 0]);
    });

  it('hears a talker that offers what it requests, and knows what that is', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const inbox = new Inbox();
    participant.createReader({ topic, type: STRING, qos: { ...RELIABLE, ...REQUESTED } }, inbox.take);
    const args = { domain, topic, count: 3, rate: 100, ...OFFERED_ARGS };
    cast.peer(this, 'pub', { args });
    await inbox.until(3);
    assert.deepEqual(inbox.texts, numberedTexts(3));
    const [talker] = participant.endpoints.filter((endpoint) => endpoint.topic === topic);
    assert.deepEqual(talker?.qos, {
      reliability: 'reliable',
      durability: 'volatile',
      depth: talker?.qos.depth,
      liveliness: 'automatic',
      ...OFFERED,
    });
  });

  it('is heard by a listener that requests what it offers', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const writer = participant.createWriter({ topic, type: STRING, qos: { ...RELIABLE, ...OFFERED } });
    const args = { domain, topic, count: 3, timeout: 30, ...REQUESTED_ARGS };
    const listener = cast.peer(this, 'sub', { args });
    await matched(writer, listener);
    await hearsAll(listener, writer, 3);
  });

  it('misses the deadline of a talker that falls silent', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const inbox = new Inbox();
    const qos = { ...RELIABLE, deadline: 100 };
    const reader = participant.createReader({ topic, type: STRING, qos }, inbox.take);
    const args = { domain, topic, count: 1, deadline: 100, idle: 30 };
    const talker = cast.peer(this, 'pub', { args });
    const [missed] = await once(participant, 'deadline-missed');
    assert.deepEqual(missed, { local: reader, total: 1 });
    assert.deepEqual(inbox.texts, numberedTexts(1));
    await talker.until((peer) => peer.missed > 0);
  });

  it('is missed by a listener when it falls silent', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const writer = participant.createWriter({ topic, type: STRING, qos: { ...RELIABLE, deadline: 100 } });
    const args = { domain, topic, count: 0, deadline: 100, idle: 30 };
    const listener = cast.peer(this, 'sub', { args });
    await matched(writer, listener);
    writer.write(encodeString('the only one'));
    await listener.until((peer) => peer.missed > 0);
  });

  for (const [liveliness, kind] of [
    ['automatic', 'a'],
    ['manual-by-participant', 'p'],
    ['manual-by-topic', 't'],
  ] as const)
    it(`sees that a talker stands still, and goes on (${liveliness})`, async function () {
      const domain = freshDomain();
      const topic = freshTopic();
      const participant = await cast.participant({ domain });
      const qos = { ...RELIABLE, liveliness, livelinessLease: 400 };
      const inbox = new Inbox();
      participant.createReader({ topic, type: STRING, qos }, inbox.take);
      const args = { domain, topic, count: 0, rate: 50, liveliness: kind, 'liveliness-lease': 400 };
      const talker = cast.peer(this, 'pub', { args });
      // On a busy machine it may be missed for a moment before.
      let isAlive = true;
      participant.on('liveliness', ({ alive, remote }) => {
        assert.equal(remote.topic, topic);
        isAlive = alive;
      });
      await inbox.until(1);
      talker.pause();
      while (isAlive) await once(participant, 'liveliness');
      talker.resume();
      while (!isAlive) await once(participant, 'liveliness');
    });

  it('sees that a talker which has to show it itself does not write', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const qos: EndpointQos = { ...RELIABLE, liveliness: 'manual-by-topic', livelinessLease: 200 };
    participant.createReader({ topic, type: STRING, qos }, () => {});
    const args = { domain, topic, count: 1, idle: 30, liveliness: 't', 'liveliness-lease': 200 };
    cast.peer(this, 'pub', { args });
    assert.equal((await once(participant, 'liveliness'))[0].alive, false);
  });

  for (const [liveliness, kind] of [
    ['manual-by-participant', 'p'],
    ['manual-by-topic', 't'],
  ] as const)
    it(`takes a talker for alive that says it is, though it writes nothing (${liveliness})`, async function () {
      const domain = freshDomain();
      const topic = freshTopic();
      const participant = await cast.participant({ domain });
      let isAlive = true;
      participant.on('liveliness', ({ alive }) => (isAlive = alive));
      const lease = 300;
      const qos: EndpointQos = { ...RELIABLE, liveliness, livelinessLease: lease };
      const inbox = new Inbox();
      participant.createReader({ topic, type: STRING, qos }, inbox.take);
      const args = {
        domain,
        topic,
        count: 1,
        idle: 30,
        liveliness: kind,
        'liveliness-lease': lease,
        assert: 1,
      };
      cast.peer(this, 'pub', { args });
      await inbox.until(1);
      await wait(3 * lease);
      // On a busy machine it may have been missed for a moment.
      while (!isAlive) await once(participant, 'liveliness');
    });

  for (const [liveliness, kind, reliability, rel] of [
    ['manual-by-participant', 'p', RELIABLE, 'r'],
    ['manual-by-topic', 't', RELIABLE, 'r'],
    ['manual-by-topic', 't', BEST_EFFORT, 'b'],
  ] as const) {
    // A best-effort reader of Fast DDS takes no HEARTBEAT.
    if (vendor === 'fast' && kind === 't' && rel === 'b') continue;
    it(`is alive to a ${reliability.reliability} listener as long as it says so (${liveliness})`, async function () {
      const domain = freshDomain();
      const topic = freshTopic();
      const participant = await cast.participant({ domain });
      const livelinessLease = 300;
      const qos = { ...reliability, liveliness, livelinessLease };
      const writer = participant.createWriter({ topic, type: STRING, qos });
      // Automatic: what is said of it says nothing of the other.
      const other = { ...RELIABLE, livelinessLease };
      participant.createWriter({ topic: freshTopic(), type: STRING, qos: other });
      const asserting = setInterval(() => writer.assertLiveliness(), livelinessLease / 10);
      try {
        const args = { domain, topic, rel, count: 0, liveliness: kind, 'liveliness-lease': livelinessLease };
        const listener = cast.peer(this, 'sub', { args });
        // On a busy machine a lease may run out, and only a sample ends that for Cyclone DDS.
        for (let lapsed = true; lapsed; ) {
          if (listener.alive.at(-1) === 0) writer.write(encodeString('alive'));
          await listener.until(({ alive }) => alive.at(-1) === 1);
          const changes = listener.alive.length;
          await wait(2 * livelinessLease);
          lapsed = listener.alive.length > changes;
        }
        clearInterval(asserting);
        await listener.until(({ alive }) => alive.at(-1) === 0);
        writer.write(encodeString('alive'));
        await listener.until(({ alive }) => alive.at(-1) === 1);
      } finally {
        clearInterval(asserting);
      }
    });
  }

  it('is alive to a listener, lease for lease, though it writes nothing', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const lease = 300;
    const qos = { ...RELIABLE, livelinessLease: lease };
    const writer = participant.createWriter({ topic, type: STRING, qos });
    const args = { domain, topic, count: 1, timeout: 30, 'liveliness-lease': lease };
    const listener = cast.peer(this, 'sub', { args });
    await listener.until(({ alive }) => alive.length > 0);
    await wait(3 * lease);
    // On a busy machine it may have been missed for a moment.
    await listener.until(({ alive }) => alive.at(-1) === 1);
    writer.write(encodeString('still here'));
    assert.equal(await listener.exited(), 0);
  });

  it('hears the strongest of two talkers, and the other once that one is gone', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const inbox = new Inbox();
    const qos: EndpointQos = { ...RELIABLE, ownership: 'exclusive' };
    participant.createReader({ topic, type: STRING, qos }, inbox.take);
    const args = { domain, topic, ownership: 'e', count: 0, rate: 50 };
    const strong = cast.peer(this, 'pub', { args: { ...args, strength: 9, text: 'strong ' } });
    await inbox.until(1);
    cast.peer(this, 'pub', { args: { ...args, strength: 1, text: 'weak ' } });
    while (participant.statistics.samplesNotOwned < 5) await once(inbox, 'sample');
    assert.ok(inbox.texts.every((text) => text.startsWith('strong ')));
    await strong.stop('SIGTERM');
    while (!inbox.texts.at(-1)?.startsWith('weak ')) await once(inbox, 'sample');
  });

  it('is heard by a listener as the strongest, and not as the weaker', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const qos: EndpointQos = { ...RELIABLE, ownership: 'exclusive' };
    const weak = participant.createWriter({ topic, type: STRING, qos });
    const strong = participant.createWriter({ topic, type: STRING, qos: { ...qos, ownershipStrength: 1 } });
    const listener = cast.peer(this, 'sub', {
      args: { domain, topic, ownership: 'e', count: 2, timeout: 30 },
    });
    await listener.until(({ matched }) => matched === 2);
    for (const writer of [weak, strong]) if (writer.matchedCount === 0) await once(writer, 'matched');
    strong.write(encodeString('strong 1'));
    await listener.until(({ messages }) => messages.length === 1);
    weak.write(encodeString('weak'));
    strong.write(encodeString('strong 2'));
    assert.equal(await listener.exited(), 0);
    assert.deepEqual(listener.messages, [{ data: 'strong 1' }, { data: 'strong 2' }]);
  });

  it('gives a late listener only what has not outlived its lifespan', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const lifespan = 100;
    const fleeting = participant.createWriter({ topic, type: STRING, qos: { ...TRANSIENT_LOCAL, lifespan } });
    const lasting = participant.createWriter({ topic, type: STRING, qos: TRANSIENT_LOCAL });
    fleeting.write(encodeString('fleeting'));
    lasting.write(encodeString('lasting 1'));
    const written = Date.now();
    while (Date.now() <= written + lifespan) await wait(10);
    const listener = cast.peer(this, 'sub', { args: { domain, topic, dur: 't', count: 2, timeout: 30 } });
    await listener.until(({ messages, matched }) => messages.length === 1 && matched === 2);
    while (lasting.matchedCount < 1) await once(lasting, 'matched');
    lasting.write(encodeString('lasting 2'));
    assert.equal(await listener.exited(), 0);
    assert.deepEqual(listener.messages, [{ data: 'lasting 1' }, { data: 'lasting 2' }]);
  });

  // Fast DDS 2.9 knows neither.
  if (vendor === 'fast') return;

  it('reads XCDR2 where a talker writes it, and does not match a listener that reads nothing else', async function () {
    const domain = freshDomain();
    const [topic, otherTopic] = [freshTopic(), freshTopic()];
    const participant = await cast.participant({ domain });
    const inbox = new Inbox();
    participant.createReader({ topic, type: STRING, qos: BEST_EFFORT }, inbox.take);
    cast.peer(this, 'pub', { args: { domain, topic, count: 0, rate: 50, xcdr: 2 } });
    const [sample] = await inbox.until(1);
    // CDR2_LE (XTypes 1.3, 7.6.3.1.2).
    assert.equal(sample?.payload.readUInt16BE(0), 0x0007);
    const named = incompatible(participant, otherTopic);
    participant.createWriter({ topic: otherTopic, type: STRING, qos: RELIABLE });
    cast.peer(this, 'sub', { args: { domain, topic: otherTopic, xcdr: 2, count: 0, timeout: 30 } });
    assert.equal(await named, 'data representation');
  });

  it('does not match a listener that wants to see the structure of the type', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const named = incompatible(participant, topic);
    const writer = participant.createWriter({ topic, type: STRING, qos: RELIABLE });
    const listener = cast.peer(this, 'sub', { args: { domain, topic, validate: 1, count: 0, timeout: 30 } });
    assert.equal(await named, 'type consistency');
    assert.deepEqual([writer.matchedCount, listener.matched], [0, 0]);
  });
});
