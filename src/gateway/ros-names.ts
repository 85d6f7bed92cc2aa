import type { RosTopic, RosTopicMapping } from '../topic/ros-topic';
import type { GatewaySources, KnownBridge } from './gateway-settings';

/** What topic names stand for in ROS: what the first bridge says that has the topic, and in domains without one the mapping. */
export class RosNames {
  readonly #sources: GatewaySources;
  readonly #mapping: RosTopicMapping | undefined;
  /** Of the sources: they are not asked for each message. */
  #bridges: readonly KnownBridge[] | undefined;

  /** @param mapping absent: in domains without a bridge topics stand for nothing */
  constructor(sources: GatewaySources, mapping: RosTopicMapping | undefined) {
    this.#sources = sources;
    this.#mapping = mapping;
  }

  /** The sources have changed. */
  renew(): void {
    this.#bridges = undefined;
  }

  /** Whether all topics stand for nothing. */
  get none(): boolean {
    return this.#mapping === undefined && this.#allBridges().length === 0;
  }

  /** `undefined` for a topic that stands for nothing. */
  of(topic: string): RosTopic | undefined {
    const bridges = this.#allBridges();
    for (const { bridge } of bridges) {
      const ros = bridge.rosOf(topic);
      if (ros !== undefined) return ros;
    }
    const ros = this.#mapping?.toRos(topic);
    if (ros === undefined || 'fault' in ros) return undefined;
    return bridges.some(({ bridge }) => bridge.domains.includes(ros.domain)) ? undefined : ros;
  }

  #allBridges(): readonly KnownBridge[] {
    this.#bridges ??= [...(this.#sources.bridges?.() ?? [])];
    return this.#bridges;
  }
}
