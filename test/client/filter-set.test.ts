import assert from 'node:assert/strict';
import { Connection, type ReceivedMessage } from '../../src/client/connection';
import { FilterSet } from '../../src/client/filter-set';
import { Mosquitto } from './mosquitto';
import { connected, settingsFor } from './observed';

describe('several filters of one subscriber', function () {
  this.timeout(60_000);
  let broker: Mosquitto;
  let connection: Connection;
  let set: FilterSet;
  let heard: [ReceivedMessage, string[]][];
  let wake: () => void;

  beforeEach(async function () {
    broker = await Mosquitto.start(this, ['allow_duplicate_messages true']);
    connection = new Connection(settingsFor(broker.url));
    connection.open();
    await connected(connection);
    heard = [];
    set = new FilterSet(connection, {
      message: (message, params) => {
        heard.push([message, params]);
        wake();
      },
    });
  });

  afterEach(async () => {
    await connection?.close();
    await broker?.stop();
  });

  const add = (filter: string, qos: 0 | 1 | 2) =>
    new Promise<Error | undefined>((resolve) => set.add(filter, { qos }, resolve));
  /** What was heard until the marker came, as topic, QoS and parts. */
  const publish = async (...topics: string[]) => {
    heard = [];
    for (const topic of [...topics, 'marker'])
      await connection.publish(topic, 'x', { qos: 2, retain: false });
    while (heard.at(-1)?.[0].topic !== 'marker') {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return heard.slice(0, -1).map(([{ topic, qos }, params]) => [topic, qos, params]);
  };

  it('brings each message once, with the highest QoS of those that match', async () => {
    wake = () => {};
    await add('marker', 2);
    await add('a/#', 0);
    await add('a/+', 2);
    await add('+/b', 2);
    await add('$share/g/a/b', 2);
    assert.deepEqual(await publish('a/b', 'a/b/c', 'x/b'), [
      ['a/b', 2, ['b']],
      ['a/b/c', 0, ['b/c']],
      ['x/b', 2, ['x']],
    ]);
    assert.equal(set.remove('a/+'), true);
    assert.equal(set.remove('a/+'), false);
    // With the QoS of the one, and through the other, which was first.
    assert.deepEqual(await publish('a/b'), [['a/b', 2, ['b']]]);
    set.remove('+/b');
    set.remove('a/#');
    assert.deepEqual(await publish('a/b'), [['a/b', 2, []]]);
  });

  it('does not count a filter that was refused, and tells who leaves before the answer', async () => {
    wake = () => {};
    await add('marker', 2);
    await add('a/b', 1);
    assert.match((await add('a/#/c', 2))?.message ?? '', /# must be alone/);
    assert.deepEqual(await publish('a/b'), [['a/b', 1, []]]);
    const left = add('late', 1);
    set.remove('late');
    assert.equal((await left)?.message, 'not subscribed to "late": left before the broker answered');
    assert.deepEqual(
      set.filters.map(({ filter, granted }) => [filter, granted]),
      [
        ['marker', true],
        ['a/b', true],
        ['a/#/c', false],
      ],
    );
  });

  it('takes the last options of a filter that is added twice before the answer, whatever the first then does', async () => {
    wake = () => {};
    await add('marker', 2);
    const first = new Promise<Error | undefined>((resolve) => {
      set.add('a', { qos: 0 }, (error) => {
        assert.equal(set.remove('a'), false);
        resolve(error);
      });
    });
    assert.equal(await add('a', 1), undefined);
    assert.match((await first)?.message ?? '', /left before the broker answered/);
    assert.deepEqual(await publish('a'), [['a', 1, []]]);
  });
});
