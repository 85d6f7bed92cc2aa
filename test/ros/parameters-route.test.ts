import assert from 'node:assert/strict';
import { Requester } from '../../src/client/requester';
import type { ParametersRouteSettings } from '../../src/ros/bridge-settings';
import { parameterValue } from '../../src/ros/parameter-value';
import { Inbox } from '../client/observed';
import { MqttBridges } from './mqtt-bridges';
import { NODE, ParameterNode } from './parameter-node';

describe('routes of parameters', function () {
  this.timeout(60_000);
  // What one test leaves stored must not meet another in the same domain.
  const bridges = MqttBridges.forSuite('for each');
  const parameters = (change: Partial<ParametersRouteSettings> = {}): ParametersRouteSettings => ({
    kind: 'parameters',
    domain: bridges.domain,
    rosName: NODE,
    type: '',
    direction: 'both',
    timeout: 20_000,
    ...change,
  });
  const node = async (values: Record<string, unknown>, answers?: boolean): Promise<ParameterNode> =>
    bridges.keep(await ParameterNode.start(bridges.domain, values, answers));
  const topic = (rest: string) => `ros/${bridges.domain}${NODE}/@param/${rest}`;
  /** What is stored of the node, by name. */
  const stored = async () => {
    const prefix = topic('value/');
    const inbox = await Inbox.on(bridges.client, `${prefix}#`, 1, { retainAsPublished: true });
    const values = () =>
      Object.fromEntries(
        inbox.messages
          .map((message) => [message.topic.slice(prefix.length), String(message.payload)] as const)
          .filter(([name], index, all) => all.findLastIndex(([other]) => other === name) === index)
          .filter(([, text]) => text !== ''),
      );
    const until = async (wanted: Record<string, string>) => {
      const text = JSON.stringify(Object.entries(wanted).sort());
      await inbox.until(() => JSON.stringify(Object.entries(values()).sort()) === text);
    };
    return { inbox, until };
  };

  for (const version of [5, 4] as const) {
    it(`are listed, got and set by clients of MQTT ${version === 5 ? '5' : '3.1.1'}`, async () => {
      await node({ rate: { type: 'double', value: 30 }, frame_id: 'camera', depth: 4 });
      const bridge = await bridges.open({
        routes: [parameters()],
        mqtt: bridges.mqtt({ protocolVersion: version }),
      });
      await bridge.ready({ servers: 1 });
      const requester = bridges.keep(new Requester(await bridges.connect(version), 'reply'));
      const ask = async (operation: string, request: string) => {
        const reply = await requester.request(topic(operation), request, { qos: 1, retain: false }, 20);
        return JSON.parse(String(reply.payload));
      };
      assert.deepEqual(await ask('list', ''), { names: ['rate', 'frame_id', 'depth'], prefixes: [] });
      assert.deepEqual(await ask('get', ''), { rate: 30, frame_id: 'camera', depth: 4 });
      assert.deepEqual(await ask('get', '["depth","nothing"]'), { depth: 4, nothing: null });
      // The number is what the parameter is.
      assert.deepEqual(await ask('set', '{"rate":15,"depth":5,"nothing":1}'), {
        rate: { successful: true, reason: '' },
        depth: { successful: true, reason: '' },
        nothing: { successful: false, reason: "parameter 'nothing' has not been declared" },
      });
      assert.deepEqual(await ask('get', '{"names":["rate"]}'), { rate: 15 });
    });
  }

  it('have all kinds of values', async () => {
    const values = {
      a: true,
      b: { type: 'integer', value: '9007199254740993' },
      c: { type: 'double', value: 'NaN' },
      d: 'text',
      e: { type: 'byte_array', value: 'AAH/' },
      f: [true, false],
      g: [1, -2],
      h: [0.5, 1],
      i: ['x', ''],
      j: null,
    };
    await node(values);
    const { handle } = await bridges.open({ routes: [parameters()] });
    const plain = { ...values, b: '9007199254740993', c: 'NaN', e: 'AAH/' };
    assert.deepEqual(await handle.publish(topic('get'), undefined), plain);
    const { j, ...set } = plain;
    const results = (await handle.publish(topic('set'), set)) as Record<string, { successful: boolean }>;
    assert.deepEqual(
      Object.entries(results).filter(([, { successful }]) => !successful),
      [],
    );
    assert.deepEqual(await handle.publish(topic('get'), undefined), plain);
    const kind = `service ${NODE}/set_parameters: ${'x'.repeat(100)}…: expected a plain value`;
    await assert.rejects(handle.publish(topic('set'), { ['x'.repeat(101)]: {} }), ({ message }: Error) =>
      message.startsWith(kind),
    );
  });

  it('say what is wrong with a request, and that there is no such node', async () => {
    const bridge = await bridges.open({ routes: [parameters({ timeout: 50 })] });
    const refused = (operation: string, request: unknown, message: string) =>
      assert.rejects(bridge.handle.publish(topic(operation), request), {
        message: `service ${NODE}/${operation}_parameters: ${message}`,
      });
    await refused('list', {}, 'no server was found in time');
    await refused('get', '[', 'not valid JSON: Unexpected end of JSON input');
    await refused('get', { names: 'rate' }, 'expected a list of names, or {"names": […]}');
    await refused('set', [], 'expected an object with a value for each name');
    await bridge.until(() => bridge.route()?.counts?.dropped.invalid === 3);
    await assert.rejects(bridge.handle.publish(topic('value/rate'), 1), {
      message: `parameters of ${NODE}: expected a message for ${['get', 'set', 'list'].map(topic).join(', ')}`,
    });
  });

  it('are had after more wrong requests than may wait at once', async () => {
    await node({ depth: 4 });
    const { handle } = await bridges.open({ routes: [parameters()] });
    for (let count = 0; count <= 100; count++)
      await assert.rejects(handle.publish(topic('get'), '['), { message: /not valid JSON/ });
    assert.deepEqual(await handle.publish(topic('get'), undefined), { depth: 4 });
  });

  it('are asked for by a bounded number of requests at once, and stored up to a bounded number', async () => {
    const many = await node(Object.fromEntries(Array.from({ length: 501 }, (_, n) => [`p${1000 + n}`, n])));
    const bridge = await bridges.open({ routes: [parameters()] });
    const values = () => bridge.messages.filter(({ topic: from }) => from.startsWith(topic('value/')));
    await bridge.until(() => values().length === 500);
    const told = `parameters of ${NODE}: only 500 of its 501 parameters are mirrored`;
    assert.deepEqual(bridge.problems, [told]);
    assert.equal(values().at(-1)?.topic, topic('value/p1499'));
    many.answers = false;
    const waiting = Array.from({ length: 100 }, () => bridge.handle.publish(topic('get'), ['p1000']));
    for (const each of waiting) each.catch(() => {});
    await assert.rejects(bridge.handle.publish(topic('get'), ['p1000']), {
      message: `service ${NODE}/get_parameters: 100 others wait for the node`,
    });
  });

  it('are those that the node was asked for, whatever else it tells', async () => {
    const { until } = await stored();
    const talkative = await node({ depth: 4 });
    talkative.surplus.push(parameterValue(5));
    const { handle } = await bridges.open({ routes: [parameters()], mqtt: bridges.mqtt() });
    await until({ depth: '4' });
    assert.deepEqual(await handle.publish(topic('get'), undefined), { depth: 4 });
  });

  it('are not set where the route is read only', async () => {
    await node({ depth: 4 });
    const { handle } = await bridges.open({ routes: [parameters({ direction: 'ros-to-mqtt' })] });
    await assert.rejects(handle.publish(topic('set'), { depth: 5 }), {
      message: `service ${NODE}/set_parameters: the route does not allow it`,
    });
    assert.deepEqual(await handle.publish(topic('get'), ['depth']), { depth: 4 });
  });

  it('are stored at the broker as they change, and removed when the node goes', async () => {
    const first = await node({ depth: 4, 'qos./scan.depth': 10, mode: 'a' });
    const { inbox, until } = await stored();
    const bridge = await bridges.open({ id: 'b1', routes: [parameters()], mqtt: bridges.mqtt() });
    await until({ depth: '4', 'qos./scan.depth': '10', mode: '"a"' });
    const { retain, properties } =
      inbox.messages.find((message) => message.topic === topic('value/depth')) ?? {};
    assert.equal(retain, true);
    assert.deepEqual({ ...properties?.userProperties }, { 'ros-parameter-type': 'integer', 'ros-via': 'b1' });
    first.change({ depth: 9 }, [], '/robot2/camera');
    first.change({ depth: 5, speed: 0.5 }, ['mode']);
    await until({ depth: '5', 'qos./scan.depth': '10', speed: '0.5' });
    assert.equal(inbox.texts.includes(`${topic('value/depth')}=9`), false);
    await bridge.handle.publish(topic('set'), { depth: 6 });
    await until({ depth: '6', 'qos./scan.depth': '10', speed: '0.5' });
    first.change({ 'a+b': 1 });
    const problem = `parameters of ${NODE}: "a+b" is not mirrored: `;
    await bridge.until(() => bridge.problems[0]?.startsWith(problem) === true);
    await first.stop();
    await until({});
    await node({ depth: 1 });
    await until({ depth: '1' });
    assert.equal(bridge.problems.length, 1);
  });

  it('come out at the flow as they change, and null of those that are there no more', async () => {
    const own = await node({ depth: 4, mode: 'a' });
    const bridge = await bridges.open({ routes: [parameters()] });
    const told = () => bridge.messages.map(({ topic: from, payload }) => [from, payload]);
    const expected: unknown[] = [];
    const comes = async (...changes: [string, unknown][]) => {
      expected.push(...changes.map(([name, value]) => [topic(`value/${name}`), value]));
      await bridge.until(() => told().length >= expected.length);
      assert.deepEqual(told(), expected);
    };
    await comes(['depth', 4], ['mode', 'a']);
    own.change({ depth: 5, 'a+b': 1, 'qos./scan.depth': 10 }, ['mode']);
    await comes(['depth', 5], ['qos./scan.depth', 10], ['mode', null]);
    await bridge.handle.publish(topic('set'), { depth: 6 });
    await comes(['depth', 6]);
    await own.stop();
    await comes(['depth', null], ['qos./scan.depth', null]);
  });

  it('are stored once a node answers that is there before', async () => {
    const { until } = await stored();
    const bridge = await bridges.open({ routes: [parameters({ timeout: 500 })], mqtt: bridges.mqtt() });
    const slow = await node({ depth: 4 }, false);
    await bridge.until(() => bridge.problems.length > 0);
    assert.match(bridge.problems[0] ?? '', /list_parameters: .* in time$/);
    slow.answers = true;
    await until({ depth: '4' });
    await bridge.until(() => bridge.route()?.problem === undefined);
  });

  it('are stored by one of several bridges, and by the next when that ends', async () => {
    const camera = await node({ rate: 30, frame: 'map' });
    const a = await bridges.open({ id: 'a', routes: [parameters()], mqtt: bridges.mqtt() });
    await a.ready({ servers: 1 });
    const b = await bridges.open({ id: 'b', routes: [parameters()], mqtt: bridges.mqtt() });
    await b.until(() => b.route()?.standby?.['mqtt-to-ros'] === 'a');
    const inbox = await Inbox.on(bridges.client, `${topic('value')}/#`);
    const said = ({ messages }: Inbox) =>
      messages.map(({ topic: name, payload, properties }) => {
        const via = properties?.userProperties?.['ros-via'];
        return `${via} ${name.slice(topic('value').length + 1)}=${payload}`;
      });
    await inbox.until((each) => new Set(said(each)).size === 2);
    await b.until(() => (b.route()?.servers ?? 0) > 0);
    camera.change({ rate: 31 });
    await inbox.until((each) => said(each).includes('a rate=31'));
    const heard = () => b.route()?.counts?.rosReceived ?? 0;
    await b.until(() => heard() >= 1);
    assert.deepEqual(
      said(inbox).filter((text) => text.startsWith('b ')),
      [],
    );
    await a.close();
    // All that is stored is the other one's now.
    await inbox.until((each) => said(each).includes('b rate=31') && said(each).includes('b frame="map"'));
    camera.change({}, ['rate']);
    await inbox.until((each) => said(each).includes('b rate='));
    await camera.stop();
    await inbox.until((each) => said(each).includes('b frame='));
  });

  it('that another bridge has stored are removed when that one ends with the node', async () => {
    const camera = await node({ rate: 30, frame: 'map' });
    const a = await bridges.open({ id: 'a', routes: [parameters()], mqtt: bridges.mqtt() });
    await a.ready({ servers: 1 });
    const b = await bridges.open({ id: 'b', routes: [parameters()], mqtt: bridges.mqtt() });
    await b.until(() => b.route()?.standby?.['mqtt-to-ros'] === 'a' && (b.route()?.servers ?? 0) > 0);
    const inbox = await Inbox.on(bridges.client, `${topic('value')}/#`);
    await inbox.until(({ messages }) => messages.length >= 2);
    await Promise.all([camera.stop(), a.close()]);
    const last = (name: string) =>
      inbox.messages.findLast(({ topic: each }) => each === `${topic('value')}/${name}`);
    await inbox.until(() => ['rate', 'frame'].every((name) => last(name)?.payload.length === 0));
  });

  it('of an earlier run are removed when the node is found without them', async () => {
    const { until } = await stored();
    for (const name of ['old', 'depth'])
      await bridges.client.publish(topic(`value/${name}`), '7', { qos: 1, retain: true });
    const bridge = await bridges.open({ routes: [parameters()], mqtt: bridges.mqtt() });
    await bridge.ready();
    await node({ depth: 4 });
    await until({ depth: '4' });
    // What stays is there for who comes when the bridge has gone.
    await bridge.close();
    await (await stored()).until({ depth: '4' });
  });
});
