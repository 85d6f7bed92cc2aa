import assert from 'node:assert/strict';
import type { BridgeSettings } from '../../src/ros/bridge-settings';
import { Inbox } from '../client/observed';
import { freshDomain } from '../rtps/test-domain';
import { RELIABLE, STRING } from './bridge-fixture';
import { carries, type SharedBroker, Stage, standsBy, startEmbeddedBroker } from './several-bridges';

/** One more message every so many ms. */
const PACE = 2;
/** How often one bridge takes over from the other, and leaves to it again. */
const ROUNDS = 2;
/** Messages between two changes. */
const BETWEEN = 500;

export interface Changeovers {
  name: string;
  startBroker?: (test: Mocha.Context) => Promise<SharedBroker>;
  /** Of the bridge that comes and goes, which has the lower id. */
  lower: Partial<BridgeSettings>;
  /** Of the one that is there all the time. */
  higher: Partial<BridgeSettings>;
}

/** Declares the suite for two bridges. */
export function describeChangeovers({
  name,
  startBroker = startEmbeddedBroker,
  lower,
  higher,
}: Changeovers): void {
  describe(`the changeover between two bridges that live: ${name}`, function () {
    this.timeout(60_000);
    const stage = new Stage();

    before(async function () {
      stage.brokers.push(await startBroker(this));
      stage.domain = freshDomain();
    });
    after(() => stage.end());

    it('loses and doubles nothing of what ROS says: one with a lower id begins, and ends in order', async () => {
      const inbox = await Inbox.on(await stage.client(), `ros/${stage.domain}/chatter`);
      const b = await stage.bridge('b', 'process', higher);
      await b.until(() => carries(b));
      const peer = await stage.peer();
      const { publish } = await peer.publisher('/chatter', STRING, { ...RELIABLE, depth: 1000 });
      let said = 0;
      const talking = setInterval(() => publish({ data: String(said++) }), PACE);
      try {
        for (let round = 0; round < ROUNDS; round++) {
          const a = await stage.bridge('a', 'process', lower);
          await b.until(() => standsBy(b, 'a'));
          await a.until(() => carries(a));
          const { length } = inbox.messages;
          await inbox.until(({ messages }) => messages.length > length + BETWEEN);
          await a.close();
          await b.until(() => carries(b));
        }
      } finally {
        clearInterval(talking);
      }
      const last = `{"data":"${said}"}`;
      publish({ data: String(said++) });
      await inbox.until(({ messages }) => messages.some(({ payload }) => String(payload) === last));
      const numbers = inbox.messages.map(({ payload }) => Number(JSON.parse(String(payload)).data));
      const heard = new Set(numbers);
      assert.deepEqual(
        {
          lost: [...Array(said).keys()].filter((number) => !heard.has(number)).join(),
          doubled: numbers.filter((number, index) => numbers.indexOf(number) !== index).join(),
        },
        { lost: '', doubled: '' },
      );
    });
  });
}
