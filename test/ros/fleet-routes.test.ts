import assert from 'node:assert/strict';
import type { BridgeSettings } from '../../src/ros/bridge-settings';
import { Inbox } from '../client/observed';
import { freshDomain } from '../rtps/test-domain';
import { RELIABLE, STRING, type TestBridge } from './bridge-fixture';
import { MqttBridges } from './mqtt-bridges';

describe('a fleet with a domain for each robot', function () {
  this.timeout(60_000);
  const bridges = MqttBridges.forSuite();
  const talk = { rosName: '/{name}/talk', type: STRING, direction: 'both' } as const;
  const open = (change: Partial<BridgeSettings> = {}) => {
    const domains = [bridges.domain, freshDomain()];
    const aliases = { anna: domains[0] as number, bert: domains[1] as number };
    return bridges.open({ mqtt: bridges.mqtt(), domains, aliases, routes: [talk], ...change });
  };

  it('is carried by one row, each robot under its own namespace, which its topics need not repeat', async () => {
    const bridge = await open({
      namespaces: [{ ros: '/{name}', mqtt: '' }],
      patterns: [{ action: 'allow', pattern: '/*/say', direction: 'mqtt-to-ros' }],
    });
    const inbox = await Inbox.on(bridges.client, 'ros/+/talk');
    for (const [index, name] of ['anna', 'bert'].entries()) {
      const peer = await bridges.peer(bridge.status?.domains[index]?.domain);
      await peer.listen(`/${name}/talk`);
      await peer.listen(`/${name}/say`, STRING, RELIABLE, 0);
      const { publish } = await peer.publisher(`/${name}/talk`);
      await bridge.ready({ publishers: 1, subscriptions: 1 }, index);
      publish({ data: `I am ${name}` });
      await inbox.until(({ texts }) => texts.length === 1 + index * 2);
      await bridges.say(`ros/${name}/talk`, '{"data":"hello"}');
      await bridges.say(`ros/${name}/say`, '{"data":"go"}', { 'ros-type': STRING });
      await peer.until(() => peer.heard.length === 2);
      assert.deepEqual(peer.heard.sort(), ['{"data":"go"}', '{"data":"hello"}']);
      await inbox.until(({ texts }) => texts.length === 2 + index * 2);
    }
    assert.deepEqual(
      inbox.texts.filter((text) => text.includes('I am')),
      ['ros/anna/talk={"data":"I am anna"}', 'ros/bert/talk={"data":"I am bert"}'],
    );
    assert.deepEqual(bridge.problems, []);
  });

  it('has one row added and removed while the bridge runs, for all robots or for none', async () => {
    const bridge = await open({ routes: [] });
    const row = {
      rosName: '/talk',
      type: STRING,
      direction: 'both',
      mqttTopic: 'plant/{name}/talk',
    } as const;
    const topics = async () => (await bridge.handle.listRoutes()).map(({ mqttTopic }) => mqttTopic);
    await assert.rejects(bridge.handle.addRoute({ ...row, mqttTopic: 'plant/talk' }), {
      message: `MQTT topic "plant/talk" is already that of /talk in domain ${bridge.status?.domains[0]?.domain}`,
    });
    assert.deepEqual(await topics(), []);
    await bridge.handle.addRoute(row);
    assert.deepEqual(await topics(), ['plant/anna/talk', 'plant/bert/talk']);
    const first = bridge.status?.domains[0]?.domain as number;
    await bridge.handle.removeRoute({ rosName: '/talk', domain: first });
    await bridge.close();
    await bridge.handle.open();
    await bridge.until(() => bridge.status !== undefined);
    assert.deepEqual(await topics(), ['plant/bert/talk']);
    await bridge.handle.removeRoute({ rosName: '/talk' });
    assert.deepEqual(await topics(), []);
    await assert.rejects(bridge.handle.removeRoute({ rosName: '/talk' }), {
      message: `the bridge has no route for the topic /talk of domain ${first}`,
    });
  });

  it('has a row for one robot besides, which is the route of that robot', async () => {
    const domains = [bridges.domain, freshDomain()] as const;
    const all = { rosName: '/talk', type: STRING, direction: 'both' } as const;
    const one = { ...all, domain: domains[1], direction: 'ros-to-mqtt', mqttTopic: 'plant/bert' } as const;
    const bridge = await open({ domains: [...domains], aliases: {}, routes: [all, one] });
    const listed = (await bridge.handle.listRoutes()).map(({ domain, direction, mqttTopic }) => ({
      ...{ domain, direction, mqttTopic },
    }));
    assert.deepEqual(listed, [
      { domain: domains[0], direction: 'both', mqttTopic: `ros/${domains[0]}/talk` },
      { domain: domains[1], direction: 'ros-to-mqtt', mqttTopic: 'plant/bert' },
    ]);
    assert.deepEqual(bridge.problems, []);
    assert.equal(bridge.handle.topicOf('topic', domains[1], '/talk'), 'plant/bert');
  });

  it('has such a row added while the bridge runs, before or after the row for all', async () => {
    const domains = [bridges.domain, freshDomain()] as const;
    const all = { rosName: '/talk', type: STRING, direction: 'both' } as const;
    const one = { ...all, domain: domains[1], mqttTopic: 'plant/bert' } as const;
    const topics = async ({ handle }: TestBridge) =>
      (await handle.listRoutes()).map(({ mqttTopic }) => mqttTopic).sort();
    const taken = {
      message: `ROS name: expected one route for each topic of domain ${domains[1]}, got "/talk"`,
    };
    const expected = ['plant/bert', `ros/${domains[0]}/talk`];
    for (const [first, second] of [
      [all, one],
      [one, all],
    ] as const) {
      const bridge = await open({ domains: [...domains], aliases: {}, routes: [first] });
      const { handle } = bridge;
      await handle.addRoute(second);
      assert.deepEqual(await topics(bridge), expected);
      await assert.rejects(handle.addRoute(one), taken);
      await assert.rejects(handle.addRoute(all), {
        message: `ROS name: expected one route for each topic of domain ${domains[0]}, got "/talk"`,
      });
      await bridge.close();
      await handle.open();
      await bridge.until(() => bridge.status !== undefined);
      assert.deepEqual(await topics(bridge), expected);
      await handle.removeRoute(one);
      assert.deepEqual(await topics(bridge), expected.slice(1));
      await handle.addRoute(one);
      assert.deepEqual(await topics(bridge), expected);
      assert.deepEqual(bridge.problems, []);
    }
  });

  it('keeps what a row for all is for a robot where that of the robot cannot be added', async () => {
    const domains = [bridges.domain, freshDomain()] as const;
    const [, bert] = domains;
    const row = (rosName: string) => ({ rosName, type: STRING, direction: 'both' as const });
    const all = { ...row('/talk'), mqttTopic: 'plant/{domain}' };
    const bridge = await open({
      ...{ domains: [...domains], aliases: {} },
      routes: [all, { ...row('/say'), domain: bert, mqttTopic: 'plant/say' }],
    });
    const { handle } = bridge;
    const topics = async () => (await handle.listRoutes()).map(({ mqttTopic }) => mqttTopic);
    const before = await topics();
    await assert.rejects(handle.addRoute({ ...row('/talk'), domain: bert, mqttTopic: 'plant/say' }), {
      message: `MQTT topic "plant/say" is already that of /say in domain ${bert}`,
    });
    assert.deepEqual(await topics(), before);
    await assert.rejects(handle.addRoute({ ...row('/other'), domain: bert, mqttTopic: `plant/${bert}` }), {
      message: `MQTT topic "plant/${bert}" is already that of /talk in domain ${bert}`,
    });
  });

  it('says which robot a row cannot stand for, and carries the others', async () => {
    const bridge = await open({ aliases: { anna: bridges.domain } });
    await bridge.until(() => bridge.status?.routes.length === 2);
    assert.deepEqual(
      bridge.status?.routes.map(({ rosName, problem }) => [rosName, problem]),
      [
        ['/anna/talk', undefined],
        ['/{name}/talk', 'route 1 (/{name}/talk): "/{name}/talk": {name}: the domain has no alias'],
      ],
    );
    await assert.rejects(open({ namespaces: [{ ros: '/a', mqtt: 'x/' }] }), {
      message: 'namespace "/a": topic levels "x/" have an empty one',
    });
  });
});
