import type { RouteConnection } from './bridge-connection';

/** Retained messages that the broker is to have: sent when they change, and again when the connection was lost. */
export class StoredTopics {
  readonly #connection: RouteConnection;
  readonly #userProperties: Readonly<Record<string, string>>;
  /** Texts by topic names; empty: the broker is to have none. */
  readonly #wanted = new Map<string, string>();
  /** What the broker has, or is being sent. */
  readonly #sent = new Map<string, string>();

  constructor(connection: RouteConnection, bridgeId: string) {
    this.#connection = connection;
    this.#userProperties = { 'ros-via': bridgeId };
  }

  /** @param text empty: the broker is to have none */
  set(topic: string, text: string): void {
    this.#wanted.set(topic, text);
  }

  /** Leaves what the broker has to others. */
  leave(topic: string): void {
    this.#wanted.delete(topic);
    this.#sent.delete(topic);
  }

  /** Sends what the broker does not have; to be called now and then. */
  send(): void {
    if (!this.#connection.connected) {
      this.#sent.clear();
      return;
    }
    for (const [topic, text] of this.#wanted) if (this.#sent.get(topic) !== text) this.#publish(topic, text);
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
      if (undelivered !== undefined) this.#sent.delete(topic);
      else if (payload === '' && this.#wanted.get(topic) === '') {
        this.#wanted.delete(topic);
        this.#sent.delete(topic);
      }
    });
  }
}
