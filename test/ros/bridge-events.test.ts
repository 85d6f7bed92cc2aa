import assert from 'node:assert/strict';
import { type BridgeEvent, EventGate, NodeWatch } from '../../src/ros/bridge-events';
import { RosThread } from '../../src/ros/ros-thread';
import { freshDomain } from '../rtps/test-domain';
import { BEST_EFFORT, RosPeer, route, STRING, TestBridge } from './bridge-fixture';

describe('events of a bridge', function () {
  this.timeout(20_000);

  it('name the nodes that appeared and left', () => {
    const told: BridgeEvent[] = [];
    const watch = new NodeWatch(7, (event) => told.push(event));
    watch.look(['/a', '/b']);
    watch.look(['/b', '/c']);
    watch.look(['/b', '/c']);
    assert.deepEqual(told, [
      { event: 'node-appeared', domain: 7, node: '/a' },
      { event: 'node-appeared', domain: 7, node: '/b' },
      { event: 'node-appeared', domain: 7, node: '/c' },
      { event: 'node-left', domain: 7, node: '/a' },
    ]);
  });

  it('are a bounded number in a second, and then tell how many more there were', async () => {
    const told: BridgeEvent[] = [];
    // The gate's own timer keeps no process alive.
    const alive = setTimeout(() => undefined, 20_000);
    const omitted = await new Promise((resolve) => {
      const gate = new EventGate((event) => {
        if (event.event === 'omitted') resolve(event);
        else told.push(event);
      });
      for (let node = 0; node < 103; node++) {
        gate.tell({ event: 'node-appeared', domain: 0, node: `/n${node}` });
      }
    });
    clearTimeout(alive);
    assert.deepEqual(omitted, { event: 'omitted', count: 3 });
    assert.equal(told.length, 100);
  });

  it('tell of routes, endpoints that do not suit and types that nobody knows', async () => {
    const domain = freshDomain();
    const events: BridgeEvent[] = [];
    const scan = route(domain, { rosName: '/scan', qos: { reliability: 'reliable' } });
    const strange = route(domain, { rosName: '/strange', type: 'acme_msgs/msg/Thing' });
    const bridge = TestBridge.create(new RosThread(), { domains: [domain], routes: [scan, strange] });
    bridge.handle.on('event', (event) => {
      events.push(event);
      bridge.changed();
    });
    await bridge.handle.open();
    const peer = await RosPeer.start(domain);
    await peer.publisher('/scan', STRING, BEST_EFFORT, 0);
    await bridge.until(() => events.length === 3);
    const identity = { domain, rosName: '/scan', rosType: STRING };
    const [opened, unknown, incompatible] = events;
    assert.deepEqual(opened, { event: 'route-opened', ...identity, topic: `ros/${domain}/scan` });
    assert.deepEqual(
      { ...unknown, reason: '' },
      {
        event: 'type-unknown',
        domain,
        rosName: '/strange',
        rosType: 'acme_msgs/msg/Thing',
        reason: '',
      },
    );
    assert.deepEqual(incompatible, {
      event: 'incompatible',
      ...identity,
      reason: '/scan: publisher is best effort, route wants reliable',
    });
    await bridge.close();
    await peer.stop();
  });
});
