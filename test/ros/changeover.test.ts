import assert from 'node:assert/strict';
import { Mosquitto } from '../client/mosquitto';
import { Inbox } from '../client/observed';
import { freshDomain } from '../rtps/test-domain';
import { RELIABLE, STRING } from './bridge-fixture';
import { BridgeProcess } from './bridge-process';
import { carries, Stage, standsBy } from './several-bridges';

/** One more message every so many ms. */
const PACE = 2;
const ROUNDS = 2;

describe('the changeover between two bridges that live', function () {
  this.timeout(60_000);
  const stage = new Stage();

  before(async function () {
    stage.brokers.push(await Mosquitto.start(this));
    stage.domain = freshDomain();
  });
  after(async () => {
    await stage.leave();
    await Promise.all(stage.brokers.map((broker) => broker.stop()));
  });

  it('loses and doubles nothing of what ROS says: one with a lower id begins, and ends in order', async () => {
    const inbox = await Inbox.on(await stage.client(), `ros/${stage.domain}/chatter`);
    const peer = await stage.peer();
    const b = await stage.bridge('b');
    await b.until(() => carries(b));
    const { publish } = await peer.publisher('/chatter', STRING, { ...RELIABLE, depth: 1000 });
    let said = 0;
    const talking = setInterval(() => publish({ data: String(said++) }), PACE);
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const a = await stage.bridge('a');
        assert.ok(a instanceof BridgeProcess);
        await b.until(() => standsBy(b, 'a'));
        await a.until(() => carries(a));
        const { length } = inbox.messages;
        await inbox.until(({ messages }) => messages.length > length + 500);
        await a.end('SIGTERM');
        await b.until(() => carries(b));
      }
    } finally {
      clearInterval(talking);
    }
    const last = `{"data":"${said}"}`;
    publish({ data: String(said++) });
    await inbox.until(({ messages }) => messages.some(({ payload }) => String(payload) === last));
    const times = new Map<number, number>();
    for (const { payload } of inbox.messages) {
      const number = Number(JSON.parse(String(payload)).data);
      times.set(number, (times.get(number) ?? 0) + 1);
    }
    const irregular = Array.from({ length: said }, (_, number) => [number, times.get(number) ?? 0]).filter(
      ([, count]) => count !== 1,
    );
    assert.deepEqual(irregular, []);
  });
});
