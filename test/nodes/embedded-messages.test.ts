import assert from 'node:assert/strict';
import helper from 'node-red-node-test-helper';
import {
  brokerForm,
  connectedStatus,
  embeddedForm,
  type FlowNode,
  logged,
  pubForm,
  report,
  Sink,
  sink,
  start,
  statusText,
  stop,
  tab,
} from './flow';

describe('published messages of embedded-broker', function () {
  this.timeout(60_000);
  const flow = (fields: Partial<FlowNode>): FlowNode[] => [
    tab,
    embeddedForm({ persistence: 'memory', outputs: 2, wires: [['events-1'], ['out-1']], ...fields }),
    brokerForm({ target: 'embedded', embedded: 'embedded-1', clientId: 'writer' }),
    pubForm({}),
    report('catch', 'embedded-1', 'faults'),
    ...['events-1', 'out-1', 'faults'].map((id) => sink(id)),
  ];
  const publish = (topic: string, payload: unknown, fields = {}) =>
    helper.getNode('pub-1').receive({ topic, payload, ...fields } as never);

  afterEach(stop);

  it('come out with the publisher, those alone that match, while events keep their output', async () => {
    await start(flow({ watch: 'lab/+', watchOutput: 'auto' }));
    const [events, messages] = [new Sink('events-1'), new Sink()];
    await connectedStatus('pub-1');
    publish('other', 1);
    publish('lab/a', { on: true }, { qos: 1 });
    publish('lab/b', 'text', { retain: true });
    const [first, second] = await messages.until(2);
    const { _msgid: _1, ...one } = first as typeof first & object;
    const { _msgid: _2, ...two } = second as typeof second & object;
    assert.deepEqual(one, {
      topic: 'lab/a',
      payload: { on: true },
      qos: 1,
      retain: false,
      clientId: 'writer',
    });
    assert.deepEqual(two, { topic: 'lab/b', payload: 'text', qos: 0, retain: true, clientId: 'writer' });
    await events.until(1);
    assert.deepEqual(
      events.messages.map(({ topic }) => topic),
      ['connected'],
    );
  });

  it('are what their content type and payload format say, as they are in mqtt-sub', async () => {
    await start(flow({ watch: '#', watchOutput: 'auto' }));
    const [messages, faults] = [new Sink(), new Sink('faults')];
    await connectedStatus('pub-1');
    for (const [payload, fields] of [
      ['{"a":1}', { contentType: 'text/plain' }],
      ['{"a":2}', { contentType: 'application/vnd.x+json' }],
      ['bytes', { contentType: 'application/octet-stream' }],
      [Buffer.from([0x61, 0xff]), { payloadFormatIndicator: true }],
      ['no JSON', { contentType: 'application/json' }],
    ] as const) {
      publish('t', payload, fields);
    }
    assert.deepEqual(
      (await messages.until(4)).map(({ payload }) => payload),
      ['{"a":1}', { a: 2 }, Buffer.from('bytes'), 'a\ufffd'],
    );
    assert.deepEqual((await faults.until(1))[0]?.payload, Buffer.from('no JSON'));
  });

  it('that are not what the form says go to Catch, as they came', async () => {
    await start(flow({ watch: '#', watchOutput: 'json' }));
    const [messages, faults] = [new Sink(), new Sink('faults')];
    await connectedStatus('pub-1');
    publish('a', 'no JSON');
    publish('b', '[1]');
    assert.deepEqual((await messages.until(1))[0]?.payload, [1]);
    const [fault] = await faults.until(1);
    assert.deepEqual(fault?.payload, Buffer.from('no JSON'));
    assert.match(logged(helper.getNode('embedded-1'), 'error').join(), /^a: payload is not JSON/);
  });

  for (const [field, fields, message] of [
    ['filter', { watch: 'a/#/b' }, /^topic filter "a\/#\/b": # must be alone/],
    ['shared filter', { watch: '$share/g/a' }, /is a shared subscription, expected a topic filter$/],
    ['output', { watch: 'a', watchOutput: 'xml' }, /^output of published messages: .* got "xml"$/],
  ] as const) {
    it(`are refused with a bad ${field}, in words`, async () => {
      await start(flow(fields));
      assert.match(await statusText('embedded-1', (text) => text !== 'starting'), message);
    });
  }

  it('show in the status as a rate, which goes when they stop', async () => {
    await start(flow({}));
    await connectedStatus('pub-1');
    for (let index = 0; index < 40; index++) publish('t', index);
    await statusText('embedded-1', (text) => /^no port · 1 client · \d+ msg\/s$/.test(text));
    await statusText('embedded-1', (text) => text === 'no port · 1 client');
  });
});
