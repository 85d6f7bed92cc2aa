import assert from 'node:assert/strict';
import { Connection, type QoS, type Subscription } from '../../src/client/connection';
import { Random } from '../random';
import { CapriciousBroker } from './capricious-broker';
import { settingsFor } from './observed';

const MESSAGES = 60;
/** `CLIENT_MODEL=1000` is the long form. */
const SEEDS = Number(process.env.CLIENT_MODEL ?? 12);

/** What a client may hear of a message: nothing else. */
const KNOWN =
  /given up: the broker has ended|Quota exceeded|the broker lost the session; whether the message arrived/;

const inOrder = (numbers: readonly number[]): boolean =>
  numbers.every((number, at) => at === 0 || number > (numbers[at - 1] as number));
const firsts = (payloads: readonly string[]): number[] => [...new Set(payloads.map(Number))];

describe('whatever a broker may do', function () {
  this.timeout(60_000);

  for (let seed = 1; seed <= SEEDS; seed++) {
    const forgets = seed % 3 === 0;
    it(`each message ends once, none is lost or doubled, each topic is in order (seed ${seed}${forgets ? ', the session is lost' : ''})`, async () => {
      const random = new Random(seed);
      const broker = new CapriciousBroker(random, forgets);
      await broker.start();
      const connection = new Connection(
        settingsFor(broker.url, 5, {
          cleanStart: false,
          sessionExpiry: 3600,
          reconnect: { first: 1, longest: 3 },
          queue: {},
        }),
      );
      const received: Record<string, string[]> = { 'down/1': [], 'down/2': [] };
      let subscription: Subscription | undefined;
      /** What the present listener has to acknowledge, and what another had when it left: the next is given that again. */
      const [open, left] = [new Set<string>(), new Set<string>()];
      // Like a node that is deployed again and again, and acknowledges itself or not.
      const deploy = () => {
        subscription = connection.subscribe(
          'down/+',
          { qos: 2, ...(random.below(2) === 0 && { acknowledgement: { concurrency: 2 } }) },
          {
            message: (message) => {
              const payload = String(message.payload);
              if (!left.delete(payload)) received[message.topic]?.push(payload);
              if (message.acknowledge === undefined) return;
              open.add(payload);
              setImmediate(() => {
                open.delete(payload);
                message.acknowledge?.();
              });
            },
          },
        );
      };
      connection.open();
      deploy();
      const outcomes: Promise<unknown>[] = [];
      for (let n = 0; n < MESSAGES; n++) {
        const qos = (1 + random.below(2)) as QoS;
        const outcome = connection.publish(`up/${qos}`, String(n), { qos, retain: false });
        outcome.catch(() => {});
        outcomes.push(outcome);
        broker.send((1 + random.below(2)) as 1 | 2, String(n));
        const event = random.below(40);
        if (event === 0) broker.cut();
        else if (event === 1) void connection.disconnect().then(() => connection.open());
        else if (event < 4) {
          subscription?.close();
          for (const payload of open) left.add(payload);
          open.clear();
          deploy();
        }
        for (let turns = random.below(3); turns > 0; turns--) await new Promise(setImmediate);
      }
      broker.calm = true;
      const settled = await Promise.allSettled(outcomes);
      await broker.acknowledged();
      const rejected = settled.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
      for (const error of rejected) assert.match(String(error), KNOWN);
      assert.deepEqual(broker.faults, []);
      for (const [topic, came] of [...broker.came, ...Object.entries(received)]) {
        assert.ok(inOrder(firsts(came)), `${topic}: ${came}`);
        if (topic.endsWith('2') && !(forgets && topic === 'down/2'))
          assert.equal(new Set(came).size, came.length, `${topic}: ${came}`);
      }
      const arrived = new Set([...broker.came.values()].flat());
      for (const [n, { status }] of settled.entries())
        if (status === 'fulfilled') assert.ok(arrived.has(String(n)), `${n} is lost`);
      await connection.close();
      await broker.stop();
    });
  }
});
