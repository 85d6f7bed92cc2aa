import { Connection, type MessageProperties } from '../../src/client/connection';
import type { BridgeMqttSettings, BridgeSettings } from '../../src/ros/bridge-settings';
import { RosThread } from '../../src/ros/ros-thread';
import { Mosquitto } from '../client/mosquitto';
import { connected, settingsFor } from '../client/observed';
import { freshDomain } from '../rtps/test-domain';
import { RosPeer, TestBridge } from './bridge-fixture';

/** Bridges, ROS programs and an MQTT client around one mosquitto, for the tests of the suite that makes it. */
export class MqttBridges {
  readonly #thread = new RosThread();
  readonly #opened: Array<() => Promise<unknown>> = [];
  #mosquitto: Mosquitto | undefined;
  #client: Connection | undefined;
  #domain = 0;

  /** Starts and stops with the mocha suite in which it is called. */
  static forSuite(): MqttBridges {
    const bridges = new MqttBridges();
    before(async function () {
      bridges.#mosquitto = await Mosquitto.start(this);
    });
    after(() => bridges.#mosquitto?.stop());
    beforeEach(async () => {
      bridges.#domain = freshDomain();
      bridges.#client = new Connection(settingsFor(bridges.url));
      bridges.#opened.push(() => bridges.client.close());
      bridges.client.open();
      await connected(bridges.client);
    });
    afterEach(async () => {
      for (const close of bridges.#opened.splice(0).reverse()) await close();
    });
    return bridges;
  }

  get url(): string {
    return (this.#mosquitto as Mosquitto).url;
  }

  /** A client that belongs to no bridge. */
  get client(): Connection {
    return this.#client as Connection;
  }

  /** Of the test that runs. */
  get domain(): number {
    return this.#domain;
  }

  async open(
    change: Partial<BridgeSettings> & Pick<BridgeSettings, 'routes'>,
    mqtt: Partial<BridgeMqttSettings> = {},
  ): Promise<TestBridge> {
    const bridge = await TestBridge.open(this.#thread, {
      domains: [this.#domain],
      mqtt: {
        target: { url: this.url },
        protocolVersion: 5,
        clientId: `bridge-${Math.random().toString(36).slice(2, 10)}`,
        keepAlive: 60,
        ...mqtt,
      },
      ...change,
    });
    this.#opened.push(() => bridge.close());
    return bridge;
  }

  async peer(domain = this.#domain): Promise<RosPeer> {
    const peer = await RosPeer.start(domain);
    this.#opened.push(() => peer.stop());
    return peer;
  }

  /** Publishes, and waits for the acknowledgement. */
  async say(
    topic: string,
    payload: string,
    userProperties?: MessageProperties['userProperties'],
    retain = false,
  ): Promise<void> {
    const properties = userProperties && { properties: { userProperties } };
    await this.client.publish(topic, payload, { qos: 1, retain, ...properties });
  }
}
