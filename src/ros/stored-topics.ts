import type { RouteConnection } from './bridge-connection';

/** Of what may be under way to the broker at once: the rest is for what ROS says, which is dropped where there is no room. */
const MAX_UNDER_WAY = 100;

type PublishingConnection = Pick<RouteConnection, 'connected' | 'publish'>;

/** Retained messages that the broker is to have: sent when they change, and again when the connection was lost. */
export class StoredTopics {
  readonly #connection: PublishingConnection;
  readonly #userProperties: Readonly<Record<string, string>>;
  /** Texts by topic names; empty: the broker is to have none. */
  readonly #wanted = new Map<string, string>();
  /** What the broker has, or is being sent. */
  readonly #sent = new Map<string, string>();
  /** The topics of what is wanted and not sent. */
  readonly #unsent = new Set<string>();
  #underWay = 0;

  constructor(connection: PublishingConnection, bridgeId: string) {
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

  /** Sends what the broker does not have, as it takes it; to be called now and then. */
  send(): void {
    if (!this.#connection.connected) {
      for (const topic of this.#sent.keys()) this.#unsent.add(topic);
      this.#sent.clear();
      return;
    }
    const next: string[] = [];
    for (const topic of this.#unsent) {
      if (this.#underWay + next.length >= MAX_UNDER_WAY) break;
      next.push(topic);
    }
    for (const topic of next) this.#publish(topic, this.#wanted.get(topic) as string);
  }

  #publish(topic: string, payload: string): void {
    this.#unsent.delete(topic);
    this.#sent.set(topic, payload);
    this.#underWay++;
    const properties = {
      contentType: 'application/json',
      payloadFormatIndicator: true,
      userProperties: this.#userProperties,
    };
    this.#connection.publish({ topic, payload, qos: 1, retain: true, properties }, (undelivered) => {
      this.#underWay--;
      this.#settle(topic, payload, undelivered === undefined);
      if (undelivered === undefined) this.send();
    });
  }

  #settle(topic: string, payload: string, isDelivered: boolean): void {
    if (this.#sent.get(topic) !== payload) return;
    if (!isDelivered) {
      this.#sent.delete(topic);
      this.#unsent.add(topic);
    } else if (payload === '' && this.#wanted.get(topic) === '') {
      this.#wanted.delete(topic);
      this.#sent.delete(topic);
    }
  }
}
