import { randomInt } from 'node:crypto';
import type { RosTopic } from '../topic/ros-topic';
import { shown } from '../topic/topic-name';
import type { BridgeSubscription, IncomingMessage, RouteConnection, Undelivered } from './bridge-connection';
import type { BridgeRoute, RouteContext } from './bridge-route';
import type { ServiceRouteSettings } from './bridge-settings';
import { ClientWatch } from './client-watch';
import type { Way } from './name-patterns';
import type { RosServiceServer } from './ros-backend';
import { ServiceError, type ServiceFailure } from './ros-service';
import type { RouteDetails } from './ros-worker-messages';
import { countDrop, newRouteCounts } from './route-counts';
import type { Turn } from './route-turn';
import { DEFAULT_TIMEOUT, DROP_REASON, ServiceCodec } from './service-codec';

/** Requests of one route that wait for their answers; what comes above that gets none. */
const MAX_REQUESTS = 100;
/** Random, so that an answer to what was asked before a restart is not taken for another. */
const MAX_REQUEST_ID = 2 ** 48 - 1;

const UNDELIVERED: Record<Undelivered, string> = {
  offline: 'the bridge is not connected to the broker',
  'in-flight': 'too much waits for the broker already',
  unacknowledged: 'the broker has not taken the request',
};

interface Waiting {
  answer(response: Buffer): void;
  fail(error: ServiceError): void;
}

/**
 * One service that the bridge serves in ROS. An MQTT client answers, or without a broker the flow. A service of ROS has
 * no reply that says that there is no answer: its client hears nothing then, and gives up when it has waited enough.
 */
export class ServiceServeRoute implements BridgeRoute {
  readonly settings: ServiceRouteSettings;
  readonly topic: string;
  readonly counts = newRouteCounts();
  readonly #context: RouteContext;
  readonly #codec: ServiceCodec;
  readonly #replyTopic: string;
  readonly #clients: ClientWatch;
  readonly #waiting = new Map<number, Waiting>();
  readonly turns: Partial<Record<Way, Turn>> = {};
  #server: RosServiceServer | undefined;
  #isLeft = false;
  #replies: BridgeSubscription | undefined;
  #problem: string | undefined;

  /** Throws `UnknownTypeError` where the library has no definition of the type. */
  constructor(settings: ServiceRouteSettings, context: RouteContext) {
    const { rosName, type } = settings;
    this.settings = settings;
    this.topic = context.topics.below('req');
    this.#replyTopic = context.topics.below('rep');
    this.#context = context;
    this.#clients = new ClientWatch(settings, context, performance.now());
    this.#codec = new ServiceCodec(context.library, rosName, type);
  }

  /** The last fault of this route, until a request has its answer again. */
  get problem(): string | undefined {
    return this.#problem;
  }

  get subscribed(): boolean | undefined {
    return this.#replies?.granted;
  }

  get isBusy(): boolean {
    return this.#waiting.size > 0;
  }

  get details(): RouteDetails {
    return this.#clients.look(this);
  }

  open(): void {
    const { connection, changed } = this.#context;
    this.#replies = connection?.subscribe(`${this.#replyTopic}/+`, {
      message: (message) => this.#receive(message),
      result: (error) => {
        if (error !== undefined) this.#fail(`${this.settings.rosName}: ${error.message}`);
        changed();
      },
    });
    this.turns['ros-to-mqtt'] = this.#context.join('ros-to-mqtt', this.topic, () => this.#takeTurn());
    this.#takeTurn();
  }

  leaveToOthers(yes: boolean): void {
    if (yes === this.#isLeft) return;
    this.#isLeft = yes;
    if (!yes) this.#takeTurn();
    else {
      this.#server?.withdraw();
      this.#server = undefined;
    }
  }

  close(): void {
    for (const turn of Object.values(this.turns)) turn.close();
    this.#server?.close();
    this.#replies?.close();
    for (const { fail } of [...this.#waiting.values()])
      fail(this.#error('unavailable', 'the route was closed'));
  }

  publish({ kind = 'req' }: RosTopic, payload: unknown, request?: number): undefined {
    const { rosName } = this.settings;
    if (kind !== 'req' || request === undefined) {
      throw new Error(
        `${rosName}: the bridge serves it: expected an answer, with topic and rosRequest of the request`,
      );
    }
    const waiting = this.#waiting.get(request);
    if (waiting === undefined) throw new Error(`${rosName}: no request ${request} waits for its answer`);
    waiting.answer(this.#codec.encodeResponse(payload));
  }

  /** Serves only while no other bridge may: a client would be answered by both, also of what comes late. */
  #takeTurn(): void {
    if (this.#isLeft) return;
    if (this.turns['ros-to-mqtt']?.active) {
      const { service } = this.#codec;
      this.#server ??= this.#context.domain.createServiceServer(service, (cdr) => this.#serve(cdr));
    } else {
      this.#server?.close();
      this.#server = undefined;
    }
  }

  /** The response. Rejects where there is none, after that was counted and reported. */
  async #serve(cdr: Buffer): Promise<Buffer> {
    this.counts.rosReceived++;
    try {
      const response = await this.#ask(this.#codec.decodeRequest(cdr));
      this.counts.rosPublished++;
      this.#problem = undefined;
      this.#clients.answered();
      return response;
    } catch (error) {
      const { status, message } = error as ServiceError;
      countDrop(this.counts, DROP_REASON[status]);
      // With an error somebody has answered.
      if (status === 'timeout' || status === 'unavailable') this.#clients.unanswered();
      this.#fail(`${message}; its client gets no response`);
      throw error;
    }
  }

  #ask(json: string): Promise<Buffer> {
    const { connection, flowOutput } = this.#context;
    const { timeout = DEFAULT_TIMEOUT } = this.settings;
    return new Promise((resolve, reject) => {
      if (this.#waiting.size >= MAX_REQUESTS) {
        reject(this.#error('unavailable', `${MAX_REQUESTS} requests wait for their answers`));
        return;
      }
      const id = randomInt(1, MAX_REQUEST_ID);
      const end = () => {
        clearTimeout(timer);
        this.#waiting.delete(id);
      };
      const waiting: Waiting = {
        answer: (response) => {
          end();
          resolve(response);
        },
        fail: (error) => {
          end();
          reject(error);
        },
      };
      const late = () => waiting.fail(this.#error('timeout', 'nobody has answered in time'));
      const timer = setTimeout(late, timeout);
      this.#waiting.set(id, waiting);
      if (connection !== undefined) this.#askMqtt(connection, id, json, timeout);
      else if (flowOutput) this.#askFlow(id, json);
      else waiting.fail(this.#error('unavailable', 'nothing is wired to the output of the bridge'));
    });
  }

  #askFlow(request: number, json: string): void {
    this.counts.flowPublished++;
    const payload = Buffer.from(json);
    this.#context.toFlow({
      request,
      format: 'json',
      payload,
      sequence: undefined,
      sourceTimestamp: undefined,
    });
  }

  #askMqtt(connection: RouteConnection, id: number, json: string, timeout: number): void {
    const name = `${this.#context.bridgeId}-${id}`;
    const topic = this.#context.mqttVersion === 5 ? this.topic : `${this.topic}/${name}`;
    const properties = {
      contentType: 'application/json',
      payloadFormatIndicator: true,
      responseTopic: `${this.#replyTopic}/${name}`,
      correlationData: Buffer.from(name),
      messageExpiryInterval: Math.ceil(timeout / 1000),
      userProperties: { 'ros-type': this.settings.type, 'ros-via': this.#context.bridgeId },
    };
    const message = { topic, payload: json, qos: 1, retain: false, properties } as const;
    connection.publish(message, (undelivered, unheard) => {
      if (undelivered === undefined) this.counts.mqttPublished++;
      const fault = unheard ? `nobody has subscribed to ${topic}` : undelivered && UNDELIVERED[undelivered];
      if (fault) this.#waiting.get(id)?.fail(this.#error('unavailable', fault));
    });
  }

  #receive({ topic, payload, properties }: IncomingMessage): void {
    const own = `${this.#replyTopic}/${this.#context.bridgeId}-`;
    const waiting = topic.startsWith(own) ? this.#waiting.get(Number(topic.slice(own.length))) : undefined;
    if (waiting === undefined) return;
    this.counts.mqttReceived++;
    const status = properties?.userProperties?.['ros-status'] ?? 'ok';
    if (status !== 'ok') {
      waiting.fail(this.#error('error', `its answer has the ros-status "${shown(String(status))}"`));
      return;
    }
    try {
      waiting.answer(this.#codec.encodeResponse(payload));
    } catch (error) {
      waiting.fail(error as ServiceError);
    }
  }

  #error(status: ServiceFailure, reason: string): ServiceError {
    return new ServiceError(this.settings.rosName, status, reason);
  }

  #fail(problem: string): void {
    this.#problem = problem;
    this.#context.report(problem);
  }
}
