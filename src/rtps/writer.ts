import { EventEmitter } from 'node:events';
import { Deadline, MAX_TIMER_MS } from './deadline';
import type { EndpointQos } from './qos';
import type { StatefulWriter } from './stateful-writer';

/** What a writer or reader is about. */
export interface EndpointOptions {
  readonly topic: string;
  readonly type: string;
  readonly qos: EndpointQos;
  /** Announced with the endpoint. */
  readonly userData?: Buffer;
}

/** What a writer that is closed may take until its readers have what it wrote; as Cyclone DDS's WriterLingerDuration. */
const LAST_WORDS_MS = 1000;

/** A sample that is larger than the participant sends. */
export class PayloadTooLargeError extends Error {
  override name = 'PayloadTooLargeError';
  readonly limit: number;

  constructor(topic: string, length: number, limit: number) {
    super(`topic ${JSON.stringify(topic)}: a sample of ${length} bytes, at most ${limit} are sent`);
    this.limit = limit;
  }
}

/**
 * A writer of a topic, made by `Participant.createWriter`.
 *
 * Events: `matched` and `unmatched` with the `RemoteEndpoint`; `deadline-missed` with the number of periods so far in
 * which nothing was written.
 */
export class Writer extends EventEmitter {
  readonly kind = 'writer';
  readonly guid: string;
  readonly topic: string;
  readonly type: string;
  readonly qos: EndpointQos;
  readonly userData: Buffer | undefined;
  readonly #maxSampleBytes: number;
  readonly #protocol: StatefulWriter;
  readonly #assertLiveliness: () => void;
  readonly #close: (writer: Writer) => void;
  readonly #deadline: Deadline | undefined;
  #missed = 0;
  #lifespanTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    guid: string,
    options: EndpointOptions,
    maxSampleBytes: number,
    protocol: StatefulWriter,
    assertLiveliness: () => void,
    close: (writer: Writer) => void,
  ) {
    super();
    this.guid = guid;
    this.topic = options.topic;
    this.type = options.type;
    this.qos = options.qos;
    this.userData = options.userData;
    this.#maxSampleBytes = maxSampleBytes;
    this.#protocol = protocol;
    this.#assertLiveliness = assertLiveliness;
    this.#close = close;
    const { deadline = Number.POSITIVE_INFINITY } = options.qos;
    if (deadline < Number.POSITIVE_INFINITY)
      this.#deadline = new Deadline(deadline, () => this.emit('deadline-missed', ++this.#missed));
  }

  /** Readers matched at present. */
  get matchedCount(): number {
    return this.#protocol.matchedCount;
  }

  /**
   * How many of the newest samples some reliable reader has not acknowledged. Of fewer than 64 the readers may be asked
   * up to 50 ms after they were written.
   */
  get unacknowledged(): number {
    return this.#protocol.unacknowledged;
  }

  /** The sequence number of the oldest sample that is kept to be sent again; of the next one where none is. */
  get firstKept(): number {
    return this.#protocol.first;
  }

  /**
   * Sends a sample to all matched readers. It leaves at the end of this turn of the event loop; the payload must not
   * change afterwards where the writer is reliable or transient local, because it may be sent again.
   *
   * @param payload CDR with its 4-byte encapsulation header
   * @param inlineQos what comes with the sample (`encodeRelatedSample`, `encodeAnnotation`)
   * @param ownsMemory whether nobody else uses the payload's memory, which is then freed, perhaps within this call
   * @returns the sample's sequence number
   * @throws PayloadTooLargeError; an Error when the writer is closed
   */
  write(payload: Buffer, inlineQos?: Buffer, ownsMemory = false): number {
    if (this.#closed) throw new Error(`topic ${JSON.stringify(this.topic)}: the writer is closed`);
    if (payload.length > this.#maxSampleBytes)
      throw new PayloadTooLargeError(this.topic, payload.length, this.#maxSampleBytes);
    this.#deadline?.met();
    const sequence = this.#protocol.write(payload, inlineQos, ownsMemory);
    const { lifespan = Number.POSITIVE_INFINITY } = this.qos;
    if (lifespan < Number.POSITIVE_INFINITY && this.#lifespanTimer === undefined) this.#expire(lifespan);
    return sequence;
  }

  /** Forgets what is kept of what was written, also what some reader has yet to receive. */
  forget(): void {
    this.#protocol.expire(0);
  }

  /**
   * Says that the writer is alive, as its user has to within each lease where its liveliness is not automatic: of all
   * writers of the participant that are `manual-by-participant`, or of this one that is `manual-by-topic`. A sample
   * says it, too.
   */
  assertLiveliness(): void {
    if (!this.#closed) this.#assertLiveliness();
  }

  /**
   * Withdraws the writer, once its samples are sent and its reliable readers have acknowledged them, or a second later; its
   * readers are told.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deadline?.stop();
    clearTimeout(this.#lifespanTimer);
    this.#protocol.whenDone(LAST_WORDS_MS, () => this.#close(this));
  }

  /** Forgets what is older than its lifespan, now and as long as there is anything left that will be. */
  #expire(lifespan: number): void {
    const left = this.#protocol.expire(lifespan);
    this.#lifespanTimer =
      left === undefined
        ? undefined
        : setTimeout(() => this.#expire(lifespan), Math.min(Math.ceil(left), MAX_TIMER_MS));
  }
}
