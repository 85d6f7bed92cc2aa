import assert from 'node:assert/strict';
import { BrokerThread } from '../../src/broker/broker-thread';
import { Connection, type QoS } from '../../src/client/connection';
import { FilterSet } from '../../src/client/filter-set';
import { endingAfterEach } from '../ending-after-each';
import { Mosquitto } from './mosquitto';
import { settingsFor } from './observed';

const MESSAGES = 300;

describe('options that change while messages come', function () {
  this.timeout(60_000);
  const keep = endingAfterEach();
  const connect = (url: string, version: 4 | 5): Connection => {
    const connection = keep(new Connection(settingsFor(url, version)));
    connection.open();
    return connection;
  };
  const brokers: Record<string, (test: Mocha.Context) => Promise<string>> = {
    mosquitto: async (test) => {
      const broker = keep(await Mosquitto.start(test, ['max_queued_messages 0']));
      return broker.url;
    },
    'the embedded broker': async () => {
      const broker = keep(new BrokerThread({ listeners: [{ host: '127.0.0.1', port: 0 }] }));
      await broker.start();
      return `mqtt://127.0.0.1:${broker.status.listeners[0]?.port}`;
    },
  };

  for (const [name, start] of Object.entries(brokers)) {
    for (const version of [4, 5] as const) {
      it(`lose nothing and double nothing, at ${name}, protocol level ${version}`, async function () {
        const url = await start(this);
        const [sender, receiver] = [connect(url, 5), connect(url, version)];
        // Two that overlap in one node, and one of them and another one in others.
        const filters = [['a/+', 'a/#'], ['a/#'], ['a/b']];
        let wake = (): void => {};
        const got = filters.map((): number[] => []);
        const sets = got.map(
          (numbers) =>
            new FilterSet(receiver, {
              message: ({ payload }) => {
                numbers.push(Number(payload));
                wake();
              },
            }),
        );
        const add = (set: number, filter: string, qos: QoS) =>
          new Promise<void>((resolve, reject) => {
            sets[set]?.add(filter, { qos }, (error) => (error === undefined ? resolve() : reject(error)));
          });
        const places = filters.flatMap((all, set) => all.map((filter) => [set, filter] as const));
        for (const [set, filter] of places) await add(set, filter, 1);

        let going = true;
        let changes = 0;
        const change = async (): Promise<void> => {
          while (going) {
            const [set, filter] = places[changes % places.length] as (typeof places)[number];
            await add(set, filter, (Math.floor(changes / places.length) % 3) as QoS);
            changes++;
          }
        };
        const changing = change();
        for (let n = 0; n < MESSAGES; n++) {
          const published = sender.publish('a/b', String(n), { qos: 1, retain: false });
          if (n % 5 === 4) await published;
        }
        going = false;
        await changing;
        // So that the last message overtakes no other.
        for (const [set, filter] of places) await add(set, filter, 2);
        await sender.publish('a/b', String(MESSAGES), { qos: 1, retain: false });
        while (!got.every((numbers) => numbers.includes(MESSAGES))) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        const expected = Array.from({ length: MESSAGES + 1 }, (_, n) => n);
        // One of QoS 0 may overtake those that wait.
        for (const numbers of got)
          assert.deepEqual(
            [...numbers].sort((a, b) => a - b),
            expected,
          );
        assert.ok(changes > 10, `${changes} changes`);
      });
    }
  }
});
