import type { MessageProperties } from '../client/connection';
import type { RosTopic } from '../topic/ros-topic';
import type { BridgeSubscription, OutgoingMessage } from './bridge-connection';
import type { BridgeRoute, RouteContext } from './bridge-route';
import type { TopicRouteSettings } from './bridge-settings';
import { MatchingSubscription } from './matching-subscription';
import { MessageCodec } from './message-codec';
import { PayloadCodec } from './payload-codec';
import { PayloadError } from './payload-error';
import type { RosIncompatibility, RosPublisher, RosQos, RosSample } from './ros-backend';
import { countDrop, type DropReason, newRouteCounts } from './route-counts';

/**
 * What our publishers offer: ROS 2's defaults but for the depth, which must hold a burst until it is acknowledged.
 */
const PUBLISHER_QOS: RosQos = { reliability: 'reliable', durability: 'volatile', depth: 1000 };

/** One bridged ROS topic: its publisher and subscription, the codec of its type, and what was carried and dropped. */
export class TopicRoute implements BridgeRoute {
  readonly settings: TopicRouteSettings;
  readonly topic: string;
  readonly counts = newRouteCounts();
  readonly #codec: MessageCodec;
  readonly #payloads: PayloadCodec;
  /** Of every message that no other bridge has carried. */
  readonly #properties: MessageProperties;
  readonly #context: RouteContext;
  /** The bridges that carried what no other has; always the same array, of which the backend makes an annotation once. */
  readonly #own: readonly string[];
  #publisher: RosPublisher | undefined;
  #subscription: MatchingSubscription | undefined;
  #mqttSubscription: BridgeSubscription | undefined;
  #problem: string | undefined;

  /**
   * Throws `UnknownTypeError` where the library has no definition of the type, and `BridgeSettingsError` where the type
   * has no such payload format.
   */
  constructor(settings: TopicRouteSettings, context: RouteContext) {
    this.settings = settings;
    this.topic = context.mapping.toMqtt(settings.domain, settings.rosName);
    this.#codec = MessageCodec.for(context.library, settings.type);
    this.#payloads = new PayloadCodec(this.#codec, settings.format ?? 'json');
    this.#context = context;
    this.#own = [context.bridgeId];
    this.#properties = this.#propertiesVia([]);
  }

  /** The last fault of this route, until a message is carried again. */
  get problem(): string | undefined {
    return this.#problem;
  }

  get subscribed(): boolean | undefined {
    return this.#mqttSubscription?.granted;
  }

  open(): void {
    const { rosName, type, direction } = this.settings;
    const { typeHash } = this.#codec;
    const { domain } = this.#context;
    const onIncompatible = (incompatibility: RosIncompatibility) => this.#reportIncompatible(incompatibility);
    const onProblem = (reason: string) => this.#fail(reason);
    if (direction !== 'ros-to-mqtt') {
      this.#publisher = domain.createPublisher({
        rosName,
        type,
        typeHash,
        qos: PUBLISHER_QOS,
        onIncompatible,
        onProblem,
      });
      this.#subscribe();
    }
    if (direction !== 'mqtt-to-ros') {
      this.#subscription = new MatchingSubscription(
        domain,
        { rosName, type, typeHash },
        (sample, qos, lost) => this.#receive(sample, qos, lost),
        onIncompatible,
        onProblem,
      );
      this.#subscription.open();
    }
  }

  close(): void {
    this.#mqttSubscription?.close();
    this.#subscription?.close();
    this.#publisher?.close();
  }

  publish({ kind }: RosTopic, payload: unknown): undefined {
    const { rosName } = this.settings;
    if (kind !== undefined) throw new Error(`${rosName}: a topic takes no messages at "@${kind}"`);
    this.#publish(() => this.#payloads.fromFlow(payload), this.#own);
  }

  /** `encode` makes the CDR; `via` are the ids of the bridges that carried it, this one's last. */
  #publish(encode: () => Buffer, via: readonly string[]): void {
    if (this.#publisher === undefined) {
      throw new Error(`${this.settings.rosName}: direction ros-to-mqtt takes no messages for ROS`);
    }
    try {
      this.#publisher.publish(encode(), via);
    } catch (error) {
      this.#drop('invalid');
      const about = error instanceof PayloadError ? 'payload ' : '';
      this.#problem = `${this.settings.rosName}: ${about}${(error as Error).message}`;
      throw new Error(this.#problem, { cause: error });
    }
    this.counts.rosPublished++;
    this.#problem = undefined;
  }

  #subscribe(): void {
    const { connection, bridgeId } = this.#context;
    this.#mqttSubscription = connection?.subscribe(this.topic, {
      message: ({ payload, via, properties }) => {
        if (via.includes(bridgeId)) this.#drop('echo');
        else {
          const all = via.length === 0 ? this.#own : [...via, bridgeId];
          this.#publishFromMqtt(payload, properties?.contentType, all);
        }
      },
      result: (error) => {
        if (error !== undefined) this.#fail(error.message);
        this.#context.changed();
      },
    });
  }

  /** What nobody waits for: a fault is reported, not thrown. */
  #publishFromMqtt(payload: Buffer, contentType: string | undefined, via: readonly string[]): void {
    this.counts.mqttReceived++;
    try {
      this.#publish(() => this.#payloads.fromMqtt(payload, contentType), via);
    } catch (error) {
      this.#context.report((error as Error).message);
    }
  }

  #receive(sample: RosSample, { reliability }: RosQos, lost: number): void {
    const { connection } = this.#context;
    this.counts.rosLost += lost;
    this.counts.rosReceived++;
    if (sample.via?.includes(this.#context.bridgeId)) {
      this.#drop('echo');
      return;
    }
    if (connection?.connected === false) this.#drop('offline');
    // What nobody takes is not decoded.
    if (connection?.connected !== true && !this.#context.flowOutput) return;
    let payload: Buffer;
    try {
      payload = this.#payloads.fromRos(sample.payload);
    } catch (error) {
      this.#drop('invalid');
      this.#fail(`sample of ${sample.writerGuid ?? 'an unknown publisher'}: ${(error as Error).message}`);
      return;
    }
    this.#problem = undefined;
    if (connection?.connected === true)
      this.#publishToMqtt(payload, sample, reliability === 'reliable' ? 1 : 0);
    if (!this.#context.flowOutput) return;
    const { sequence, sourceTimestamp } = sample;
    this.counts.flowPublished++;
    this.#context.toFlow({ format: this.#payloads.format, payload, sequence, sourceTimestamp });
  }

  #publishToMqtt(payload: Buffer, { sequence, sourceTimestamp, via = [] }: RosSample, qos: 0 | 1): void {
    const userProperties: Record<string, string> = {};
    if (sourceTimestamp !== undefined) userProperties['ros-stamp'] = String(sourceTimestamp);
    if (sequence !== undefined) userProperties['ros-seq'] = String(sequence);
    const message: OutgoingMessage = {
      topic: this.topic,
      payload,
      qos,
      retain: false,
      properties: via.length === 0 ? this.#properties : this.#propertiesVia(via),
      userProperties,
    };
    this.#context.connection?.publish(message, (undelivered) => {
      if (undelivered === undefined) this.counts.mqttPublished++;
      else this.#drop(undelivered);
    });
  }

  #propertiesVia(via: readonly string[]): MessageProperties {
    const userProperties = {
      'ros-type': this.settings.type,
      'ros-type-hash': this.#codec.typeHash,
      'ros-via': [...via, this.#context.bridgeId],
    };
    return { ...this.#payloads.facts, userProperties };
  }

  #reportIncompatible({ remote, policy }: RosIncompatibility): void {
    if (policy === 'type') {
      this.#fail(`a ${remote.kind} has the type ${remote.type}, the route ${this.settings.type}`);
    } else if (policy === 'type hash') {
      this.#fail(
        `a ${remote.kind} has another definition of ${remote.type} (${remote.typeHash}) than the route (${this.#codec.typeHash})`,
      );
    } else {
      const { reliability, durability } = remote.qos;
      this.#fail(
        `a ${remote.kind} (${reliability}, ${durability}) does not match the route by its ${policy}`,
      );
    }
  }

  #fail(fault: string): void {
    this.#problem = `${this.settings.rosName}: ${fault}`;
    this.#context.report(this.#problem);
  }

  #drop(reason: DropReason): void {
    countDrop(this.counts, reason);
  }
}
