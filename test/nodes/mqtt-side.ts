import { Connection, type PublishOptions } from '../../src/client/connection';
import { Mosquitto } from '../client/mosquitto';
import { connected, settingsFor } from '../client/observed';
import { stop } from './flow';

/** The MQTT side of flows: a mosquitto for each test of a suite, and a client of the test's own. */
export class MqttSide {
  #broker: Mosquitto | undefined;
  #client: Connection | undefined;

  private constructor() {}

  /** For the mocha suite in which it is called; Node-RED is stopped before the broker is. */
  static forSuite(): MqttSide {
    const side = new MqttSide();
    beforeEach(function () {
      return side.#start(this);
    });
    afterEach(async () => {
      await stop();
      await side.#stop();
    });
    return side;
  }

  get broker(): Mosquitto {
    return this.#broker as Mosquitto;
  }

  get client(): Connection {
    return this.#client as Connection;
  }

  /** Another mosquitto, with further lines of mosquitto.conf. */
  async replace(test: Mocha.Context, extra: string[]): Promise<void> {
    await this.#stop();
    await this.#start(test, extra);
  }

  /** Waits until a node is subscribed. */
  subscribed(): Promise<void> {
    return this.broker.logged(/Sending SUBACK to node-red/);
  }

  /** At QoS 1 and not retained where the options say nothing else. */
  async publish(
    topic: string,
    payload: string | Buffer,
    options: Partial<PublishOptions> = {},
  ): Promise<void> {
    await this.client.publish(topic, payload, { qos: 1, retain: false, ...options });
  }

  async #start(test: Mocha.Context, extra: string[] = []): Promise<void> {
    this.#broker = await Mosquitto.start(test, extra);
    this.#client = new Connection(settingsFor(this.#broker.url));
    this.#client.open();
    await connected(this.#client);
  }

  async #stop(): Promise<void> {
    await this.#client?.close();
    await this.#broker?.stop();
  }
}
