import assert from 'node:assert/strict';
import type { NodeMessage } from 'node-red';
import helper from 'node-red-node-test-helper';
import type { DisconnectAnswer } from '../../src/broker/administration-calls';
import type { BrokerThread } from '../../src/broker/broker-thread';
import type { BrokerStatistics } from '../../src/broker/statistics';
import { MqttPeer } from '../broker/mqtt-peer';
import {
  brokerForm,
  connectedStatus,
  embeddedForm,
  errorOf,
  type FlowNode,
  report,
  Sink,
  sink,
  start,
  statusText,
  stop,
  subForm,
  tab,
} from './flow';

type FlowMessage = NodeMessage & Record<string, unknown>;

describe('actions of embedded-broker', function () {
  this.timeout(60_000);
  let outcomes: Sink;
  let faults: Sink;
  let completed: Sink;

  const flow: FlowNode[] = [
    tab,
    embeddedForm({ listen: false, persistence: 'memory' }),
    brokerForm({ target: 'embedded', embedded: 'embedded-1', clientId: 'reader', sessionExpiry: '60' }),
    subForm({ topicFilter: 'to/#' }),
    report('catch', 'embedded-1', 'faults'),
    report('complete', 'embedded-1', 'completed'),
    ...['events-1', 'out-1', 'faults', 'completed'].map((id) => sink(id)),
  ];
  const act = (msg: Record<string, unknown>) => helper.getNode('embedded-1').receive(msg as NodeMessage);
  /** The next answer to an action or event of a type, which come on the same output. */
  const next = async (property: 'action' | 'topic', value: string): Promise<FlowMessage> => {
    const wanted = (msg: NodeMessage) => (msg as FlowMessage)[property] === value;
    while (!outcomes.messages.some(wanted)) await outcomes.until(outcomes.messages.length + 1);
    return outcomes.messages.splice(outcomes.messages.findIndex(wanted), 1)[0] as FlowMessage;
  };
  const faultOf = (msg: NodeMessage | undefined) => errorOf(msg).replace(/^\w*Error: /, '');

  beforeEach(async () => {
    await start(flow);
    outcomes = new Sink('events-1');
    faults = new Sink('faults');
    completed = new Sink('completed');
    assert.deepEqual((await next('topic', 'subscribed')).payload, {
      type: 'subscribed',
      clientId: 'reader',
      subscriptions: [{ filter: 'to/#', qos: 1 }],
    });
  });
  afterEach(stop);

  it('publishes with all that MQTT 5 lets a message carry, and completes when the broker has it', async () => {
    const received = new Sink();
    const properties = {
      responseTopic: 'answers',
      correlationData: Buffer.from([1, 2]),
      contentType: 'application/json',
      messageExpiryInterval: 60,
      userProperties: { room: 'kitchen', sensor: ['a', 'b'] },
    };
    const msg = { action: 'publish', topic: 'to/reader', payload: { on: true }, qos: 1, ...properties };
    act({ ...msg, _msgid: 'first' });
    const [message] = await received.until(1);
    const { _msgid, messageId, ...rest } = message as NodeMessage;
    assert.equal(typeof messageId, 'number');
    assert.deepEqual(rest, {
      topic: 'to/reader',
      payload: { on: true },
      qos: 1,
      retain: false,
      dup: false,
      params: ['reader'],
      ...properties,
    });
    assert.equal((await completed.until(1))[0]?._msgid, 'first');
    assert.deepEqual(
      outcomes.messages.filter(({ topic }) => topic !== 'connected'),
      [],
    );
  });

  it('publishes in the order of the messages, each told apart when the broker refuses it', async () => {
    const received = new Sink();
    for (const [index, topic] of ['to/a', '$SYS/broker/mine', 'to/+', 'to/b'].entries()) {
      act({ action: 'publish', topic, payload: index, qos: 2, retain: true });
    }
    await received.until(2);
    assert.deepEqual(received.payloads, [0, 3]);
    await faults.until(2);
    assert.deepEqual(faults.messages.map(faultOf).sort(), [
      'topic "$SYS/broker/mine" is for the broker alone',
      'topic name "to/+" contains a wildcard (+ or #), which only filters may',
    ]);
    await completed.until(2);
  });

  it('disconnects a client with a reason, and ends its session when that is wanted', async () => {
    act({ action: 'disconnect', clientId: 'reader', reason: 'maintenance', room: 'kitchen' });
    const { payload, room } = await next('action', 'disconnect');
    assert.deepEqual(payload, { disconnected: true, sessionEnded: false });
    assert.equal(room, 'kitchen');
    assert.deepEqual((await next('topic', 'disconnected')).payload, {
      type: 'disconnected',
      clientId: 'reader',
      address: 'in-process',
      reason: 'maintenance',
      reasonCode: 0x98,
    });
    act({ action: 'disconnect', clientId: 'reader', endSession: true });
    // It may be back already.
    const { sessionEnded } = (await next('action', 'disconnect')).payload as DisconnectAnswer;
    assert.equal(sessionEnded, true);
    act({ action: 'disconnect', clientId: 'nobody', endSession: true });
    assert.deepEqual((await next('action', 'disconnect')).payload, {
      disconnected: false,
      sessionEnded: false,
    });
  });

  it('answers with lists, page by page when the answer is sent back, and keeps the rest of the message', async () => {
    for (const index of [1, 2, 3]) {
      act({
        action: 'publish',
        topic: `kept/${index}`,
        payload: { index },
        retain: true,
        contentType: 'text/x',
      });
    }
    act({ action: 'retained', topic: 'kept/+', limit: 2, room: 'kitchen' });
    const first = await next('action', 'retained');
    const entry = (index: number) => ({
      topic: `kept/${index}`,
      payload: { index },
      qos: 0,
      retain: true,
      contentType: 'text/x',
      clientId: '',
    });
    assert.deepEqual(first.payload, [entry(1), entry(2)]);
    assert.deepEqual([first.next, first.room], [2, 'kitchen']);
    act({ ...first, offset: first.next });
    const second = await next('action', 'retained');
    assert.deepEqual(second.payload, [entry(3)]);
    assert.equal('next' in second, false);
    act({ action: 'clear-retained', topic: 'kept/#' });
    assert.equal((await next('action', 'clear-retained')).payload, 3);
    act({ action: 'retained' });
    assert.deepEqual((await next('action', 'retained')).payload, []);

    act({ action: 'clients', clientId: 'read' });
    const [client] = (await next('action', 'clients')).payload as [{ clientId: string; address: string }];
    assert.deepEqual([client.clientId, client.address], ['reader', 'in-process']);
    act({ action: 'sessions', clientId: 'nobody' });
    assert.deepEqual((await next('action', 'sessions')).payload, []);
    act({ action: 'sessions' });
    const [session] = (await next('action', 'sessions')).payload as [{ subscriptions: unknown }];
    assert.deepEqual(session.subscriptions, [{ filter: 'to/#', qos: 1 }]);
    act({ action: 'statistics' });
    const { clients, retained } = (await next('action', 'statistics')).payload as BrokerStatistics;
    assert.deepEqual([clients, retained], [1, 0]);
    act({ action: 'reload-tls' });
    assert.equal((await next('action', 'reload-tls')).payload, 0);
  });

  it('adds a user, whose password it passes on to nobody, and removes it', async () => {
    const { thread } = helper.getNode('embedded-1') as unknown as { thread: BrokerThread };
    const login = async (password: string) => {
      const peer = new MqttPeer(thread.openStream(), 5);
      const { reasonCode } = await peer.connect({ username: 'robot', password: Buffer.from(password) });
      return { peer, reasonCode };
    };
    act({ action: 'add-user', username: 'robot', password: 'secret', groups: ['robots'] });
    const added = await next('action', 'add-user');
    assert.deepEqual(added.payload, { name: 'robot', groups: ['robots'] });
    assert.equal('password' in added, false);
    const { peer, reasonCode } = await login('secret');
    assert.equal(reasonCode, 0);
    assert.notEqual((await login('guess')).reasonCode, 0);
    act({ action: 'remove-user', username: 'robot' });
    assert.equal((await next('action', 'remove-user')).payload, true);
    await peer.closed;
    act({ action: 'remove-user', username: 'robot' });
    assert.equal((await next('action', 'remove-user')).payload, false);
    act({ action: 'add-user', username: 'robot', password: 'secret' });
    act({ action: 'remove-user', username: 'robot' });
    assert.equal((await next('action', 'remove-user')).payload, true);
    act({ action: 'add-user', username: 'robot', password: 'secret', groups: 'robots' });
    const [refused] = await faults.until(1);
    assert.match(faultOf(refused), /^msg\.groups: .*got 'robots'$/);
    assert.doesNotMatch(JSON.stringify(refused), /secret/);
  });

  it('stops the broker and starts it again', async () => {
    act({ action: 'stop' });
    assert.equal((await next('action', 'stop')).payload, 'stopped');
    await statusText('embedded-1', (text) => text === 'stopped');
    act({ action: 'publish', topic: 'to/x', payload: 1 });
    assert.equal(faultOf((await faults.until(1))[0]), 'embedded broker is stopped');
    act({ action: 'start' });
    assert.equal((await next('action', 'start')).payload, 'running');
    act({ action: 'start' });
    assert.equal(faultOf((await faults.until(2))[1]), 'broker cannot be started: it is running');
    await connectedStatus('sub-1');
  });

  it('names what is wrong with a message, and does nothing then', async () => {
    const received = new Sink();
    const publish = { action: 'publish', topic: 'to/x', payload: 1 };
    const wrong: Array<[Record<string, unknown>, RegExp]> = [
      [{}, /^msg\.action: expected one of publish, .*, stop; got undefined$/],
      [{ action: 'toString' }, /^msg\.action: .* got 'toString'$/],
      [{ action: 'clients', offset: -1 }, /^msg\.offset: .*got -1$/],
      [{ action: 'sessions', limit: 1001 }, /^msg\.limit: .*got 1001$/],
      [{ action: 'retained', topic: 'a/#/b' }, /^topic filter "a\/#\/b"/],
      [{ action: 'clear-retained' }, /^msg\.topic: .*got undefined$/],
      [{ action: 'add-user', username: 'robot', password: 7 }, /^msg\.password: expected text$/],
      [{ action: 'add-user', password: 'secret' }, /^msg\.username: .*got undefined$/],
      [{ action: 'remove-user', username: '' }, /^msg\.username: .*got ''$/],
      [{ action: 'explode' }, /^msg\.action: .* got 'explode'$/],
      [{ ...publish, topic: '' }, /^msg\.topic: expected a topic, got ''$/],
      [{ ...publish, payload: undefined }, /^payload is undefined, expected/],
      [{ ...publish, qos: 3 }, /^msg\.qos: expected 0, 1 or 2, got 3$/],
      [{ ...publish, retain: 'maybe' }, /^msg\.retain: expected true or false, got 'maybe'$/],
      [{ ...publish, responseTopic: 7 }, /^msg\.responseTopic: .*got 7$/],
      [{ ...publish, correlationData: {} }, /^msg\.correlationData: .*got \{\}$/],
      [{ ...publish, contentType: '' }, /^msg\.contentType: .*got ''$/],
      [{ ...publish, messageExpiryInterval: -1 }, /^msg\.messageExpiryInterval: .*got -1$/],
      [{ ...publish, payloadFormatIndicator: 2 }, /^msg\.payloadFormatIndicator: .*got 2$/],
      [{ ...publish, userProperties: { a: 1 } }, /^msg\.userProperties: .*got \{ a: 1 \}$/],
      [{ ...publish, topic: 'x'.repeat(70_000) }, /^msg\.topic: .*got 'x+$/],
      [{ ...publish, contentType: 'x'.repeat(70_000) }, /^msg\.contentType: .*got 'x+$/],
      [{ action: 'disconnect' }, /^msg\.clientId: .*got undefined$/],
      [{ action: 'disconnect', clientId: 'reader', reason: 1 }, /^msg\.reason: .*got 1$/],
      [{ action: 'disconnect', clientId: 'reader', endSession: 'x' }, /^msg\.endSession: .*got 'x'$/],
    ];
    for (const [index, [msg, fault]] of wrong.entries()) {
      act(msg);
      await faults.until(index + 1);
      assert.match(faultOf(faults.messages[index]), fault);
    }
    assert.deepEqual(received.messages, []);
    assert.deepEqual(completed.messages, []);
  });

  it('fails with the reason while the broker does not run', async () => {
    const node = helper.getNode('embedded-1') as unknown as { thread: { stop(): Promise<void> } };
    act({ action: 'publish', topic: 'to/x', payload: 1 });
    const stopped = node.thread.stop();
    act({ action: 'publish', topic: 'to/y', payload: 2 });
    await stopped;
    await statusText('embedded-1', (text) => text === 'stopped');
    assert.deepEqual((await faults.until(2)).map(faultOf), [
      'embedded broker is stopped',
      'embedded broker is stopped',
    ]);
  });
});
