import type { ReceivedMessage, Subscription } from '../client/connection';
import { SubscribeError } from '../client/errors';
import type { FanOut, FanOutJob } from './fan-out';
import type { FeedLink } from './feed-link';
import type { GatewayBroker } from './gateway-broker';
import { LiveFrames } from './live-frames';
import { type LiveReader, missedFrame, type ReaderCounts } from './live-reader';
import { messageJson } from './message-json';
import type { RosNames } from './ros-names';
import { textFrame } from './text-frame';

/**
 * Bytes of frames that go out together. While so much waits nothing more is read, where the broker has a connection for
 * the feed alone; what comes nevertheless, and what the broker drops meanwhile, all readers miss, and are told.
 */
const BATCH_BYTES = 64 * 1024;
/** A frame that alone has more is not sent. */
const MAX_FRAME = 8 * 1024 * 1024;
/** Readers that come within this time, ms, get their retained messages by one SUBSCRIBE. */
const GATHER = 50;
/** How long after SUBACK retained messages may take to come, ms: MQTT does not say which is the last. */
const RETAINED = 2000;

/** What is being passed on, and to whom still. */
interface Batch {
  frames: LiveFrames;
  left: Iterator<LiveReader>;
}

/**
 * One topic filter at one broker that any number of readers listen to: one subscription, and each message serialised and
 * framed once.
 */
export class LiveFeed implements FanOutJob {
  readonly #broker: GatewayBroker;
  readonly #filter: string;
  readonly #rosNames: RosNames;
  readonly #fanOut: FanOut;
  readonly #counts: ReaderCounts;
  readonly #readers = new Set<LiveReader>();
  #feedLink: FeedLink | undefined;
  #stop: (() => void) | undefined;
  #isPaused = false;
  /** Of the subscription, once the broker has answered. */
  #isSubscribed = false;
  #fault: Error | undefined;
  #frames: Buffer[] = [];
  #bytes = 0;
  #messages = 0;
  #missed = 0;
  #batch: Batch | undefined;
  #newcomers: LiveReader[] = [];
  #gathering: NodeJS.Timeout | undefined;
  readonly #welcomes = new Set<() => void>();

  /** @param shared of all feeds */
  constructor(
    broker: GatewayBroker,
    filter: string,
    rosNames: RosNames,
    shared: { fanOut: FanOut; counts: ReaderCounts },
  ) {
    this.#broker = broker;
    this.#filter = filter;
    this.#rosNames = rosNames;
    this.#fanOut = shared.fanOut;
    this.#counts = shared.counts;
  }

  get readers(): number {
    return this.#readers.size;
  }

  /** Subscribes; throws with the reason why there is no connection. */
  open(): void {
    this.#feedLink = this.#broker.openFeed((count) => this.#miss(count));
    this.#stop = this.#feedLink.link.subscribe(
      this.#filter,
      { qos: 0 },
      {
        message: (message) => this.#push(message),
        result: (error) => this.#answered(error),
      },
    );
  }

  add(reader: LiveReader): void {
    const isFirst = this.#readers.size === 0;
    this.#readers.add(reader);
    if (this.#fault !== undefined) reader.fail(failure(this.#fault));
    if (this.#isSubscribed) reader.tell(this.#subscribed());
    // What is retained comes to the first by the subscription itself.
    if (!isFirst) this.#gather(reader);
  }

  remove(reader: LiveReader): void {
    this.#readers.delete(reader);
  }

  /** Ends all readers, and so itself. */
  end(code: number, reason: string): void {
    for (const reader of this.#readers) reader.close(code, reason);
  }

  close(): void {
    clearTimeout(this.#gathering);
    this.#stop?.();
    for (const end of this.#welcomes) end();
    this.#feedLink?.close();
    this.#fanOut.remove(this);
  }

  run(until: number): boolean {
    this.#batch ??= this.#nextBatch();
    const { frames, left } = this.#batch;
    for (;;) {
      const { value: reader, done } = left.next();
      if (done === true) break;
      reader.send(frames);
      if (performance.now() >= until) return false;
    }
    this.#batch = undefined;
    return this.#messages === 0 && this.#missed === 0;
  }

  #push(message: ReceivedMessage): void {
    if (this.#bytes > BATCH_BYTES) this.#missed++;
    else {
      const frame = this.#frame(message);
      if (frame === undefined) this.#missed++;
      else {
        this.#frames.push(frame);
        this.#bytes += frame.length;
        this.#messages++;
      }
      if (this.#bytes > BATCH_BYTES) {
        this.#isPaused = true;
        this.#feedLink?.pause();
      }
    }
    this.#fanOut.add(this);
  }

  #miss(messages: number): void {
    this.#missed += messages;
    this.#fanOut.add(this);
  }

  #frame(message: ReceivedMessage): Buffer | undefined {
    if (message.payload.length > MAX_FRAME) return undefined;
    const { id, place } = this.#broker;
    const ros = this.#rosNames.of(message.topic, place);
    const text = messageJson(message, { brokerId: id, at: Date.now() }, ros, '"type":"message",');
    return text.length > MAX_FRAME ? undefined : textFrame(text);
  }

  #nextBatch(): Batch {
    if (this.#missed > 0) this.#frames.push(missedFrame(this.#missed));
    const bytes = this.#frames.length === 1 ? (this.#frames[0] as Buffer) : Buffer.concat(this.#frames);
    const frames = new LiveFrames(bytes, this.#counts, this.#messages, this.#missed);
    this.#frames = [];
    this.#bytes = this.#messages = this.#missed = 0;
    if (this.#isPaused) {
      this.#isPaused = false;
      this.#feedLink?.resume();
    }
    // Of those who are there now: who comes meanwhile has not missed what came before.
    return { frames, left: [...this.#readers].values() };
  }

  #answered(error: Error | undefined): void {
    this.#isSubscribed = error === undefined;
    this.#fault = error;
    for (const reader of this.#readers) {
      if (error === undefined) reader.tell(this.#subscribed());
      else reader.fail(failure(error));
    }
  }

  #subscribed(): object {
    return { type: 'subscribed', broker_id: this.#broker.id, topic: this.#filter };
  }

  #gather(reader: LiveReader): void {
    this.#newcomers.push(reader);
    this.#gathering ??= setTimeout(() => this.#welcome(), GATHER);
  }

  /** Has the broker send its retained messages for those who have come. */
  #welcome(): void {
    this.#gathering = undefined;
    const newcomers = this.#newcomers;
    this.#newcomers = [];
    let timer: NodeJS.Timeout | undefined;
    let subscription: Subscription | undefined;
    const end = () => {
      clearTimeout(timer);
      subscription?.close();
      this.#welcomes.delete(end);
    };
    try {
      // Not by the link, which would count what the feed has counted.
      subscription = this.#feedLink?.link.connection.subscribe(
        this.#filter,
        { qos: 0, retainHandling: 0 },
        {
          owner: 'a reader of the gateway',
          message: (message) => {
            const frame = message.retain ? this.#frame(message) : undefined;
            if (frame === undefined) return;
            const frames = new LiveFrames(frame, this.#counts, 1);
            for (const reader of newcomers) if (this.#readers.has(reader)) reader.send(frames);
          },
          result: () => {
            timer ??= setTimeout(end, RETAINED);
          },
        },
      );
      this.#welcomes.add(end);
    } catch {
      // Without a connection nothing comes, and the feed has it again when there is one.
    }
  }
}

function failure(error: Error): object {
  const code = error instanceof SubscribeError ? error.code : undefined;
  return {
    error: {
      code: 'refused',
      message: error.message,
      ...(code !== undefined && { reason_code: code }),
    },
  };
}
