import type { EndpointDiscovery } from './endpoint-discovery';
import { guidOf, READER_KIND_NO_KEY, WRITER_KIND_NO_KEY } from './guid';
import type { LivelinessProtocol } from './liveliness-protocol';
import type { EndpointPair, Matching } from './matching';
import type { MessageReceiver } from './message-receiver';
import type { Outbox } from './outbox';
import { ParticipantOptionError } from './participant-option-error';
import { checkQos, type PolicyName, policiesOf } from './qos';
import { Reader, type Sample } from './reader';
import { Reception } from './reception';
import { remoteEndpointOf } from './remote-endpoint';
import { StatefulReader } from './stateful-reader';
import { StatefulWriter } from './stateful-writer';
import type { Statistics } from './statistics';
import { type EndpointOptions, Writer } from './writer';
import type { WriterLiveliness } from './writer-liveliness';

/**
 * Told the events of the same names that are of one endpoint of ours, also while it is being made: of many, a listener of
 * the participant's events would look at those of all.
 */
export interface EndpointListener {
  matched?(pair: EndpointPair): void;
  /** Not when the endpoint is closed. */
  unmatched?(pair: EndpointPair): void;
  incompatible?(pair: EndpointPair & { readonly policy: PolicyName | 'type' }): void;
  deadlineMissed?(): void;
}

/** What a writer keeps to send again, whatever its depth; more where two of the largest samples are more. */
const HISTORY_BYTES = 64 * 1024 * 1024;
const MAX_ENTITY_KEY = 0xffffff;
const MAX_NAME_LENGTH = 1024;

/** What of its participant the endpoints are joined to. */
export interface LocalEndpointsParts {
  /** Of the participant's GUID. */
  readonly prefix: string;
  /** The largest sample that is sent or received, in bytes. */
  readonly maxSampleBytes: number;
  readonly statistics: Statistics;
  readonly outbox: Outbox;
  readonly receiver: MessageReceiver;
  /** Tells the others of the endpoints, and knows theirs. */
  readonly discovery: EndpointDiscovery;
  readonly liveliness: LivelinessProtocol;
  readonly writerLiveliness: WriterLiveliness;
  readonly matching: Matching;
}

export interface LocalEndpointsListener {
  /** See `ParticipantEvents`. */
  behind(pair: EndpointPair): void;
  deadlineMissed(local: Writer | Reader, total: number): void;
}

/** The writers and readers of a participant: makes them, joins them to it, and takes them back when they are closed. */
export class LocalEndpoints {
  readonly #parts: LocalEndpointsParts;
  readonly #listener: LocalEndpointsListener;
  readonly #all = new Map<Writer | Reader, EndpointListener>();
  #lastEntityKey = 0;
  #onLastWithdrawn: (() => void) | undefined;
  #closed = false;

  constructor(parts: LocalEndpointsParts, listener: LocalEndpointsListener) {
    this.#parts = parts;
    this.#listener = listener;
  }

  /** @throws QosError, ParticipantOptionError */
  createWriter(options: EndpointOptions, listener: EndpointListener): Writer {
    this.#checkEndpoint(options);
    const { liveliness = 'automatic', livelinessLease = Number.POSITIVE_INFINITY } = options.qos;
    // The others have to say it themselves.
    const automaticLease = liveliness === 'automatic' ? livelinessLease : Number.POSITIVE_INFINITY;
    const entityId = this.#newEntityId(WRITER_KIND_NO_KEY);
    const { reliability, durability, depth } = options.qos;
    const protocol = new StatefulWriter(
      entityId,
      {
        reliable: reliability === 'reliable',
        transientLocal: durability === 'transient-local',
        history: { depth, bytes: Math.max(HISTORY_BYTES, 2 * this.#parts.maxSampleBytes) },
      },
      this.#parts.outbox,
      this.#parts.statistics,
      (readerGuid) => {
        const reader = this.#parts.discovery.get(readerGuid);
        if (reader !== undefined) this.#listener.behind({ local: writer, remote: remoteEndpointOf(reader) });
      },
    );
    const writer: Writer = new Writer(
      guidOf(this.#parts.prefix, entityId),
      options,
      this.#parts.maxSampleBytes,
      protocol,
      () => {
        if (liveliness === 'manual-by-participant') this.#parts.liveliness.assertManually();
        else protocol.assertLiveliness();
      },
      () => {
        this.#remove(writer);
        this.#parts.receiver.removeWriter(protocol);
        protocol.close();
        this.#parts.liveliness.withdraw(automaticLease);
      },
    );
    writer.on('deadline-missed', (total) => this.#deadlineMissed(writer, total));
    this.#parts.receiver.addWriter(protocol);
    this.#parts.liveliness.offer(automaticLease);
    this.#add(writer, listener);
    this.#parts.matching.addLocal({ endpoint: writer, protocol });
    return writer;
  }

  /**
   * @param onSample called for each sample, in order per writer; it must not throw
   * @throws QosError, ParticipantOptionError
   */
  createReader(
    options: EndpointOptions,
    onSample: (sample: Sample) => void,
    listener: EndpointListener,
  ): Reader {
    this.#checkEndpoint(options);
    const entityId = this.#newEntityId(READER_KIND_NO_KEY);
    const { reliability, durability } = options.qos;
    const reception = new Reception(policiesOf('reader', options.qos), this.#parts.statistics, {
      asserted: (guid) => this.#parts.writerLiveliness.asserted(guid),
      deadlineMissed: (total) => this.#deadlineMissed(reader, total),
    });
    const protocol = new StatefulReader(
      entityId,
      { reliable: reliability === 'reliable', transientLocal: durability === 'transient-local' },
      this.#parts.outbox,
      this.#parts.statistics,
      (change, target) => {
        // Without a payload it says that the writer or its instance is gone, which discovery tells better.
        if (change.status !== 0 || change.payload.length === 0) return;
        const writerGuid = reception.accept(target, change);
        if (writerGuid === undefined) return;
        this.#parts.statistics.samplesReceived++;
        onSample({
          payload: change.payload,
          ownsMemory: change.ownsMemory,
          writerGuid,
          sequence: change.sequence,
          sourceTimestamp: change.timestamp,
          related: change.related,
          annotation: change.annotation,
        });
      },
    );
    const reader = new Reader(guidOf(this.#parts.prefix, entityId), options, protocol, reception, () => {
      this.#remove(reader);
      protocol.close();
      reception.close();
    });
    this.#add(reader, listener);
    this.#parts.matching.addLocal({ endpoint: reader, protocol, reception });
    return reader;
  }

  /** Of an endpoint while it is there. */
  listenerOf(endpoint: Writer | Reader): EndpointListener | undefined {
    return this.#closed ? undefined : this.#all.get(endpoint);
  }

  /** Closes all, and lets no more be made; where some have still to be withdrawn, resolves when they are. */
  close(): Promise<void> | undefined {
    this.#closed = true;
    for (const endpoint of [...this.#all.keys()]) endpoint.close();
    if (this.#all.size === 0) return undefined;
    return new Promise((resolve) => (this.#onLastWithdrawn = resolve));
  }

  #checkEndpoint({ topic, type, qos }: EndpointOptions): void {
    if (this.#closed) throw new ParticipantOptionError('the participant is closed');
    for (const [field, value] of Object.entries({ topic, type }))
      if (value === '' || value.length > MAX_NAME_LENGTH || value.includes('\0'))
        throw new ParticipantOptionError(
          `${field}: expected 1 to ${MAX_NAME_LENGTH} characters without NUL, got ${JSON.stringify(value)}`,
        );
    checkQos(qos);
  }

  #newEntityId(kind: number): number {
    if (this.#lastEntityKey >= MAX_ENTITY_KEY)
      throw new ParticipantOptionError('the participant has no entity id left');
    return ((++this.#lastEntityKey << 8) | kind) >>> 0;
  }

  #deadlineMissed(local: Writer | Reader, total: number): void {
    this.#listener.deadlineMissed(local, total);
    this.listenerOf(local)?.deadlineMissed?.();
  }

  #add(endpoint: Writer | Reader, listener: EndpointListener): void {
    this.#all.set(endpoint, listener);
    this.#parts.discovery.announce(endpoint);
  }

  #remove(endpoint: Writer | Reader): void {
    if (!this.#all.delete(endpoint)) return;
    this.#parts.discovery.withdraw(endpoint);
    this.#parts.matching.removeLocal(endpoint);
    if (this.#all.size === 0) this.#onLastWithdrawn?.();
  }
}
