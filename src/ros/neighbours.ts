import { Multimap } from '../rtps/multimap';
import { incompatiblePolicy, type Policies, policiesOf } from '../rtps/qos';
import type { Reader } from '../rtps/reader';
import type { NeighbourWriter } from '../rtps/reception';
import type { Writer } from '../rtps/writer';
import { FoundEndpoints } from './found-endpoints';
import type { RosEndpoint, RosEndpointOptions, RosSample, RosServiceEndpoint } from './ros-backend';

/** A user of the participant. */
export interface NeighbourUser {
  readonly bridgeId: string;
}

/** What a user has, as the others know it. */
interface Owned<Found> {
  readonly guid: string;
  readonly rosName: string;
  readonly owner: NeighbourUser;
  readonly found: Found;
}

/** A publisher or subscription of one user. */
interface Neighbour {
  readonly owner: NeighbourUser;
  /** As the other users know it. */
  readonly found: RosEndpoint;
  readonly policies: Policies;
  readonly onIncompatible: RosEndpointOptions['onIncompatible'];
  isOpen: boolean;
}

interface NearSubscription extends Neighbour {
  readonly reader: Reader;
  onSample(sample: RosSample): void;
}

interface NearPublisher extends Neighbour {
  /** Each with what its reader knows of this one. */
  readonly matched: Map<NearSubscription, NeighbourWriter>;
  kept(): Iterable<RosSample>;
}

/** A publisher for the subscriptions of the other users. */
export interface LocalPublisher {
  deliver(sample: RosSample): void;
  close(): void;
}

/**
 * What the users of one participant have for each other. Nothing of it goes over the network; they match, and are told
 * of each other, by the same rules as there (DDS 1.4, 2.2.3).
 */
export class Neighbours {
  readonly #changed: (rosName: string) => void;
  readonly #publishers = new Multimap<string, NearPublisher>();
  readonly #subscriptions = new Multimap<string, NearSubscription>();
  readonly #endpoints = new FoundEndpoints<Owned<RosEndpoint>>();
  readonly #services = new FoundEndpoints<Owned<RosServiceEndpoint>>();

  /** @param changed called when something of that name was added or has gone */
  constructor(changed: (rosName: string) => void) {
    this.#changed = changed;
  }

  /**
   * The publishers and subscriptions that other users have than this one.
   * @param rosName the name of those that are wanted; all where absent
   */
  endpoints(user: NeighbourUser, rosName?: string): Iterable<RosEndpoint> {
    return ofOthers(this.#endpoints.of(rosName), user);
  }

  /** The same of services. */
  services(user: NeighbourUser, rosName?: string): Iterable<RosServiceEndpoint> {
    return ofOthers(this.#services.of(rosName), user);
  }

  /** Who has made a publisher or subscription. */
  ownerOf(guid: string): NeighbourUser | undefined {
    return this.#endpoints.get(guid)?.owner;
  }

  /** @param kept what it says to a transient-local subscription that comes later, in the order of publishing */
  addPublisher(
    owner: NeighbourUser,
    writer: Writer,
    options: RosEndpointOptions,
    kept: () => Iterable<RosSample>,
  ): LocalPublisher {
    const matched = new Map<NearSubscription, NeighbourWriter>();
    const publisher = { ...neighbour(owner, writer, options), matched, kept };
    const remove = this.#add(this.#publishers, publisher);
    for (const subscription of this.#subscriptions.get(options.rosName)) match(publisher, subscription);
    return {
      deliver: (sample) => {
        for (const [subscription, known] of matched) hand(subscription, known, sample);
      },
      close: () => {
        for (const known of matched.values()) known.gone();
        remove();
      },
    };
  }

  /** Returns what takes it away. */
  addSubscription(
    owner: NeighbourUser,
    reader: Reader,
    options: RosEndpointOptions,
    onSample: (sample: RosSample) => void,
  ): () => void {
    const subscription = { ...neighbour(owner, reader, options), reader, onSample };
    const remove = this.#add(this.#subscriptions, subscription);
    for (const publisher of this.#publishers.get(options.rosName)) {
      const known = match(publisher, subscription);
      if (known === undefined || options.qos.durability !== 'transient-local') continue;
      for (const sample of publisher.kept()) hand(subscription, known, sample);
    }
    return () => {
      for (const { matched } of this.#publishers.get(options.rosName)) matched.delete(subscription);
      remove();
    };
  }

  /** Returns what takes it away. */
  addService(owner: NeighbourUser, service: RosServiceEndpoint): () => void {
    const found: RosServiceEndpoint = { ...service, isNeighbour: true };
    const { guid, rosName } = found;
    this.#services.set({ guid, rosName, owner, found });
    this.#changed(rosName);
    return () => {
      this.#services.delete(guid);
      this.#changed(rosName);
    };
  }

  #add<Kind extends Neighbour>(byName: Multimap<string, Kind>, one: Kind): () => void {
    const { owner, found } = one;
    const { guid, rosName } = found;
    this.#endpoints.set({ guid, rosName, owner, found });
    byName.add(rosName, one);
    this.#changed(rosName);
    return () => {
      one.isOpen = false;
      byName.delete(rosName, one);
      this.#endpoints.delete(guid);
      this.#changed(rosName);
    };
  }
}

function* ofOthers<Found>(all: Iterable<Owned<Found>>, user: NeighbourUser): Iterable<Found> {
  for (const { owner, found } of all) if (owner !== user) yield found;
}

function neighbour(
  owner: NeighbourUser,
  { kind, guid, qos }: Writer | Reader,
  { rosName, type, typeHash, qos: rosQos, onIncompatible }: RosEndpointOptions,
): Neighbour {
  const found: RosEndpoint = {
    guid,
    kind: kind === 'writer' ? 'publisher' : 'subscription',
    rosName,
    type,
    typeHash,
    qos: rosQos,
    isNeighbour: true,
  };
  return { owner, found, policies: policiesOf(kind, qos), onIncompatible, isOpen: true };
}

/** What the reader knows of the publisher, where the two match. */
function match(publisher: NearPublisher, subscription: NearSubscription): NeighbourWriter | undefined {
  if (publisher.owner === subscription.owner) return undefined;
  const [offered, asked] = [publisher.found, subscription.found];
  const isSameType = offered.type === asked.type;
  const fault = isSameType ? incompatiblePolicy(publisher.policies, subscription.policies) : 'type';
  const policy = fault ?? (offered.typeHash === asked.typeHash ? undefined : 'type hash');
  if (policy !== undefined) tellBoth(publisher, subscription, policy);
  if (fault !== undefined) return undefined;
  const known = subscription.reader.addNeighbour();
  publisher.matched.set(subscription, known);
  return known;
}

/** When both have seen that there is another endpoint, as from the network: one that suits may have taken their place. */
function tellBoth(one: Neighbour, other: Neighbour, policy: string): void {
  setImmediate(() => {
    if (!one.isOpen || !other.isOpen) return;
    one.onIncompatible({ remote: other.found, policy });
    other.onIncompatible({ remote: one.found, policy });
  });
}

/** Not from within the call that publishes, as from the network; by then it may be closed. */
function hand(subscription: NearSubscription, known: NeighbourWriter, sample: RosSample): void {
  known.wrote();
  setImmediate(() => {
    if (subscription.isOpen) subscription.onSample(sample);
  });
}
