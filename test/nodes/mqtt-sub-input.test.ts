import assert from 'node:assert/strict';
import type { NodeMessage } from 'node-red';
import helper from 'node-red-node-test-helper';
import {
  brokerForm,
  connectedStatus,
  DEEP_JSON,
  deploy,
  errorOf,
  logged,
  report,
  Sink,
  sink,
  start,
  statusText,
  subForm,
  TOO_DEEP,
  tab,
} from './flow';
import { MqttSide } from './mqtt-side';

describe('mqtt-sub with an input', function () {
  this.timeout(60_000);
  const mqtt = MqttSide.forSuite();

  let out: Sink;
  let caught: Sink;
  let completed: Sink;

  const flow = (form: Parameters<typeof subForm>[0]) => [
    tab,
    brokerForm({ url: mqtt.broker.url }),
    subForm({ qos: '2', ...form }),
    report('catch', 'sub-1', 'caught'),
    report('complete', 'sub-1', 'completed'),
    ...['out-1', 'states', 'caught', 'completed'].map((id) => sink(id)),
  ];
  const run = async (form: Parameters<typeof subForm>[0]) => {
    await start(flow(form));
    [out, caught, completed] = [new Sink(), new Sink('caught'), new Sink('completed')];
    await connectedStatus('sub-1');
  };
  const act = (msg: Record<string, unknown>) => helper.getNode('sub-1').receive(msg);

  it('subscribes, lists and unsubscribes while it runs', async () => {
    await run({ topicFilter: '', actions: true });
    act({ action: 'subscribe', topic: ['a/+', '$share/g/b'], qos: 1, noLocal: false });
    await completed.until(1);
    act({ action: 'list', room: 'kept' });
    const [list] = await out.until(1);
    const common = { granted: true, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 };
    assert.deepEqual(list?.payload, [
      { topic: 'a/+', ...common },
      { topic: '$share/g/b', ...common },
    ]);
    assert.equal(list?.room, 'kept');
    await mqtt.publish('a/1', 'x');
    assert.deepEqual((await out.until(2))[1]?.params, ['1']);
    act({ action: 'unsubscribe', topic: 'a/+' });
    await completed.until(3);
    await mqtt.publish('a/1', 'gone');
    await mqtt.publish('b', 'end');
    assert.equal((await out.until(3))[2]?.payload, 'end');
    act({ action: 'unsubscribe', topic: true });
    act({ action: 'list' });
    assert.deepEqual((await out.until(4))[3]?.payload, []);
    assert.deepEqual(caught.messages, []);
  });

  it('says that an answer cannot be sent to several nodes, because its message is deeper than the stack', async () => {
    await run({ actions: true, wires: [['out-1', 'states']] });
    act({ action: 'list', room: JSON.parse(DEEP_JSON) });
    const [told] = await caught.until(1);
    assert.equal(
      told && errorOf(told),
      `${TOO_DEEP}; the message cannot be copied for other nodes: ${TOO_DEEP}`,
    );
  });

  it('says that a message from outside cannot be sent to several nodes, because it is deeper than the stack', async () => {
    await run({ topicFilter: 'deep', wires: [['out-1', 'states']] });
    const states = new Sink('states');
    await mqtt.publish('deep', DEEP_JSON);
    await mqtt.publish('deep', 'next');
    await states.until(1);
    assert.equal(out.payloads.at(-1), 'next');
    assert.deepEqual((await caught.until(1)).map(errorOf), [`deep: ${TOO_DEEP}`]);
  });

  it('disconnects and connects, and tells of it on its second output', async () => {
    await run({ actions: true, outputs: 2, states: true, wires: [['out-1'], ['states']] });
    const states = new Sink('states');
    act({ action: 'disconnect' });
    await completed.until(1);
    act({ action: 'connect' });
    await completed.until(2);
    const seen = (states.payloads as { state: string }[]).map(({ state }) => state);
    assert.deepEqual(seen.slice(seen.indexOf('disconnected')), ['disconnected', 'connecting', 'connected']);
  });

  it('tells of its connection when it is asked', async () => {
    await run({ topicFilter: 'n', actions: true });
    act({ action: 'statistics' });
    const [first] = (await out.until(1)) as { payload: Record<string, unknown> }[];
    const { state, roundTrip, waiting, inFlight, dropped } = first?.payload ?? {};
    assert.deepEqual([state, typeof roundTrip, waiting, inFlight, dropped], ['connected', 'number', 0, 0, 0]);
    act({ action: 'disconnect' });
    await completed.until(2);
    act({ action: 'statistics' });
    const { payload } = (await out.until(2))[1] as { payload: Record<string, unknown> };
    assert.deepEqual(
      [payload.state, payload.reason, payload.roundTrip],
      ['disconnected', 'disconnected on request', undefined],
    );
  });

  it('refuses actions that it does not understand, and subscriptions that it cannot have', async () => {
    await run({ actions: true });
    const bad = [
      [{ action: 'explode' }, /^Error: msg.action: expected one of subscribe, .*; got 'explode'/],
      [{}, /^Error: msg.action: .*got 'receive'|got undefined/],
      [{ action: 'subscribe', topic: 7 }, /^Error: msg.topic: .*got 7/],
      [{ action: 'subscribe', topic: 'a/#/b' }, /^SubscribeError: not subscribed to "a\/#\/b"/],
      [{ action: 'subscribe', topic: 'a', qos: 3 }, /^Error: msg.qos: .*got 3/],
      [{ action: 'unsubscribe', topic: 'never' }, /^Error: not subscribed to 'never'/],
      [{ action: 'acknowledge', acknowledgement: '1' }, /^Error: msg.acknowledgement: '1' is no message/],
      [{ action: 'password', password: 'x' }, /^Error: /],
    ] as const;
    for (const [msg] of bad) act(msg);
    const errors = (await caught.until(bad.length)).map(errorOf);
    for (const [, expected] of bad)
      assert.ok(
        errors.some((error) => expected.test(error)),
        `${expected} in ${errors}`,
      );
    act({ action: 'list' });
    const [list] = (await out.until(1)) as [NodeMessage];
    assert.equal((list.payload as unknown[]).length, 1);
  });

  it('gives messages to those who ask, and says when none came', async () => {
    await run({ topicFilter: 'q/#', delivery: 'request', maxWaiting: '3', timeout: '0.05' });
    await mqtt.subscribed();
    act({ res: 'kept' });
    const [none] = await out.until(1);
    assert.deepEqual([none?.timedOut, none?.payload, none?.res], [true, undefined, 'kept']);
    for (const payload of ['1', '2', '3', '4', '5']) await mqtt.publish('q/x', payload);
    await statusText('sub-1', (shown) => shown === '2 dropped: nobody asked for them');
    act({ timeout: 10 });
    const next = (await out.until(2))[1];
    assert.deepEqual([next?.payload, next?.topic, next?.timedOut], [3, 'q/x', false]);
    act({ count: 4, timeout: 10 });
    await mqtt.publish('q/x', '6');
    await mqtt.publish('q/x', '7');
    const list = (await out.until(3))[2] as NodeMessage;
    assert.deepEqual(
      (list.payload as { payload: number }[]).map(({ payload }) => payload),
      [4, 5, 6, 7],
    );
    assert.equal(list.timedOut, false);
    assert.equal(logged(helper.getNode('sub-1'), 'warn').length, 1);
  });

  it('does not say of a message that is none that none came', async () => {
    await run({ topicFilter: 'q', delivery: 'request', output: 'json', timeout: '60' });
    await mqtt.subscribed();
    act({});
    await mqtt.publish('q', 'no JSON');
    const [answer] = await out.until(1);
    assert.deepEqual([answer?.payload, answer?.timedOut], [undefined, false]);
    assert.match(errorOf((await caught.until(1))[0]), /payload is not JSON/);
  });

  it('has no more unacknowledged than it may, and acknowledges when the flow says so', async () => {
    await run({ topicFilter: 'w', delivery: 'acknowledged', maxWaiting: '2', timeout: '60' });
    await mqtt.subscribed();
    const acknowledged = () =>
      mqtt.broker.log.filter((line) => /Received PUBREC from node-red/.test(line)).length;
    for (const payload of ['1', '2', '3']) await mqtt.publish('w', payload, { qos: 2 });
    const [first, second] = await out.until(2);
    assert.equal(out.messages.length + acknowledged(), 2);
    act({ ...first, action: 'acknowledge' });
    await out.until(3);
    act({ ...second, action: 'refuse' });
    act({ ...first, action: 'acknowledge' });
    assert.match(errorOf((await caught.until(1))[0]), /is no message that waits for it/);
    assert.deepEqual(out.payloads, [1, 2, 3]);
  });

  it('may have more unacknowledged once it is deployed so', async () => {
    const form = { topicFilter: 'w', delivery: 'acknowledged', timeout: '60' };
    await run({ ...form, maxWaiting: '1' });
    await mqtt.subscribed();
    mqtt.broker.log = [];
    await deploy(flow({ ...form, maxWaiting: '3' }));
    await mqtt.subscribed();
    for (const payload of ['1', '2', '3']) await mqtt.publish('w', payload);
    await out.until(3);
  });

  it('refuses what is not acknowledged in time, which Catch hears', async () => {
    await run({ topicFilter: 'w', delivery: 'acknowledged', timeout: '0.05' });
    await mqtt.subscribed();
    await mqtt.publish('w', '1');
    const [msg] = await caught.until(1);
    assert.match(errorOf(msg), /w: not acknowledged within 0.05 s/);
    assert.deepEqual(msg?.payload, Buffer.from('1'));
  });
});
