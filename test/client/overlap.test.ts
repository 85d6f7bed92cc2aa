import assert from 'node:assert/strict';
import { Connection } from '../../src/client/connection';
import { filtersOverlap } from '../../src/client/filter-overlap';
import { SubscriptionTrie } from '../../src/topic/subscription-trie';
import { Mosquitto } from './mosquitto';
import { connected, Inbox, settingsFor } from './observed';

const live = { qos: 1, retain: false } as const;

describe('overlapping filters', function () {
  this.timeout(60_000);

  it('overlap exactly when a topic matches both', () => {
    const alphabet = ['a', '', '$x'];
    const levels = ['a', '', '+', '$x'];
    const combine = (parts: string[], depth: number): string[][] =>
      depth === 0 ? [[]] : combine(parts, depth - 1).flatMap((head) => parts.map((part) => [...head, part]));
    const topics = [1, 2, 3, 4].flatMap((depth) => combine(alphabet, depth)).map((parts) => parts.join('/'));
    const filters = [1, 2, 3]
      .flatMap((depth) => combine(levels, depth))
      .flatMap((parts) => [parts.join('/'), [...parts, '#'].join('/')])
      .concat('#')
      .filter((filter) => filter !== '');
    const matches = new Map(
      filters.map((filter) => {
        const trie = new SubscriptionTrie<true>();
        trie.add(filter, true);
        return [filter, new Set(topics.filter((topic) => trie.match(topic).length > 0))];
      }),
    );
    for (const a of filters) {
      for (const b of filters) {
        const common = [...(matches.get(a) ?? [])].some((topic) => matches.get(b)?.has(topic));
        assert.equal(filtersOverlap(a, b), common, `${a} and ${b}`);
      }
    }
  });

  for (const version of [4, 5] as const) {
    for (const duplicates of [false, true]) {
      it(`deliver each message once per listener: protocol level ${version}, broker ${duplicates ? 'sends a copy per filter' : 'sends one copy'}`, async function () {
        const broker = await Mosquitto.start(this, [`allow_duplicate_messages ${duplicates}`]);
        const connection = new Connection(settingsFor(broker.url, version));
        connection.open();
        try {
          const filters = ['#', 'o/#', 'o/+', '+/x', 'o/x', 'o/y'];
          const inboxes = await Promise.all(filters.map((filter) => Inbox.on(connection, filter)));
          // Two listeners on one filter, and genuine repetitions of one message.
          const twin = await Inbox.on(connection, 'o/x');
          for (let n = 0; n < 3; n++) await connection.publish('o/x', 'same', live);
          await connection.publish('o/y', 'y', live);
          await connection.publish('end', '', live);
          const all = inboxes[0] as Inbox;
          await all.until(({ texts }) => texts.includes('end='));
          // Sessions are independent: let each hear a last message of its own.
          await Promise.all(
            [...inboxes, twin].map((inbox, n) => {
              const filter = [...filters, 'o/x'][n] as string;
              return connection
                .publish(
                  filter.replace('#', 'last').replace('+', filter.startsWith('+') ? 'o' : 'last'),
                  'last',
                  live,
                )
                .then(() => inbox.until(({ texts }) => texts.some((text) => text.endsWith('=last'))));
            }),
          );
          const seen = [...inboxes, twin].map((inbox) =>
            inbox.texts.filter((text) => !/=last$|^end=/.test(text)),
          );
          const x = ['o/x=same', 'o/x=same', 'o/x=same'];
          assert.deepEqual(seen, [[...x, 'o/y=y'], [...x, 'o/y=y'], [...x, 'o/y=y'], x, x, ['o/y=y'], x]);
        } finally {
          await connection.close();
          await broker.stop();
        }
      });
    }

    it(`give a listener that joins its retained messages, and nobody else again: protocol level ${version}`, async function () {
      const broker = await Mosquitto.start(this);
      const connection = new Connection(settingsFor(broker.url, version));
      connection.open();
      try {
        await connected(connection);
        await connection.publish('r/1', 'one', { qos: 1, retain: true });
        await connection.publish('r/2', 'two', { qos: 1, retain: true });
        const first = await Inbox.on(connection, 'r/#');
        await first.until(({ messages }) => messages.length === 2);
        assert.ok(first.messages.every(({ retain }) => retain));
        const second = await Inbox.on(connection, 'r/#');
        await second.until(({ messages }) => messages.length === 2);
        const without = await Inbox.on(connection, 'r/#', 1, { retainHandling: 2 });
        await connection.publish('r/1', 'live', { qos: 1, retain: true });
        for (const inbox of [first, second, without]) {
          await inbox.until(({ texts }) => texts.includes('r/1=live'));
        }
        assert.deepEqual([...first.texts].sort(), ['r/1=live', 'r/1=one', 'r/2=two']);
        assert.deepEqual([...second.texts].sort(), ['r/1=live', 'r/1=one', 'r/2=two']);
        assert.deepEqual(without.texts, ['r/1=live']);
        assert.equal(first.messages.at(-1)?.retain, false);
      } finally {
        await connection.close();
        await broker.stop();
      }
    });

    it(`lower the QoS per listener and unsubscribe after the last: protocol level ${version}`, async function () {
      const broker = await Mosquitto.start(this);
      const connection = new Connection(settingsFor(broker.url, version));
      connection.open();
      try {
        const low = await Inbox.on(connection, 'q', 0);
        const high = await Inbox.on(connection, 'q', 2);
        await connection.publish('q', 'x', { qos: 2, retain: false });
        await high.until(({ messages }) => messages.length === 1);
        assert.deepEqual([low.messages[0]?.qos, high.messages[0]?.qos], [0, 2]);
        low.close();
        await connection.publish('q', 'y', live);
        await high.until(({ messages }) => messages.length === 2);
        assert.equal(low.messages.length, 1);
        high.close();
        await broker.logged(/Received UNSUBSCRIBE/);
        await connection.publish('q', 'z', live);
        assert.equal(high.messages.length, 2);
      } finally {
        await connection.close();
        await broker.stop();
      }
    });
  }

  it('refuse a second listener whose No Local differs on the same filter', async function () {
    const broker = await Mosquitto.start(this);
    const connection = new Connection(settingsFor(broker.url));
    connection.open();
    try {
      const quiet = await Inbox.on(connection, 'n', 1, { noLocal: true });
      const refused = await Inbox.on(connection, 'n');
      assert.match(refused.results[0]?.message ?? '', /not subscribed to "n": .* differ in No Local/);
      const other = await Inbox.on(connection, 'o');
      await connection.publish('n', 'x', live);
      await connection.publish('o', 'x', live);
      await other.until(({ messages }) => messages.length === 1);
      assert.equal(quiet.messages.length, 0);
    } finally {
      await connection.close();
      await broker.stop();
    }
  });
});
