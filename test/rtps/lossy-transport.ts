import type { Locator } from '../../src/rtps/locator';
import { UdpTransport } from '../../src/rtps/udp-transport';

/** How often a datagram is sent, and for each time how many milliseconds late. */
export type Weather = (message: Buffer) => readonly number[];

/** A transport of which the network to others loses, repeats and delays datagrams; announcements arrive. */
export class LossyTransport extends UdpTransport {
  weather: Weather = () => [0];
  readonly #delayed = new Set<NodeJS.Timeout>();

  override send(message: Buffer, locator: Locator, sent: () => void): void {
    const delays = this.weather(message);
    if (delays.length === 1 && delays[0] === 0) {
      super.send(message, locator, sent);
      return;
    }
    // The sender uses the buffer again.
    const copy = Buffer.from(message);
    sent();
    for (const delay of delays) {
      const timer = setTimeout(() => {
        this.#delayed.delete(timer);
        super.send(copy, locator, () => {});
      }, delay);
      this.#delayed.add(timer);
    }
  }

  override async close(): Promise<void> {
    for (const timer of this.#delayed) clearTimeout(timer);
    await super.close();
  }
}
