import type { QoS, ReceivedMessage, SubscribeOptions } from '../client/connection';
import type { BrokerLink } from './broker-link';
import { MessageRing } from './message-ring';
import { RateMeter } from './rate-meter';

/** `pending` until the broker has answered, which it does when it is connected. */
type SubscriptionState = 'pending' | 'subscribed' | 'refused';

export interface SubscriptionSettings {
  id: string;
  brokerId: string;
  filter: string;
  options: SubscribeOptions & { qos: QoS };
  historyMessages: number;
  historyBytes: number;
}

/** A subscription that a caller has made, with what it has received. */
export class GatewaySubscription {
  readonly ring: MessageRing;
  readonly #rate = new RateMeter();
  #state: SubscriptionState = 'pending';
  #fault: Error | undefined;
  #received = 0;
  #receivedBytes = 0;
  #stop: (() => void) | undefined;
  #waiting: (() => void)[] = [];
  #isClosed = false;

  constructor(readonly settings: SubscriptionSettings) {
    this.ring = new MessageRing(settings.historyMessages, settings.historyBytes);
  }

  get state(): SubscriptionState {
    return this.#state;
  }

  /** Why the broker has refused it. */
  get fault(): Error | undefined {
    return this.#fault;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get statistics(): { received: number; receivedBytes: number; receivedPerSecond: number } {
    return {
      received: this.#received,
      receivedBytes: this.#receivedBytes,
      receivedPerSecond: this.#rate.perSecond,
    };
  }

  /**
   * Begins; throws with the reason why there is no connection.
   * @param nextSequence of messages of all subscriptions
   */
  open(link: BrokerLink, nextSequence: () => number): void {
    const { filter, options } = this.settings;
    this.#stop = link.subscribe(filter, options, {
      message: (message) => this.#receive(nextSequence(), message),
      result: (fault) => {
        this.#state = fault === undefined ? 'subscribed' : 'refused';
        this.#fault = fault;
        for (const wake of this.#waiting.splice(0)) wake();
      },
    });
  }

  /** Resolves when the broker has answered or it is closed, at the latest after this time, ms. */
  async answered(timeout: number): Promise<void> {
    if (this.#state !== 'pending') return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeout);
      this.#waiting.push(resolve);
    });
    clearTimeout(timer);
  }

  close(): void {
    this.#isClosed = true;
    this.#stop?.();
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #receive(sequence: number, message: ReceivedMessage): void {
    this.#received++;
    this.#receivedBytes += message.payload.length;
    this.#rate.count();
    this.ring.push(sequence, Date.now(), message);
  }
}
