import { isLent, kept } from '../client/connection';
import { shown } from '../topic/topic-name';
import type { BridgeSubscription, IncomingMessage } from './bridge-connection';
import { incompatibilityWords } from './incompatibility-words';
import { MatchingPublisher } from './matching-publisher';
import { PayloadError } from './payload-error';
import type { RosQos } from './ros-backend';
import { countDrop } from './route-counts';
import type { Turn } from './route-turn';
import { Throttle } from './throttle';
import type { TopicParts } from './topic-parts';
import { TRANSFORMS_TYPE, TransformUnion } from './transform-union';
import type { Via } from './via';

/** A message for ROS, as `MatchingPublisher.publish` takes it. */
interface Outgoing {
  cdr: Buffer;
  ownsMemory: boolean;
  via: Via;
  expiry: number | undefined;
  isOfMqtt: boolean;
}

/** Carries what the broker and the flow say to a ROS topic. */
export class MqttToRos {
  readonly #parts: TopicParts;
  readonly #publisher: MatchingPublisher;
  /** For a type of which one kept message can stand for several. */
  readonly #union: TransformUnion | undefined;
  /** The bridges that carried what no other has; always the same array, of which the backend makes an annotation once. */
  readonly #own: Via;
  readonly #throttle: Throttle<Outgoing> | undefined;
  #subscription: BridgeSubscription | undefined;
  #turn: Turn | undefined;
  /** Another bridge has carried it up to now. */
  #stoodBy = false;
  /** Whether what the broker has stored was asked for. */
  #takesStored = false;
  /** Asks for it later. */
  #waiting: NodeJS.Timeout | undefined;
  #stopFollowing: (() => void) | undefined;
  /** What ROS was given of MQTT last, as long as the publisher keeps it: at each connect the broker sends it again. */
  #given: Buffer | undefined;

  constructor(parts: TopicParts) {
    const { settings, codec, faults, context } = parts;
    const { rosName, type, qos: chosen = {} } = settings;
    const { typeHash } = codec;
    this.#parts = parts;
    this.#own = [context.bridgeId];
    this.#union = type === TRANSFORMS_TYPE ? new TransformUnion(codec) : undefined;
    this.#throttle = Throttle.for(settings, {
      pass: (message) => this.#writeLater(message),
      dropped: (reason) => countDrop(parts.counts, reason),
    });
    this.#publisher = new MatchingPublisher(context.domain, {
      rosName,
      type,
      typeHash,
      chosen,
      fellows: context.fellows,
      onIncompatible: (incompatibility, qos) => {
        const words = incompatibilityWords(incompatibility, { type, typeHash, qos });
        faults.report(incompatibility.remote.guid, words);
      },
      onProblem: (reason) => faults.report('publisher', reason),
      onDeadlineMissed: () => {
        parts.counts.deadlinesMissed++;
        faults.report(
          'deadline to ROS',
          `nothing was published within the deadline of ${this.qos.deadline} ms`,
        );
      },
      onQosChange: () => {
        this.#given = undefined;
        // Another publisher has nothing yet for who comes late.
        if (this.#takesStored && this.qos.durability === 'transient-local') this.#subscribeAnew();
        else this.#followStored();
        context.changed();
      },
    });
  }

  /** What the publisher offers now. */
  get qos(): RosQos {
    return this.#publisher.qos;
  }

  /** Whether the broker has granted the subscription; `undefined` without a broker. */
  get subscribed(): boolean | undefined {
    return this.#subscription?.granted;
  }

  get turn(): Turn | undefined {
    return this.#turn;
  }

  open(): void {
    const { context, topic } = this.#parts;
    this.#publisher.open();
    // Transforms of others stand beside these.
    if (this.#union === undefined) this.#stopFollowing = context.onStateSaid(() => this.#forgetGiven());
    this.#turn = context.join('mqtt-to-ros', topic, () => this.#followTurn());
    this.#subscribe(this.#turn);
  }

  close(): void {
    clearTimeout(this.#waiting);
    this.#stopFollowing?.();
    this.#turn?.close();
    this.#subscription?.close();
    this.#throttle?.close();
    this.#publisher.close();
  }

  /** Throws an Error that names the route and, when the payload is not of its type, the path. */
  publishFromFlow(payload: unknown): void {
    const encode = () => ({ cdr: this.#parts.payloads.fromFlow(payload), ownsMemory: false });
    this.#publish(encode, { via: this.#own, expiry: undefined, isOfMqtt: false });
  }

  /** An old command must not move a robot: what the broker has stored is for those who ask for old samples. */
  get #wantsStored(): boolean {
    return this.#parts.settings.qos?.retain ?? this.qos.durability === 'transient-local';
  }

  #followStored(): void {
    clearTimeout(this.#waiting);
    if (this.#wantsStored === this.#takesStored) return;
    const pending = this.#wantsStored ? this.#pending : 0;
    // Until then it is not known what of it ROS has.
    if (pending > 0) this.#waiting = setTimeout(() => this.#followStored(), pending);
    else this.#subscribeAnew();
  }

  get #pending(): number {
    const { heard, storedMayBeOwn } = this.#parts.context;
    return storedMayBeOwn ? 0 : (heard?.pending ?? 0);
  }

  #followTurn(): void {
    if (this.#turn?.standbyFor) {
      this.#stoodBy = true;
      // The other one gives them what there will be.
      this.#forgetGiven();
    }
    if (this.#turn?.active !== true || !this.#stoodBy) return;
    this.#stoodBy = false;
    // Who asks in ROS for old samples had them of the other bridge.
    if (this.#takesStored) this.#subscribeAnew();
  }

  /** A broker sends what it has stored in answer to a subscription. */
  #subscribeAnew(): void {
    if (this.#turn === undefined) return;
    this.#subscription?.close();
    this.#subscribe(this.#turn);
  }

  #subscribe(turn: Turn): void {
    const { topic, settings, faults, context } = this.#parts;
    this.#takesStored = this.#wantsStored && this.#pending === 0;
    this.#subscription = context.connection?.subscribe(
      topic,
      {
        message: (message) => this.#receive(message, turn),
        result: (error) => {
          if (error === undefined) faults.clear('MQTT');
          else faults.report('MQTT', error.message);
          context.changed();
        },
      },
      { retained: this.#takesStored, qos: settings.qos?.mqtt ?? 1, lent: true },
    );
    this.#followStored();
  }

  /** Nobody waits for the outcome: a fault is reported, not thrown. */
  #receive(message: IncomingMessage, turn: Turn): void {
    const { payload, retain, via, properties } = message;
    const { payloads, counts, context, settings, topic } = this.#parts;
    const isHeld = turn.hold({
      bytes: payload.length,
      deliver: () => this.#receive(message, turn),
      giveUp: () => {
        if (context.passOn(topic, message)) return;
        counts.mqttReceived++;
        countDrop(counts, 'standby');
      },
    });
    if (isHeld) {
      message.payload = kept(payload);
      return;
    }
    const { type } = settings;
    counts.mqttReceived++;
    counts.mqttReceivedBytes += payload.length;
    // This bridge's own comes back over MQTT 3.1.1.
    if (!retain && via.at(-1) !== context.bridgeId) context.heard?.noteSaid(message);
    if (payloads.isNone(payload, properties?.contentType)) {
      if (this.#publisher.qos.durability === 'transient-local') this.#throttle?.forget();
      this.#forget();
      countDrop(counts, 'empty');
      return;
    }
    const isInRos = () => context.storedMayBeOwn || context.heard?.hasSaid(message);
    const refusal = turn.refusal(via) ?? (retain && isInRos() ? 'echo' : undefined);
    if (refusal !== undefined) {
      countDrop(counts, refusal);
      return;
    }
    const said = properties?.userProperties?.['ros-type'];
    try {
      this.#publish(
        () => {
          if (said !== undefined && said !== type) {
            const shownType = shown(String(said));
            throw new Error(`a message is of the type ${shownType} by its ros-type, expected ${type}`);
          }
          const made = payloads.fromMqtt(payload, properties?.contentType);
          const cdr = isLent(made) ? Buffer.from(made) : made;
          return { cdr, ownsMemory: cdr.buffer !== payload.buffer };
        },
        {
          via: via.length === 0 ? this.#own : [...via, context.bridgeId],
          expiry: properties?.messageExpiryInterval,
          isOfMqtt: true,
        },
        retain,
      );
    } catch (error) {
      context.report((error as Error).message);
    }
  }

  /** What MQTT has said is not the state any more; what the flow has said nobody else has. */
  #forgetGiven(): void {
    if (this.#given !== undefined) this.#forget();
  }

  /** Those who come late in ROS are to have nothing of what there was. */
  #forget(): void {
    this.#given = undefined;
    this.#union?.clear();
    this.#publisher.forget();
  }

  /**
   * @param encode makes the CDR; see `RosPublisher.publish`
   * @param facts `via`: the bridges that carried it, this one last
   * @param isStored the broker had it stored
   */
  #publish(
    encode: () => Pick<Outgoing, 'cdr' | 'ownsMemory'>,
    facts: Omit<Outgoing, 'cdr' | 'ownsMemory'>,
    isStored = false,
  ): void {
    try {
      const { cdr, ownsMemory } = encode();
      if (isStored && this.#given?.equals(cdr)) {
        countDrop(this.#parts.counts, 'echo');
        return;
      }
      const message = { cdr, ownsMemory, ...facts };
      if (this.#throttle === undefined) this.#write(message);
      else {
        const decode = () => JSON.parse(this.#parts.codec.decodeToJson(cdr));
        this.#throttle.take(message, cdr.length, decode);
      }
    } catch (error) {
      throw this.#refused(error as Error);
    }
  }

  #writeLater(message: Outgoing): void {
    try {
      this.#write(message);
    } catch (error) {
      this.#parts.context.report(this.#refused(error as Error).message);
    }
  }

  #write({ cdr, ownsMemory, via, expiry, isOfMqtt }: Outgoing): void {
    const { counts, faults } = this.#parts;
    const merged = this.#takesStored && this.#union !== undefined ? this.#union.add(cdr) : cdr;
    const bytes = merged.length;
    const isKept = this.#takesStored || this.qos.durability === 'transient-local';
    this.#publisher.publish(merged, via, expiry, ownsMemory && !isKept);
    this.#given = isOfMqtt && isKept && expiry === undefined ? cdr : undefined;
    counts.rosPublished++;
    counts.rosPublishedBytes += bytes;
    faults.clear('message');
    faults.clear('deadline to ROS');
  }

  #refused(error: Error): Error {
    const { counts, faults } = this.#parts;
    countDrop(counts, 'invalid');
    const about = error instanceof PayloadError ? 'payload ' : '';
    return new Error(faults.set('message', `${about}${error.message}`), { cause: error });
  }
}
