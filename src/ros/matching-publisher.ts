import { FellowFaults, type Fellows } from './fellow-bridges';
import type { RosDomain, RosIncompatibility, RosPublisher, RosQos } from './ros-backend';
import { isSameQos, publisherQos, type RouteQosSettings } from './route-qos';
import type { Via } from './via';

/** How long a new publisher is left to be discovered, and then the old one to deliver what it has sent, in ms. */
const HANDOVER = 1000;
/** What a timer takes at most, in ms. */
const MAX_TIMER = 2 ** 31 - 1;

export interface MatchingPublisherOptions {
  rosName: string;
  type: string;
  typeHash: string;
  chosen: RouteQosSettings;
  /** Whose subscriptions need not be served. */
  fellows: Fellows;
  onIncompatible(incompatibility: RosIncompatibility, own: RosQos): void;
  /** It could not be made; told by a backend that finds out later. */
  onProblem(reason: string): void;
  /** Nothing was published for as long as the deadline that is offered. */
  onDeadlineMissed(): void;
  /** The QoS of what is published is another one. */
  onQosChange(): void;
}

/** What a publisher needs of its domain. */
export type PublishingDomain = Pick<RosDomain, 'endpoints' | 'onGraphChange' | 'createPublisher'>;

/**
 * A ROS publisher that offers what the subscriptions of others ask for: QoS cannot change while a publisher exists, so
 * it is created anew when one appears that would not match. Messages go through the predecessor until the others have
 * had time to discover the successor, so that none that they heard so far is lost or comes twice.
 */
export class MatchingPublisher {
  readonly #domain: PublishingDomain;
  readonly #options: MatchingPublisherOptions;
  /** Of the publisher through which messages go. */
  #qos: RosQos;
  /** Of the newest one. */
  #wanted: RosQos;
  #publisher: RosPublisher | undefined;
  #successor: RosPublisher | undefined;
  /** The successor is there to forget what the publisher keeps, not for another QoS. */
  #isForgetting = false;
  #predecessor: RosPublisher | undefined;
  #handover: NodeJS.Timeout | undefined;
  #overlap: NodeJS.Timeout | undefined;
  #expiry: NodeJS.Timeout | undefined;
  readonly #ofFellows: FellowFaults;
  #stopFollowing: Array<() => void> = [];

  constructor(domain: PublishingDomain, options: MatchingPublisherOptions) {
    this.#domain = domain;
    this.#options = options;
    this.#qos = publisherQos(options.chosen, []);
    this.#wanted = this.#qos;
    this.#ofFellows = new FellowFaults(options.fellows);
  }

  /** What is offered now. */
  get qos(): RosQos {
    return this.#qos;
  }

  open(): void {
    this.#qos = this.#wantedQos();
    this.#wanted = this.#qos;
    this.#publisher = this.#create(this.#qos);
    const { rosName, fellows } = this.#options;
    const follow = () => this.#follow();
    this.#stopFollowing = [this.#domain.onGraphChange(follow, rosName), fellows.onChange(follow)];
  }

  close(): void {
    for (const stop of this.#stopFollowing) stop();
    clearTimeout(this.#expiry);
    this.#closePredecessor();
    this.#abandonSuccessor();
    this.#publisher?.close();
    this.#publisher = undefined;
  }

  /**
   * See `RosPublisher.publish`.
   * @param expiry seconds after which later subscriptions are not to get it any more
   */
  publish(cdr: Buffer, via: Via, expiry?: number, ownsMemory?: boolean): void {
    if (this.#isForgetting) this.#abandonSuccessor();
    this.#publisher?.publish(cdr, via, ownsMemory);
    clearTimeout(this.#expiry);
    if (expiry === undefined) return;
    // DDS has one lifespan for all samples of a publisher.
    this.#expiry = setTimeout(() => this.forget(), Math.min(expiry * 1000, MAX_TIMER)).unref();
  }

  /**
   * Keeps nothing for those who come late. Where a publisher cannot forget another one takes its place, which has nothing.
   * What a volatile one keeps is for those who are there, and have yet to receive it.
   */
  forget(): void {
    if (this.#qos.durability !== 'transient-local') return;
    if (this.#publisher?.forget !== undefined) this.#publisher.forget();
    else if (this.#successor === undefined) {
      this.#isForgetting = true;
      this.#succeed(() => {
        this.#isForgetting = false;
        this.#publisher?.close();
        this.#publisher = this.#successor;
        this.#successor = undefined;
      });
    }
  }

  #wantedQos(): RosQos {
    const { rosName, type, chosen, fellows } = this.#options;
    const subscriptions = [...this.#domain.endpoints(rosName)].filter(
      (other) => other.kind === 'subscription' && other.type === type && !fellows.has(other.guid),
    );
    return publisherQos(chosen, subscriptions, this.#wanted);
  }

  #follow(): void {
    const qos = this.#wantedQos();
    if (isSameQos(qos, this.#wanted)) {
      this.#ofFellows.look(this.#domain.endpoints(this.#options.rosName));
      return;
    }
    this.#wanted = qos;
    this.#ofFellows.clear();
    this.#abandonSuccessor();
    this.#succeed(() => this.#handOver());
  }

  #succeed(takeOver: () => void): void {
    this.#successor = this.#create(this.#wanted);
    this.#handover = setTimeout(takeOver, HANDOVER);
  }

  #abandonSuccessor(): void {
    this.#isForgetting = false;
    clearTimeout(this.#handover);
    this.#successor?.close();
    this.#successor = undefined;
  }

  #handOver(): void {
    this.#closePredecessor();
    this.#predecessor = this.#publisher;
    this.#overlap = setTimeout(() => this.#closePredecessor(), HANDOVER);
    this.#publisher = this.#successor;
    this.#successor = undefined;
    this.#qos = this.#wanted;
    this.#options.onQosChange();
  }

  #create(qos: RosQos): RosPublisher {
    const { rosName, type, typeHash, onIncompatible, onProblem, onDeadlineMissed } = this.#options;
    const publisher = this.#domain.createPublisher({
      rosName,
      type,
      typeHash,
      qos,
      // That of the newest publisher counts: it was made for those who did not match the one before.
      onIncompatible: (incompatibility) => {
        if (qos !== this.#wanted) return;
        this.#ofFellows.tell(incompatibility.remote.guid, () => onIncompatible(incompatibility, qos));
      },
      onProblem,
      onDeadlineMissed: () => {
        if (publisher === this.#publisher) onDeadlineMissed();
      },
    });
    return publisher;
  }

  #closePredecessor(): void {
    clearTimeout(this.#overlap);
    this.#predecessor?.close();
    this.#predecessor = undefined;
  }
}
