import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import helper from 'node-red-node-test-helper';
import { MqttPeer } from '../broker/mqtt-peer';
import { JoinedBroker } from '../broker/upstream/joined-broker';
import { Mosquitto } from '../client/mosquitto';
import { freePort } from '../counterparts';
import {
  brokerForm,
  embeddedForm,
  type FlowNode,
  logged,
  Sink,
  sink,
  start,
  statusText,
  stop,
  tab,
} from './flow';

const route = { direction: 'both', filter: 'data/#', localPrefix: 'plant', remotePrefix: 'site1', qos: '1' };

describe('embedded-broker with an upstream', function () {
  this.timeout(60_000);
  let above: JoinedBroker;
  let port: number;

  beforeEach(async () => {
    above = await JoinedBroker.start();
    port = await freePort();
  });
  afterEach(async () => {
    await stop();
    await above.stop();
  });

  const flow = (fields: Partial<FlowNode> = {}, config: Partial<FlowNode> = {}): FlowNode[] => [
    tab,
    brokerForm({ url: `mqtt://127.0.0.1:${above.port}`, ...config }),
    embeddedForm({
      listen: true,
      port,
      persistence: 'memory',
      upstream: 'broker-1',
      upstreamRoutes: [route],
      ...fields,
    }),
    sink('events-1'),
  ];
  const status = (passes: RegExp) => statusText('embedded-1', (text) => passes.test(text));

  async function clientAt(at: number): Promise<MqttPeer> {
    const peer = new MqttPeer(connect(at, '127.0.0.1'), 5);
    await peer.connect();
    return peer;
  }

  it('joins it, exchanges messages and says so', async () => {
    await start(flow());
    await status(/ · joined$/);
    const [here, there] = [await clientAt(port), await clientAt(above.port)];
    await here.subscribe('#', { noLocal: true });
    await there.subscribe('#', { noLocal: true });
    here.publish('plant/data/a', 'up');
    assert.equal((await there.expect('publish')).topic, 'site1/data/a');
    there.publish('site1/data/b', 'down');
    assert.equal((await here.expect('publish')).topic, 'plant/data/b');
  });

  it('comes back under the same client id, or under the one of the form', async () => {
    const joinedAs = async (count: number) => {
      for (;;) {
        const connected = above.events.filter((event) => event.type === 'connected');
        if (connected.length === count) return connected.at(-1)?.clientId;
        await once(above.thread, 'event');
      }
    };
    await start(flow());
    await status(/ · joined$/);
    const first = await joinedAs(1);
    assert.match(first ?? '', /^mqtt-ros-[0-9a-f]{14}$/);
    await stop();
    await start(flow());
    await status(/ · joined$/);
    assert.equal(await joinedAs(2), first);
    await stop();
    await start(flow({ upstreamClientId: ' site-7 ' }));
    await status(/ · joined$/);
    assert.equal(await joinedAs(3), 'site-7');
  });

  it('parts from it and joins it again when a flow says so', async () => {
    await start(flow());
    const events = new Sink('events-1');
    await status(/ · joined$/);
    const broker = helper.getNode('embedded-1');
    broker.receive({ action: 'stop-upstream' });
    await status(/ · parted$/);
    broker.receive({ action: 'start-upstream' });
    await status(/ · joined$/);
    // Two of them are answers.
    await events.until(7);
    const states = events.messages
      .filter(({ topic }) => topic === 'upstream')
      .map(({ payload }) => (payload as { state: string }).state);
    assert.deepEqual(states, ['connecting', 'connected', 'disconnected', 'connecting', 'connected']);
  });

  it('says why it is not joined, and tells no password', async function () {
    const closed = await Mosquitto.start(this, [], { site: 'right' });
    try {
      await start(flow({}, { url: closed.url }), {
        'broker-1': { username: 'site', password: 'very-wrong' },
      });
      const events = new Sink('events-1');
      assert.match(await status(/not joined/), /not joined: not authorized \(0x87\)$/);
      assert.match(
        logged(helper.getNode('embedded-1'), 'warn').join(),
        /Not joined to the upstream broker: not/,
      );
      assert.doesNotMatch(JSON.stringify(events.messages), /very-wrong/);
    } finally {
      await closed.stop();
    }
  });

  for (const [name, fields, config, expected] of [
    ['a configuration that is missing', { upstream: 'nowhere' }, {}, /configuration is missing or disabled/],
    ['an embedded broker', {}, { target: 'embedded', embedded: 'embedded-1' }, /got an embedded one/],
    [
      'further addresses',
      {},
      { alternatives: ['mqtt://127.0.0.1:1'] },
      /says alternatives, which .* cannot use/,
    ],
    ['a proxy', {}, { proxy: 'http://127.0.0.1:1' }, /says proxy, which/],
    ['files of TLS', {}, { url: 'mqtts://127.0.0.1:1', tlsCaFile: 'ca.pem' }, /says tlsFiles, which/],
    ['a password file', {}, { passwordSource: 'file', passwordFile: 'token' }, /says passwordFile, which/],
    ['no topics', { upstreamRoutes: [] }, {}, /upstream "upstream": there is no route/],
    ['a QoS that there is not', { upstreamRoutes: [{ ...route, qos: '3' }] }, {}, /no\. 1: QoS: .*got "3"/],
    [
      'a direction that there is not',
      { upstreamRoutes: [{ ...route, direction: 'up' }] },
      {},
      /no\. 1: direction/,
    ],
    ['a filter that is not valid', { upstreamRoutes: [{ ...route, filter: 'a#' }] }, {}, /# must be alone/],
    [
      'a prefix that is no text',
      { upstreamRoutes: [{ ...route, localPrefix: 3 }] },
      {},
      /prefix here: expected text/,
    ],
  ] as const) {
    it(`refuses ${name}`, async () => {
      await start(flow(fields as Partial<FlowNode>, config));
      assert.match(await status(/./), expected);
    });
  }
});
