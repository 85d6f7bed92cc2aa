import type { RosTopic } from '../topic/ros-topic';
import type { BridgeRoute, RouteContext } from './bridge-route';
import type { ServiceRouteSettings } from './bridge-settings';
import { failedReply, type MqttRequest, MqttRequests } from './mqtt-requests';
import type { Way } from './name-patterns';
import type { RosServiceClient } from './ros-backend';
import { ServiceError } from './ros-service';
import type { RouteDetails } from './ros-worker-messages';
import { countDrop, newRouteCounts } from './route-counts';
import type { Turn } from './route-turn';
import { ServerWatch } from './server-watch';
import { DEFAULT_TIMEOUT, DROP_REASON, ServiceCodec } from './service-codec';

/** Calls of one route that wait for their replies; what comes above that is refused as `unavailable`. */
const MAX_CALLS = 100;

/** One service of ROS that MQTT clients and the flow call. */
export class ServiceCallRoute implements BridgeRoute {
  readonly settings: ServiceRouteSettings;
  readonly topic: string;
  readonly counts = newRouteCounts();
  readonly #context: RouteContext;
  readonly #codec: ServiceCodec;
  readonly #requests: MqttRequests;
  readonly #servers: ServerWatch;
  readonly turns: Partial<Record<Way, Turn>> = {};
  #client: RosServiceClient | undefined;
  #calls = 0;
  #problem: string | undefined;

  /** Throws `UnknownTypeError` where the library has no definition of the type. */
  constructor(settings: ServiceRouteSettings, context: RouteContext) {
    const { rosName, type } = settings;
    this.settings = settings;
    this.topic = context.topics.below('req');
    this.#context = context;
    this.#codec = new ServiceCodec(context.library, rosName, type);
    this.#servers = new ServerWatch(settings, context, performance.now());
    const { topic, counts } = this;
    const replyPrefix = `${context.topics.below('rep')}/`;
    this.#requests = new MqttRequests(
      { context, counts, topic, replyPrefix, type, fail: (fault) => this.#fail(`${rosName}: ${fault}`) },
      (request) => void this.#serve(request),
    );
  }

  /** The last fault of this route, until a call has its reply again. */
  get problem(): string | undefined {
    return this.#problem;
  }

  get isBusy(): boolean {
    return this.#calls > 0;
  }

  get subscribed(): boolean | undefined {
    return this.#requests.subscribed;
  }

  get details(): RouteDetails {
    return this.#servers.look(this, this.#reached);
  }

  get #reached(): number {
    return this.#client?.servers ?? 0;
  }

  open(): void {
    this.#client = this.#context.domain.createServiceClient(this.#codec.service, () =>
      this.#context.changed(),
    );
    const turn = this.#context.join('mqtt-to-ros', this.topic);
    this.turns['mqtt-to-ros'] = turn;
    this.#requests.open(turn);
  }

  close(): void {
    for (const turn of Object.values(this.turns)) turn.close();
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
      const request = this.#codec.encodeRequest(payload);
      const reply = await this.#send(request, Math.min(patience, this.settings.timeout ?? DEFAULT_TIMEOUT));
      this.counts.rosReceived++;
      const json = this.#codec.decodeResponse(reply);
      this.#problem = undefined;
      this.#servers.answered();
      return json;
    } catch (error) {
      const explained = this.#servers.explained(error as ServiceError, this.#reached);
      countDrop(this.counts, DROP_REASON[explained.status]);
      this.#problem = explained.message;
      this.#context.changed();
      throw explained;
    }
  }

  async #send(request: Buffer, timeout: number): Promise<Buffer> {
    if (this.#calls >= MAX_CALLS) {
      throw new ServiceError(
        this.settings.rosName,
        'unavailable',
        `${MAX_CALLS} calls wait for their replies`,
      );
    }
    this.#calls++;
    this.counts.rosPublished++;
    try {
      return await (this.#client as RosServiceClient).call(request, timeout);
    } finally {
      this.#calls--;
    }
  }

  #fail(problem: string): void {
    this.#problem = problem;
    this.#context.report(problem);
  }
}
