import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { RosThread } from '../../src/ros/ros-thread';
import { freshDomain } from '../rtps/test-domain';
import { RosPeer, route, TestBridge } from './bridge-fixture';

describe('diagnosis of silent routes', function () {
  this.timeout(30_000);

  it('says for each why it carries nothing', async () => {
    const [here, there] = [freshDomain(), freshDomain()];
    const peer = await RosPeer.start(here);
    const other = await RosPeer.start(there);
    await other.publisher('/elsewhere', undefined, undefined, 0);
    await peer.publisher('/quiet', undefined, undefined, 0);
    const direction = 'ros-to-mqtt';
    const names = ['/nobody', '/elsewhere', '/quiet'];
    const bridge = await TestBridge.open(new RosThread(), {
      domains: [here, there],
      routes: names.map((rosName) => route(here, { rosName, direction })),
    });
    const texts = () => bridge.status?.routes.map(({ silence }) => [silence?.reason, silence?.text]);
    const expected = [
      ['no-publisher', '/nobody: no publisher in ROS'],
      ['other-domain', `/elsewhere: no publisher here, but in domain ${there}`],
      [
        'no-data',
        '/quiet: 1 publisher is known, but nothing came yet: it says nothing, or a firewall keeps back UDP',
      ],
    ];
    // Who is found late was missed before.
    await bridge.until(() => isDeepStrictEqual(texts(), expected));
    assert.deepEqual(bridge.problems, []);
    await bridge.close();
    await peer.stop();
    await other.stop();
  });
});
