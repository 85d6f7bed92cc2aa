import type {
  RosDomain,
  RosEndpoint,
  RosIncompatibility,
  RosQos,
  RosSample,
  RosSubscription,
} from './ros-backend';

/** What a subscription asks for while no publisher is known: the default of ROS 2's publishers. */
const DEFAULT_QOS: RosQos = { reliability: 'reliable', durability: 'volatile', depth: 10 };

/**
 * The strongest QoS that still matches every given publisher: a subscription may ask for no more than the weakest of
 * them offers (DDS 1.4, 2.2.3, "requested / offered"), and asking for less would lose samples that were to be had.
 */
export function strongestMatchingQos(publishers: readonly RosEndpoint[]): RosQos {
  if (publishers.length === 0) return DEFAULT_QOS;
  const every = (offers: (qos: RosQos) => boolean) => publishers.every(({ qos }) => offers(qos));
  return {
    reliability: every((qos) => qos.reliability === 'reliable') ? 'reliable' : 'best-effort',
    durability: every((qos) => qos.durability === 'transient-local') ? 'transient-local' : 'volatile',
    depth: DEFAULT_QOS.depth,
  };
}

/** How long a subscription goes on after its successor was made, which the publishers have yet to discover, in ms. */
const OVERLAP = 1000;

/**
 * A ROS subscription that follows the publishers: QoS cannot change while a subscription exists, so it is created anew
 * when publishers appear or leave and another QoS has become the strongest that matches them all.
 */
export class MatchingSubscription {
  readonly #domain: RosDomain;
  readonly #rosName: string;
  readonly #type: string;
  readonly #typeHash: string;
  readonly #onSample: (sample: RosSample, qos: RosQos, lost: number) => void;
  readonly #onIncompatible: (incompatibility: RosIncompatibility) => void;
  readonly #onProblem: (reason: string) => void;
  /** Last sequence number by writer: two subscriptions overlap, and a transient-local one is sent old samples. */
  readonly #received = new Map<string, number>();
  #qos = DEFAULT_QOS;
  #generation = 0;
  #subscription: RosSubscription | undefined;
  #predecessor: RosSubscription | undefined;
  #overlap: NodeJS.Timeout | undefined;
  #stopFollowing: (() => void) | undefined;

  /**
   * `onSample` is told each sample once, with the QoS in force and how many of its writer's samples since the last
   * one never came.
   */
  constructor(
    domain: RosDomain,
    name: { rosName: string; type: string; typeHash: string },
    onSample: (sample: RosSample, qos: RosQos, lost: number) => void,
    onIncompatible: (incompatibility: RosIncompatibility) => void,
    onProblem: (reason: string) => void,
  ) {
    this.#domain = domain;
    this.#rosName = name.rosName;
    this.#type = name.type;
    this.#typeHash = name.typeHash;
    this.#onSample = onSample;
    this.#onIncompatible = onIncompatible;
    this.#onProblem = onProblem;
  }

  open(): void {
    this.#stopFollowing = this.#domain.onGraphChange(() => this.#follow());
    this.#follow();
  }

  close(): void {
    this.#stopFollowing?.();
    this.#closePredecessor();
    this.#subscription?.close();
    this.#subscription = undefined;
  }

  #follow(): void {
    const publishers = [...this.#domain.endpoints()].filter(
      ({ kind, rosName, type }) => kind === 'publisher' && rosName === this.#rosName && type === this.#type,
    );
    for (const guid of this.#received.keys()) {
      if (!publishers.some((publisher) => publisher.guid === guid)) this.#received.delete(guid);
    }
    const qos = strongestMatchingQos(publishers);
    const same = qos.reliability === this.#qos.reliability && qos.durability === this.#qos.durability;
    if (this.#subscription !== undefined && same) return;
    this.#closePredecessor();
    this.#predecessor = this.#subscription;
    if (this.#predecessor !== undefined) this.#overlap = setTimeout(() => this.#closePredecessor(), OVERLAP);
    this.#qos = qos;
    const generation = ++this.#generation;
    const onIncompatible = (incompatibility: RosIncompatibility) => {
      if (generation === this.#generation) this.#onIncompatible(incompatibility);
    };
    this.#subscription = this.#domain.createSubscription(
      {
        rosName: this.#rosName,
        type: this.#type,
        typeHash: this.#typeHash,
        qos,
        onIncompatible,
        onProblem: this.#onProblem,
      },
      (sample) => this.#receive(sample, generation),
    );
  }

  #closePredecessor(): void {
    clearTimeout(this.#overlap);
    this.#predecessor?.close();
    this.#predecessor = undefined;
  }

  #receive(sample: RosSample, generation: number): void {
    const { writerGuid, sequence } = sample;
    let lost = 0;
    if (writerGuid !== undefined && sequence !== undefined) {
      const last = this.#received.get(writerGuid) ?? sequence - 1;
      if (sequence <= last) return;
      lost = sequence - last - 1;
      this.#received.set(writerGuid, sequence);
    } else if (generation !== this.#generation) {
      // Nothing would tell it from its successor's copy.
      return;
    }
    this.#onSample(sample, this.#qos, lost);
  }
}
