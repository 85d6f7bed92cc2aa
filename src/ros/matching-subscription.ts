import { FellowFaults, type Fellows } from './fellow-bridges';
import type {
  RosDomain,
  RosEndpoint,
  RosIncompatibility,
  RosQos,
  RosSample,
  RosSubscription,
} from './ros-backend';
import { isSameQos, type RouteQosSettings, subscriptionQos } from './route-qos';

/** How long a subscription goes on after its successor was made, which the publishers have yet to discover, in ms. */
const OVERLAP = 1000;

/** Samples by whose identity those are known that come again. */
const MAX_IDENTITIES = 1000;

/** What comes with a sample. */
export interface Reception {
  /** Asked for by the subscription that is in force. */
  qos: RosQos;
  /** How many of its publisher's samples since the last one never came. */
  lost: number;
  /** How long its publisher says that it is of use, in ms; `Infinity` without an end. */
  lifespan: number;
}

export interface MatchingSubscriptionOptions {
  rosName: string;
  type: string;
  typeHash: string;
  chosen: RouteQosSettings;
  /** Whose publishers need not be heard. */
  fellows: Fellows;
  /** Told each sample once. */
  onSample(sample: RosSample, reception: Reception): void;
  onIncompatible(incompatibility: RosIncompatibility, own: RosQos): void;
  /** It could not be made; told by a backend that finds out later. */
  onProblem(reason: string): void;
  /** Nothing came for as long as the deadline that is asked for. */
  onDeadlineMissed(): void;
  /** Samples never came, beside those that are told with the next one. */
  onLost(count: number): void;
}

/** A publisher of somebody else, as far as it was heard. */
export interface HeardPublisher {
  readonly isLatched: boolean;
  readonly hasSpoken: boolean;
  /** When it has published what was heard last, in ns since the epoch; `undefined` where nothing tells. */
  readonly saidAt: bigint | undefined;
}

interface Publisher extends HeardPublisher {
  /** Sequence number: two subscriptions overlap, and a transient-local one is sent old samples. */
  last: number | undefined;
  lifespan: number;
  isLatched: boolean;
  hasSpoken: boolean;
  saidAt: bigint | undefined;
}

/**
 * A ROS subscription that follows the publishers: QoS cannot change while a subscription exists, so it is created anew
 * when publishers appear or leave and another QoS has become the strongest that matches them all.
 */
export class MatchingSubscription {
  readonly #domain: RosDomain;
  readonly #options: MatchingSubscriptionOptions;
  /** By GUID. */
  readonly #publishers = new Map<string, Publisher>();
  /** All whose samples do not tell them. */
  readonly #unnamed = newPublisher();
  /** Of the newest samples that have no sequence number. */
  readonly #identities = new Set<string>();
  #qos: RosQos;
  #generation = 0;
  #subscription: RosSubscription | undefined;
  #predecessor: RosSubscription | undefined;
  #overlap: NodeJS.Timeout | undefined;
  readonly #ofFellows: FellowFaults;
  #stopFollowing: Array<() => void> = [];

  constructor(domain: RosDomain, options: MatchingSubscriptionOptions) {
    this.#domain = domain;
    this.#options = options;
    this.#qos = subscriptionQos(options.chosen, []);
    this.#ofFellows = new FellowFaults(options.fellows);
  }

  /** What is asked for now. */
  get qos(): RosQos {
    return this.#qos;
  }

  /** Those that are there, by their GUIDs, and if there are any what came without one (''); none of fellows. */
  get heard(): ReadonlyMap<string, HeardPublisher> {
    const others = [...this.#publishers].filter(([guid]) => !this.#options.fellows.has(guid));
    return new Map(others.length === 0 ? [] : [...others, ['', this.#unnamed]]);
  }

  open(): void {
    const { rosName, fellows } = this.#options;
    const follow = () => this.#follow();
    this.#stopFollowing = [this.#domain.onGraphChange(follow, rosName), fellows.onChange(follow)];
    follow();
  }

  close(): void {
    for (const stop of this.#stopFollowing) stop();
    this.#closePredecessor();
    this.#subscription?.close();
    this.#subscription = undefined;
  }

  #follow(): void {
    const { rosName, type, typeHash, chosen, fellows } = this.#options;
    const publishers = [...this.#domain.endpoints(rosName)].filter(
      (other) => other.kind === 'publisher' && other.type === type,
    );
    this.#know(publishers);
    const others = publishers.filter(({ guid }) => !fellows.has(guid));
    const qos = subscriptionQos(chosen, others);
    if (this.#subscription !== undefined && isSameQos(qos, this.#qos)) {
      this.#ofFellows.look(publishers);
      return;
    }
    this.#ofFellows.clear();
    this.#closePredecessor();
    this.#predecessor = this.#subscription;
    if (this.#predecessor !== undefined) this.#overlap = setTimeout(() => this.#closePredecessor(), OVERLAP);
    this.#qos = qos;
    const generation = ++this.#generation;
    this.#subscription = this.#domain.createSubscription(
      {
        rosName,
        type,
        typeHash,
        qos,
        onIncompatible: (incompatibility) => {
          if (generation !== this.#generation) return;
          const tell = () => this.#options.onIncompatible(incompatibility, qos);
          this.#ofFellows.tell(incompatibility.remote.guid, tell);
        },
        onProblem: (reason) => {
          if (generation === this.#generation) this.#options.onProblem(reason);
        },
        onDeadlineMissed: () => {
          if (generation === this.#generation) this.#options.onDeadlineMissed();
        },
        onLost: (count) => {
          if (generation === this.#generation) this.#options.onLost(count);
        },
      },
      (sample) => this.#receive(sample, generation),
    );
  }

  #know(publishers: readonly RosEndpoint[]): void {
    const present = new Set(publishers.map(({ guid }) => guid));
    for (const guid of this.#publishers.keys()) if (!present.has(guid)) this.#publishers.delete(guid);
    for (const { guid, qos } of publishers) {
      const { lifespan = Number.POSITIVE_INFINITY, durability } = qos;
      const isLatched = durability === 'transient-local';
      this.#publishers.set(guid, { ...newPublisher(), ...this.#publishers.get(guid), lifespan, isLatched });
    }
  }

  #closePredecessor(): void {
    clearTimeout(this.#overlap);
    this.#predecessor?.close();
    this.#predecessor = undefined;
  }

  #receive(sample: RosSample, generation: number): void {
    const { writerGuid, sequence, identity, sourceTimestamp } = sample;
    let lost = 0;
    let publisher = writerGuid === undefined ? this.#unnamed : this.#publishers.get(writerGuid);
    if (publisher === undefined) {
      publisher = newPublisher();
      this.#publishers.set(writerGuid as string, publisher);
    }
    if (writerGuid !== undefined && sequence !== undefined) {
      const last = publisher.last ?? sequence - 1;
      if (sequence <= last) return;
      lost = sequence - last - 1;
      publisher.last = sequence;
    } else if (identity !== undefined) {
      if (this.#identities.has(identity)) return;
      this.#identities.add(identity);
      const [oldest = ''] = this.#identities;
      if (this.#identities.size > MAX_IDENTITIES) this.#identities.delete(oldest);
    } else if (generation !== this.#generation) {
      // Nothing would tell it from its successor's copy.
      return;
    }
    publisher.hasSpoken = true;
    publisher.saidAt = sourceTimestamp;
    this.#options.onSample(sample, { qos: this.#qos, lost, lifespan: publisher.lifespan });
  }
}

function newPublisher(): Publisher {
  const lifespan = Number.POSITIVE_INFINITY;
  return { last: undefined, lifespan, isLatched: false, hasSpoken: false, saidAt: undefined };
}
