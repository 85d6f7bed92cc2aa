import { replyTopicOf } from '../client/requester';
import { shown, topicNameFault } from '../topic/topic-name';
import type { BridgeSubscription, IncomingMessage } from './bridge-connection';
import type { RouteContext } from './bridge-route';
import { countDrop, type RouteCounts } from './route-counts';
import type { Turn } from './route-turn';

/** What came of a request, as the user property `ros-status` of its reply says it. */
export type ReplyStatus = 'ok' | 'timeout' | 'unavailable' | 'bad-request' | 'error';

/** A request of an MQTT client. */
export interface MqttRequest {
  payload: Buffer;
  /** How long the client cares for the reply, in ms, where it says so (Message Expiry Interval). */
  patience: number | undefined;
  /** Sends the reply, JSON text, to where the client wants it; nowhere when it wants none. */
  reply(status: ReplyStatus, json: string): void;
}

export interface MqttRequestsOptions {
  context: RouteContext;
  /** Takes what is received, sent and dropped. */
  counts: RouteCounts;
  /** Requests of MQTT 5 come here; those of MQTT 3.1.1, whose replies have no other place, with levels below it. */
  topic: string;
  /** What the topic names of our own replies begin with. */
  replyPrefix: string;
  /** The interface type of the reply; empty while it is not known. */
  type: string;
  /** The broker has granted what is subscribed here, at each connect. */
  granted?(): void;
  /** A fault in words that nobody else is told. */
  fail(fault: string): void;
}

/**
 * Requests that MQTT clients publish. MQTT 5 (section 4.10): the reply goes to the Response Topic and has the Correlation
 * Data as it came. Otherwise a request at `<…>/@req/<id>` has its reply at `<…>/@rep/<id>`.
 */
export class MqttRequests {
  readonly #options: MqttRequestsOptions;
  readonly #handle: (request: MqttRequest) => void;
  #subscription: BridgeSubscription | undefined;

  constructor(options: MqttRequestsOptions, handle: (request: MqttRequest) => void) {
    this.#options = options;
    this.#handle = handle;
  }

  /** See `BridgeRoute.subscribed`. */
  get subscribed(): boolean | undefined {
    return this.#subscription?.granted;
  }

  /** @param turn says which of several bridges serves */
  open(turn: Turn): void {
    const { context, granted, fail } = this.#options;
    this.#subscription = context.connection?.subscribe(this.#filter, {
      message: (message) => this.#receive(message, turn),
      result: (error) => {
        if (error !== undefined) fail(error.message);
        else granted?.();
        context.changed();
      },
    });
  }

  close(): void {
    this.#subscription?.close();
  }

  get #filter(): string {
    return `${this.#options.topic}/#`;
  }

  #receive(message: IncomingMessage, turn: Turn): void {
    const { topic, payload, via, properties = {} } = message;
    const { counts, fail } = this.#options;
    // Levels below the request's own that ask for nothing are replies, maybe ours.
    if (topic !== this.#options.topic && replyTopicOf(topic) === undefined) return;
    const isHeld = turn.hold({
      bytes: payload.length,
      deliver: () => this.#receive(message, turn),
      giveUp: () => this.#giveUp(message),
    });
    if (isHeld) return;
    counts.mqttReceived++;
    // What a bridge of this domain has asked came from here: asked here again it would go round for ever.
    const bridges = this.#options.context.domain.bridges();
    const refusal = via.some((id) => bridges.has(id)) ? 'echo' : turn.refusal(via);
    if (refusal !== undefined) {
      countDrop(counts, refusal);
      return;
    }
    // Of a bridge with another prefix, whose client has named this topic to be answered at.
    if (properties.userProperties?.['ros-status'] !== undefined) {
      countDrop(counts, 'invalid');
      fail(`what came at "${shown(topic)}" is a reply, as its ros-status says, and no request`);
      return;
    }
    const { responseTopic, correlationData, messageExpiryInterval } = properties;
    const fault = responseTopic === undefined ? undefined : this.#responseTopicFault(responseTopic);
    if (fault !== undefined) {
      countDrop(counts, 'response-topic');
      fail(`response topic "${shown(responseTopic as string)}" ${fault}`);
      return;
    }
    const replyTopic = responseTopic ?? replyTopicOf(topic);
    this.#handle({
      payload,
      patience: messageExpiryInterval === undefined ? undefined : messageExpiryInterval * 1000,
      reply: (status, json) => {
        if (replyTopic !== undefined) this.#reply(replyTopic, correlationData, status, json);
      },
    });
  }

  /** Its client is told nothing: another bridge may answer. */
  #giveUp(message: IncomingMessage): void {
    const { context, counts, fail } = this.#options;
    if (context.passOn(this.#filter, message)) return;
    counts.mqttReceived++;
    countDrop(counts, 'standby');
    fail(`a request came at "${shown(message.topic)}" and the route was closed before it was its turn`);
  }

  /** A client must not have the bridge publish what the client itself may not, least of all to the bridge. */
  #responseTopicFault(topic: string): string | undefined {
    const fault = topicNameFault(topic);
    if (fault !== undefined) return `is not valid: ${fault}`;
    if (topic.startsWith('$')) return 'begins with $, which is kept for brokers';
    if (topic.startsWith(this.#options.replyPrefix)) return undefined;
    return this.#options.context.topics.isOfBridge(topic)
      ? `is one of the bridge's own; only "${this.#options.replyPrefix}…" may be`
      : undefined;
  }

  #reply(topic: string, correlationData: Buffer | undefined, status: ReplyStatus, json: string): void {
    const { context, counts, type } = this.#options;
    const userProperties = {
      'ros-status': status,
      ...(type !== '' && { 'ros-type': type }),
      'ros-via': context.bridgeId,
    };
    const properties = {
      contentType: 'application/json',
      payloadFormatIndicator: true,
      userProperties,
      ...(correlationData !== undefined && { correlationData }),
    };
    context.connection?.publish(
      { topic, payload: json, qos: 1, retain: false, properties },
      (undelivered) => {
        if (undelivered === undefined) counts.mqttPublished++;
        else countDrop(counts, undelivered);
      },
    );
  }
}

/** What a client is told that gets no reply of ROS: its names cannot be those of a message's fields. */
export function failedReply(status: Exclude<ReplyStatus, 'ok'>, message: string): string {
  return JSON.stringify({ '@status': status, '@error': message });
}
