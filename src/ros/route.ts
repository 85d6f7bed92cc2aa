import type { RouteSettings } from './bridge-settings';
import { MatchingSubscription } from './matching-subscription';
import type { MessageCodec } from './message-codec';
import type { RosDomain, RosIncompatibility, RosPublisher, RosQos, RosSample } from './ros-backend';

/**
 * What our publishers offer: ROS 2's defaults but for the depth, which must hold a burst until it is acknowledged.
 */
const PUBLISHER_QOS: RosQos = { reliability: 'reliable', durability: 'volatile', depth: 1000 };

/** Why a message was not carried. */
export type DropReason =
  /** Not of the route's interface type, or too large. */
  | 'invalid'
  /** The bridge's own message, come back. */
  | 'echo'
  /** No connection to the broker. */
  | 'offline'
  /** More waits for the broker's acknowledgement than the bound allows. */
  | 'in-flight'
  /** The broker refused it, or the connection ended before the acknowledgement. */
  | 'unacknowledged'
  /** The flows' thread did not read in time. */
  | 'flow';

/** Counts since the bridge opened. */
export interface RouteCounts {
  rosReceived: number;
  /** What publishers sent and never came, by their sequence numbers. */
  rosLost: number;
  rosPublished: number;
  mqttReceived: number;
  mqttPublished: number;
  /** Messages to the flow. */
  flowPublished: number;
  dropped: Partial<Record<DropReason, number>>;
}

/** A sample in the JSON form of its type, with what is known of its origin. */
export interface RouteSample {
  json: string;
  reliable: boolean;
  sequence: number | undefined;
  /** Nanoseconds since the epoch. */
  sourceTimestamp: bigint | undefined;
  /** The ids of the bridges that carried it before, as far as they are known. */
  via: readonly string[];
}

export interface RouteListener {
  /** A sample came; says whether anybody is there to take it, because otherwise it is not decoded. */
  wants(): boolean;
  sample(sample: RouteSample): void;
  problem(message: string): void;
}

/** One bridged ROS topic: its publisher and subscription, the codec of its type, and what was carried and dropped. */
export class Route {
  readonly settings: RouteSettings;
  /** The MQTT topic name it is bridged with. */
  readonly topic: string;
  readonly counts: RouteCounts = {
    rosReceived: 0,
    rosLost: 0,
    rosPublished: 0,
    mqttReceived: 0,
    mqttPublished: 0,
    flowPublished: 0,
    dropped: {},
  };
  readonly #codec: MessageCodec;
  readonly #domain: RosDomain;
  readonly #listener: RouteListener;
  /** Whether the broker has granted the subscription of its topic, on the connection that there is now. */
  subscribed = false;
  #publisher: RosPublisher | undefined;
  #subscription: MatchingSubscription | undefined;
  #problem: string | undefined;

  constructor(
    settings: RouteSettings,
    parts: { topic: string; codec: MessageCodec; domain: RosDomain; listener: RouteListener },
  ) {
    this.settings = settings;
    this.topic = parts.topic;
    this.#codec = parts.codec;
    this.#domain = parts.domain;
    this.#listener = parts.listener;
  }

  get fromRos(): boolean {
    return this.settings.direction !== 'mqtt-to-ros';
  }

  get toRos(): boolean {
    return this.settings.direction !== 'ros-to-mqtt';
  }

  /** The hash of the definition that the route's type has here. */
  get typeHash(): string {
    return this.#codec.typeHash;
  }

  /** The last fault of this route, until a message is carried again. */
  get problem(): string | undefined {
    return this.#problem;
  }

  open(): void {
    const { rosName, type } = this.settings;
    const { typeHash } = this;
    const onIncompatible = (incompatibility: RosIncompatibility) => this.#reportIncompatible(incompatibility);
    if (this.toRos) {
      this.#publisher = this.#domain.createPublisher({
        rosName,
        type,
        typeHash,
        qos: PUBLISHER_QOS,
        onIncompatible,
      });
    }
    if (this.fromRos) {
      this.#subscription = new MatchingSubscription(
        this.#domain,
        { rosName, type, typeHash },
        (sample, qos, lost) => this.#receive(sample, qos, lost),
        onIncompatible,
      );
      this.#subscription.open();
    }
  }

  close(): void {
    this.#subscription?.close();
    this.#publisher?.close();
  }

  drop(reason: DropReason): void {
    const { dropped } = this.counts;
    dropped[reason] = (dropped[reason] ?? 0) + 1;
  }

  /**
   * Publishes on the ROS topic: JSON text in its bytes or as a string, otherwise an already parsed value. `via` are the
   * ids of the bridges that carried it, this one's last. Throws an Error that names the route and, when the payload is
   * not of its type, the path.
   */
  publish(payload: unknown, via: readonly string[]): void {
    if (this.#publisher === undefined) {
      throw new Error(`${this.settings.rosName}: direction ros-to-mqtt takes no messages for ROS`);
    }
    try {
      this.#publisher.publish(this.#encode(payload), via);
    } catch (error) {
      this.drop('invalid');
      this.#problem = `${this.settings.rosName}: ${(error as Error).message}`;
      throw new Error(this.#problem, { cause: error });
    }
    this.counts.rosPublished++;
    this.#problem = undefined;
  }

  /** What `publish` does, with a fault reported instead of thrown, for messages nobody waits for. */
  publishFromMqtt(payload: Buffer, via: readonly string[]): void {
    this.counts.mqttReceived++;
    try {
      this.publish(payload, via);
    } catch (error) {
      this.#listener.problem((error as Error).message);
    }
  }

  #encode(payload: unknown): Buffer {
    try {
      const isText = typeof payload === 'string' || Buffer.isBuffer(payload);
      return isText ? this.#codec.encodeFromJson(payload) : this.#codec.encode(payload);
    } catch (error) {
      throw new Error(`payload ${(error as Error).message}`, { cause: error });
    }
  }

  #receive(sample: RosSample, qos: RosQos, lost: number): void {
    this.counts.rosLost += lost;
    this.counts.rosReceived++;
    if (!this.#listener.wants()) return;
    let json: string;
    try {
      json = this.#codec.decodeToJson(sample.payload);
    } catch (error) {
      this.drop('invalid');
      this.fail(`sample of ${sample.writerGuid ?? 'an unknown publisher'}: ${(error as Error).message}`);
      return;
    }
    this.#problem = undefined;
    this.#listener.sample({
      json,
      reliable: qos.reliability === 'reliable',
      sequence: sample.sequence,
      sourceTimestamp: sample.sourceTimestamp,
      via: sample.via ?? [],
    });
  }

  #reportIncompatible({ remote, policy }: RosIncompatibility): void {
    if (policy === 'type') {
      this.fail(`a ${remote.kind} has the type ${remote.type}, the route ${this.settings.type}`);
    } else if (policy === 'type hash') {
      this.fail(
        `a ${remote.kind} has another definition of ${remote.type} (${remote.typeHash}) than the route (${this.typeHash})`,
      );
    } else {
      const { reliability, durability } = remote.qos;
      this.fail(`a ${remote.kind} (${reliability}, ${durability}) does not match the route by its ${policy}`);
    }
  }

  /** Reports a fault of the route; `problem` has it until a message is carried again. */
  fail(fault: string): void {
    this.#problem = `${this.settings.rosName}: ${fault}`;
    this.#listener.problem(this.#problem);
  }
}
