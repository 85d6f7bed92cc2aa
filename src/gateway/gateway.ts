import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { ApiError } from './api-error';
import { BROKER_SCHEMA, brokerOperations } from './broker-operations';
import { FILE_BROKER_SCHEMA } from './broker-settings';
import { Brokers } from './brokers';
import { DEFAULT_LIMITS, type GatewayLimits, type GatewaySettings } from './gateway-settings';
import { healthOperations } from './health';
import { asksForWebSocket, ignoreUpgrade } from './ignored-upgrade';
import { Live } from './live';
import { messageOperations } from './message-operations';
import { RECEIVED_SCHEMA } from './message-schema';
import { isNestedDeeper, MOST_LEVELS } from './nesting';
import { openApiDocument } from './openapi-document';
import { type Operation, operation, type Permission } from './operation';
import { checkLength, parserFault, readJsonBody } from './request-body';
import { RequestGuard } from './request-guard';
import { RosNames } from './ros-names';
import { rosOperations } from './ros-operations';
import { checkValue, Router, readQuery } from './router';
import { statisticsOperations } from './statistics-operations';
import { Subscriptions } from './subscriptions';

export type {
  BrokerAddress,
  GatewayLimits,
  GatewaySettings,
  GatewaySources,
  KnownBridge,
  KnownConnection,
  KnownEmbeddedBroker,
} from './gateway-settings';

/** What whoever mounts a gateway knows of a request. */
interface MountedRequest {
  /** What a body parser has made of the body. */
  body?: unknown;
  /** Why it could make nothing of it. */
  bodyFault?: { status?: number; message: string };
  /** The caller has shown who it is, and may do this. */
  isKnown?: boolean;
}

/**
 * The HTTP and WebSocket API over brokers, their messages and ROS. It listens nowhere itself: `GatewayServer` gives it a
 * port of its own, and Node-RED passes on what comes below a path of its admin pages.
 */
export class Gateway {
  readonly #settings: GatewaySettings;
  readonly #limits: GatewayLimits;
  readonly #guard: RequestGuard;
  readonly #brokers: Brokers;
  readonly #subscriptions: Subscriptions;
  readonly #rosNames: RosNames;
  readonly #live: Live;
  readonly #operations: readonly Operation[];
  readonly #router: Router;
  #calls = 0;

  /** @throws ApiError a broker of the settings cannot be used */
  constructor(settings: GatewaySettings) {
    this.#settings = settings;
    this.#limits = { ...DEFAULT_LIMITS, ...settings.limits };
    this.#guard = new RequestGuard(settings.guard ?? {});
    const { version, sources = {}, brokers = [], mapping } = settings;
    const { historyBytes } = this.#limits;
    this.#brokers = new Brokers(sources, this.#limits.brokers);
    this.#subscriptions = new Subscriptions(this.#limits.subscriptions, historyBytes);
    const rosNames = new RosNames(sources, mapping);
    this.#rosNames = rosNames;
    this.#live = new Live({
      path: settings.path ?? '',
      guard: this.#guard,
      brokers: this.#brokers,
      rosNames,
      most: this.#limits.readers,
      bounds: {
        readerBytes: this.#limits.readerBytes,
        readerMissed: this.#limits.readerMissed,
        totalBytes: this.#limits.readersBytes,
      },
    });
    this.#operations = [
      ...healthOperations(version, sources, this.#brokers),
      ...brokerOperations(this.#brokers, this.#subscriptions, (broker) => this.#live.removeOf(broker)),
      ...messageOperations({
        brokers: this.#brokers,
        subscriptions: this.#subscriptions,
        rosNames,
        historyBytes,
      }),
      ...rosOperations(sources),
      ...statisticsOperations(version, {
        brokers: this.#brokers,
        subscriptions: this.#subscriptions,
        live: this.#live,
        sources,
        rosNames,
        startedAt: performance.now(),
      }),
      ...this.#live.operations,
      this.#documentOperation(),
    ];
    for (const [index, broker] of brokers.entries())
      checkValue(FILE_BROKER_SCHEMA, broker, `brokers.${index}`);
    this.#brokers.addOfFile(brokers);
    this.#router = new Router(this.#operations);
  }

  /** Whether callers have to show a token. */
  get hasToken(): boolean {
    return this.#guard.hasToken;
  }

  /** What a caller needs for a request: `read` also for one that there is not. */
  permissionFor({ method = 'GET', url = '/' }: IncomingMessage): Permission {
    try {
      return this.#router.find(method, pathOf(url)).operation.permission;
    } catch {
      return 'read';
    }
  }

  /**
   * Answers a request; never throws and never rejects.
   * @param request its URL begins behind the mount path
   * @param mounted what those before this know of it, where there are any
   */
  async handle(
    request: IncomingMessage,
    response: ServerResponse,
    mounted: MountedRequest = {},
  ): Promise<void> {
    response.on('error', () => {});
    this.#calls++;
    try {
      await this.#answer(request, response, mounted);
    } catch (error) {
      this.#refuse(request, response, error);
    } finally {
      this.#calls--;
    }
  }

  /**
   * Takes a request to upgrade to a WebSocket, if it is for this gateway; to anything else is not upgraded.
   * @param server that has read it
   * @param request its URL is whole, with the mount path
   * @returns whether it was, and has been answered
   */
  upgrade(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    const { path = '' } = this.#settings;
    const { url = '' } = request;
    if (!url.startsWith(`${path}/`)) return false;
    if (!asksForWebSocket(request)) {
      ignoreUpgrade(server, request, socket, head);
      return true;
    }
    socket.on('error', () => {});
    try {
      this.#live.accept(request, url.slice(path.length), socket, head);
    } catch (error) {
      refuseUpgrade(socket, faultOf(error));
    }
    return true;
  }

  /** Ends what callers have made: WebSockets, subscriptions and the connections to brokers that they have added. */
  async close(): Promise<void> {
    this.#live.close();
    this.#subscriptions.close();
    await this.#brokers.close();
  }

  /** The sources have changed: what callers have made goes on with the connections that there are now. */
  renew(): void {
    this.#brokers.renew();
    this.#rosNames.renew();
  }

  async #answer(request: IncomingMessage, response: ServerResponse, mounted: MountedRequest): Promise<void> {
    this.#guard.checkSite(request, mounted.isKnown);
    if (this.#allowSite(request, response)) return;
    this.#guard.authorise(request);
    if (this.#calls > this.#limits.calls) {
      throw new ApiError('limit_reached', `${this.#limits.calls} calls are being answered, try again`);
    }
    const { method = 'GET', url = '/' } = request;
    const { operation: found, path } = this.#router.find(method, pathOf(url));
    const query = readQuery(new URLSearchParams(queryOf(url)), found.query);
    const value = await this.#bodyOf(found, request, mounted);
    const answer = await found.run({ path, query, body: value });
    const { status, contentType = 'application/json' } = found.answer;
    if (status === 204) response.writeHead(204, HEADERS).end();
    else send(response, status, typeof answer === 'string' ? answer : JSON.stringify(answer), contentType);
  }

  #refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    const fault = faultOf(error);
    if (response.headersSent) return void response.destroy();
    if (fault.code === 'unauthorized') response.setHeader('WWW-Authenticate', 'Bearer');
    if (fault.code === 'method_not_allowed') {
      response.setHeader('Allow', this.#router.methods(pathOf(request.url ?? '/')).join(', '));
    }
    // What is left of a body that nobody reads would be taken for the next request.
    if (!request.complete) response.setHeader('Connection', 'close');
    send(response, fault.status, JSON.stringify(fault.body));
  }

  /** Tells a browser that the page of another origin may call. Returns whether it has only asked for that. */
  #allowSite({ method, url, headers }: IncomingMessage, response: ServerResponse): boolean {
    const { origin } = headers;
    if (origin === undefined || !this.#guard.isAllowedOrigin(origin)) return false;
    response.setHeader('Access-Control-Allow-Origin', origin);
    response.setHeader('Vary', 'Origin');
    if (method !== 'OPTIONS') return false;
    response.setHeader('Access-Control-Allow-Methods', this.#router.methods(pathOf(url ?? '/')).join(', '));
    response.setHeader('Access-Control-Allow-Headers', 'Authorization, Content-Type');
    response.writeHead(204).end();
    return true;
  }

  /** Forms of other sites can post, but not this content type. */
  async #bodyOf({ method, body: schema }: Operation, request: IncomingMessage, mounted: MountedRequest) {
    if (method !== 'POST' && method !== 'PATCH') return undefined;
    const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
    if (type !== 'application/json') {
      throw new ApiError('unsupported_media_type', 'expected "Content-Type: application/json"');
    }
    const read = await this.#readBody(request, mounted);
    if (schema === undefined) return undefined;
    const body = read === undefined ? {} : read;
    if (isNestedDeeper(body, MOST_LEVELS)) {
      throw new ApiError('invalid_request', `the body is nested in more than ${MOST_LEVELS} levels`);
    }
    checkValue(schema, body);
    return body;
  }

  async #readBody(request: IncomingMessage, { body, bodyFault }: MountedRequest): Promise<unknown> {
    const { bodyBytes, bodyTimeout } = this.#limits;
    if (bodyFault !== undefined) throw parserFault(bodyFault);
    if (body === undefined) return readJsonBody(request, bodyBytes, bodyTimeout);
    checkLength(request, bodyBytes);
    return body;
  }

  #documentOperation(): Operation {
    let text: string | undefined;
    return operation({
      method: 'GET',
      path: '/openapi.json',
      operationId: 'getDocument',
      summary: 'This description of the API, an OpenAPI 3.1 document',
      permission: 'read',
      answer: { status: 200, description: 'The document', schema: { type: 'object' } },
      run: () => {
        const { version, path } = this.#settings;
        text ??= JSON.stringify(
          openApiDocument(this.#operations, {
            version,
            path: path || '/',
            schemas: { Broker: BROKER_SCHEMA, Message: RECEIVED_SCHEMA },
          }),
        );
        return text;
      },
    });
  }
}

function refuseUpgrade(socket: Duplex, fault: ApiError): void {
  const body = JSON.stringify(fault.body);
  const head = [
    `HTTP/1.1 ${fault.status} ${STATUS_CODES[fault.status]}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  // Nobody else would close it when the client does not.
  socket.once('finish', () => socket.destroy());
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

const HEADERS = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' };

function send(
  response: ServerResponse,
  status: number,
  text: string,
  contentType = 'application/json',
): void {
  response.writeHead(status, {
    ...HEADERS,
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

function faultOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError('internal', `this is a fault of the gateway: ${(error as Error).message}`);
}

const pathOf = (url: string): string => url.split('?', 1)[0] as string;

const queryOf = (url: string): string => (url.includes('?') ? url.slice(url.indexOf('?') + 1) : '');
