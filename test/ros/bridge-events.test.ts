import assert from 'node:assert/strict';
import { type BridgeEvent, EventGate, NodeWatch, SilentRoutes } from '../../src/ros/bridge-events';
import { RosThread } from '../../src/ros/ros-thread';
import type { SilenceReason } from '../../src/ros/route-silence';
import { freshDomain } from '../rtps/test-domain';
import { BEST_EFFORT, RosPeer, route, STRING, TestBridge } from './bridge-fixture';

describe('events of a bridge', function () {
  this.timeout(60_000);

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

  it('name the routes that are silent, once for each reason, and those that are so no more', () => {
    const told: BridgeEvent[] = [];
    const watch = new SilentRoutes((event) => told.push(event));
    const scan = { kind: 'topic', domain: 0, rosName: '/scan', type: STRING, direction: 'both' } as const;
    const silent = (reason: SilenceReason) => ({ ...scan, silence: { reason, text: `/scan: ${reason}` } });
    for (const routes of [[], [silent('no-data')], [silent('no-data')], [silent('no-publisher')]])
      watch.look(routes);
    watch.look([scan]);
    watch.look([scan]);
    watch.look([silent('no-publisher')]);
    // The route was removed.
    watch.look([]);
    watch.look([scan]);
    assert.deepEqual(
      told.map((event) => [event.event, 'cause' in event && event.cause]),
      [
        ['silent', 'no-data'],
        ['silent', 'no-publisher'],
        ['silence-ended', 'no-publisher'],
        ['silent', 'no-publisher'],
      ],
    );
    assert.deepEqual(told[2], {
      ...{ event: 'silence-ended', cause: 'no-publisher' },
      ...{ domain: 0, rosName: '/scan', rosType: STRING },
    });
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
      // Which depends on how long all takes.
      if (event.event !== 'silent') events.push(event);
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
