import { EventEmitter } from 'node:events';
import type { EndpointData } from './endpoint-data';
import { EndpointDiscovery } from './endpoint-discovery';
import { EntityId, guidOf, newGuidPrefix, prefixOf, VENDOR_ID } from './guid';
import { LivelinessProtocol } from './liveliness-protocol';
import { type EndpointListener, LocalEndpoints } from './local-endpoints';
import type { Locator } from './locator';
import { type EndpointPair, Matching } from './matching';
import { MessageReceiver } from './message-receiver';
import { Outbox } from './outbox';
import type { ParticipantData } from './participant-data';
import { type FoundParticipant, ParticipantDiscovery } from './participant-discovery';
import { ParticipantOptionError } from './participant-option-error';
import { MAX_DOMAIN } from './port-mapping';
import type { PolicyName } from './qos';
import type { Reader, Sample } from './reader';
import { ReceiveMemory } from './receive-memory';
import { type RemoteEndpoint, remoteEndpointOf } from './remote-endpoint';
import { Statistics } from './statistics';
import { type DiscoveryRange, UdpTransport } from './udp-transport';
import { type EndpointOptions, Writer } from './writer';
import { WriterLiveliness } from './writer-liveliness';

/** Where a participant is found, and what it says of itself. */
export interface ParticipantOptions {
  /** 0..232. */
  readonly domain: number;
  readonly range: DiscoveryRange;
  /** IPv4 addresses of this host; default, and when empty: all. */
  readonly interfaces?: readonly string[];
  /** IPv4 addresses, each with or without `:port`, to announce to where multicast does not reach. */
  readonly peers?: readonly string[];
  /**
   * The IPv4 address at which others reach this participant where it is none of this host's: that of the machine
   * around a container, or of a router. The ports must lead here under the same numbers.
   */
  readonly advertisedAddress?: string;
  readonly name?: string;
  readonly userData?: Buffer;
  /** Milliseconds without a sign of us after which others give us up; default 10,000. */
  readonly leaseDuration?: number;
  /** The largest sample that is sent or received, in bytes; default 64 MiB. What waits to be complete is bounded by it. */
  readonly maxSampleBytes?: number;
}

/** A participant that was found. */
export interface RemoteParticipant {
  readonly guid: string;
  /** As in the RTPS header, e.g. 0x0110. */
  readonly vendorId: number;
  readonly name?: string;
  readonly userData?: Buffer;
}

export interface ParticipantEvents {
  participant: [RemoteParticipant];
  /** It announces other user data than before. */
  'participant-changed': [RemoteParticipant];
  'participant-lost': [RemoteParticipant];
  /** One was found, or one that is known has changed. */
  endpoint: [RemoteEndpoint];
  'endpoint-lost': [RemoteEndpoint];
  matched: [EndpointPair];
  unmatched: [EndpointPair];
  /** Same topic, but another type or a policy keeps the two from matching. */
  incompatible: [EndpointPair & { readonly policy: PolicyName | 'type' }];
  /** A matched writer showed within its lease that it is alive, or did not. */
  liveliness: [EndpointPair & { readonly alive: boolean }];
  /** Nothing was written by `local`, or came to it, for one more period; `total` counts them. */
  'deadline-missed': [{ readonly local: Writer | Reader; readonly total: number }];
  /**
   * The history of `local` gave up samples that the reliable reader `remote` has not acknowledged, for the first time
   * or again after ten seconds.
   */
  behind: [EndpointPair];
  /** Something that the user can repair, in words. */
  warning: [string];
}

const DEFAULT_LEASE_MS = 10_000;
const MIN_LEASE_MS = 500;
const DEFAULT_MAX_SAMPLE_BYTES = 64 * 1024 * 1024;
/** A sample's length is an unsigned 32-bit number on the wire; the memory for several is reserved. */
const LARGEST_MAX_SAMPLE_BYTES = 1024 * 1024 * 1024;
const EXPIRY_MS = 1000;

/**
 * A DDS participant on RTPS over UDPv4: finds others in its domain, and exchanges samples of topics without a key
 * with their endpoints. Payloads are opaque.
 */
export class Participant extends EventEmitter<ParticipantEvents> {
  readonly #statistics = new Statistics();
  readonly #prefix = newGuidPrefix();
  readonly #maxSampleBytes: number;
  readonly #transport: UdpTransport;
  readonly #outbox: Outbox;
  readonly #receiver: MessageReceiver;
  readonly #participants: ParticipantDiscovery;
  readonly #endpoints: EndpointDiscovery;
  readonly #writerLiveliness: WriterLiveliness;
  readonly #liveliness: LivelinessProtocol;
  readonly #matching: Matching;
  readonly #local: LocalEndpoints;
  #expiryTimer: NodeJS.Timeout | undefined;
  #hasToldTooLarge = false;
  #hasToldFull = false;
  #knownLost = 0;
  #closing: Promise<void> | undefined;
  #state: 'new' | 'started' | 'closed' = 'new';

  /**
   * @param createTransport what the datagrams go through
   * @throws ParticipantOptionError, TransportError
   */
  constructor(
    options: ParticipantOptions,
    createTransport: (...args: ConstructorParameters<typeof UdpTransport>) => UdpTransport = (...args) =>
      new UdpTransport(...args),
  ) {
    super();
    const { domain, leaseDuration = DEFAULT_LEASE_MS, maxSampleBytes = DEFAULT_MAX_SAMPLE_BYTES } = options;
    if (!Number.isInteger(domain) || domain < 0 || domain > MAX_DOMAIN)
      throw new ParticipantOptionError(`domain: expected an integer from 0 to ${MAX_DOMAIN}, got ${domain}`);
    if (!(leaseDuration >= MIN_LEASE_MS))
      throw new ParticipantOptionError(
        `leaseDuration: expected at least ${MIN_LEASE_MS} ms, got ${leaseDuration}`,
      );
    if (!Number.isInteger(maxSampleBytes) || maxSampleBytes < 1 || maxSampleBytes > LARGEST_MAX_SAMPLE_BYTES)
      throw new ParticipantOptionError(
        `maxSampleBytes: expected an integer from 1 to ${LARGEST_MAX_SAMPLE_BYTES}, got ${maxSampleBytes}`,
      );
    this.#maxSampleBytes = maxSampleBytes;
    this.#transport = createTransport(
      {
        domain,
        range: options.range,
        interfaces: options.interfaces ?? [],
        peers: options.peers ?? [],
        advertisedAddress: options.advertisedAddress,
      },
      {
        datagram: (datagram) => this.#receiver.receive(datagram),
        warning: (text) => this.emit('warning', text),
      },
      this.#statistics,
    );
    this.#outbox = new Outbox(this.#prefix, this.#transport);
    this.#receiver = new MessageReceiver(this.#prefix, this.#statistics, new ReceiveMemory(maxSampleBytes), {
      participantData: (change) => this.#participants.receive(change),
      alive: (prefix) => this.#participants.alive(prefix),
      replaced: (prefix) => this.#participants.replaced(prefix),
      writerAsserted: (guid) => this.#writerLiveliness.asserted(guid),
      knowsWriter: (guid) => this.#endpoints.get(guid) !== undefined,
    });
    this.#participants = new ParticipantDiscovery(
      {
        prefix: this.#prefix,
        vendorId: VENDOR_ID,
        domain,
        leaseDuration,
        name: options.name,
        userData: options.userData,
      },
      this.#transport,
      this.#statistics,
      {
        participantFound: (participant) => this.#participantFound(participant),
        participantChanged: ({ data }) => this.emit('participant-changed', remoteParticipantOf(data)),
        participantLost: (participant) => this.#participantLost(participant),
      },
    );
    this.#endpoints = new EndpointDiscovery(this.#outbox, this.#receiver, this.#statistics, {
      endpointFound: (endpoint) => this.#endpointFound(endpoint),
      endpointChanged: (endpoint) => this.#endpointChanged(endpoint),
      endpointLost: (endpoint) => this.#endpointLost(endpoint),
      full: (warning) => {
        if (!this.#hasToldFull) this.emit('warning', warning);
        this.#hasToldFull = true;
      },
      knowsParticipant: (prefix) => this.#participants.get(prefix) !== undefined,
    });
    this.#writerLiveliness = new WriterLiveliness({
      livelinessChanged: (guid, alive) => this.#matching.livelinessChanged(guid, alive),
      lastSeen: (prefix) => this.#participants.lastSeen(prefix),
    });
    this.#liveliness = new LivelinessProtocol(this.#prefix, this.#outbox, this.#receiver, (prefix, kind) =>
      this.#writerLiveliness.participantAsserted(prefix, kind),
    );
    this.#matching = new Matching(this.#receiver, this.#writerLiveliness, {
      matched: (pair) => {
        this.emit('matched', pair);
        this.#local.listenerOf(pair.local)?.matched?.(pair);
        if (pair.local instanceof Writer) pair.local.emit('matched', pair.remote);
      },
      unmatched: (pair) => {
        this.emit('unmatched', pair);
        this.#local.listenerOf(pair.local)?.unmatched?.(pair);
        if (pair.local instanceof Writer) pair.local.emit('unmatched', pair.remote);
      },
      incompatible: (pair, policy) => {
        this.emit('incompatible', { ...pair, policy });
        this.#local.listenerOf(pair.local)?.incompatible?.({ ...pair, policy });
      },
      livelinessChanged: (pair, alive) => this.emit('liveliness', { ...pair, alive }),
    });
    this.#local = new LocalEndpoints(
      {
        prefix: this.#prefix,
        maxSampleBytes,
        statistics: this.#statistics,
        outbox: this.#outbox,
        receiver: this.#receiver,
        discovery: this.#endpoints,
        liveliness: this.#liveliness,
        writerLiveliness: this.#writerLiveliness,
        matching: this.#matching,
      },
      {
        behind: (pair) => this.emit('behind', pair),
        deadlineMissed: (local, total) => this.emit('deadline-missed', { local, total }),
      },
    );
  }

  get guid(): string {
    return guidOf(this.#prefix, EntityId.participant);
  }

  get statistics(): Readonly<Statistics> {
    return this.#statistics;
  }

  /** The participants known at present. */
  get participants(): RemoteParticipant[] {
    return this.#participants.participants.map(({ data }) => remoteParticipantOf(data));
  }

  /** The endpoints of other participants known at present. */
  get endpoints(): RemoteEndpoint[] {
    return [...this.#endpoints.endpoints()].map(remoteEndpointOf);
  }

  /** Binds the ports and begins discovery. @throws TransportError, or the system's error when a socket is refused */
  async start(): Promise<void> {
    if (this.#state !== 'new') throw new Error(`a participant is started once; this one is ${this.#state}`);
    this.#state = 'started';
    try {
      await this.#transport.open();
    } catch (error) {
      await this.close();
      throw error;
    }
    // Closed while the sockets were being bound.
    if ((this.#state as string) === 'closed') return;
    this.#participants.start();
    this.#expiryTimer = setInterval(() => {
      this.#receiver.expire();
      this.#tellTooLarge();
      this.#checkLost();
    }, EXPIRY_MS);
  }

  /** What is announced with the participant from now on. */
  setUserData(userData: Buffer): void {
    this.#participants.setUserData(userData);
  }

  /**
   * Lets the samples of its writers go out, for a second at most, tells the others that this participant is gone, and
   * closes its sockets. Emits nothing any more.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const started = this.#state === 'started';
    this.#state = 'closed';
    clearInterval(this.#expiryTimer);
    this.removeAllListeners();
    const withdrawn = this.#local.close();
    if (withdrawn !== undefined) await withdrawn;
    this.#outbox.flush();
    if (started) this.#participants.stop();
    this.#endpoints.close();
    this.#liveliness.close();
    this.#writerLiveliness.close();
    await this.#transport.close();
  }

  /** @throws QosError, ParticipantOptionError */
  createWriter(options: EndpointOptions, listener: EndpointListener = {}): Writer {
    return this.#local.createWriter(options, listener);
  }

  /**
   * @param onSample called for each sample, in order per writer; it must not throw
   * @throws QosError, ParticipantOptionError
   */
  createReader(
    options: EndpointOptions,
    onSample: (sample: Sample) => void,
    listener: EndpointListener = {},
  ): Reader {
    return this.#local.createReader(options, onSample, listener);
  }

  #checkLost(): void {
    const { samplesLost } = this.#statistics;
    if (samplesLost > this.#knownLost) this.#transport.checkOverrun();
    this.#knownLost = samplesLost;
  }

  #tellTooLarge(): void {
    if (this.#hasToldTooLarge || this.#statistics.samplesTooLarge === 0) return;
    this.#hasToldTooLarge = true;
    this.emit(
      'warning',
      `samples of more than ${this.#maxSampleBytes} bytes, the largest taken, are not received`,
    );
  }

  #participantFound(participant: FoundParticipant): void {
    this.#endpoints.connect(participant);
    this.#liveliness.connect(participant);
    this.emit('participant', remoteParticipantOf(participant.data));
  }

  #participantLost({ data }: FoundParticipant): void {
    this.#endpoints.disconnect(data.prefix);
    this.#liveliness.disconnect(data.prefix);
    this.emit('participant-lost', remoteParticipantOf(data));
  }

  #endpointFound(data: EndpointData): void {
    this.emit('endpoint', remoteEndpointOf(data));
    const locator = this.#locatorOf(data);
    if (locator !== undefined) this.#matching.addRemote(data, locator);
    else this.#statistics.announcementsRefused++;
  }

  #endpointChanged(data: EndpointData): void {
    this.emit('endpoint', remoteEndpointOf(data));
    const locator = this.#locatorOf(data);
    if (locator !== undefined) this.#matching.changeRemote(data, locator);
    else this.#matching.removeRemote(data.guid);
  }

  /** Where the endpoint's data go: to itself, else to its participant. */
  #locatorOf({ guid, locators }: EndpointData): Locator | undefined {
    const participant = this.#participants.get(prefixOf(guid));
    return this.#transport.choose(locators) ?? this.#transport.choose(participant?.data.userLocators ?? []);
  }

  #endpointLost(data: EndpointData): void {
    this.#matching.removeRemote(data.guid);
    this.emit('endpoint-lost', remoteEndpointOf(data));
  }
}

function remoteParticipantOf({ prefix, vendorId, name, userData }: ParticipantData): RemoteParticipant {
  return {
    guid: guidOf(prefix, EntityId.participant),
    vendorId,
    ...(name !== undefined && { name }),
    ...(userData && { userData }),
  };
}
