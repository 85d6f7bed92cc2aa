import type { RosTopic, RosTopicMapping } from '../topic/ros-topic';
import { brokerPlace } from './broker-place';
import type { GatewaySources, KnownBridge } from './gateway-settings';

/**
 * What topic names stand for in ROS at a broker: what the first bridge there says that has the topic, and in domains
 * without one the mapping.
 */
export class RosNames {
  readonly #sources: GatewaySources;
  readonly #mapping: RosTopicMapping | undefined;
  /** By where they are; the sources are not asked for each message. */
  #bridges: ReadonlyMap<string, readonly KnownBridge[]> | undefined;

  /** @param mapping absent: in domains without a bridge topics stand for nothing */
  constructor(sources: GatewaySources, mapping: RosTopicMapping | undefined) {
    this.#sources = sources;
    this.#mapping = mapping;
  }

  /** The sources have changed. */
  renew(): void {
    this.#bridges = undefined;
  }

  /** Whether all topics stand for nothing. @param place of the broker, by `brokerPlace` */
  none(place: string | undefined): boolean {
    return this.#mapping === undefined && this.#bridgesAt(place).length === 0;
  }

  /** `undefined` for a topic that stands for nothing. @param place of the broker, by `brokerPlace` */
  of(topic: string, place: string | undefined): RosTopic | undefined {
    const bridges = this.#bridgesAt(place);
    for (const { bridge } of bridges) {
      const ros = bridge.rosOf(topic);
      if (ros !== undefined) return ros;
    }
    const ros = this.#mapping?.toRos(topic);
    if (ros === undefined || 'fault' in ros) return undefined;
    return bridges.some(({ bridge }) => bridge.domains.includes(ros.domain)) ? undefined : ros;
  }

  #bridgesAt(place: string | undefined): readonly KnownBridge[] {
    if (place === undefined) return [];
    this.#bridges ??= bridgesByPlace(this.#sources.bridges?.() ?? []);
    return this.#bridges.get(place) ?? [];
  }
}

function bridgesByPlace(bridges: Iterable<KnownBridge>): Map<string, KnownBridge[]> {
  const byPlace = new Map<string, KnownBridge[]>();
  for (const each of bridges) {
    const place = brokerPlace(each.at ?? {});
    if (place !== undefined) byPlace.set(place, [...(byPlace.get(place) ?? []), each]);
  }
  return byPlace;
}
