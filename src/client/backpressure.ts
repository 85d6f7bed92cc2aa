import type { MqttClient } from 'mqtt';
import type { PublishReader } from './publish-reader';

/**
 * Has nothing more read for a time: what the broker sends then waits in the network and at the broker.
 *
 * That the broker has ended the connection is noticed with what is written next, an acknowledgement, a message or a
 * ping, within the keep alive: Node.js tells of no end that lies behind bytes which nobody reads. Nor would it
 * serve anybody to know it sooner: what lies before that end is still to be handed on.
 */
export class Backpressure {
  readonly #client: MqttClient;
  readonly #reader: PublishReader;
  #paused = false;
  #pings: NodeJS.Timeout | undefined;

  constructor(client: MqttClient, reader: PublishReader) {
    this.#client = client;
    this.#reader = reader;
  }

  get paused(): boolean {
    return this.#paused;
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#reader.pause();
    // Nor would MQTT.js see the PINGRESP without which it ends the connection.
    const period = this.#client.keepalive * 500;
    if (period === 0) return;
    this.#pings = setInterval(() => {
      this.#client.sendPing();
      this.#client.reschedulePing(true);
    }, period);
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    clearInterval(this.#pings);
    this.#reader.resume();
  }

  /** The connection has ended. */
  close(): void {
    clearInterval(this.#pings);
  }
}
