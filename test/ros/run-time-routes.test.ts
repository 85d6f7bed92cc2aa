import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import type { BridgeSettings } from '../../src/ros/bridge-settings';
import { route, STRING, type TestBridge } from './bridge-fixture';
import { Bridges } from './bridges';

describe('routes at run time', function () {
  this.timeout(60_000);
  const bridges = Bridges.forSuite();
  const open = async (change: Partial<BridgeSettings> = {}) => {
    const bridge = await bridges.open({ routes: [route(bridges.domain)], ...change });
    await bridge.ready();
    return bridge;
  };
  const names = async (bridge: TestBridge) =>
    (await bridge.handle.listRoutes()).map(({ rosName, byPattern }) =>
      byPattern ? `(${rosName})` : rosName,
    );

  it('are added, listed and removed', async () => {
    const bridge = await open();
    const peer = await bridges.peer();
    await peer.listen('/added', STRING, undefined, 0);
    const added = route(bridges.domain, { rosName: '/added', type: '' });
    await bridge.handle.addRoute(added);
    assert.deepEqual(await names(bridge), ['/chatter', '/added']);
    await bridge.ready({ subscriptions: 1 }, 1);
    await bridge.handle.publish(`ros/${bridges.domain}/added`, { data: 'hello' });
    await peer.until(() => peer.heard.length === 1);
    const { publish } = await peer.publisher('/added');
    publish({ data: 'back' });
    await bridge.until(() => bridge.messages.length === 1);
    assert.equal(bridge.messages[0]?.rosName, '/added');
    await bridge.handle.removeRoute(added);
    await bridge.handle.removeRoute(route(bridges.domain));
    assert.deepEqual(await names(bridge), []);
    await assert.rejects(bridge.handle.publish(`ros/${bridges.domain}/added`, {}), {
      message: `topic "ros/${bridges.domain}/added": the bridge has no route for it`,
    });
    await bridge.handle.addRoute(route(bridges.domain));
    assert.deepEqual(await names(bridge), ['/chatter']);
  });

  it('are opened and closed as patterns come and go', async () => {
    const bridge = await bridges.open({ routes: [] });
    const peer = await bridges.peer();
    const { publish } = await peer.publisher('/a/talk', STRING, undefined, 0);
    await bridge.until(() => bridge.status?.domains[0]?.participants === 1);
    const { handle } = bridge;
    const allow = { action: 'allow', pattern: '/a/*', direction: 'ros-to-mqtt' } as const;
    await handle.addPattern(allow);
    const until = async (...expected: string[]) => {
      while (!isDeepStrictEqual(await names(bridge), expected));
    };
    await until('(/a/talk)');
    const repeat = setInterval(() => publish({ data: 'hello' }), 50);
    await bridge.until(() => bridge.messages.length > 0).finally(() => clearInterval(repeat));
    // Nothing changes for what another pattern denies, or allows later in the list.
    await handle.addPattern({ ...allow, action: 'deny', pattern: '/b/*' });
    await handle.addPattern({ ...allow, format: 'text' });
    assert.deepEqual(await names(bridge), ['(/a/talk)']);
    await handle.addPattern({ ...allow, action: 'deny', pattern: '/*/talk' });
    assert.deepEqual(await names(bridge), []);
    await handle.removePattern({ pattern: '/*/talk' });
    await until('(/a/talk)');
    await assert.rejects(handle.addPattern({ ...allow, pattern: 'x' }), {
      message: 'patterns, row 4: pattern "x" does not start with /',
    });
    await assert.rejects(handle.removePattern({ pattern: '/a/*', kind: 'service' }), {
      message: 'the bridge has no such pattern "/a/*"',
    });
    assert.deepEqual(
      handle.patterns.map(({ pattern, format }) => [pattern, format]),
      [
        ['/a/*', undefined],
        ['/b/*', undefined],
        ['/a/*', 'text'],
      ],
    );
    await handle.removePattern({ pattern: '/a/*', action: 'allow' });
    assert.deepEqual([await names(bridge), handle.patterns.length], [[], 1]);
  });

  it('are refused where they cannot work, or are not there', async () => {
    const bridge = await open();
    const refused = (promise: Promise<unknown>, message: string) => assert.rejects(promise, { message });
    const { handle } = bridge;
    await refused(
      handle.addRoute(route(bridges.domain)),
      `ROS name: expected one route for each topic of domain ${bridges.domain}, got "/chatter"`,
    );
    await refused(
      handle.addRoute(route(bridges.domain, { rosName: 'x' })),
      'ROS name "x" does not start with /',
    );
    await refused(
      handle.removeRoute(route(bridges.domain, { rosName: '/nobody' })),
      `the bridge has no route for the topic /nobody of domain ${bridges.domain}`,
    );
    assert.deepEqual(await names(bridge), ['/chatter']);
    const closing = bridge.close();
    await refused(handle.addRoute(route(bridges.domain, { rosName: '/late' })), 'the bridge is being closed');
    await closing;
    await refused(handle.listRoutes(), 'the bridge is closed');
  });

  it('take the place of what a pattern has opened, which comes back when they are removed', async () => {
    const bridge = await open({
      routes: [route(bridges.domain, { rosName: '/other' })],
      patterns: [{ action: 'allow', pattern: '/**', direction: 'ros-to-mqtt' }],
    });
    const peer = await bridges.peer();
    await peer.publisher('/chatter');
    assert.deepEqual(await names(bridge), ['/other', '(/chatter)']);
    await bridge.handle.addRoute(route(bridges.domain));
    assert.deepEqual(await names(bridge), ['/other', '/chatter']);
    await bridge.handle.removeRoute(route(bridges.domain));
    assert.deepEqual(await names(bridge), ['/other', '(/chatter)']);
  });

  it('are there again after the bridge was opened anew', async () => {
    const bridge = await open();
    await bridge.handle.addRoute(route(bridges.domain, { rosName: '/added' }));
    await bridge.handle.removeRoute(route(bridges.domain));
    await bridge.close();
    await bridge.handle.open();
    await bridge.until(() => bridge.status !== undefined);
    assert.deepEqual(await names(bridge), ['/added']);
  });
});
