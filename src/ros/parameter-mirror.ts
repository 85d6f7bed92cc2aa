import { shown } from '../topic/topic-name';
import type { BridgeSubscription, IncomingMessage } from './bridge-connection';
import type { RouteContext } from './bridge-route';
import { MessageCodec } from './message-codec';
import { kindOf, type ParameterValue, plainValue } from './parameter-value';
import type { RosSubscription } from './ros-backend';
import { countDrop, type RouteCounts } from './route-counts';
import type { Turn } from './route-turn';

const EVENTS = '/parameter_events';
const EVENT_TYPE = 'rcl_interfaces/msg/ParameterEvent';
/** As ROS 2 publishes them. Source: rclcpp, ParameterEventsQoS. */
const EVENT_QOS = { reliability: 'reliable', durability: 'volatile', depth: 1000 } as const;
/** How long after a failure the node is asked again, in ms: it may be there before it answers. */
const RETRY = 1000;
/** Parameters of one node that are mirrored; of more the first by name. */
const MAX_PARAMETERS = 500;

interface Parameter {
  name: string;
  value: ParameterValue;
}

export interface ParameterMirrorOptions {
  context: RouteContext;
  counts: RouteCounts;
  /** The node's name. */
  node: string;
  /** Asks the node for all its parameters; rejects when it does not say. */
  read(): Promise<Map<string, ParameterValue>>;
  /** A fault in words that nobody else is told. */
  fail(fault: string): void;
}

/**
 * The values of a node's parameters as retained messages, `<…>/@param/value/<name>`: read when the node appears, and kept
 * up by its events. They are removed when the node goes. Of several bridges all follow the node, and the one whose turn
 * it is publishes. The flow is told each change, `null` of what is there no more.
 */
export class ParameterMirror {
  readonly #options: ParameterMirrorOptions;
  readonly #codec: MessageCodec;
  readonly #prefix: string;
  /** What the node is known to have. */
  #values = new Map<string, ParameterValue>();
  /** Topic names of values that the broker has stored, of this or an earlier run. */
  readonly #stored = new Set<string>();
  #subscription: BridgeSubscription | undefined;
  #events: RosSubscription | undefined;
  #turn: Turn | undefined;
  /** Another bridge has published up to now. */
  #stoodBy = false;
  #present = false;
  /** `#values` are those of the node, or it has gone with all. */
  #isKnown = false;
  #reading: Promise<void> | undefined;
  #readAgain = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: ParameterMirrorOptions) {
    const { context } = options;
    this.#options = options;
    this.#codec = MessageCodec.for(context.library, EVENT_TYPE);
    this.#prefix = `${context.topics.below('param', ['value'])}/`;
  }

  /** The values that are known of the node; none while they are not. */
  get values(): ReadonlyMap<string, ParameterValue> | undefined {
    return this.#present && this.#isKnown && this.#reading === undefined ? this.#values : undefined;
  }

  /** See `BridgeRoute.subscribed`. */
  get subscribed(): boolean | undefined {
    return this.#subscription?.granted;
  }

  /** @param turn says which of several bridges publishes */
  open(turn: Turn): void {
    const { context, fail } = this.#options;
    this.#turn = turn;
    this.#subscribe();
    this.#events = context.domain.createSubscription(
      {
        rosName: EVENTS,
        type: EVENT_TYPE,
        typeHash: this.#codec.typeHash,
        qos: EVENT_QOS,
        onIncompatible: ({ policy }) => fail(`a publisher of ${EVENTS} does not match by its ${policy}`),
        onProblem: fail,
      },
      ({ payload }) => this.#hear(payload),
    );
  }

  close(): void {
    // What was published stays at the broker: the node is still there.
    this.#present = false;
    this.#isKnown = false;
    clearTimeout(this.#retry);
    this.#values = new Map();
    this.#events?.close();
    this.#subscription?.close();
  }

  /** The node has appeared, was started anew, or is gone. */
  nodeChanged(present: boolean): void {
    this.#present = present;
    this.#isKnown = false;
    clearTimeout(this.#retry);
    if (present) this.#read();
    else this.#take(new Map());
  }

  /** The turn has changed. */
  followTurn(): void {
    if (this.#turn?.standbyFor) this.#stoodBy = true;
    if (this.#turn?.active !== true) return;
    // What another bridge has stored, and the node may have no more, a broker sends in answer to a subscription.
    if (this.#stoodBy) {
      this.#subscription?.close();
      this.#subscribe();
    } else this.#publishAll();
    this.#stoodBy = false;
  }

  #subscribe(): void {
    const { context, fail } = this.#options;
    this.#stored.clear();
    this.#subscription = context.connection?.subscribe(
      `${this.#prefix}#`,
      {
        message: (message) => this.#noteStored(message),
        result: (error) => {
          if (error === undefined) this.#publishAll();
          else fail(error.message);
          context.changed();
        },
      },
      { retained: true },
    );
  }

  #read(): void {
    clearTimeout(this.#retry);
    if (this.#reading !== undefined) {
      this.#readAgain = true;
      return;
    }
    this.#readAgain = false;
    this.#reading = this.#options
      .read()
      .then(
        (values) => {
          if (this.#present && !this.#readAgain) this.#take(values);
        },
        // Who left is not there to answer, and its successor is asked again.
        ({ message }: Error) => {
          if (!this.#present || this.#readAgain) return;
          this.#options.fail(message);
          this.#retry = setTimeout(() => this.#read(), RETRY);
        },
      )
      .finally(() => {
        this.#reading = undefined;
        if (this.#present && this.#readAgain) this.#read();
      });
  }

  #take(values: Map<string, ParameterValue>): void {
    const names = [...values.keys()].sort().slice(0, MAX_PARAMETERS);
    if (names.length < values.size)
      this.#options.fail(`only ${MAX_PARAMETERS} of its ${values.size} parameters are mirrored`);
    const before = this.#values;
    this.#isKnown = true;
    this.#values = new Map(names.map((name) => [name, values.get(name) as ParameterValue]));
    for (const name of before.keys()) if (!this.#values.has(name)) this.#forget(name);
    for (const [name, value] of this.#values) {
      if (JSON.stringify(before.get(name)) !== JSON.stringify(value)) this.#tell(name, value);
    }
    this.#removeStale();
  }

  #hear(payload: Buffer): void {
    let event: Record<'new_parameters' | 'changed_parameters' | 'deleted_parameters', Parameter[]> & {
      node: string;
    };
    try {
      event = JSON.parse(this.#codec.decodeToJson(payload));
    } catch (error) {
      countDrop(this.#options.counts, 'invalid');
      this.#options.fail(`${EVENTS}: ${(error as Error).message}`);
      return;
    }
    if (event.node !== this.#options.node || !this.#present) return;
    this.#options.counts.rosReceived++;
    // What is being read may be older than the event.
    if (this.#reading !== undefined) this.#readAgain = true;
    for (const { name, value } of [...event.new_parameters, ...event.changed_parameters]) {
      if (!this.#values.has(name) && this.#values.size >= MAX_PARAMETERS) continue;
      this.#values.set(name, value);
      this.#tell(name, value);
    }
    for (const { name } of event.deleted_parameters) if (this.#values.delete(name)) this.#forget(name);
  }

  #tell(name: string, value: ParameterValue): void {
    this.#publish(name, value);
    this.#tellFlow(name, plainValue(value));
  }

  #forget(name: string): void {
    this.#remove(name);
    this.#tellFlow(name, null);
  }

  #tellFlow(name: string, value: unknown): void {
    const { context, counts } = this.#options;
    if (!context.flowOutput || this.#topicOf(name) === undefined) return;
    counts.flowPublished++;
    const facts = { sequence: undefined, sourceTimestamp: undefined };
    const payload = Buffer.from(JSON.stringify(value));
    context.toFlow({ level: `value/${name}`, format: 'json', payload, ...facts });
  }

  /** After each connect: meanwhile the broker may have lost what it had stored. */
  #publishAll(): void {
    for (const [name, value] of this.#values) this.#publish(name, value);
    if (this.#reading === undefined) this.#removeStale();
  }

  /** What is published meanwhile, maybe by another bridge, is of what the node has. */
  #noteStored({ topic, payload, retain }: IncomingMessage): void {
    if (payload.length === 0) this.#stored.delete(topic);
    else if (retain && this.#stored.size < 2 * MAX_PARAMETERS) this.#stored.add(topic);
    if (this.#reading === undefined) this.#removeStale();
  }

  /** What an earlier run or another bridge has published, and the node has no more, or is gone with. */
  #removeStale(): void {
    if (!this.#isKnown || this.#turn?.active !== true) return;
    for (const topic of [...this.#stored]) {
      if (this.#values.has(topic.slice(this.#prefix.length))) continue;
      this.#stored.delete(topic);
      this.#send(topic, '', {});
    }
  }

  #publish(name: string, value: ParameterValue): void {
    const topic = this.#topicOf(name);
    if (topic === undefined) return;
    this.#send(topic, JSON.stringify(plainValue(value)), { 'ros-parameter-type': kindOf(value) });
    this.#stored.add(topic);
  }

  #remove(name: string): void {
    const topic = this.#topicOf(name);
    if (topic === undefined) return;
    this.#stored.delete(topic);
    this.#send(topic, '', {});
  }

  /** `undefined`, and reported, where the name cannot be part of a topic name. */
  #topicOf(name: string): string | undefined {
    const { context, fail } = this.#options;
    try {
      return context.topics.below('param', ['value', ...name.split('/')]);
    } catch (error) {
      fail(`"${shown(name)}" is not mirrored: ${(error as Error).message}`);
      return undefined;
    }
  }

  #send(topic: string, payload: string, facts: Record<string, string>): void {
    const { context, counts } = this.#options;
    // Published when there is a connection, and the turn.
    if (context.connection?.connected !== true || this.#turn?.active !== true) return;
    const userProperties = { ...facts, 'ros-via': context.bridgeId };
    const properties = { contentType: 'application/json', payloadFormatIndicator: true, userProperties };
    context.connection.publish({ topic, payload, qos: 1, retain: true, properties }, (undelivered) => {
      if (undelivered === undefined) counts.mqttPublished++;
      else countDrop(counts, undelivered);
    });
  }
}
