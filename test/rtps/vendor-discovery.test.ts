import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { EndpointPair } from '../../src/rtps/matching';
import { matched, withEachVendor } from './each-vendor';
import { encodeString, freshDomain, freshTopic, Inbox, numberedTexts, RELIABLE, STRING } from './fixture';

withEachVendor('discovery between a participant', (cast, _vendor) => {
  it('keeps two domains apart', async function () {
    const topic = freshTopic();
    const domains = [freshDomain(), freshDomain()];
    const inboxes = await Promise.all(
      domains.map(async (domain) => {
        const participant = await cast.participant({ domain });
        const inbox = new Inbox();
        participant.createReader({ topic, type: STRING, qos: RELIABLE }, inbox.take);
        return inbox;
      }),
    );
    for (const domain of domains)
      cast.peer(this, 'pub', {
        args: { domain, topic, text: `of ${domain}: `, count: 20, rate: 100, depth: 20 },
      });
    await Promise.all(inboxes.map((inbox) => inbox.until(20)));
    for (const [index, inbox] of inboxes.entries())
      assert.deepEqual(
        inbox.texts,
        numberedTexts(20).map((text) => text.replace('message ', `of ${domains[index]}: `)),
      );
  });

  it('finds unicast peers that it is told, without multicast', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain, range: 'subnet', peers: ['127.0.0.1'] });
    const inbox = new Inbox();
    participant.createReader({ topic, type: STRING, qos: RELIABLE }, inbox.take);
    // Without multicast and without peers of its own, the talker finds nobody: it has to be found.
    cast.peer(this, 'pub', { profile: 'loopback-passive', args: { domain, topic, count: 5 } });
    await inbox.until(5);
    assert.deepEqual(inbox.texts, numberedTexts(5));
  });

  it('loses a killed talker after its lease, and hears the one started after it', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const inbox = new Inbox();
    const reader = participant.createReader({ topic, type: STRING, qos: RELIABLE }, inbox.take);
    const args = { domain, topic, count: 0, rate: 50 };
    const first = cast.peer(this, 'pub', { lease: 1, args: { ...args, text: 'first ' } });
    await inbox.until(5);
    const guid = participant.participants[0]?.guid;
    const lost = once(participant, 'participant-lost');
    const unmatched = once(participant, 'unmatched');
    await first.stop('SIGKILL');
    assert.equal((await lost)[0].guid, guid);
    await unmatched;
    assert.equal(reader.matchedCount, 0);
    assert.deepEqual(participant.endpoints, []);
    const before = inbox.samples.length;
    cast.peer(this, 'pub', { lease: 1, args: { ...args, text: 'second ' } });
    await inbox.until(before + 5);
    assert.deepEqual(inbox.texts.slice(before, before + 5), [
      'second 1',
      'second 2',
      'second 3',
      'second 4',
      'second 5',
    ]);
    assert.equal(reader.matchedCount, 1);
  });

  it('learns of 200 endpoints of one peer, and misses all when it leaves, long before its lease is over', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const args = { domain, topic, match: 0, count: 1, idle: 30, others: 199 };
    const talker = cast.peer(this, 'pub', { lease: 3600, args });
    const topics = () => new Set(participant.endpoints.map((endpoint) => endpoint.topic));
    const expected = [topic, ...Array.from({ length: 199 }, (_, index) => `${topic}_${index + 1}`)];
    while (topics().size < 200) await once(participant, 'endpoint');
    assert.deepEqual(topics(), new Set(expected));
    const lost = once(participant, 'participant-lost');
    await talker.stop('SIGTERM');
    await lost;
    assert.deepEqual(participant.endpoints, []);
  });

  it('is missed at once when it leaves', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain, leaseDuration: 3_600_000 });
    participant.createWriter({ topic, type: STRING, qos: RELIABLE });
    const listener = cast.peer(this, 'sub', { args: { domain, topic, count: 0, timeout: 30 } });
    await listener.until(({ matched }) => matched === 1);
    await participant.close();
    await listener.until(({ matched }) => matched === 0);
  });

  it('tells a listener that one of its writers is gone, and another has come', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const writer = participant.createWriter({ topic, type: STRING, qos: RELIABLE });
    const listener = cast.peer(this, 'sub', { args: { domain, topic, count: 1, timeout: 30 } });
    await listener.until(({ matched }) => matched === 1);
    writer.close();
    await listener.until(({ matched }) => matched === 0);
    const second = participant.createWriter({ topic, type: STRING, qos: RELIABLE });
    await matched(second, listener);
    second.write(encodeString('from the second'));
    assert.equal(await listener.exited(), 0);
    assert.deepEqual(listener.messages, [{ data: 'from the second' }]);
  });

  it('names the policy that keeps a best-effort talker from a reliable reader', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const reader = participant.createReader({ topic, type: STRING, qos: RELIABLE }, () =>
      assert.fail('no match'),
    );
    cast.peer(this, 'pub', { args: { domain, topic, rel: 'b', match: 0, count: 0 } });
    const [event]: Array<EndpointPair & { policy: string }> = await once(participant, 'incompatible');
    assert.equal(event?.policy, 'reliability');
    assert.equal(event.local, reader);
    assert.equal(event.remote.topic, topic);
    assert.equal(reader.matchedCount, 0);
  });

  it('names the policy that keeps a transient-local listener from a volatile writer', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    participant.createWriter({ topic, type: STRING, qos: RELIABLE });
    cast.peer(this, 'sub', { args: { domain, topic, dur: 't', count: 0 } });
    const [event]: Array<{ policy: string }> = await once(participant, 'incompatible');
    assert.equal(event?.policy, 'durability');
  });
});
