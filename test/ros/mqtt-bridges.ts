import { Connection, type MessageProperties } from '../../src/client/connection';
import type { BridgeMqttSettings, BridgeSettings, TopicRouteSettings } from '../../src/ros/bridge-settings';
import { Mosquitto } from '../client/mosquitto';
import { connected, settingsFor } from '../client/observed';
import { freshDomain } from '../rtps/test-domain';
import { type RosPeer, route, type TestBridge } from './bridge-fixture';
import { Bridges } from './bridges';

/** Bridges around one mosquitto, and an MQTT client. */
export class MqttBridges extends Bridges {
  #mosquitto: Mosquitto | undefined;
  #client: Connection | undefined;

  /** For the mocha suite in which it is called, with one mosquitto for all of its tests or one for each. */
  static override forSuite(mosquitto: 'for all' | 'for each' = 'for all'): MqttBridges {
    const bridges = new MqttBridges();
    bridges.enterSuite(mosquitto);
    return bridges;
  }

  protected override enterSuite(mosquitto: 'for all' | 'for each' = 'for all'): void {
    const bridges = this;
    const [start, stop] = mosquitto === 'for all' ? [before, after] : [beforeEach, afterEach];
    start(async function () {
      bridges.#mosquitto = await Mosquitto.start(this);
    });
    super.enterSuite();
    beforeEach(async () => {
      this.#client = await this.connect();
    });
    stop(() => this.#mosquitto?.stop());
  }

  get mosquitto(): Mosquitto {
    return this.#mosquitto as Mosquitto;
  }

  get url(): string {
    return this.mosquitto.url;
  }

  /** A client that belongs to no bridge. */
  get client(): Connection {
    return this.#client as Connection;
  }

  /** Another one. */
  async connect(protocolVersion: 4 | 5 = 5): Promise<Connection> {
    const client = this.keep(new Connection(settingsFor(this.url, protocolVersion)));
    client.open();
    await connected(client);
    return client;
  }

  /** The settings by which a bridge connects. */
  mqtt(change: Partial<BridgeMqttSettings> = {}): BridgeMqttSettings {
    return {
      target: { url: this.url },
      protocolVersion: 5,
      clientId: `bridge-${Math.random().toString(36).slice(2, 10)}`,
      keepAlive: 60,
      ...change,
    };
  }

  /** A bridge with one route of a fresh domain, and a ROS program there. */
  async bridged(
    change: Partial<TopicRouteSettings> = {},
    settings: Partial<BridgeSettings> = {},
  ): Promise<{ bridge: TestBridge; peer: RosPeer; topic: string; domain: number }> {
    const domain = freshDomain();
    const chosen = route(domain, change);
    const peer = await this.peer(domain);
    const mqtt = this.mqtt();
    const bridge = await this.open({ mqtt, domains: [domain], routes: [chosen], ...settings });
    return { bridge, peer, topic: `ros/${domain}${chosen.rosName}`, domain };
  }

  /** Publishes, and waits for the acknowledgement. */
  async say(
    topic: string,
    payload: string | Buffer,
    userProperties?: MessageProperties['userProperties'],
    retain = false,
  ): Promise<void> {
    const properties = userProperties && { properties: { userProperties } };
    await this.client.publish(topic, payload, { qos: 1, retain, ...properties });
  }
}
