import type { RosTopic } from '../topic/ros-topic';
import type { BridgeRoute, RouteContext, RouteDescription } from './bridge-route';
import type { TopicRouteSettings } from './bridge-settings';
import { MessageCodec } from './message-codec';
import { MqttToRos } from './mqtt-to-ros';
import { PayloadCodec } from './payload-codec';
import type { RosQos } from './ros-backend';
import { RosToMqtt } from './ros-to-mqtt';
import type { RouteDetails } from './ros-worker-messages';
import { newRouteCounts } from './route-counts';
import { RouteFaults } from './route-faults';
import { SilenceWatch } from './silence-watch';
import type { TopicParts } from './topic-parts';

/** One bridged ROS topic: what carries its messages in each of the directions that its settings name. */
export class TopicRoute implements BridgeRoute {
  readonly settings: TopicRouteSettings;
  readonly topic: string;
  readonly counts = newRouteCounts();
  readonly #context: RouteContext;
  readonly #faults: RouteFaults;
  readonly #parts: TopicParts;
  readonly #toMqtt: RosToMqtt | undefined;
  readonly #toRos: MqttToRos | undefined;
  readonly #silence: SilenceWatch;
  #stopFollowing: Array<() => void> = [];
  /** For the QoS that there was last. */
  #description: { of: RosQos; description: RouteDescription } | undefined;

  /**
   * Throws `UnknownTypeError` where the library has no definition of the type, and `BridgeSettingsError` where the type
   * has no such payload format.
   */
  constructor(settings: TopicRouteSettings, context: RouteContext) {
    this.settings = settings;
    this.topic = context.topics.name;
    this.#context = context;
    this.#faults = new RouteFaults(settings.rosName, (fault, isOfEndpoint) => {
      context.report(fault);
      const { domain, rosName, type } = settings;
      if (isOfEndpoint)
        context.tell({ event: 'incompatible', domain, rosName, rosType: type, reason: fault });
    });
    const codec = MessageCodec.for(context.library, settings.type);
    const payloads = new PayloadCodec(codec, settings.format ?? 'json');
    const { topic, counts } = this;
    const parts: TopicParts = { settings, topic, codec, payloads, counts, faults: this.#faults, context };
    this.#parts = parts;
    this.#silence = new SilenceWatch(parts, performance.now());
    if (settings.direction !== 'ros-to-mqtt') this.#toRos = new MqttToRos(parts);
    if (settings.direction !== 'mqtt-to-ros') this.#toMqtt = new RosToMqtt(parts);
  }

  get problem(): string | undefined {
    return this.#faults.first;
  }

  get subscribed(): boolean | undefined {
    return this.#toRos?.subscribed;
  }

  get turns(): BridgeRoute['turns'] {
    const toMqtt = this.#toMqtt?.turn;
    const toRos = this.#toRos?.turn;
    return { ...(toMqtt && { 'ros-to-mqtt': toMqtt }), ...(toRos && { 'mqtt-to-ros': toRos }) };
  }

  get details(): RouteDetails {
    const problems = this.#faults.all;
    const standsBy = Object.values(this.turns).some(({ active }) => !active);
    const silence = this.#silence.look({ subscribed: this.subscribed, standsBy }, performance.now());
    const note = this.#toMqtt?.note;
    const latency = this.#toMqtt?.latency;
    return {
      ...(problems.length > 0 && { problems }),
      ...(silence !== undefined && { silence }),
      ...(note !== undefined && { note }),
      ...(latency !== undefined && { latency }),
      ...(this.#toRos !== undefined && { offered: this.#toRos.qos }),
      ...(this.#toMqtt !== undefined && { requested: this.#toMqtt.qos }),
    };
  }

  get description(): RouteDescription | undefined {
    if (this.#toMqtt === undefined) return undefined;
    const { qos } = this.#toMqtt;
    if (this.#description?.of !== qos) {
      const { rosName: name, type } = this.settings;
      const { codec, payloads } = this.#parts;
      const { reliability, durability, depth } = qos;
      const asked = { reliability, durability, depth };
      const description = { name, type, hash: codec.typeHash, format: payloads.format, qos: asked };
      this.#description = { of: qos, description };
    }
    return this.#description.description;
  }

  open(): void {
    const { domain, fellows } = this.#context;
    const forget = () => this.#forgetGone();
    this.#stopFollowing = [domain.onGraphChange(forget, this.settings.rosName), fellows.onChange(forget)];
    // What the broker has stored may be what it hears.
    this.#toMqtt?.listen();
    this.#toRos?.open();
    this.#toMqtt?.open();
  }

  close(): void {
    for (const stop of this.#stopFollowing) stop();
    this.#toRos?.close();
    this.#toMqtt?.close();
  }

  publish({ kind }: RosTopic, payload: unknown): undefined {
    const { rosName } = this.settings;
    if (kind !== undefined) throw new Error(`${rosName}: a topic takes no messages at "@${kind}"`);
    if (this.#toRos === undefined) {
      throw new Error(`${rosName}: direction ros-to-mqtt takes no messages for ROS`);
    }
    this.#toRos.publishFromFlow(payload);
  }

  /** An endpoint that has gone, or need not suit, does not suit better, but nobody needs to know any more. */
  #forgetGone(): void {
    if (this.#faults.first === undefined) return;
    const present = new Set(
      [...this.#context.domain.endpoints(this.settings.rosName)].map(({ guid }) => guid),
    );
    this.#faults.keepEndpoints((guid) => present.has(guid) && !this.#context.fellows.has(guid));
  }
}
