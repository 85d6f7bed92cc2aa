import { EventEmitter } from 'node:events';
import { Duplex } from 'node:stream';
import { MessageChannel, type MessagePort, type Transferable, Worker } from 'node:worker_threads';
import { PortStream } from '../client/port-stream';
import { type AccessSettings, AccessSettingsError, type UserSettings } from './access/access-settings';
import type { Decision, DecisionRequest } from './access/decisions';
import { userOf } from './access/user-list';
import type { BrokerEvent } from './broker-event';
import { type Capabilities, capabilitiesOf } from './capabilities';
import { memoryLimit } from './held-memory';
import { type Limits, limitsOf } from './limits';
import { type ListenerAddress, ListenerError, type ListenerSettings } from './listeners/listener-settings';
import { messagesIn, type PublishedMessage } from './message-batch';
import { IN_PROCESS } from './peer';
import { RemoteAdministration } from './remote-administration';
import type { BrokerStatistics } from './statistics';
import type { FromWorker, StorageSettings, ToWorker, WorkerSettings } from './thread-message';
import { checkUpstreams, type UpstreamSettings } from './upstream/upstream-settings';

/** What a broker listens on, whom it lets in, what it keeps and how much of everything it takes. */
export interface BrokerSettings {
  /** None is fine: clients of the same process need none. */
  listeners: ListenerSettings[];
  /**
   * Lets clients of other machines in without a password; otherwise addresses beyond loopback are listened on only where
   * there is a way to log in.
   */
  allowAnonymousBeyondLoopback?: boolean;
  access?: AccessSettings;
  /** Where retained messages and lasting sessions are kept; without it they end with the broker. */
  storage?: StorageSettings;
  /** Brokers to join. */
  upstreams?: UpstreamSettings[];
  /** What differs from the defaults. */
  limits?: Partial<Limits>;
  /** What differs from all that MQTT has. */
  capabilities?: Partial<Capabilities>;
  /** Topic filter of the messages that become `message` events, whoever publishes them; none without one. */
  watch?: string;
}

/** How a broker fares. */
export interface BrokerThreadStatus {
  state: 'starting' | 'running' | 'restarting' | 'stopped' | 'error';
  /** Why it is restarting or failed. */
  reason?: string;
  /** With the real ports, while it runs. */
  listeners: ListenerAddress[];
}

interface BrokerThreadEvents {
  status: [BrokerThreadStatus];
  /** Once a second while they change. */
  statistics: [BrokerStatistics];
  event: [BrokerEvent];
  /** Something was published that `watch` matches. */
  message: [PublishedMessage];
  /**
   * A client that no list knows waits for `decide`; only where the access settings have a decision timeout. Where nobody
   * listens it is refused.
   */
  decision: [DecisionRequest];
}

const FIRST_RESTART_DELAY = 250;
const LONGEST_RESTART_DELAY = 30_000;
/** A broker that ran this long starts again with the first delay, ms. */
const STABLE_TIME = 60_000;
/**
 * A quarter of Node's default: of what the broker makes next to nothing lives long, so a larger one would only hold
 * memory, and as much as the connections themselves need at 5,000.
 */
const YOUNG_GENERATION_MB = 12;
/** What the broker's code, its caches and the packets being decoded take of the heap besides what is held, at most. */
const BASE_HEAP_MB = 192;
/** What is held, a quarter above its limit at most, with the room that collecting garbage needs. */
const HEAP_PER_HELD = 1.25 * 1.5;
/** How long a stop may take before the thread is ended, ms. */
const STOP_TIMEOUT = 4000;

/**
 * A broker in a worker thread of its own, so that neither flows nor the traffic of its clients delay each other. When the
 * thread dies it is reported and restarted, first at once and then ever later, with what its storage has kept.
 */
export class BrokerThread extends EventEmitter<BrokerThreadEvents> {
  /** Publishes, lists and disconnects without a connection. What waits for an answer fails when the thread ends. */
  readonly administration: RemoteAdministration;
  readonly #settings: BrokerSettings;
  #status: BrokerThreadStatus = { state: 'stopped', listeners: [] };
  #worker: Worker | undefined;
  /** Resolves when the last worker is gone, and its ports with it; absent when it is. */
  #ended: Promise<void> | undefined;
  #listeners: ListenerSettings[];
  #upstreams: UpstreamSettings[];
  /** With what has changed since the settings. */
  #users: UserSettings[];
  #restartDelay = FIRST_RESTART_DELAY;
  #restartTimer: NodeJS.Timeout | undefined;

  constructor(settings: BrokerSettings) {
    super();
    this.#settings = settings;
    this.#listeners = settings.listeners;
    this.#upstreams = settings.upstreams ?? [];
    this.administration = new RemoteAdministration((id, call, transfer) => {
      if (this.#worker === undefined) throw this.#notRunning();
      post(this.#worker, { type: 'request', id, call }, transfer);
    });
    this.#users = settings.access?.users ?? [];
  }

  get status(): BrokerThreadStatus {
    return this.#status;
  }

  /**
   * Resolves when the broker listens.
   * @throws RangeError a limit or a capability is out of its range
   * @throws UpstreamSettingsError an upstream cannot be used
   * @throws ListenerError a listener cannot be opened, and the status is then `error`
   * @throws AccessSettingsError users, rules or tokens cannot be used, likewise
   * @throws Error the storage cannot be opened, likewise; or it was stopped meanwhile
   */
  async start(): Promise<void> {
    if (this.#status.state !== 'stopped' && this.#status.state !== 'error') {
      throw new Error(`broker cannot be started: it is ${this.#status.state}`);
    }
    this.#listeners = this.#settings.listeners;
    this.#restartDelay = FIRST_RESTART_DELAY;
    this.#set({ state: 'starting', listeners: [] });
    // Only then: clients of the same turn get streams to a worker that starts.
    if (this.#ended !== undefined) await this.#ended;
    if (this.status.state !== 'starting') throw stoppedEarly();
    try {
      await this.#launch();
    } catch (error) {
      if (this.status.state === 'starting') {
        this.#set({ state: 'error', reason: messageOf(error), listeners: [] });
      }
      throw error;
    }
  }

  /** Disconnects all clients and resolves when the thread has ended. */
  async stop(): Promise<void> {
    clearTimeout(this.#restartTimer);
    const worker = this.#worker;
    this.#worker = undefined;
    if (this.#status.state !== 'stopped') this.#set({ state: 'stopped', listeners: [] });
    if (worker !== undefined) {
      post(worker, { type: 'stop' });
      const timer = setTimeout(() => void worker.terminate(), STOP_TIMEOUT);
      worker.once('exit', () => clearTimeout(timer));
    }
    await this.#ended;
  }

  /**
   * A new connection from this process. While the broker starts it waits; while it does not run it fails with the
   * reason.
   */
  openStream(peer = IN_PROCESS): Duplex {
    if (this.#worker === undefined) {
      const error = this.#notRunning();
      return new Duplex({ read() {}, write: (_chunk, _encoding, callback) => callback(error) }).destroy(
        error,
      );
    }
    const { port1, port2 } = new MessageChannel();
    this.acceptPort(port2, peer);
    return new PortStream(port1);
  }

  /** A new connection over the other end of this port. While the broker does not run the port is closed. */
  acceptPort(port: MessagePort, peer = IN_PROCESS): void {
    if (this.#worker === undefined) port.close();
    else post(this.#worker, { type: 'accept', port, peer }, [port]);
  }

  /** Answers a `decision` event; without effect when it comes too late. */
  decide(id: number, decision: Decision): void {
    if (this.#worker !== undefined) post(this.#worker, { type: 'decide', id, decision });
  }

  /**
   * Adds or replaces a user, whose connections are then ended (0x98). Lasts as long as this object.
   * @throws AccessSettingsError the user has no name, or the password is not stored as it must be
   */
  setUser(user: UserSettings): void {
    userOf(user);
    this.#users = [...this.#users.filter(({ name }) => name !== user.name), user];
    if (this.#worker !== undefined) post(this.#worker, { type: 'setUser', user });
  }

  /**
   * Removes a user of the settings or of `setUser`, whose connections are then ended (0x87), and says whether there was
   * one. The users of a password file stay.
   */
  removeUser(name: string): boolean {
    const before = this.#users;
    this.#users = before.filter((user) => user.name !== name);
    if (this.#users.length === before.length) return false;
    if (this.#worker !== undefined) post(this.#worker, { type: 'removeUser', name });
    return true;
  }

  #notRunning(): Error {
    const { state, reason } = this.#status;
    return new Error(`embedded broker is ${state}${reason === undefined ? '' : `: ${reason}`}`);
  }

  /**
   * Joins an upstream that is not joined, now and whenever the thread starts again.
   * @throws RangeError there is none of this name
   */
  startUpstream(name: string): void {
    this.#runUpstream(name, true);
  }

  /**
   * Parts from an upstream: what goes there waits until it is started again.
   * @throws RangeError there is none of this name
   */
  stopUpstream(name: string): void {
    this.#runUpstream(name, false);
  }

  #runUpstream(name: string, run: boolean): void {
    if (!this.#upstreams.some((upstream) => upstream.name === name)) {
      throw new RangeError(`there is no upstream "${name}"`);
    }
    this.#upstreams = this.#upstreams.map((one) => (one.name === name ? { ...one, start: run } : one));
    if (this.#worker !== undefined) post(this.#worker, { type: 'upstream', name, run });
  }

  /** Starts a worker and resolves when it listens. */
  #launch(): Promise<void> {
    const worker = this.#newWorker();
    this.#worker = worker;
    this.#ended = new Promise((resolve) => {
      worker.once('exit', () => {
        this.#ended = undefined;
        resolve();
      });
    });
    return new Promise((resolve, reject) => {
      let startedAt: number | undefined;
      let failure: Error | undefined;
      worker.on('message', (message: FromWorker) => {
        switch (message.type) {
          case 'running':
            if (this.#worker !== worker) break;
            startedAt = performance.now();
            // A port that the system chose stays the same over restarts, so that clients find it again.
            this.#listeners = this.#listeners.map((listener, index) => ({
              ...listener,
              port: message.listeners[index]?.port ?? listener.port,
            }));
            this.#set({ state: 'running', listeners: message.listeners });
            resolve();
            break;
          case 'failed':
            failure = startFailure(message);
            break;
          case 'decision':
            if (!this.emit('decision', message.request)) this.decide(message.request.id, { allow: false });
            break;
          case 'statistics':
            this.emit('statistics', message.statistics);
            break;
          case 'events':
            for (const event of message.events) this.emit('event', event);
            break;
          case 'messages':
            for (const published of messagesIn(message.batch)) this.emit('message', published);
            // Only when those who listen have had their turn: so a flow that falls behind holds the next ones back.
            setImmediate(() => post(worker, { type: 'taken' }));
            break;
          case 'answer':
            if ('fault' in message) this.administration.answered(message.id, message.fault, undefined);
            else this.administration.answered(message.id, undefined, message.answer);
            break;
        }
      });
      worker.on('error', (error) => {
        failure = new Error(messageOf(error));
      });
      worker.on('exit', (code) => {
        if (this.#worker !== worker) {
          this.administration.fail('the broker was stopped');
          // Without effect when it had run.
          reject(stoppedEarly());
          return;
        }
        const error = failure ?? new Error(`broker thread ended with code ${code}`);
        const reason = error.message;
        this.administration.fail(reason);
        this.#worker = undefined;
        if (startedAt === undefined) {
          reject(error);
        } else {
          if (performance.now() - startedAt > STABLE_TIME) this.#restartDelay = FIRST_RESTART_DELAY;
          this.#restartLater(reason);
        }
      });
    });
  }

  #newWorker(): Worker {
    checkUpstreams(this.#upstreams);
    const workerData: WorkerSettings = {
      listeners: this.#listeners,
      allowAnonymousBeyondLoopback: this.#settings.allowAnonymousBeyondLoopback ?? false,
      access: { ...this.#settings.access, users: this.#users },
      limits: limitsOf(this.#settings.limits ?? {}),
      capabilities: capabilitiesOf(this.#settings.capabilities ?? {}),
      watch: this.#settings.watch,
      storage: this.#settings.storage,
      upstreams: this.#upstreams,
    };
    return new Worker(require.resolve('./broker-worker'), {
      workerData,
      resourceLimits: {
        maxYoungGenerationSizeMb: YOUNG_GENERATION_MB,
        maxOldGenerationSizeMb: heapMegabytes(workerData),
      },
    });
  }

  #restartLater(reason: string): void {
    this.#set({ state: 'restarting', reason, listeners: [] });
    this.#restartTimer = setTimeout(() => {
      this.#launch().catch((error: unknown) => {
        if (this.#status.state === 'restarting') this.#restartLater(messageOf(error));
      });
    }, this.#restartDelay);
    this.#restartDelay = Math.min(this.#restartDelay * 2, LONGEST_RESTART_DELAY);
  }

  #set(status: BrokerThreadStatus): void {
    this.#status = status;
    this.emit('status', status);
  }
}

/** So much heap that no client can exhaust it: also if all that is held were of the heap. */
function heapMegabytes({ limits, storage }: WorkerSettings): number {
  const held = Math.max(memoryLimit(limits.memoryBytes), storage === undefined ? 0 : limits.storedBytes);
  return BASE_HEAP_MB + Math.ceil((HEAP_PER_HELD * held) / (1024 * 1024));
}

/** The error that the worker could not start for, in this thread. */
function startFailure({ reason, fault }: Extract<FromWorker, { type: 'failed' }>): Error {
  if (fault === 'listener') return new ListenerError(reason);
  return fault === 'access' ? new AccessSettingsError(reason) : new Error(reason);
}

function stoppedEarly(): Error {
  return new Error('broker was stopped before it ran');
}

function post(worker: Worker, message: ToWorker, transfer: Transferable[] = []): void {
  worker.postMessage(message, transfer);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
