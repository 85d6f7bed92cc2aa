import assert from 'node:assert/strict';
import type { BridgeSubscriptionListener, RouteConnection } from '../../src/ros/bridge-connection';
import type { BridgeRoute } from '../../src/ros/bridge-route';
import { EarlyMessages, HeldMemory } from '../../src/ros/early-messages';

const MEBIBYTE = 1024 * 1024;
/** The route is handed on to who holds its messages, and not looked at here. */
const ROUTE = {} as BridgeRoute;

describe('messages for routes whose types are not known', function () {
  this.timeout(60_000);
  /** Those of one route, by what comes at its topic. */
  const hold = (memory: HeldMemory) => {
    const taken: number[] = [];
    let mqtt: BridgeSubscriptionListener | undefined;
    const connection: RouteConnection = {
      connected: true,
      onStatus: () => () => {},
      stored: async () => undefined,
      publish: () => {},
      subscribe: (_filter, listener) => {
        mqtt = listener;
        return { granted: true, close: () => {} };
      },
    };
    const early = new EarlyMessages(
      { topic: 'ros/0/x', connection, bridgeId: 'b', memory, patience: 60_000 },
      { said: () => {}, dropped: () => {}, refused: assert.fail, changed: () => {} },
    );
    early.open();
    return {
      early,
      say: (bytes: number) =>
        mqtt?.message({ topic: 'ros/0/x', payload: Buffer.alloc(bytes), retain: false, via: [] }),
      deliver: () => {
        const message = ({ payload }: { payload: Buffer }) => taken.push(payload.length);
        early.deliver(ROUTE, { message, result: () => {} });
        return taken;
      },
    };
  };

  it('take so much memory together, and what is beyond is dropped and counted', () => {
    const memory = new HeldMemory();
    const [one, other] = [hold(memory), hold(memory)];
    one.say(10 * MEBIBYTE);
    other.say(6 * MEBIBYTE + 1);
    assert.equal(other.early.counts.dropped['unknown-type'], 1);
    other.say(6 * MEBIBYTE);
    // The last one of a route is of use, and what was before it is none.
    one.say(9 * MEBIBYTE);
    assert.equal(one.early.counts.dropped['unknown-type'], 1);
    assert.deepEqual([one.deliver(), other.deliver()], [[9 * MEBIBYTE], [6 * MEBIBYTE]]);
    // What was taken is free again.
    one.say(16 * MEBIBYTE);
    assert.deepEqual(one.deliver(), [9 * MEBIBYTE, 16 * MEBIBYTE]);
  });

  it('of the flow are refused where a newer one comes', async () => {
    const { early } = hold(new HeldMemory());
    const first = assert.rejects(
      early.hold(() => undefined),
      { message: 'a newer one has come' },
    );
    const second = early.hold(() => Promise.resolve('taken'));
    await first;
    early.deliver(ROUTE, undefined);
    assert.equal(await second, 'taken');
  });
});
