import type { RosEndpoint } from './ros-backend';
import { topicPeers } from './route-peers';
import {
  CountWatch,
  DropWatch,
  domainsOf,
  type RouteSilence,
  SILENT_AFTER,
  silenceOf,
} from './route-silence';
import type { TopicParts } from './topic-parts';

/** Watches whether the route of a topic carries anything, and finds out why it does not. */
export class SilenceWatch {
  readonly #parts: TopicParts;
  readonly #carried: CountWatch;
  readonly #heard: CountWatch;
  readonly #told: CountWatch;
  readonly #dropped = new DropWatch();

  /** @param now in ms of any steady clock */
  constructor(parts: TopicParts, now: number) {
    this.#parts = parts;
    this.#carried = new CountWatch(now);
    this.#heard = new CountWatch(now);
    this.#told = new CountWatch(now);
  }

  /**
   * Looked at about once a second.
   * @param state `subscribed`: see `BridgeRoute`; `standsBy`: another bridge carries the route
   */
  look(state: { subscribed: boolean | undefined; standsBy: boolean }, now: number): RouteSilence | undefined {
    const { settings, counts, faults, context } = this.#parts;
    const { rosReceived, mqttReceived, rosPublished, mqttPublished, flowPublished } = counts;
    const { rate = 0, deadband = 0 } = counts.dropped;
    const carriedFor = this.#carried.unchangedFor(rosPublished + mqttPublished + flowPublished, now);
    const heardFor = this.#heard.unchangedFor(rosReceived, now);
    // What the flow says is counted only as it is carried or kept back.
    const toldFor = this.#told.unchangedFor(mqttReceived + rate + deadband, now);
    const droppedLately = this.#dropped.lately(counts.dropped, now);
    if (carriedFor < SILENT_AFTER || state.standsBy) return undefined;
    const isOfNeighbour = (other: RosEndpoint) => other.isNeighbour === true;
    const isOnNetwork = (other: RosEndpoint) => !isOfNeighbour(other);
    return silenceOf({
      settings,
      mqttConnected: context.connection?.connected,
      subscribed: state.subscribed,
      ...topicPeers(settings, context.domain, isOnNetwork),
      neighbours: topicPeers(settings, context.domain, isOfNeighbour),
      incompatible: faults.ofEndpoint,
      domainsOfPublishers: () => domainsOf('publisher', settings, context.domains),
      domainsOfSubscriptions: () => domainsOf('subscription', settings, context.domains),
      everHeard: rosReceived > 0,
      heardLately: heardFor < SILENT_AFTER && rosReceived > 0,
      toldLately: toldFor < SILENT_AFTER && mqttReceived + rate + deadband > 0,
      droppedLately,
      hasTaker: context.connection !== undefined || context.flowOutput,
    });
  }
}
