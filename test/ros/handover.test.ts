import assert from 'node:assert/strict';
import { Mosquitto } from '../client/mosquitto';
import { Inbox } from '../client/observed';
import { freshDomain } from '../rtps/test-domain';
import { BridgeProcess } from './bridge-process';
import { NumberedCalls } from './numbered-calls';
import { carries, Stage, standsBy } from './several-bridges';

describe('calls over two bridges', function () {
  this.timeout(60_000);
  const stage = new Stage();
  let calls: NumberedCalls;

  before(async function () {
    stage.brokers.push(await Mosquitto.start(this));
  });
  after(() => stage.end());
  beforeEach(async () => {
    stage.domain = freshDomain();
    calls = await NumberedCalls.open(stage);
  });
  afterEach(async () => {
    await calls.close();
    await stage.leave();
  });

  const open = async (): Promise<[BridgeProcess, BridgeProcess]> => {
    const settings = { routes: NumberedCalls.routes(stage.domain), keepAlive: 2 };
    const a = await stage.bridge('a', 'process', settings);
    await a.until(() => carries(a));
    const b = await stage.bridge('b', 'process', settings);
    await b.until(() => standsBy(b, 'a'));
    assert.ok(a instanceof BridgeProcess && b instanceof BridgeProcess);
    return [a, b];
  };

  it('are answered by the other when one is killed, and none twice', async () => {
    const [a] = await open();
    await calls.until('a');
    const action = `ros/${stage.domain}/drive/@action`;
    const said = await Inbox.on(calls.client, `${action}/+`);
    const heard = (text: string) => said.until(({ texts }) => texts.some((each) => each.includes(text)));
    // Its bridge is killed.
    await calls.drive(-1);
    await heard('"executing"');
    await a.end('SIGKILL');
    await calls.until('b');
    calls.assertOnce();
    const number = calls.next;
    await calls.drive(number);
    await heard(`"sequence":[${number}]`);
    assert.equal(calls.left, 1);
    const results = said.texts.filter((text) => text.startsWith(`${action}/result`));
    assert.deepEqual(results.length, new Set(results).size);
    calls.assertOnce();
  });

  it('are answered by the other when one stands still, and none twice or late when it goes on', async () => {
    const [a, b] = await open();
    await calls.until('a');
    await a.stop();
    // These come to the one that stands still.
    const late = [calls.next, calls.next, calls.next];
    for (const number of late) await calls.ask(number);
    const answers = await Promise.all(late.map((number) => calls.call(number, 500)));
    await b.until(() => carries(b));
    await calls.until('b');
    a.continue();
    await calls.until('a');
    await b.until(() => standsBy(b, 'a'));
    calls.assertOnce();
    assert.deepEqual(answers, [0, 0, 0]);
    for (const number of late) calls.assertNever(number);
  });
});
