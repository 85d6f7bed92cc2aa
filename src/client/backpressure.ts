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
  /** It was, at some time since the last ping. */
  #wasPaused = false;
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
    this.#wasPaused = true;
    this.#reader.pause();
    if (this.#pings !== undefined) return;
    const period = this.#client.keepalive * 500;
    if (period === 0) return;
    this.#pings = setInterval(() => this.#ping(), period);
    this.#ping();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#reader.resume();
  }

  /**
   * MQTT.js would not see the PINGRESP without which it ends the connection; nor would it in time between pauses that
   * are shorter than the period, in which little is read.
   */
  #ping(): void {
    // Nothing may be sent behind DISCONNECT.
    if (!this.#wasPaused || this.#client.disconnecting) {
      this.close();
      return;
    }
    this.#wasPaused = this.#paused;
    this.#client.sendPing();
    this.#client.reschedulePing(true);
  }

  /** The connection has ended. */
  close(): void {
    clearInterval(this.#pings);
    this.#pings = undefined;
  }
}
