import type { QueueSettings } from './connection-settings';
import { PublishError } from './errors';
import type { OutgoingMessage } from './outgoing-message';

/** Where the settings say nothing: a flow's burst of small messages fits. */
const MAX_WAITING_MESSAGES = 100_000;
export const MAX_WAITING_BYTES = 16 * 1024 * 1024;
/** How often at most the queue is searched for expired messages, in ms. */
const SWEEP_MS = 250;
/** What setTimeout takes at most; the sweep then finds nothing, and waits on. */
const LONGEST_TIMER_MS = 0x7fffffff;
/** Places of taken messages are removed from the front of the array this many at a time, at least. */
const TRIM = 1024;

/** Messages that wait in order for the connection, or for their turn, within bounds of number, memory and time. */
export class OutgoingQueue {
  readonly #settings: QueueSettings;
  #messages: (OutgoingMessage | undefined)[] = [];
  #first = 0;
  #bytes = 0;
  #nextDeadline = Number.POSITIVE_INFINITY;
  #lastSweep = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  /** Messages that were dropped because the queue was full, and that expired in it. */
  dropped = 0;
  expired = 0;

  constructor(settings: QueueSettings) {
    this.#settings = settings;
  }

  get size(): number {
    return this.#messages.length - this.#first;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Takes the message in, or ends it, or others instead of it, as the settings say; `reason` says why it has to wait. */
  add(message: OutgoingMessage, reason: string | undefined): void {
    const { overflow = 'refuse' } = this.#settings;
    if (overflow === 'drop-oldest' && message.bytes <= this.#maxBytes) {
      while (this.size > 0 && !this.#fits(message)) this.#drop(this.take() as OutgoingMessage);
    }
    if (!this.#fits(message)) {
      if (overflow !== 'refuse') this.#drop(message);
      else message.end(new PublishError(message.topic, this.#fullness(reason)));
      return;
    }
    message.expire(this.#settings.expiry);
    this.#messages.push(message);
    this.#bytes += message.bytes;
    this.#await(message.deadline);
  }

  /** Puts messages of an earlier run in front. Those that have expired meanwhile end at the next sweep. */
  restore(messages: readonly OutgoingMessage[]): void {
    for (const message of messages) message.expire(this.#settings.expiry);
    this.putBack(messages);
  }

  /** Puts messages in front, in their order: they have had their place, so no bound is asked. */
  putBack(messages: readonly OutgoingMessage[]): void {
    this.#replace([...messages, ...this.#waiting()]);
  }

  /** The first message, which is not in the queue any more; `undefined` when there is none. */
  take(): OutgoingMessage | undefined {
    const message = this.#messages[this.#first];
    if (message === undefined) return undefined;
    this.#messages[this.#first] = undefined;
    this.#bytes -= message.bytes;
    this.#first++;
    if (this.size === 0) this.#replace([]);
    else if (this.#first >= TRIM && this.#first * 2 > this.#messages.length) {
      this.#messages = this.#messages.slice(this.#first);
      this.#first = 0;
    }
    return message;
  }

  /** The messages of QoS 0, which are not in the queue any more. */
  takeQoS0(): OutgoingMessage[] {
    const [taken, left]: [OutgoingMessage[], OutgoingMessage[]] = [[], []];
    for (const message of this.#waiting()) (message.options.qos === 0 ? taken : left).push(message);
    this.#replace(left);
    return taken;
  }

  /** Ends all with an error. */
  refuseAll(error: () => Error): void {
    const refused = [...this.#waiting()];
    this.#replace([]);
    for (const message of refused) message.end(error());
  }

  #fits(message: OutgoingMessage): boolean {
    const { maxMessages = MAX_WAITING_MESSAGES } = this.#settings;
    return this.size < maxMessages && this.#bytes + message.bytes <= this.#maxBytes;
  }

  get #maxBytes(): number {
    return this.#settings.maxBytes ?? MAX_WAITING_BYTES;
  }

  #fullness(reason: string | undefined): string {
    const waiting = `${this.size} messages (${this.#bytes} bytes) are already waiting`;
    return reason === undefined ? waiting : `${waiting}; ${reason}`;
  }

  #drop(message: OutgoingMessage): void {
    this.dropped++;
    message.end(new PublishError(message.topic, 'dropped, because the queue of waiting messages was full'));
  }

  #await(deadline: number): void {
    if (deadline >= this.#nextDeadline) return;
    this.#nextDeadline = deadline;
    clearTimeout(this.#timer);
    const now = performance.now();
    const wait = Math.max(deadline - now, this.#lastSweep + SWEEP_MS - now, 0);
    this.#timer = setTimeout(() => this.#sweep(), Math.min(wait, LONGEST_TIMER_MS));
  }

  #sweep(): void {
    const now = performance.now();
    this.#lastSweep = now;
    const [kept, late]: [OutgoingMessage[], OutgoingMessage[]] = [[], []];
    for (const message of this.#waiting()) (message.deadline <= now ? late : kept).push(message);
    this.#replace(kept);
    for (const message of late) {
      this.expired++;
      message.end(message.expiryError);
    }
  }

  *#waiting(): Generator<OutgoingMessage> {
    for (let at = this.#first; at < this.#messages.length; at++) yield this.#messages[at] as OutgoingMessage;
  }

  #replace(messages: OutgoingMessage[]): void {
    clearTimeout(this.#timer);
    this.#nextDeadline = Number.POSITIVE_INFINITY;
    this.#messages = messages;
    this.#first = 0;
    this.#bytes = 0;
    for (const { bytes, deadline } of messages) {
      this.#bytes += bytes;
      this.#await(deadline);
    }
  }
}
