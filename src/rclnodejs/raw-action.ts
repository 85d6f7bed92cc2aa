import type { ActionClass, RclActionClient, RclActionServer, RclAddon, RclLibrary, RclNode } from './library';
import { type RawActionClass, rawActionClass } from './raw-class';
import { contentOf, type RawClient, type RawServer, type RequestHandler, withMessage } from './raw-service';

/** How the library calls what belongs to each of an action's services. */
const PARTS = {
  send_goal: {
    classes: 'SendGoalService',
    sendRequest: 'actionSendGoalRequest',
    sendResponse: 'actionSendGoalResponse',
  },
  cancel_goal: {
    classes: 'CancelGoal',
    sendRequest: 'actionSendCancelRequest',
    sendResponse: 'actionSendCancelResponse',
  },
  get_result: {
    classes: 'GetResultService',
    sendRequest: 'actionSendResultRequest',
    sendResponse: 'actionSendResultResponse',
  },
} as const;

type Part = keyof typeof PARTS;
const ALL_PARTS = Object.keys(PARTS) as Part[];

/** One of the services that an action consists of. */
export interface ActionService {
  /** For example `/fibonacci/_action/send_goal`. */
  rosName: string;
  /** For example `example_interfaces/action/Fibonacci`. */
  action: string;
}

/**
 * The services of actions at one node. The library makes none of them alone, but all of an action together, with
 * subscriptions and publishers of its own, which are left unused: it lets nobody publish the status of goals that it
 * does not look after.
 */
export class RawActions {
  readonly #library: RclLibrary;
  readonly #addon: RclAddon;
  readonly #node: RclNode;
  readonly #clients = new Map<string, { client: ActionClient; users: number }>();
  readonly #servers = new Map<string, ActionServer>();

  constructor(library: RclLibrary, addon: RclAddon, node: RclNode) {
    this.#library = library;
    this.#addon = addon;
    this.#node = node;
  }

  /** Throws when the library cannot. */
  client({ rosName, action }: ActionService): RawClient {
    const [name, part] = partOf(rosName);
    const key = `${name} ${action}`;
    let shared = this.#clients.get(key);
    if (shared === undefined) {
      const raw = this.#classOf(action);
      shared = { client: new ActionClient(this.#library, this.#addon, this.#node, name, raw), users: 0 };
      this.#clients.set(key, shared);
    }
    const used = shared;
    used.users++;
    return {
      isServed: () => used.client.isServed(),
      call: (request, signal) => used.client.call(part, request, signal),
      destroy: () => {
        if (--used.users > 0) return;
        this.#clients.delete(key);
        used.client.destroy();
      },
    };
  }

  /** Throws when the library cannot. The action is served once all its services are. */
  server({ rosName, action }: ActionService, handler: RequestHandler): RawServer {
    const [name, part] = partOf(rosName);
    const key = `${name} ${action}`;
    const server = this.#servers.get(key) ?? new ActionServer(this.#addon, this.#classOf(action));
    server.handlers.set(part, handler);
    try {
      if (server.handlers.size === ALL_PARTS.length) server.open(this.#library, this.#node, name);
    } catch (error) {
      server.handlers.delete(part);
      throw error;
    }
    this.#servers.set(key, server);
    return {
      destroy: () => {
        server.handlers.delete(part);
        if (server.handlers.size === 0) this.#servers.delete(key);
        server.close();
      },
    };
  }

  #classOf(action: string): RawActionClass {
    return rawActionClass(this.#library, this.#library.require(action) as ActionClass);
  }
}

interface Waiting {
  resolve(response: Buffer): void;
  reject(error: unknown): void;
}

class ActionClient {
  readonly #addon: RclAddon;
  readonly #raw: RawActionClass;
  readonly #client: RclActionClient;
  /** By sequence number. */
  readonly #waiting: Record<Part, Map<number, Waiting>> = {
    send_goal: new Map(),
    cancel_goal: new Map(),
    get_result: new Map(),
  };

  constructor(library: RclLibrary, addon: RclAddon, node: RclNode, name: string, raw: RawActionClass) {
    this.#addon = addon;
    this.#raw = raw;
    this.#client = new library.ActionClient(node, raw.action, name, {});
    this.#client.processGoalResponse = (...response) => this.#receive('send_goal', ...response);
    this.#client.processCancelResponse = (...response) => this.#receive('cancel_goal', ...response);
    this.#client.processResultResponse = (...response) => this.#receive('get_result', ...response);
    this.#client.processFeedbackMessage = () => {};
    this.#client.processStatusMessage = () => {};
  }

  isServed(): boolean {
    return this.#client.isActionServerAvailable();
  }

  async call(part: Part, request: Buffer, signal: AbortSignal): Promise<Buffer> {
    const { classes, sendRequest } = PARTS[part];
    const sequence = withMessage(new this.#raw.parts[classes].Request(request), (message) =>
      this.#addon[sendRequest](this.#client.handle, message.serialize()),
    );
    const waiting = this.#waiting[part];
    let abort = () => {};
    try {
      return await new Promise((resolve, reject) => {
        waiting.set(sequence, { resolve, reject });
        abort = () => reject(signal.reason);
        signal.addEventListener('abort', abort);
      });
    } finally {
      signal.removeEventListener('abort', abort);
      waiting.delete(sequence);
    }
  }

  destroy(): void {
    this.#client.destroy();
  }

  #receive(part: Part, sequence: number, response: unknown): void {
    const waiting = this.#waiting[part].get(sequence);
    try {
      waiting?.resolve(contentOf(response));
    } catch (error) {
      waiting?.reject(error);
    }
  }
}

class ActionServer {
  readonly handlers = new Map<Part, RequestHandler>();
  readonly #addon: RclAddon;
  readonly #raw: RawActionClass;
  #server: RclActionServer | undefined;

  constructor(addon: RclAddon, raw: RawActionClass) {
    this.#addon = addon;
    this.#raw = raw;
  }

  open(library: RclLibrary, node: RclNode, name: string): void {
    const server = new library.ActionServer(node, this.#raw.action, name, () => {});
    server.processGoalRequest = (...request) => this.#receive('send_goal', ...request);
    server.processCancelRequest = (...request) => this.#receive('cancel_goal', ...request);
    server.processResultRequest = (...request) => this.#receive('get_result', ...request);
    this.#server = server;
  }

  close(): void {
    this.#server?.destroy();
    this.#server = undefined;
  }

  #receive(part: Part, header: object, request: unknown): void {
    const { classes, sendResponse } = PARTS[part];
    this.handlers.get(part)?.(contentOf(request), (cdr) => {
      const server = this.#server;
      if (server === undefined) return;
      withMessage(new this.#raw.parts[classes].Response(cdr), (response) =>
        this.#addon[sendResponse](server.handle, header, response.serialize()),
      );
    });
  }
}

function partOf(rosName: string): [name: string, part: Part] {
  const [, name = '', part = ''] = /^(.*)\/_action\/(\w+)$/.exec(rosName) ?? [];
  if (!ALL_PARTS.includes(part as Part)) throw new Error(`${rosName} is none of an action's services`);
  return [name, part as Part];
}
