import type { RosTopic } from '../topic/ros-topic';
import { shown } from '../topic/topic-name';
import type { OutgoingMessage } from './bridge-connection';
import type { RouteContext } from './bridge-route';
import type { ActionRouteSettings } from './bridge-settings';
import { notGoalId } from './goal-id';
import type { RosTime } from './ros-action';
import { countDrop, type RouteCounts } from './route-counts';

/** The last level of an action's MQTT topics. */
export type ActionPart = 'goal' | 'cancel' | 'status' | 'feedback' | 'result';

/** What is published about one goal: its `goal_id`, a UUID, and more by the part. */
export interface ActionMessage {
  goal_id?: string;
  [field: string]: unknown;
}

/** How a goal stands, as `status` tells it. */
export interface StatusEntry {
  goal_id: string;
  /** A GoalState, or `rejected`. */
  status: string;
  /** When it was accepted. */
  stamp?: RosTime;
}

/** The topics `<…>/@action/<part>` of an action, and what the bridge says there, and to the flow. */
export class ActionTopics {
  /** Without the part. */
  readonly topic: string;
  readonly #context: RouteContext;
  readonly #counts: RouteCounts;
  readonly #facts: Readonly<Record<string, string>>;

  constructor({ type }: ActionRouteSettings, context: RouteContext, counts: RouteCounts) {
    this.topic = context.topics.below('action');
    this.#context = context;
    this.#counts = counts;
    this.#facts = { 'ros-type': type, 'ros-via': context.bridgeId };
  }

  of(part: ActionPart): string {
    return `${this.topic}/${part}`;
  }

  /** The part of a topic of this action; `undefined` of what is none, or more than one level. */
  partOf({ kind, rest = [] }: RosTopic): string | undefined {
    return kind === 'action' && rest.length === 1 ? rest[0] : undefined;
  }

  /** Whether there is anybody now whom it could be told. */
  get heard(): boolean {
    const { connection, flowOutput } = this.#context;
    return flowOutput || connection?.connected === true;
  }

  /** Tells MQTT clients and the flow. */
  tell(part: ActionPart, message: ActionMessage, responseTopic?: string): void {
    this.tellMqtt(part, message, responseTopic);
    this.tellFlow(part, message);
  }

  tellMqtt(part: ActionPart, message: ActionMessage, responseTopic?: string): void {
    this.#publish(part, encoded(message), false, responseTopic);
  }

  /** Has the broker, while there is one, keep what stands for the part from now on. */
  store(part: ActionPart, message: ActionMessage): void {
    if (this.#context.connection?.connected === true) this.#publish(part, encoded(message), true);
  }

  tellFlow(part: ActionPart, message: ActionMessage): void {
    if (!this.#context.flowOutput) return;
    this.#counts.flowPublished++;
    const facts = { sequence: undefined, sourceTimestamp: undefined };
    this.#context.toFlow({ level: part, format: 'json', payload: encoded(message), ...facts });
  }

  #publish(part: ActionPart, payload: Buffer, retain: boolean, responseTopic?: string): void {
    const properties: OutgoingMessage['properties'] = {
      contentType: 'application/json',
      payloadFormatIndicator: true,
      userProperties: { ...this.#facts },
      ...(responseTopic !== undefined && { responseTopic }),
    };
    const message: OutgoingMessage = { topic: this.of(part), payload, qos: 1, retain, properties };
    this.#context.connection?.publish(message, (undelivered) => {
      if (undelivered === undefined) this.#counts.mqttPublished++;
      else countDrop(this.#counts, undelivered);
    });
  }
}

function encoded(message: ActionMessage): Buffer {
  return Buffer.from(JSON.stringify(message));
}

/**
 * A message of MQTT or the flow: JSON as text or bytes, or an already parsed value; nothing stands for no fields.
 * Throws an Error that says what was expected; what becomes of the message may be told with its goal_id, which is a text.
 */
export function parseActionMessage(payload: unknown, fields: readonly string[]): ActionMessage {
  const isText = typeof payload === 'string' || Buffer.isBuffer(payload);
  let value = payload;
  try {
    if (isText) value = payload.length === 0 ? {} : JSON.parse(String(payload));
  } catch (error) {
    throw new Error(`not valid JSON: ${(error as Error).message}`);
  }
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`expected an object with ${fields.join(', ')}`);
  }
  const unknown = Object.keys(value).find((field) => !fields.includes(field));
  if (unknown !== undefined)
    throw new Error(`unknown field "${shown(unknown)}"; known are ${fields.join(', ')}`);
  const { goal_id } = value as { goal_id?: unknown };
  if (goal_id !== undefined && typeof goal_id !== 'string') throw notGoalId(goal_id);
  return value as ActionMessage;
}
