import type { RouteConnection } from './bridge-connection';

/** Retained messages that the broker is to have: sent when they change, and again when the connection was lost. */
export class StoredTopics {
  readonly #connection: RouteConnection;
  readonly #userProperties: Readonly<Record<string, string>>;
  /** Texts by topic names; empty: the broker is to have none. */
  readonly #wanted = new Map<string, string>();
  /** What the broker has, or is being sent. */
  readonly #sent = new Map<string, string>();
  /** The topics of what is wanted and not sent. */
  readonly #unsent = new Set<string>();

  constructor(connection: RouteConnection, bridgeId: string) {
    this.#connection = connection;
    this.#userProperties = { 'ros-via': bridgeId };
  }

  /** @param text empty: the broker is to have none */
  set(topic: string, text: string): void {
    this.#wanted.set(topic, text);
    if (this.#sent.get(topic) === text) this.#unsent.delete(topic);
    else this.#unsent.add(topic);
  }

  /** Leaves what the broker has to others. */
  leave(topic: string): void {
    this.#wanted.delete(topic);
    this.#sent.delete(topic);
    this.#unsent.delete(topic);
  }

  /** Sends what the broker does not have; to be called now and then. */
  send(): void {
    if (!this.#connection.connected) {
      for (const topic of this.#sent.keys()) this.#unsent.add(topic);
      this.#sent.clear();
      return;
    }
    const unsent = [...this.#unsent];
    // What is refused at once is there again.
    this.#unsent.clear();
    for (const topic of unsent) this.#publish(topic, this.#wanted.get(topic) as string);
  }

  #publish(topic: string, payload: string): void {
    this.#sent.set(topic, payload);
    const properties = {
      contentType: 'application/json',
      payloadFormatIndicator: true,
      userProperties: this.#userProperties,
    };
    this.#connection.publish({ topic, payload, qos: 1, retain: true, properties }, (undelivered) => {
      if (this.#sent.get(topic) !== payload) return;
      if (undelivered !== undefined) {
        this.#sent.delete(topic);
        this.#unsent.add(topic);
      } else if (payload === '' && this.#wanted.get(topic) === '') {
        this.#wanted.delete(topic);
        this.#sent.delete(topic);
      }
    });
  }
}
