import { Connection } from '../../src/client/connection';
import type { BridgeSettings, TopicRouteSettings } from '../../src/ros/bridge-settings';
import { RosThread } from '../../src/ros/ros-thread';
import { Mosquitto } from '../client/mosquitto';
import { connected, settingsFor } from '../client/observed';
import { freshDomain } from '../rtps/test-domain';
import { RosPeer, route, TestBridge } from './bridge-fixture';

interface Closable {
  close?: () => Promise<void>;
  stop?: () => Promise<void>;
}

/** A mosquitto and an MQTT client for the tests of a `describe`, and what each test opens and leaves to be closed. */
export class MosquittoSite {
  readonly thread = new RosThread();
  readonly #opened: Closable[] = [];
  #mosquitto: Mosquitto | undefined;
  #client: Connection | undefined;

  /** Called inside of the `describe`. */
  constructor() {
    const site = this;
    before(async function () {
      site.#mosquitto = await Mosquitto.start(this);
      site.#client = await site.connect();
    });
    after(async () => {
      await this.#client?.close();
      await this.#mosquitto?.stop();
    });
    afterEach(async () => {
      for (const each of this.#opened.splice(0).reverse()) await (each.close?.() ?? each.stop?.());
    });
  }

  get client(): Connection {
    return this.#client as Connection;
  }

  get url(): string {
    return (this.#mosquitto as Mosquitto).url;
  }

  keep<T extends Closable>(made: T): T {
    this.#opened.push(made);
    return made;
  }

  /** Another MQTT client; the caller keeps it. */
  async connect(): Promise<Connection> {
    const client = new Connection(settingsFor(this.url));
    client.open();
    await connected(client);
    return client;
  }

  /** A bridge with one route of a fresh domain, and a ROS program there. */
  async bridged(
    change: Partial<TopicRouteSettings> = {},
    settings: Partial<BridgeSettings> = {},
  ): Promise<{ bridge: TestBridge; peer: RosPeer; topic: string; domain: number }> {
    const domain = freshDomain();
    const chosen = route(domain, change);
    const peer = this.keep(await RosPeer.start(domain));
    const bridge = await this.open({ domains: [domain], routes: [chosen], ...settings });
    return { bridge, peer, topic: `ros/${domain}${chosen.rosName}`, domain };
  }

  async open(
    settings: Partial<BridgeSettings> & Pick<BridgeSettings, 'domains' | 'routes'>,
  ): Promise<TestBridge> {
    const mqtt = {
      target: { url: this.url },
      protocolVersion: 5,
      clientId: `bridge-${settings.domains}`,
      keepAlive: 60,
    } as const;
    return this.keep(await TestBridge.open(this.thread, { mqtt, ...settings }));
  }
}
