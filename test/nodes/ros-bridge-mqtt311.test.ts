import assert from 'node:assert/strict';
import helper from 'node-red-node-test-helper';
import { Connection } from '../../src/client/connection';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { ServiceCodec } from '../../src/ros/service-codec';
import { Mosquitto } from '../client/mosquitto';
import { connected, Inbox, settingsFor } from '../client/observed';
import { counterpart } from '../counterparts';
import { DdsPeer, type DdsPeerOptions } from '../peers/dds/dds-peer';
import { Bridges } from '../ros/bridges';
import { bridgeForm, brokerForm, type FlowNode, logged, sink, start, statusText, stop, tab } from './flow';

const ADD = 'example_interfaces/srv/AddTwoInts';
const GOAL = '0b8f1ec2-3c52-4a0e-9d3c-6f1f6f6b9a01';

describe('a ros-bridge with MQTT 3.1.1 that may carry both ways', function () {
  this.timeout(60_000);
  const programs = Bridges.forSuite();
  let broker: Mosquitto;
  let client: Connection;

  before(async function () {
    broker = await Mosquitto.start(this);
  });
  after(() => broker?.stop());
  beforeEach(async () => {
    client = programs.keep(new Connection(settingsFor(broker.url, 4)));
    client.open();
    await connected(client);
  });
  afterEach(stop);

  const deploy = async (fields: Partial<FlowNode>) => {
    await start([
      tab,
      bridgeForm({
        broker: 'broker-1',
        domains: [{ id: programs.domain, alias: '' }],
        bothWaysOverMqtt311: true,
        routes: [],
        ...fields,
      }),
      brokerForm({ url: broker.url, protocolVersion: '4' }),
      sink(),
    ]);
    await statusText('bridge-1', (text) => text.startsWith('1 domain'));
  };
  const topic = (rest: string) => `ros/${programs.domain}${rest}`;
  const say = (rest: string, message: unknown) =>
    client.publish(topic(rest), JSON.stringify(message), { qos: 1, retain: false });
  const inboxOf = (rest: string) => Inbox.on(client, topic(rest), 1);
  const dds = (test: Mocha.Context, name: 'dds-action' | 'dds-parameters', args: DdsPeerOptions['args']) =>
    programs.keep(
      new DdsPeer(counterpart(test, name), 'serve', { args: { domain: programs.domain, ...args } }),
    );
  /** With one subscription for all topics of the domain, at which the bridge gets all that it publishes. */
  const all = (kind: string) => ({
    ...{ kind, action: 'allow', pattern: '/**', domain: '' },
    direction: kind === 'topic' ? 'both' : 'mqtt-to-ros',
  });
  const route = (fields: object) => ({ domain: programs.domain, timeout: 20, ...fields });
  const faults = () =>
    ['error', 'warn'].flatMap((level) => logged(helper.getNode('bridge-1'), level as 'error'));

  it('has services of ROS called, and answers for ROS what an MQTT client answers', async () => {
    const user = await programs.ros();
    const add = new ServiceCodec(InterfaceLibrary.bundled(), '/add', ADD);
    const sum = new ServiceCodec(InterfaceLibrary.bundled(), '/sum', ADD);
    user.createServiceServer(add.service, async (cdr) => {
      const { a, b } = JSON.parse(add.decodeRequest(cdr));
      return add.encodeResponse({ sum: a + b });
    });
    await deploy({
      routes: [route({ kind: 'service', rosName: '/sum', type: ADD, direction: 'ros-to-mqtt' })],
      patterns: [all('topic'), all('service')],
    });
    const answers = await inboxOf('/add/@rep/+');
    await say('/add/@req/7', { a: 20, b: 22 });
    await answers.until(({ texts }) => texts.length > 0);
    const requests = await inboxOf('/sum/@req/+');
    const response = user.createServiceClient(sum.service).call(sum.encodeRequest({ a: 1, b: 2 }), 20_000);
    await requests.until(({ messages }) => messages.length > 0);
    const [request] = requests.messages;
    assert.equal(String(request?.payload), '{"a":1,"b":2}');
    const place = String(request?.topic).replace('@req', '@rep');
    await client.publish(place, '{"sum":3}', { qos: 1, retain: false });
    assert.equal(sum.decodeResponse(await response), '{"sum":3}');
    await say('/add/@req/8', { c: 1 });
    await answers.until(({ texts }) => texts.length > 1);
    assert.deepEqual(answers.texts, [
      `${topic('/add/@rep/7')}={"sum":42}`,
      `${topic('/add/@rep/8')}={"@status":"bad-request","@error":"service /add: request unknown field \\"c\\"; known are a, b"}`,
    ]);
    assert.equal(requests.messages.length, 1);
    // The answer may come sooner than the bridge tells the node why.
    while (faults().length === 0) await new Promise(setImmediate);
    assert.deepEqual(faults(), ['service /add: request unknown field "c"; known are a, b']);
  });

  it('has actions of ROS called, and says what becomes of the goals once', async function () {
    dds(this, 'dds-action', { action: '/count', period: 20 });
    await deploy({ patterns: [all('topic'), all('action')] });
    const inbox = await inboxOf('/count/@action/+');
    const heard = (part: string) =>
      inbox.messages
        .filter((message) => message.topic.endsWith(part))
        .map(({ payload }) => JSON.parse(String(payload)));
    await say('/count/@action/goal', { goal_id: GOAL, goal: { order: 4 } });
    await inbox.until(() => heard('result').length > 0 && heard('feedback').length > 4);
    assert.deepEqual(heard('result'), [
      { goal_id: GOAL, status: 'succeeded', result: { sequence: [0, 1, 1, 2, 3] } },
    ]);
    assert.deepEqual(
      heard('feedback').map(({ feedback }) => feedback.sequence.length),
      [1, 2, 3, 4, 5],
    );
    await inbox.until(() => heard('status').at(-1)?.goals[0].status === 'succeeded');
    assert.deepEqual(faults(), []);
  });

  it('gets, sets and mirrors parameters', async function () {
    const peer = dds(this, 'dds-parameters', { node: '/robot1/camera' });
    const parameters = { kind: 'parameters', rosName: '/robot1/camera', type: '', direction: 'both' };
    await deploy({ routes: [route(parameters)], patterns: [all('topic')] });
    const answers = await inboxOf('/robot1/camera/@param/+/@rep/+');
    const values = await inboxOf('/robot1/camera/@param/value/rate');
    const path = topic('/robot1/camera/@param');
    await values.until(({ texts }) => texts.length > 0);
    await say('/robot1/camera/@param/get/@req/1', ['rate']);
    await answers.until(({ texts }) => texts.length === 1);
    await say('/robot1/camera/@param/set/@req/2', { rate: 15 });
    await answers.until(({ texts }) => texts.length === 2);
    await values.until(({ texts }) => texts.length === 2);
    assert.deepEqual(answers.texts, [
      `${path}/get/@rep/1={"rate":30}`,
      `${path}/set/@rep/2={"rate":{"successful":true,"reason":""}}`,
    ]);
    assert.deepEqual(values.texts, [`${path}/value/rate=30`, `${path}/value/rate=15`]);
    await peer.stop();
    await values.until(({ texts }) => texts.length === 3);
    assert.equal(values.texts[2], `${path}/value/rate=`);
    assert.deepEqual(faults(), []);
  });
});
