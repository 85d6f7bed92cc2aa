import { topicNameFault } from '../topic/topic-name';
import type {
  AdministrationCalls,
  ClientEntry,
  DisconnectAnswer,
  DisconnectRequest,
  ListRequest,
  PublishedTopic,
  RetainedRequest,
  SessionEntry,
} from './administration-calls';
import { encodePublish, type PublishPacket } from './codec/publish-packet';
import { batchOf, messagesIn, type PublishedMessage } from './message-batch';
import type { Page, PageRequest } from './page';
import type { BrokerStatistics } from './statistics';
import type { AdministrationCall } from './thread-message';

/** Requests that may wait for their answers, and the bytes of messages among them; more are refused. */
const MOST_REQUESTS = 10_000;
const MOST_BYTES = 64 * 1024 * 1024;

/** A message as an application publishes it. */
export type OwnMessage = Pick<PublishPacket, 'topic' | 'payload' | 'qos' | 'retain' | 'properties'>;

interface Pending {
  resolve: (answer: unknown) => void;
  reject: (error: Error) => void;
}

interface PendingPublish {
  packet: Buffer;
  resolve: () => void;
  reject: (error: Error) => void;
}

/**
 * The other end of a broker's administration, in the thread that the broker serves. What is published in one turn of the
 * event loop crosses as one buffer. All that waits fails when the broker's thread ends, and beyond a bound at once.
 */
export class RemoteAdministration {
  readonly #post: (id: number, call: AdministrationCall, transfer: ArrayBuffer[]) => void;
  readonly #pending = new Map<number, Pending>();
  #publishing: PendingPublish[] = [];
  #publishes = 0;
  #bytes = 0;
  #lastId = 0;

  /** @param post sends a request to the worker; throws with the reason why there is none */
  constructor(post: (id: number, call: AdministrationCall, transfer: ArrayBuffer[]) => void) {
    this.#post = post;
  }

  /**
   * Resolves when the broker has taken the message, and has made durable what of it must be kept.
   * @throws Error it is not valid, nothing may be published like this, or the broker does not run
   */
  async publish(message: OwnMessage): Promise<void> {
    const fault = topicNameFault(message.topic);
    if (fault !== undefined) throw new Error(fault);
    // The identifier matters to nobody: the answer is not an acknowledgement.
    const packet = encodePublish({ type: 'publish', dup: false, packetId: 1, ...message }, 5);
    if (this.#publishes >= MOST_REQUESTS || this.#bytes + packet.length > MOST_BYTES) {
      throw new Error(`${this.#publishes} messages of ${this.#bytes} bytes wait for the broker already`);
    }
    if (this.#publishing.length === 0) setImmediate(() => this.#sendPublishing());
    this.#publishes++;
    this.#bytes += packet.length;
    try {
      await new Promise<void>((resolve, reject) => this.#publishing.push({ packet, resolve, reject }));
    } finally {
      this.#publishes--;
      this.#bytes -= packet.length;
    }
  }

  /** Disconnects a client. */
  disconnect(request: DisconnectRequest): Promise<DisconnectAnswer> {
    return this.#ask('disconnect', request);
  }

  /** The clients that are connected. */
  clients(request: ListRequest): Promise<Page<ClientEntry>> {
    return this.#ask('clients', request);
  }

  /** The sessions of clients, also of those that are away. */
  sessions(request: ListRequest): Promise<Page<SessionEntry>> {
    return this.#ask('sessions', request);
  }

  /** The topics that were published to, in the order in which they first were. */
  topics(request: PageRequest): Promise<Page<PublishedTopic>> {
    return this.#ask('topics', request);
  }

  /**
   * The retained messages that match a topic filter.
   * @throws Error the filter is not valid
   */
  async retained(request: RetainedRequest): Promise<Page<PublishedMessage>> {
    const { batch, ...rest } = await this.#ask('retained', request);
    return { entries: [...messagesIn(batch)], ...rest };
  }

  /**
   * Removes the retained messages that match a topic filter and resolves to their number.
   * @throws Error the filter is not valid
   */
  clearRetained(filter: string): Promise<number> {
    return this.#ask('clearRetained', filter);
  }

  /**
   * Reads the files of the TLS listeners again and resolves to the number of these.
   * @throws Error what the files of one hold cannot be used, and what they held before still is
   */
  reloadTls(): Promise<number> {
    return this.#ask('reloadTls');
  }

  statistics(): Promise<BrokerStatistics> {
    return this.#ask('statistics');
  }

  /** An answer of the worker: why there is none, or what it is. */
  answered(id: number, fault: string | undefined, answer: unknown): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (fault === undefined) pending?.resolve(answer);
    else pending?.reject(new Error(fault));
  }

  /** There will be no more answers. */
  fail(reason: string): void {
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(new Error(reason));
  }

  #ask<Name extends keyof AdministrationCalls>(
    name: Name,
    argument?: Parameters<AdministrationCalls[Name]>[0],
    transfer: ArrayBuffer[] = [],
  ): ReturnType<AdministrationCalls[Name]> {
    // What was published before goes before.
    if (name !== 'publish') this.#sendPublishing();
    const asked = new Promise((resolve, reject) => {
      if (this.#pending.size >= MOST_REQUESTS) {
        throw new Error(`${this.#pending.size} requests wait for the broker already`);
      }
      const id = ++this.#lastId;
      this.#post(id, { name, argument } as AdministrationCall, transfer);
      this.#pending.set(id, { resolve, reject });
    });
    return asked as ReturnType<AdministrationCalls[Name]>;
  }

  #sendPublishing(): void {
    const publishing = this.#publishing;
    if (publishing.length === 0) return;
    this.#publishing = [];
    const packets = batchOf(publishing.map(({ packet }) => packet));
    this.#ask('publish', packets, [packets]).then(
      (faults) => {
        for (const [index, { resolve, reject }] of publishing.entries()) {
          const fault = faults[index];
          if (fault === undefined) resolve();
          else reject(new Error(fault));
        }
      },
      (error: Error) => {
        for (const { reject } of publishing) reject(error);
      },
    );
  }
}
