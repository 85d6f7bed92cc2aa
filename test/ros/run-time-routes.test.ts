import assert from 'node:assert/strict';
import { RosThread } from '../../src/ros/ros-thread';
import { freshDomain } from '../rtps/test-domain';
import { RosPeer, route, STRING, TestBridge } from './bridge-fixture';

describe('routes at run time', function () {
  this.timeout(20_000);
  const thread = new RosThread();
  const opened: Array<() => Promise<unknown>> = [];
  let domain: number;

  beforeEach(() => {
    domain = freshDomain();
  });
  afterEach(async () => {
    for (const close of opened.splice(0).reverse()) await close();
  });
  const open = async (change: object = {}) => {
    const bridge = await TestBridge.open(thread, { domains: [domain], routes: [route(domain)], ...change });
    opened.push(() => bridge.close());
    await bridge.ready();
    return bridge;
  };
  const names = async (bridge: TestBridge) =>
    (await bridge.handle.listRoutes()).map(({ rosName, byPattern }) =>
      byPattern ? `(${rosName})` : rosName,
    );

  it('are added, listed and removed', async () => {
    const bridge = await open();
    const peer = await RosPeer.start(domain);
    opened.push(() => peer.stop());
    await peer.listen('/added', STRING, undefined, 0);
    const added = route(domain, { rosName: '/added', type: '' });
    await bridge.handle.addRoute(added);
    assert.deepEqual(await names(bridge), ['/chatter', '/added']);
    await bridge.ready({ subscriptions: 1 }, 1);
    await bridge.handle.publish(`ros/${domain}/added`, { data: 'hello' });
    await peer.until(() => peer.heard.length === 1);
    const { publish } = await peer.publisher('/added');
    publish({ data: 'back' });
    await bridge.until(() => bridge.messages.length === 1);
    assert.equal(bridge.messages[0]?.rosName, '/added');
    await bridge.handle.removeRoute(added);
    await bridge.handle.removeRoute(route(domain));
    assert.deepEqual(await names(bridge), []);
    await assert.rejects(bridge.handle.publish(`ros/${domain}/added`, {}), {
      message: `topic "ros/${domain}/added": the bridge has no route for it`,
    });
    await bridge.handle.addRoute(route(domain));
    assert.deepEqual(await names(bridge), ['/chatter']);
  });

  it('are refused where they cannot work, or are not there', async () => {
    const bridge = await open();
    const refused = (promise: Promise<unknown>, message: string) => assert.rejects(promise, { message });
    const { handle } = bridge;
    await refused(
      handle.addRoute(route(domain)),
      `ROS name: expected one route for each topic of domain ${domain}, got "/chatter"`,
    );
    await refused(handle.addRoute(route(domain, { rosName: 'x' })), 'ROS name "x" does not start with /');
    await refused(
      handle.removeRoute(route(domain, { rosName: '/nobody' })),
      `the bridge has no route for the topic /nobody of domain ${domain}`,
    );
    assert.deepEqual(await names(bridge), ['/chatter']);
    await bridge.close();
    await refused(handle.listRoutes(), 'the bridge is closed');
  });

  it('take the place of what a pattern has opened, which comes back when they are removed', async () => {
    const bridge = await open({
      routes: [route(domain, { rosName: '/other' })],
      patterns: [{ action: 'allow', pattern: '/**', direction: 'ros-to-mqtt' }],
    });
    const peer = await RosPeer.start(domain);
    opened.push(() => peer.stop());
    await peer.publisher('/chatter');
    assert.deepEqual(await names(bridge), ['/other', '(/chatter)']);
    await bridge.handle.addRoute(route(domain));
    assert.deepEqual(await names(bridge), ['/other', '/chatter']);
    await bridge.handle.removeRoute(route(domain));
    assert.deepEqual(await names(bridge), ['/other', '(/chatter)']);
  });

  it('are there again after the bridge was opened anew', async () => {
    const bridge = await open();
    await bridge.handle.addRoute(route(domain, { rosName: '/added' }));
    await bridge.handle.removeRoute(route(domain));
    await bridge.close();
    await bridge.handle.open();
    await bridge.until(() => bridge.status !== undefined);
    assert.deepEqual(await names(bridge), ['/added']);
  });
});
