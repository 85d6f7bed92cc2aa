import type { RosTopic } from '../topic/ros-topic';
import type { BridgeRoute, RouteContext } from './bridge-route';
import type { ServiceRouteSettings } from './bridge-settings';
import { MessageCodec } from './message-codec';
import { failedReply, type MqttRequest, MqttRequests } from './mqtt-requests';
import type { RosServiceClient } from './ros-backend';
import { ServiceError, type ServiceFailure } from './ros-service';
import { countDrop, type DropReason, newRouteCounts } from './route-counts';

/** Calls of one route that wait for their replies; what comes above that is refused as `unavailable`. */
const MAX_CALLS = 100;
/** How long a call may take, in ms, where its route does not say. */
const DEFAULT_TIMEOUT = 5000;

const DROP_REASON: Record<ServiceFailure, DropReason> = {
  unavailable: 'unavailable',
  timeout: 'timeout',
  'bad-request': 'invalid',
  error: 'invalid',
};

/** One service of ROS that MQTT clients and the flow call. */
export class ServiceCallRoute implements BridgeRoute {
  readonly settings: ServiceRouteSettings;
  readonly topic: string;
  readonly counts = newRouteCounts();
  readonly #context: RouteContext;
  readonly #request: MessageCodec;
  readonly #response: MessageCodec;
  readonly #requests: MqttRequests;
  #client: RosServiceClient | undefined;
  #calls = 0;
  #problem: string | undefined;

  /** Throws `UnknownTypeError` where the library has no definition of the type. */
  constructor(settings: ServiceRouteSettings, context: RouteContext) {
    const { domain, rosName, type } = settings;
    this.settings = settings;
    this.topic = context.mapping.toMqtt(domain, rosName, 'req');
    this.#context = context;
    this.#request = MessageCodec.for(context.library, `${type}_Request`);
    this.#response = MessageCodec.for(context.library, `${type}_Response`);
    const { topic, counts } = this;
    const replyPrefix = `${context.mapping.toMqtt(domain, rosName, 'rep')}/`;
    this.#requests = new MqttRequests(
      { context, counts, topic, replyPrefix, type, fail: (fault) => this.#fail(`${rosName}: ${fault}`) },
      (request) => void this.#serve(request),
    );
  }

  /** The last fault of this route, until a call has its reply again. */
  get problem(): string | undefined {
    return this.#problem;
  }

  get subscribed(): boolean | undefined {
    return this.#requests.subscribed;
  }

  open(): void {
    const { rosName, type } = this.settings;
    this.#client = this.#context.domain.createServiceClient(
      { rosName, type, requestHash: this.#request.typeHash, responseHash: this.#response.typeHash },
      () => this.#context.changed(),
    );
    this.#requests.open();
  }

  close(): void {
    this.#requests.close();
    this.#client?.close();
  }

  publish({ kind = 'req', rest = [] }: RosTopic, payload: unknown): Promise<string> {
    if (kind !== 'req' || rest.length > 0) {
      throw new Error(`${this.settings.rosName}: a service takes requests at ${this.topic}`);
    }
    return this.#call(payload, undefined);
  }

  /** Replies whatever happens; what an MQTT client is told the bridge's owner is told too. */
  async #serve({ payload, patience, reply }: MqttRequest): Promise<void> {
    try {
      reply('ok', await this.#call(payload, patience));
    } catch (error) {
      const { status, message } = error as ServiceError;
      reply(status, failedReply(status, message));
      this.#context.report(message);
    }
  }

  /** The response's JSON text. Rejects with ServiceError. */
  async #call(payload: unknown, patience = Number.POSITIVE_INFINITY): Promise<string> {
    try {
      const request = this.#encode(payload);
      const reply = await this.#send(request, Math.min(patience, this.settings.timeout ?? DEFAULT_TIMEOUT));
      this.counts.rosReceived++;
      const json = this.#decode(reply);
      this.#problem = undefined;
      return json;
    } catch (error) {
      const { status, message } = error as ServiceError;
      countDrop(this.counts, DROP_REASON[status]);
      this.#problem = message;
      this.#context.changed();
      throw error;
    }
  }

  async #send(request: Buffer, timeout: number): Promise<Buffer> {
    if (this.#calls >= MAX_CALLS)
      throw this.#error('unavailable', `${MAX_CALLS} calls wait for their replies`);
    this.#calls++;
    this.counts.rosPublished++;
    try {
      return await (this.#client as RosServiceClient).call(request, timeout);
    } finally {
      this.#calls--;
    }
  }

  #encode(payload: unknown): Buffer {
    const isText = typeof payload === 'string' || Buffer.isBuffer(payload);
    try {
      // Many requests have no fields, and clients nothing to say.
      if (payload === undefined || (isText && payload.length === 0)) return this.#request.encode({});
      return isText ? this.#request.encodeFromJson(payload) : this.#request.encode(payload);
    } catch (error) {
      throw this.#error('bad-request', `request ${(error as Error).message}`);
    }
  }

  #decode(reply: Buffer): string {
    try {
      return this.#response.decodeToJson(reply);
    } catch (error) {
      throw this.#error('error', `response ${(error as Error).message}`);
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
