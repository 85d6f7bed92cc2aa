import type { RclClient, RclLibrary, RclNode, ServiceClass } from './library';
import { type RawMessage, type RawServiceClass, rawServiceClass } from './raw-class';

/** A client whose requests and responses are CDR. */
export interface RawClient {
  /** Whether a server is there. */
  isServed(): boolean;
  /** Sends a request at once. Rejects with the reason of `signal` when that is aborted before there is a response. */
  call(request: Buffer, signal: AbortSignal): Promise<Buffer>;
  destroy(): void;
}

/** A server whose requests and responses are CDR. */
export interface RawServer {
  destroy(): void;
}

/** Takes a request, and what its response is sent with, which throws when that cannot be sent. */
export type RequestHandler = (request: Buffer, respond: (response: Buffer) => void) => void;

/** A service to be called or served. */
export interface RawServiceOptions {
  rosName: string;
  /** Of the library. */
  qos: object;
}

/** Calls a service. */
export class RawServiceClient implements RawClient {
  readonly #node: RclNode;
  readonly #raw: RawServiceClass;
  readonly #client: RclClient;

  constructor(
    library: RclLibrary,
    node: RclNode,
    generated: ServiceClass,
    { rosName, qos }: RawServiceOptions,
  ) {
    this.#node = node;
    this.#raw = rawServiceClass(library, generated);
    this.#client = node.createClient(this.#raw.service, rosName, { qos });
  }

  isServed(): boolean {
    return this.#client.isServiceServerAvailable();
  }

  async call(request: Buffer, signal: AbortSignal): Promise<Buffer> {
    const message = new this.#raw.Request(request);
    // It is on its way when this returns.
    const response = this.#client.sendRequestAsync(message, { signal });
    message.free();
    try {
      return contentOf(await response);
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    }
  }

  destroy(): void {
    this.#node.destroyClient(this.#client);
  }
}

/** Serves a service. */
export class RawServiceServer implements RawServer {
  readonly #node: RclNode;
  readonly #service: object;

  constructor(
    library: RclLibrary,
    node: RclNode,
    generated: ServiceClass,
    { rosName, qos }: RawServiceOptions,
    handler: RequestHandler,
  ) {
    this.#node = node;
    const raw = rawServiceClass(library, generated);
    this.#service = node.createService(raw.service, rosName, { qos }, (request, response) =>
      handler(contentOf(request), (cdr) =>
        withMessage(new raw.Response(cdr), (reply) => response.send(reply)),
      ),
    );
  }

  destroy(): void {
    this.#node.destroyService(this.#service);
  }
}

/** The CDR of what the library gives back. Throws an Error where it could not be serialized. */
export function contentOf(message: unknown): Buffer {
  const { cdr } = message as RawMessage;
  if (cdr === undefined) throw new Error('it cannot be serialized');
  return cdr;
}

/** Frees the message when it was used. */
export function withMessage<Result>(message: RawMessage, use: (message: RawMessage) => Result): Result {
  try {
    return use(message);
  } finally {
    message.free();
  }
}
