import type { MessageProperties, ReceivedMessage } from '../client/connection';
import { freeMemory } from '../memory/free-memory';
import type { OutgoingMessage } from './bridge-connection';
import type { HeardTopic } from './bridge-route';
import { incompatibilityWords } from './incompatibility-words';
import { Latency, type LatencySummary } from './latency';
import { MatchingSubscription, type Reception } from './matching-subscription';
import type { RosEndpoint, RosQos, RosSample } from './ros-backend';
import { countDrop, type DropReason } from './route-counts';
import type { Turn } from './route-turn';
import { Throttle } from './throttle';
import type { TopicParts } from './topic-parts';
import { TRANSFORMS_TYPE, TransformUnion } from './transform-union';
import type { Via } from './via';

/**
 * How long a route hears what publishers keep before it knows it: as long as discovery may take to show them all, and at
 * most so much longer where one has said nothing yet, in ms; and how often it looks then.
 */
const DISCOVERY = 3500;
const PATIENCE = 3500;
const LOOK = 250;

/** What ROS has said last. */
interface State {
  readonly message: OutgoingMessage;
  readonly writerGuid: string;
  /** The broker has yet to be told. */
  waits: boolean;
  /** Somebody has said something else on MQTT since. */
  isOver: boolean;
}

interface Received {
  sample: RosSample;
  reception: Reception;
}

/** Carries what ROS says on a topic to the broker and to the flow. */
export class RosToMqtt implements HeardTopic {
  readonly #parts: TopicParts;
  readonly #subscription: MatchingSubscription;
  /** Of messages that no other bridge has carried, of the last lifespan. */
  #properties: { lifespan: number; properties: MessageProperties } | undefined;
  /** For a type of which one stored message can stand for several publishers. */
  readonly #union: TransformUnion | undefined;
  /** What the broker is to have stored. */
  #state: State | undefined;
  /** The last time that the broker was asked what it has. */
  #asked: symbol | undefined;
  #turn: Turn | undefined;
  readonly #latency = new Latency();
  /** `performance.now()` */
  #openedAt = 0;
  #stopTelling: (() => void) | undefined;
  readonly #throttle: Throttle<Received> | undefined;

  constructor(parts: TopicParts) {
    const { settings, codec, faults, context } = parts;
    const { rosName, type, qos: chosen = {} } = settings;
    const { typeHash } = codec;
    this.#parts = parts;
    this.#union = type === TRANSFORMS_TYPE ? new TransformUnion(codec) : undefined;
    this.#throttle = Throttle.for(settings, {
      pass: ({ sample, reception }) => this.#carry(sample, reception),
      dropped: (reason) => this.#drop(reason),
    });
    this.#subscription = new MatchingSubscription(context.domain, {
      rosName,
      type,
      typeHash,
      chosen,
      fellows: context.fellows,
      onSample: (sample, reception) => this.#receive(sample, reception),
      onIncompatible: (incompatibility, qos) => {
        const words = incompatibilityWords(incompatibility, { type, typeHash, qos });
        faults.report(incompatibility.remote.guid, words);
      },
      onProblem: (reason) => faults.report('subscription', reason),
      onDeadlineMissed: () => {
        parts.counts.deadlinesMissed++;
        faults.report('deadline from ROS', `no publisher has kept the deadline of ${this.qos.deadline} ms`);
      },
      onLost: (count) => {
        parts.counts.rosLost += count;
      },
    });
  }

  /** What the subscription asks for now. */
  get qos(): RosQos {
    return this.#subscription.qos;
  }

  get turn(): Turn | undefined {
    return this.#turn;
  }

  /** From publishers to here. */
  get latency(): LatencySummary | undefined {
    return this.#latency.summary(performance.now());
  }

  /** What of the publishers' QoS one stored message cannot represent, in words. */
  get note(): string | undefined {
    if (!this.#stores || this.#union !== undefined) return undefined;
    const { settings, context } = this.#parts;
    const latched = [...context.domain.endpoints(settings.rosName)].filter(
      (other) => this.#isLatched(other) && !context.fellows.has(other.guid),
    );
    if (latched.length > 1) {
      return `${latched.length} publishers are transient local, the broker stores the last message of any`;
    }
    const depth = latched[0]?.qos.depth ?? 0;
    return depth > 1 ? `the publisher keeps its last ${depth} messages, the broker stores one` : undefined;
  }

  get pending(): number {
    const age = performance.now() - this.#openedAt;
    if (age < DISCOVERY) return Math.ceil(DISCOVERY - age);
    const isSilent = [...this.#subscription.heard.values()].some(
      (other) => other.isLatched && !other.hasSpoken,
    );
    return isSilent && age < DISCOVERY + PATIENCE ? LOOK : 0;
  }

  /**
   * A message from ROS that the broker has stored tells when it was published. What is older than the last that a
   * publisher has said, and the broker is to store, is not the state of the topic any more. Where it does not tell, as
   * over MQTT 3.1.1, it is known by its payload if its publisher serves those who come late itself.
   *
   * Not known, and given to ROS once more, is what publishers said that are there and were not heard: volatile ones
   * before the bridge began, transient-local ones beside volatile ones, and those that took longer than `pending`; nor
   * is anything where a route has no way from ROS. Of static transforms all count as said when the last of them is: those
   * of a publisher that has gone are then not given back. Another client that stores the payload of such a publisher is
   * taken for it.
   */
  hasSaid({ payload, properties }: Pick<ReceivedMessage, 'payload' | 'properties'>): boolean {
    const { heard } = this.#subscription;
    const stamp = stampIn(properties);
    if (stamp === undefined) {
      const { message, writerGuid = '' } = this.#state ?? {};
      const latched = writerGuid === '' ? [...heard.values()] : [heard.get(writerGuid)];
      const isServed = latched.some((other) => other?.isLatched);
      return isServed && message !== undefined && payload.equals(Buffer.from(message.payload));
    }
    return [...heard.values()].some(
      ({ saidAt }) => saidAt !== undefined && (saidAt === stamp || (saidAt > stamp && this.#stores)),
    );
  }

  noteSaid(message: Pick<ReceivedMessage, 'payload' | 'properties'>): void {
    if (this.#state === undefined || this.hasSaid(message)) return;
    // An empty payload clears what the broker has stored [MQTT-3.3.1-6]: it is not to have it again.
    if (message.payload.length === 0) this.#state = undefined;
    else this.#state.isOver = true;
  }

  /** Has others know what it will hear; `open` comes next. */
  listen(): void {
    this.#openedAt = performance.now();
    this.#stopTelling = this.#parts.context.hear(this);
  }

  open(): void {
    const { context, topic } = this.#parts;
    const changed = () => {
      if (this.#turn?.active) void this.#publishState();
    };
    this.#turn = context.join('ros-to-mqtt', topic, changed, true);
    this.#subscription.open();
  }

  close(): void {
    this.#stopTelling?.();
    this.#turn?.close();
    this.#subscription.close();
    this.#throttle?.close();
  }

  /** Whether the broker is asked to store the messages. */
  get #stores(): boolean {
    return this.#parts.settings.qos?.retain ?? this.qos.durability === 'transient-local';
  }

  #isLatched({ kind, type, qos }: RosEndpoint): boolean {
    const isOurs = type === this.#parts.settings.type;
    return kind === 'publisher' && isOurs && qos.durability === 'transient-local';
  }

  #receive(sample: RosSample, reception: Reception): void {
    const { counts, context, faults } = this.#parts;
    const isHeld = this.#turn?.hold({
      bytes: sample.payload.length,
      deliver: () => this.#receive(sample, reception),
      giveUp: () => {
        counts.rosReceived++;
        this.#drop('standby');
      },
    });
    if (isHeld) return;
    counts.rosLost += reception.lost;
    counts.rosReceived++;
    counts.rosReceivedBytes += sample.payload.length;
    faults.clear('deadline from ROS');
    if (sample.via?.includes(context.bridgeId)) {
      this.#drop(this.#turn?.refusal(sample.via, sample.writerGuid) ?? 'echo');
      return;
    }
    if (this.#throttle === undefined) this.#carry(sample, reception);
    else this.#keepBack(this.#throttle, sample, reception);
  }

  #keepBack(throttle: Throttle<Received>, sample: RosSample, reception: Reception): void {
    const { payload } = sample;
    try {
      const decode = () => JSON.parse(this.#parts.codec.decodeToJson(payload));
      throttle.take({ sample, reception }, payload.length, decode);
    } catch (error) {
      this.#refuse(sample, error as Error);
    }
  }

  #carry(sample: RosSample, reception: Reception): void {
    const { counts, context, faults, payloads } = this.#parts;
    const { connection } = context;
    const refusal = this.#turn?.refusal(sample.via, sample.writerGuid, sample.sourceTimestamp);
    const retain = this.#stores;
    const carries = connection?.connected === true && refusal === undefined;
    // The broker is told a state when it is this bridge's turn, unless it comes from there.
    const isOfBroker =
      refusal === 'standby' && this.#turn?.isOfBroker(sample.via, sample.writerGuid) === true;
    const isState = retain && !isOfBroker && (refusal === undefined || refusal === 'standby');
    const isForBroker = connection !== undefined && (carries || isState);
    if (connection !== undefined && !isForBroker) {
      this.#drop(connection.connected ? (refusal ?? 'standby') : 'offline');
    }
    const { ownsMemory = false } = sample;
    // What nobody takes is not decoded.
    if (!isForBroker && !context.flowOutput) {
      if (ownsMemory) freeMemory(sample.payload);
      return;
    }
    let payload: Buffer;
    let toMqtt: Buffer;
    try {
      payload = payloads.fromRos(sample.payload);
      toMqtt =
        retain && this.#union !== undefined ? payloads.fromRos(this.#union.add(sample.payload)) : payload;
    } catch (error) {
      this.#refuse(sample, error as Error);
      return;
    }
    faults.clear('message');
    const { sequence, sourceTimestamp } = sample;
    if (context.flowOutput) {
      counts.flowPublished++;
      context.toFlow({ format: payloads.format, payload, sequence, sourceTimestamp });
    }
    const isDecoded = payload !== sample.payload;
    if (ownsMemory && (isDecoded || !isForBroker)) freeMemory(sample.payload);
    if (isForBroker) {
      const message = this.#messageOf(toMqtt, isDecoded || ownsMemory, sample, reception, retain);
      this.#publish(message, carries, sample.writerGuid);
    }
    if (sourceTimestamp !== undefined) this.#measure(sourceTimestamp);
  }

  /** How long the sample has taken from its publisher to here; one from before this route was there has waited for it. */
  #measure(sourceTimestamp: bigint): void {
    const stamp = Number(sourceTimestamp) / 1e6;
    if (stamp < performance.timeOrigin + this.#openedAt) return;
    const now = performance.now();
    this.#latency.add(performance.timeOrigin + now - stamp, now);
  }

  #refuse({ writerGuid = 'an unknown publisher' }: RosSample, error: Error): void {
    this.#drop('invalid');
    this.#parts.faults.report('message', `sample of ${writerGuid}: ${error.message}`);
  }

  #publish(message: OutgoingMessage, carries: boolean, writerGuid = ''): void {
    const { connected } = this.#parts.context.connection ?? {};
    if (message.retain) {
      if (this.#state?.waits) this.#drop(connected ? 'standby' : 'offline');
      this.#parts.context.stateSaid();
      this.#state = { message, writerGuid, waits: !carries, isOver: false };
    }
    if (carries) this.#send(message);
  }

  /**
   * A broker may have lost what it had stored, and did not hear what was said while it was away, or by the bridge that
   * carried before. Where it has it already, others must not hear it twice, and where it has what was said since, that
   * must not be replaced.
   */
  async #publishState(): Promise<void> {
    const state = this.#state;
    if (state === undefined) return;
    const { context, topic, settings } = this.#parts;
    const asked = Symbol();
    this.#asked = asked;
    const stored = await context.connection?.stored(topic, settings.direction === 'both');
    const isOver = this.#asked !== asked || this.#state !== state || this.#turn?.active !== true;
    if (isOver || context.connection?.connected !== true) return;
    const { waits, message } = state;
    if (stored === undefined || this.#isBefore(stored, state)) this.#send(message);
    else if (waits) this.#drop('standby');
    state.waits = false;
  }

  /** Whether what the broker has stored is another message, and from before a state. */
  #isBefore(stored: ReceivedMessage, { message, waits, isOver }: State): boolean {
    if (isSame(stored, message)) return false;
    if (waits && !isOver) return true;
    const [then, now] = [stampIn(stored.properties), stampIn(message)];
    if (then !== undefined && now !== undefined) return then < now;
    // The broker was told the state: what it has without a stamp is of somebody else, unless no message has one.
    return this.#parts.context.mqttVersion === 4 && !isOver;
  }

  #send(message: OutgoingMessage): void {
    const { counts, context } = this.#parts;
    const bytes = message.payload.length;
    context.connection?.publish(message, (undelivered) => {
      if (undelivered !== undefined) {
        this.#drop(undelivered);
        return;
      }
      counts.mqttPublished++;
      counts.mqttPublishedBytes += bytes;
    });
  }

  #messageOf(
    payload: Buffer,
    ownsMemory: boolean,
    { sequence, sourceTimestamp, via = [] }: RosSample,
    { qos, lifespan }: Reception,
    retain: boolean,
  ): OutgoingMessage {
    const { topic, settings } = this.#parts;
    const userProperties: Record<string, string> = {};
    if (sourceTimestamp !== undefined) userProperties['ros-stamp'] = String(sourceTimestamp);
    if (sequence !== undefined) userProperties['ros-seq'] = String(sequence);
    return {
      topic,
      payload,
      // What the broker is to store may be needed again.
      ownsMemory: ownsMemory && !retain,
      qos: settings.qos?.mqtt ?? (qos.reliability === 'reliable' ? 1 : 0),
      retain,
      properties: via.length === 0 ? this.#commonProperties(lifespan) : this.#propertiesOf(via, lifespan),
      userProperties,
    };
  }

  /** The same object for the same lifespan, which is what the connection encodes once. */
  #commonProperties(lifespan: number): MessageProperties {
    if (this.#properties?.lifespan !== lifespan) {
      this.#properties = { lifespan, properties: this.#propertiesOf([], lifespan) };
    }
    return this.#properties.properties;
  }

  #propertiesOf(via: Via, lifespan: number): MessageProperties {
    const { settings, codec, payloads, context } = this.#parts;
    return {
      ...payloads.facts,
      // MQTT counts in whole seconds, and 0 would be over at once.
      ...(Number.isFinite(lifespan) && { messageExpiryInterval: Math.ceil(lifespan / 1000) }),
      userProperties: {
        'ros-type': settings.type,
        'ros-type-hash': codec.typeHash,
        'ros-via': [...via, context.bridgeId],
      },
    };
  }

  #drop(reason: DropReason): void {
    countDrop(this.#parts.counts, reason);
  }
}

/** Whether the broker has a message, whichever bridge has carried it. MQTT 3.1.1 does not tell when it was said. */
function isSame(stored: ReceivedMessage, { payload, userProperties }: OutgoingMessage): boolean {
  if (!stored.payload.equals(Buffer.from(payload))) return false;
  const stamp = stored.properties?.userProperties?.['ros-stamp'];
  return stamp === undefined || stamp === userProperties?.['ros-stamp'];
}

/** When ROS has said a message, in ns since the epoch. */
function stampIn(properties: Pick<MessageProperties, 'userProperties'> | undefined): bigint | undefined {
  const said = properties?.userProperties?.['ros-stamp'];
  return typeof said === 'string' && /^\d{1,20}$/.test(said) ? BigInt(said) : undefined;
}
