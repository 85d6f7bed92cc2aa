import type { RosTopic } from '../topic/ros-topic';
import type { BridgeRoute, RouteContext } from './bridge-route';
import type { ParametersRouteSettings } from './bridge-settings';
import { failedReply, type MqttRequest, MqttRequests } from './mqtt-requests';
import type { Way } from './name-patterns';
import { kindsOf, ParameterClient, plainValues } from './parameter-client';
import { ParameterMirror } from './parameter-mirror';
import { ServiceError } from './ros-service';
import type { RouteDetails } from './ros-worker-messages';
import { countDrop, newRouteCounts } from './route-counts';
import type { Turn } from './route-turn';
import { ServerWatch } from './server-watch';
import { DEFAULT_TIMEOUT, DROP_REASON } from './service-codec';

const OPERATIONS = ['get', 'set', 'list'] as const;
type Operation = (typeof OPERATIONS)[number];

/** Operations of one route that wait for the node; what comes above that is refused as `unavailable`. */
const MAX_OPERATIONS = 100;

/** The parameters of one node: MQTT clients and the flow get, set and list them, and the broker stores their values. */
export class ParametersRoute implements BridgeRoute {
  readonly settings: ParametersRouteSettings;
  readonly topic: string;
  readonly counts = newRouteCounts();
  readonly #context: RouteContext;
  readonly #requests: MqttRequests[];
  readonly #mirror: ParameterMirror;
  readonly #servers: ServerWatch;
  readonly turns: Partial<Record<Way, Turn>> = {};
  #client: ParameterClient | undefined;
  #operations = 0;
  #problem: string | undefined;

  constructor(settings: ParametersRouteSettings, context: RouteContext) {
    const { rosName: node } = settings;
    const { counts } = this;
    const fail = (fault: string) => this.#fail(`parameters of ${node}: ${fault}`);
    this.settings = settings;
    this.topic = context.topics.below('param');
    this.#context = context;
    this.#servers = new ServerWatch(settings, context, performance.now());
    this.#requests = OPERATIONS.map((operation) => {
      const topic = `${this.topic}/${operation}`;
      const replyPrefix = `${topic}/@rep/`;
      const type = 'rcl_interfaces/msg/ParameterValue';
      return new MqttRequests({ context, counts, topic, replyPrefix, type, fail }, (request) => {
        void this.#serve(operation, request);
      });
    });
    const read = async () => {
      const values = await this.#connected().values(this.#timeout);
      this.#problem = undefined;
      return values;
    };
    this.#mirror = new ParameterMirror({ context, counts, node, read, fail });
  }

  /** The last fault of this route, until an operation succeeds again. */
  get problem(): string | undefined {
    return this.#problem;
  }

  get subscribed(): boolean | undefined {
    const all = [this.#mirror.subscribed, ...this.#requests.map(({ subscribed }) => subscribed)];
    return all.includes(undefined) ? undefined : all.every((granted) => granted);
  }

  get details(): RouteDetails {
    return this.#servers.look(this, this.#reached);
  }

  get #reached(): number {
    return this.#client?.nodes ?? 0;
  }

  open(): void {
    const { domain, library, changed } = this.#context;
    let nodes = 0;
    const look = () => {
      const now = this.#client?.nodes ?? 0;
      // A node that was started anew may be there before the old one is known to be gone.
      if (now !== nodes) this.#mirror.nodeChanged(now > 0);
      nodes = now;
      changed();
    };
    this.#client = new ParameterClient(domain, library, this.settings.rosName, look);
    const turn = this.#context.join('mqtt-to-ros', this.topic, () => this.#mirror.followTurn());
    this.turns['mqtt-to-ros'] = turn;
    this.#mirror.open(turn);
    // The node may be known already.
    look();
    for (const requests of this.#requests) requests.open(turn);
  }

  close(): void {
    for (const turn of Object.values(this.turns)) turn.close();
    for (const requests of this.#requests) requests.close();
    this.#mirror.close();
    this.#client?.close();
  }

  publish({ kind, rest = [] }: RosTopic, payload: unknown): Promise<string> {
    const operation = OPERATIONS.find((each) => kind === 'param' && rest.length === 1 && rest[0] === each);
    if (operation === undefined) {
      const topics = OPERATIONS.map((each) => `${this.topic}/${each}`);
      throw new Error(`parameters of ${this.settings.rosName}: expected a message for ${topics.join(', ')}`);
    }
    return this.#operate(operation, payload, this.#timeout);
  }

  get #timeout(): number {
    return this.settings.timeout ?? DEFAULT_TIMEOUT;
  }

  /** Replies whatever happens; what an MQTT client is told the bridge's owner is told too. */
  async #serve(
    operation: Operation,
    { payload, patience = this.#timeout, reply }: MqttRequest,
  ): Promise<void> {
    try {
      reply('ok', await this.#operate(operation, payload, Math.min(patience, this.#timeout)));
    } catch (error) {
      const { status, message } = error as ServiceError;
      reply(status, failedReply(status, message));
      this.#context.report(message);
    }
  }

  /** The answer's JSON text. Rejects with ServiceError. */
  async #operate(operation: Operation, payload: unknown, timeout: number): Promise<string> {
    try {
      if (this.#operations >= MAX_OPERATIONS) {
        throw this.#error(operation, 'unavailable', `${MAX_OPERATIONS} others wait for the node`);
      }
      const request = this.#parse(operation, payload);
      this.#operations++;
      this.counts.rosPublished++;
      const answer = await this.#run(operation, request, timeout).finally(() => {
        this.#operations--;
      });
      this.counts.rosReceived++;
      this.#problem = undefined;
      this.#servers.answered();
      return JSON.stringify(answer);
    } catch (error) {
      const explained = this.#servers.explained(error as ServiceError, this.#reached);
      countDrop(this.counts, DROP_REASON[explained.status]);
      this.#problem = explained.message;
      this.#context.changed();
      throw explained;
    }
  }

  async #run(operation: Operation, request: unknown, timeout: number): Promise<unknown> {
    const client = this.#connected();
    switch (operation) {
      case 'list':
        return client.list(request, timeout);
      case 'get': {
        const names = this.#namesIn(request);
        const values = plainValues(await client.values(timeout, names));
        return { ...Object.fromEntries((names ?? []).map((name) => [name, null])), ...values };
      }
      case 'set': {
        if (this.settings.direction === 'ros-to-mqtt') {
          throw this.#error('set', 'bad-request', 'the route does not allow it');
        }
        const plain = this.#plainIn(request);
        const present = this.#mirror.values ?? (await client.values(timeout));
        return client.set(plain, kindsOf(present), timeout);
      }
    }
  }

  #parse(operation: Operation, payload: unknown): unknown {
    const text = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload.toString() : undefined;
    if (payload === undefined || text === '') return {};
    if (text === undefined) return payload;
    try {
      return JSON.parse(text);
    } catch (error) {
      throw this.#error(operation, 'bad-request', `not valid JSON: ${(error as Error).message}`);
    }
  }

  /** All, where none are named. */
  #namesIn(request: unknown): string[] | undefined {
    const named = isObject(request) ? request.names : request;
    if (named === undefined) return undefined;
    if (Array.isArray(named) && named.every((name) => typeof name === 'string')) return named;
    throw this.#error('get', 'bad-request', 'expected a list of names, or {"names": […]}');
  }

  #plainIn(request: unknown): Map<string, unknown> {
    if (isObject(request) && Object.keys(request).length > 0) return new Map(Object.entries(request));
    throw this.#error('set', 'bad-request', 'expected an object with a value for each name');
  }

  #connected(): ParameterClient {
    if (this.#client === undefined) throw this.#error('get', 'unavailable', 'the route is not open');
    return this.#client;
  }

  #error(operation: Operation, status: ServiceError['status'], reason: string): ServiceError {
    return new ServiceError(`${this.settings.rosName}/${operation}_parameters`, status, reason);
  }

  #fail(problem: string): void {
    if (problem !== this.#problem) this.#context.report(problem);
    this.#problem = problem;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
