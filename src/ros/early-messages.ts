import type {
  BridgeSubscription,
  BridgeSubscriptionListener,
  IncomingMessage,
  RouteConnection,
} from './bridge-connection';
import type { BridgeRoute } from './bridge-route';
import { countDrop, newRouteCounts } from './route-counts';

/** Bytes of payloads from MQTT that the routes of a bridge hold together. */
const MAX_HELD_BYTES = 16 * 1024 * 1024;

/** What the routes of one bridge hold together. */
export class HeldMemory {
  #bytes = 0;

  take(bytes: number): boolean {
    if (this.#bytes + bytes > MAX_HELD_BYTES) return false;
    this.#bytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }
}

export interface EarlyMessagesOptions {
  /** Where the route takes messages from MQTT; absent where it takes none. */
  topic: string | undefined;
  connection: RouteConnection | undefined;
  bridgeId: string;
  memory: HeldMemory;
  /** How long a message is held, in ms. */
  patience: number;
}

export interface EarlyMessagesListener {
  /** A message says of which type it is (user property `ros-type`). */
  said(type: string): void;
  /** A message from MQTT was dropped. */
  dropped(): void;
  refused(error: Error): void;
  changed(): void;
}

/** A message that waits, and what becomes of it. */
interface Held {
  readonly bytes: number;
  deliver(route: BridgeRoute, mqtt: BridgeSubscriptionListener | undefined): void;
  drop(reason: string): void;
}

/**
 * What comes for a route that cannot carry it yet, because its type is not known. The last message is held, because the
 * newest value is what is still of use, and dropped when the type does not become known in time.
 */
export class EarlyMessages {
  /** What was dropped. */
  readonly counts = newRouteCounts();
  readonly #options: EarlyMessagesOptions;
  readonly #listener: EarlyMessagesListener;
  #subscription: BridgeSubscription | undefined;
  #held: Held | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: EarlyMessagesOptions, listener: EarlyMessagesListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** Whether the broker has granted the subscription; `undefined` where there is none. */
  get subscribed(): boolean | undefined {
    return this.#subscription?.granted;
  }

  open(): void {
    const { connection, topic } = this.#options;
    if (topic === undefined) return;
    this.#subscription = connection?.subscribe(topic, {
      message: (message) => this.#receive(message),
      result: (error) => (error === undefined ? this.#listener.changed() : this.#listener.refused(error)),
    });
  }

  /** Holds a message of the flow. Resolves when the route has taken it; rejects with the reason when it is dropped. */
  hold(publishOn: (route: BridgeRoute) => Promise<string> | undefined): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      this.#hold({
        // The flows' side bounds what it waits for.
        bytes: 0,
        deliver: (route) => {
          try {
            resolve(publishOn(route));
          } catch (error) {
            reject(error);
          }
        },
        drop: (reason) => reject(new Error(reason)),
      });
    });
  }

  /** The route can carry now. `mqtt`: what it has subscribed with for the same messages. */
  deliver(route: BridgeRoute, mqtt: BridgeSubscriptionListener | undefined): void {
    this.#release()?.deliver(route, mqtt);
  }

  close(reason: string): void {
    this.#subscription?.close();
    this.#subscription = undefined;
    this.#release()?.drop(reason);
  }

  #receive(message: IncomingMessage): void {
    if (message.via.includes(this.#options.bridgeId)) {
      countDrop(this.counts, 'echo');
      return;
    }
    this.#hold({
      bytes: message.payload.length,
      deliver: (_route, mqtt) => mqtt?.message(message),
      drop: () => {
        this.counts.mqttReceived++;
        countDrop(this.counts, 'unknown-type');
        this.#listener.dropped();
      },
    });
    const said = [message.properties?.userProperties?.['ros-type'] ?? []].flat();
    if (said[0] !== undefined) this.#listener.said(said[0]);
  }

  #hold(held: Held): void {
    this.#release()?.drop('a newer one has come');
    if (!this.#options.memory.take(held.bytes)) {
      held.drop(`the messages that wait for their types have more than ${MAX_HELD_BYTES} bytes`);
      return;
    }
    this.#held = held;
    const { patience } = this.#options;
    this.#timer = setTimeout(() => this.#release()?.drop(`it has waited ${patience / 1000} s`), patience);
  }

  #release(): Held | undefined {
    const held = this.#held;
    clearTimeout(this.#timer);
    this.#held = undefined;
    if (held !== undefined) this.#options.memory.release(held.bytes);
    return held;
  }
}
