import type { BrokerEvent } from './broker-event';

/** Time between two groups, ms. */
const INTERVAL = 50;
const EVENTS_PER_GROUP = 500;
/** Of what the events of a group say, apart from a last one. */
const CHARACTERS_PER_GROUP = 1024 * 1024;

/**
 * Passes events on in groups, so that a crowd of clients does not become a crowd of messages to another thread. A group
 * is bounded; how many events did not fit it is its last event.
 */
export class EventGroups {
  readonly #send: (events: BrokerEvent[]) => void;
  #events: BrokerEvent[] = [];
  #characters = 0;
  #omitted = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(send: (events: BrokerEvent[]) => void) {
    this.#send = send;
  }

  add(event: BrokerEvent): void {
    if (this.#events.length === EVENTS_PER_GROUP || this.#characters >= CHARACTERS_PER_GROUP) {
      this.#omitted++;
      return;
    }
    this.#events.push(event);
    this.#characters += JSON.stringify(event).length;
    this.#timer ??= setTimeout(() => this.flush(), INTERVAL);
  }

  /** Sends what there is, now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#events.length === 0) return;
    const events = this.#events;
    if (this.#omitted > 0) events.push({ type: 'omitted', count: this.#omitted });
    this.#events = [];
    this.#characters = 0;
    this.#omitted = 0;
    this.#send(events);
  }
}
