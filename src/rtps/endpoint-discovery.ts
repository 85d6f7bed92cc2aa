import { decodeEndpointData, type EndpointData, encodeEndpointData } from './endpoint-data';
import { EntityId, guidOf, prefixOf } from './guid';
import { KnownEndpoints } from './known-endpoints';
import { MalformedError } from './malformed-error';
import type { MessageReceiver } from './message-receiver';
import type { Outbox } from './outbox';
import { Pid } from './parameter-list';
import { BuiltinEndpoint, decodeDisposal, encodeDisposal } from './participant-data';
import type { FoundParticipant } from './participant-discovery';
import type { ReceivedChange } from './received-change';
import { StatefulReader } from './stateful-reader';
import { StatefulWriter } from './stateful-writer';
import { Statistics } from './statistics';

export interface EndpointDiscoveryListener {
  endpointFound(endpoint: EndpointData): void;
  /** It announced other QoS, user data or locators than before. */
  endpointChanged(endpoint: EndpointData): void;
  endpointLost(endpoint: EndpointData): void;
  /** There are more, or larger ones, than are kept; in words. */
  full(warning: string): void;
  /** Whether the participant was found and not lost. */
  knowsParticipant(prefix: string): boolean;
}

/** Built-in endpoints keep each endpoint's last announcement, by removing the one before. */
const BUILTIN_PROTOCOL = {
  reliable: true,
  transientLocal: true,
  history: { depth: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY },
};
/** A bridge or a container of nodes is one participant. */
const MAX_ENDPOINTS_PER_PARTICIPANT = 8192;
const MAX_ENDPOINTS = 32768;
/** Of their announcements, of which less is kept. */
const MAX_BYTES_PER_PARTICIPANT = 4 * 1024 * 1024;
const MAX_BYTES = 64 * 1024 * 1024;

const FULL =
  `more publishers, subscriptions and services are announced than can be known: ${MAX_ENDPOINTS_PER_PARTICIPANT} of one ` +
  `process and ${MAX_ENDPOINTS} in all, in ${MAX_BYTES_PER_PARTICIPANT / 2 ** 20} and ${MAX_BYTES / 2 ** 20} MiB`;

/** One of the two directions of endpoint discovery: of all writers, or of all readers. */
interface Side {
  readonly kind: EndpointData['kind'];
  readonly writer: StatefulWriter;
  readonly reader: StatefulReader;
  readonly announcer: number;
  readonly detector: number;
}

/**
 * The Simple Endpoint Discovery Protocol (RTPS 8.5.4): tells every participant of our endpoints and learns theirs,
 * over reliable transient-local built-in endpoints.
 */
export class EndpointDiscovery {
  readonly #receiver: MessageReceiver;
  readonly #statistics: Statistics;
  readonly #listener: EndpointDiscoveryListener;
  readonly #sides: readonly Side[];
  /** The sequence numbers of our endpoints' announcements. */
  readonly #announced = new Map<string, number>();
  /** By participant. */
  readonly #remote = new Map<string, KnownEndpoints>();
  #remoteCount = 0;
  #remoteBytes = 0;

  constructor(
    outbox: Outbox,
    receiver: MessageReceiver,
    statistics: Statistics,
    listener: EndpointDiscoveryListener,
  ) {
    this.#receiver = receiver;
    this.#statistics = statistics;
    this.#listener = listener;
    // Counted apart: a participant's statistics are about its user's samples.
    const ownStatistics = new Statistics();
    const side = (
      kind: Side['kind'],
      writerId: number,
      readerId: number,
      announcer: number,
      detector: number,
    ) => ({
      kind,
      announcer,
      detector,
      writer: new StatefulWriter(writerId, BUILTIN_PROTOCOL, outbox, ownStatistics),
      reader: new StatefulReader(readerId, BUILTIN_PROTOCOL, outbox, ownStatistics, (change) =>
        this.#receive(kind, change),
      ),
    });
    this.#sides = [
      side(
        'writer',
        EntityId.publicationsWriter,
        EntityId.publicationsReader,
        BuiltinEndpoint.publicationsAnnouncer,
        BuiltinEndpoint.publicationsDetector,
      ),
      side(
        'reader',
        EntityId.subscriptionsWriter,
        EntityId.subscriptionsReader,
        BuiltinEndpoint.subscriptionsAnnouncer,
        BuiltinEndpoint.subscriptionsDetector,
      ),
    ];
    for (const { writer } of this.#sides) receiver.addWriter(writer);
  }

  /** All endpoints of other participants. */
  *endpoints(): IterableIterator<EndpointData> {
    for (const endpoints of this.#remote.values()) yield* endpoints.values();
  }

  get(guid: string): EndpointData | undefined {
    return this.#remote.get(prefixOf(guid))?.get(guid);
  }

  /** Tells of an endpoint of ours. */
  announce(endpoint: Pick<EndpointData, 'guid' | 'kind' | 'topic' | 'type' | 'qos' | 'userData'>): void {
    const writer = this.#sideOf(endpoint.kind).writer;
    this.#announced.set(endpoint.guid, writer.write(encodeEndpointData(endpoint)));
  }

  /** Tells that an endpoint of ours is gone. */
  withdraw(endpoint: Pick<EndpointData, 'guid' | 'kind'>): void {
    const sequence = this.#announced.get(endpoint.guid);
    if (sequence === undefined) return;
    this.#announced.delete(endpoint.guid);
    const { writer } = this.#sideOf(endpoint.kind);
    writer.remove(sequence);
    const { key, inlineQos } = encodeDisposal(Pid.endpointGuid, endpoint.guid);
    writer.dispose(key, inlineQos);
  }

  /** Matches the built-in endpoints with those that the participant says it has. */
  connect({ data: { prefix, builtinEndpoints }, locator }: FoundParticipant): void {
    const protocol = { prefix, locator, reliable: true, transientLocal: true };
    for (const { writer, reader, announcer, detector } of this.#sides) {
      if ((builtinEndpoints & detector) !== 0) writer.matchReader({ ...protocol, entityId: reader.entityId });
      if ((builtinEndpoints & announcer) !== 0)
        this.#receiver.connect(reader, { ...protocol, entityId: writer.entityId }).open();
    }
  }

  /** Forgets the participant's endpoints. */
  disconnect(prefix: string): void {
    for (const { writer, reader } of this.#sides) {
      writer.unmatchReader(guidOf(prefix, reader.entityId));
      this.#receiver.disconnect(reader, guidOf(prefix, writer.entityId));
    }
    for (const { guid } of [...(this.#remote.get(prefix)?.values() ?? [])]) this.#lose(guid);
  }

  close(): void {
    for (const { writer, reader } of this.#sides) {
      writer.close();
      reader.close();
    }
  }

  #receive(kind: EndpointData['kind'], change: ReceivedChange): void {
    try {
      if (change.status === 0) this.#find(decodeEndpointData(change.payload, kind), change.payload.length);
      else this.#lose(decodeDisposal(Pid.endpointGuid, change.payload, change.keyHash));
    } catch (error) {
      // Not thrown on: the message around it is sound, and the samples behind this one must not be lost with it.
      if (!(error instanceof MalformedError)) throw error;
      this.#statistics.announcementsRefused++;
    }
  }

  #find(endpoint: EndpointData, bytes: number): void {
    const { guid } = endpoint;
    const prefix = prefixOf(guid);
    const ofParticipant = this.#remote.get(prefix) ?? new KnownEndpoints();
    const known = ofParticipant.get(guid);
    if (known !== undefined && isSame(known, endpoint)) return;
    if (!this.#listener.knowsParticipant(prefix)) {
      this.#statistics.announcementsRefused++;
      return;
    }
    const more = bytes - ofParticipant.bytesOf(guid);
    if (
      ofParticipant.bytes + more > MAX_BYTES_PER_PARTICIPANT ||
      this.#remoteBytes + more > MAX_BYTES ||
      (known === undefined &&
        (ofParticipant.size >= MAX_ENDPOINTS_PER_PARTICIPANT || this.#remoteCount >= MAX_ENDPOINTS))
    ) {
      this.#statistics.announcementsRefused++;
      this.#listener.full(FULL);
      return;
    }
    ofParticipant.set(endpoint, bytes);
    this.#remoteBytes += more;
    if (known !== undefined) {
      this.#listener.endpointChanged(endpoint);
      return;
    }
    this.#remote.set(prefix, ofParticipant);
    this.#remoteCount++;
    this.#listener.endpointFound(endpoint);
  }

  #lose(guid: string): void {
    const prefix = prefixOf(guid);
    const ofParticipant = this.#remote.get(prefix);
    const endpoint = ofParticipant?.get(guid);
    if (ofParticipant === undefined || endpoint === undefined) return;
    this.#remoteBytes -= ofParticipant.bytesOf(guid);
    ofParticipant.delete(guid);
    if (ofParticipant.size === 0) this.#remote.delete(prefix);
    this.#remoteCount--;
    this.#listener.endpointLost(endpoint);
  }

  #sideOf(kind: EndpointData['kind']): Side {
    return this.#sides.find((side) => side.kind === kind) as Side;
  }
}

function isSame(a: EndpointData, b: EndpointData): boolean {
  const fixed = ({ userData, ...rest }: EndpointData) => JSON.stringify([rest, userData?.toString('hex')]);
  return fixed(a) === fixed(b);
}
