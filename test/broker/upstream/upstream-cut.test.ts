import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrokerStatistics } from '../../../src/broker/statistics';
import { Mosquitto } from '../../client/mosquitto';
import { endingAfterEach, type Keep } from '../../ending-after-each';
import { JournalProcess } from '../kill-account';
import { LastingClient } from '../lasting-client';
import { JoinedBroker, upstreamTo } from './joined-broker';
import { NetworkLink } from './network-link';

const EACH = 2000;
/** More than a session keeps by default must fit in the queues of mosquitto as well. */
const UNLIMITED = ['max_queued_messages 0', 'max_inflight_messages 20'];

const lasting = (keep: Keep, clientId: string) => keep(new LastingClient(clientId), (made) => made.vanish());

/** Publishes numbered messages at both QoS levels. */
function publishAll(client: LastingClient, from: string): void {
  for (let index = 0; index < EACH; index++) {
    client.publish(`shared/${from}/1`, String(index), 1);
    client.publish(`shared/${from}/2`, String(index), 2);
  }
}

const numbers = Array.from({ length: EACH }, (_, index) => String(index));
const received = (client: LastingClient, topic: string) => client.received.get(topic) ?? [];

/**
 * All that another client has published has come, QoS 2 once and in order, QoS 1 at least once.
 * @param ordered mosquitto 2.0 changes the order of what it had queued when a connection ends
 */
async function account(client: LastingClient, from: string, ordered = true): Promise<void> {
  const once = `shared/${from}/2`;
  const atLeastOnce = `shared/${from}/1`;
  await client.until(
    () =>
      received(client, once).length >= EACH &&
      received(client, atLeastOnce).length >= EACH &&
      new Set(received(client, atLeastOnce)).size === EACH,
  );
  const came = received(client, once);
  assert.deepEqual(ordered ? came : came.toSorted((a, b) => Number(a) - Number(b)), numbers);
}

for (const protocolVersion of [4, 5] as const) {
  for (const kind of ['mosquitto', 'one of ours'] as const) {
    describe(`a link to ${kind} over MQTT ${protocolVersion === 5 ? '5' : '3.1.1'} that is cut`, function () {
      this.timeout(90_000);
      const keep = endingAfterEach();

      it('loses nothing either way, and delivers QoS 2 once', async function () {
        const above = keep(
          kind === 'mosquitto' ? await Mosquitto.start(this, UNLIMITED) : await JoinedBroker.start(),
        );
        const link = keep(await NetworkLink.to(above.port));
        const broker = keep(await JoinedBroker.start([upstreamTo(link.port, { protocolVersion })]));
        await broker.until('cloud', 'connected');
        const [here, there] = [lasting(keep, 'here'), lasting(keep, 'there')];
        await here.connect(broker.port);
        await there.connect(above.port);
        await here.subscribe('shared/there/#');
        await there.subscribe('shared/here/#');
        // Some 250 kB pass in all, in pieces that are larger the busier the machine is.
        link.cutEvery(40_000, 4);
        publishAll(here, 'here');
        publishAll(there, 'there');
        await Promise.all([account(here, 'there', kind !== 'mosquitto'), account(there, 'here')]);
        assert.equal(link.cuts, 0, 'the link was cut as often as it should');
      });
    });
  }
}

describe('a joined broker', function () {
  this.timeout(120_000);
  const keep = endingAfterEach();

  for (const protocolVersion of [4, 5] as const) {
    it(`that is killed loses nothing either way, and delivers QoS 2 once (MQTT ${protocolVersion})`, async () => {
      const above = keep(await JoinedBroker.start());
      const directory = keep(mkdtempSync(join(tmpdir(), 'upstream-')), (path) =>
        rmSync(path, { recursive: true }),
      );
      const site = keep(new JournalProcess(directory, 'write'), (made) => made.kill());
      site.upstreams = [upstreamTo(above.port, { protocolVersion })];
      await site.start();
      const [here, there] = [lasting(keep, 'here'), lasting(keep, 'there')];
      await here.connect(site.port);
      await there.connect(above.port);
      await here.subscribe('shared/there/#');
      await there.subscribe('shared/here/#');
      publishAll(here, 'here');
      // What the site has not subscribed to yet is not meant for it.
      await there.until(() => received(there, 'shared/here/2').length > 10);
      publishAll(there, 'there');
      for (let kill = 1; kill <= 3; kill++) {
        await there.until(() => received(there, 'shared/here/2').length > kill * 400);
        await site.kill();
        await here.until(() => !here.connected);
        await site.start();
        await here.connect(site.port);
      }
      await Promise.all([account(here, 'there'), account(there, 'here')]);
    });
  }

  it('keeps what goes out over a restart while there is no upstream', async () => {
    const directory = keep(mkdtempSync(join(tmpdir(), 'upstream-')), (path) =>
      rmSync(path, { recursive: true }),
    );
    const above = keep(await JoinedBroker.start());
    const link = await NetworkLink.to(above.port);
    const { port } = link;
    await link.close();
    const settings = { storage: { directory, durability: 'strict' as const } };
    const first = await JoinedBroker.start([upstreamTo(port)], settings);
    const here = lasting(keep, 'here');
    await here.connect(first.port);
    assert.match((await first.until('cloud', 'reconnecting')) ?? '', /nothing listens there/);
    publishAll(here, 'here');
    await here.until(() => here.open === 0);
    await first.stop();
    const there = lasting(keep, 'there');
    await there.connect(above.port);
    await there.subscribe('shared/here/#');
    keep(await JoinedBroker.start([upstreamTo(above.port)], settings));
    await account(there, 'here');
  });

  it('lets go of what waits for an upstream that it is not joined to any more', async () => {
    const directory = keep(mkdtempSync(join(tmpdir(), 'upstream-')), (path) =>
      rmSync(path, { recursive: true }),
    );
    const settings = { storage: { directory, durability: 'strict' as const } };
    const counted = async (broker: JoinedBroker): Promise<BrokerStatistics> => {
      const [statistics] = await once(broker.thread, 'statistics');
      return statistics;
    };
    const first = await JoinedBroker.start([upstreamTo(1)], settings);
    assert.equal((await counted(first)).subscriptions, 1);
    await first.stop();
    const second = await JoinedBroker.start([upstreamTo(1, { name: 'other' })], settings);
    assert.equal((await counted(second)).subscriptions, 1);
    await second.stop();
    const third = keep(await JoinedBroker.start([], settings));
    assert.equal((await counted(third)).subscriptions, 0);
  });

  it('bounds what waits while there is no upstream, counts the rest, and goes on', async () => {
    const above = keep(await JoinedBroker.start());
    const link = keep(await NetworkLink.to(above.port));
    const limits = { queuedMessages: 500, queuedBytes: 1024 * 1024 };
    const broker = keep(await JoinedBroker.start([upstreamTo(link.port, { start: false })], { limits }));
    broker.thread.startUpstream('cloud');
    await broker.until('cloud', 'connected');
    broker.thread.stopUpstream('cloud');
    await broker.until('cloud', 'disconnected');
    const [here, there] = [lasting(keep, 'here'), lasting(keep, 'there')];
    await here.connect(broker.port);
    await there.connect(above.port);
    await there.subscribe('shared/#');
    for (let index = 0; index < 5000; index++) here.publish('shared/burst', String(index), 1);
    await here.until(() => here.open === 0);
    assert.equal(here.acknowledged, 5000);
    broker.thread.startUpstream('cloud');
    await there.until(() => received(there, 'shared/burst').length >= 500);
    here.publish('shared/after', 'goes on', 1);
    await there.until(() => received(there, 'shared/after').length > 0);
    assert.deepEqual(received(there, 'shared/burst'), numbers.slice(0, 500));
    for (;;) {
      const [statistics] = await once(broker.thread, 'statistics');
      if (statistics.upstreams[0]?.sent !== 501) continue;
      assert.equal(statistics.dropped, 4500);
      break;
    }
  });
});
