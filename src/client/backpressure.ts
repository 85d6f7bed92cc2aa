import type { MqttClient } from 'mqtt';

/** Has MQTT.js read nothing more for a time: what the broker sends then waits in the network and at the broker. */
export class Backpressure {
  readonly #client: MqttClient;
  /** Lets MQTT.js go on to the next packet. */
  #held: (() => void) | undefined;
  #paused = false;
  #pings: NodeJS.Timeout | undefined;

  constructor(client: MqttClient) {
    this.#client = client;
    client.handleMessage = (_packet, callback) => {
      if (this.#paused) this.#held = callback;
      else callback();
    };
  }

  get paused(): boolean {
    return this.#paused;
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
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
    const held = this.#held;
    this.#held = undefined;
    held?.();
  }

  /** The connection has ended. */
  close(): void {
    clearInterval(this.#pings);
  }
}
