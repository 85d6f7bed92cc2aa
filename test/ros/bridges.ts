import type { BridgeSettings } from '../../src/ros/bridge-settings';
import type { RosDomain } from '../../src/ros/ros-backend';
import { type CreateBridgeOptions, RosThread } from '../../src/ros/ros-thread';
import { RtpsBackend } from '../../src/ros/rtps-backend';
import { endingAfterEach, type Keep } from '../ending-after-each';
import type { DdsVendor } from '../peers/dds/dds-peer';
import { Cast, freshDomain } from '../rtps/fixture';
import { RosPeer, TestBridge } from './bridge-fixture';

/** Bridges and ROS programs for the tests of a suite: each test has a domain, and what it opens is closed after it. */
export class Bridges {
  readonly thread = new RosThread();
  /** Ends it after the test that runs. */
  readonly keep: Keep = endingAfterEach();
  #domain = 0;

  /** For the mocha suite in which it is called. */
  static forSuite(): Bridges {
    const bridges = new Bridges();
    bridges.enterSuite();
    return bridges;
  }

  protected enterSuite(): void {
    beforeEach(() => {
      this.#domain = freshDomain();
    });
  }

  /** Of the test that runs. */
  get domain(): number {
    return this.#domain;
  }

  /** In the domain of the test where the settings name no other; without MQTT where they name none. */
  async open(
    settings: Partial<BridgeSettings> & Pick<BridgeSettings, 'routes'>,
    options?: CreateBridgeOptions,
  ): Promise<TestBridge> {
    const bridge = this.keep(
      TestBridge.create(this.thread, { domains: [this.#domain], ...settings }, options),
    );
    await bridge.handle.open();
    return bridge;
  }

  /** A ROS program of the test's own, of topics as they are on the wire. */
  async peer(domain = this.#domain): Promise<RosPeer> {
    return this.keep(await RosPeer.start(domain));
  }

  /** A ROS program of the test's own, of all that ROS has; those of one backend share a participant. */
  async ros(
    domain = this.#domain,
    { backend = new RtpsBackend(), nodeName = 'test', bridgeId = 'peer' } = {},
  ): Promise<RosDomain> {
    const place = { domain, range: 'localhost', interfaces: ['127.0.0.1'], peers: [] } as const;
    return this.keep(await backend.openDomain({ ...place, nodeName, bridgeId }));
  }

  /** Programs of a DDS vendor. */
  vendor(name: DdsVendor): Cast {
    return this.keep(new Cast(name), (cast) => cast.leave());
  }
}
