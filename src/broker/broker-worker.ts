import type { Duplex } from 'node:stream';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { PortStream } from '../client/port-stream';
import { AccessControl } from './access/access-control';
import { AccessSettingsError, type UserSettings } from './access/access-settings';
import { Administration } from './administration';
import { Broker } from './broker';
import type { BrokerEvent } from './broker-event';
import { ReasonCode } from './codec/reason-code';
import { Connections } from './connections';
import { EventGroups } from './event-groups';
import { Listener } from './listeners/listener';
import { ListenerError } from './listeners/listener-settings';
import { MessageWatch } from './message-watch';
import type { Peer } from './peer';
import { newStatistics } from './statistics';
import { JournalStore } from './store/journal-store';
import { MemoryStore } from './store/memory-store';
import type { Store } from './store/store';
import type { AdministrationCall, FromWorker, ToWorker, WorkerSettings } from './thread-message';
import { Upstreams } from './upstream/upstreams';

const STATISTICS_INTERVAL = 1000;

/** The broker as it runs in its worker thread. */
class BrokerWorker {
  readonly #parent: MessagePort;
  readonly #settings: WorkerSettings;
  readonly #statistics = newStatistics();
  readonly #store: Store;
  readonly #watch: MessageWatch | undefined;
  readonly #broker: Broker;
  readonly #access: AccessControl;
  readonly #connections: Connections;
  readonly #administration: Administration;
  readonly #upstreams: Upstreams;
  readonly #listeners: Listener[] = [];
  readonly #events = new EventGroups((events) => this.#send({ type: 'events', events }));
  #reportedFault: string | undefined;
  #statisticsTimer: NodeJS.Timeout | undefined;
  #sentStatistics = '';
  #sentAt = performance.now();
  #receivedBefore = 0;

  constructor(parent: MessagePort, settings: WorkerSettings) {
    this.#parent = parent;
    this.#settings = settings;
    const { storage, limits, capabilities, watch, access, allowAnonymousBeyondLoopback } = settings;
    this.#store =
      storage === undefined
        ? new MemoryStore()
        : new JournalStore({ ...storage, maximumBytes: limits.storedBytes });
    if (watch !== undefined) {
      this.#watch = new MessageWatch(watch, (batch) => this.#send({ type: 'messages', batch }, [batch]));
    }
    this.#broker = new Broker(limits, this.#statistics, capabilities, this.#store, this.#watch);
    this.#administration = new Administration(this.#broker, this.#listeners);
    const { clock } = this.#store;
    this.#access = new AccessControl(
      access,
      allowAnonymousBeyondLoopback,
      this.#statistics,
      clock,
      (request) => this.#send({ type: 'decision', request }),
    );
    const report = (event: BrokerEvent) => this.#events.add(event);
    this.#connections = new Connections(this.#broker, this.#access, clock, report);
    this.#upstreams = new Upstreams(settings.upstreams, {
      broker: this.#broker,
      schedule: this.#connections.schedule,
      clock,
      report,
    });
  }

  async start(): Promise<void> {
    await this.#access.open();
    const damage = await this.#store.open(() => this.#onStoreChanged());
    for (const reason of damage) this.#events.add({ type: 'storage', state: 'damaged', reason });
    this.#broker.restore();
    this.#connections.start();
    const { listeners, allowAnonymousBeyondLoopback, limits } = this.#settings;
    const beyondLoopback = allowAnonymousBeyondLoopback || this.#access.checksCredentials;
    const addresses = [];
    for (const settings of listeners) {
      const listener = new Listener(settings, limits, {
        admit: (stream, peer) => this.#connections.admit(stream, peer),
        serve: (stream, peer) => this.#serve(stream, peer),
        refused: (peer, reasonCode, reason) => this.#connections.refused(peer, reasonCode, reason),
        credentialsChanged: (name, failure) =>
          this.#events.add({
            type: 'credentials',
            listener: name,
            ...(failure !== undefined && { failure }),
          }),
      });
      this.#listeners.push(listener);
      addresses.push(await listener.open(beyondLoopback));
    }
    this.#parent.on('message', (message: ToWorker) => {
      switch (message.type) {
        case 'accept':
          this.#accept(new PortStream(message.port, message.peer.outputBytes), message.peer);
          break;
        case 'request':
          void this.#answer(message.id, message.call);
          break;
        case 'upstream':
          this.#upstreams.run(message.name, message.run);
          break;
        case 'decide':
          this.#access.decide(message.id, message.decision);
          break;
        case 'setUser':
          this.#setUser(message.user);
          break;
        case 'removeUser':
          this.#access.removeUser(message.name);
          this.#connections.endUser(message.name, ReasonCode.notAuthorized, 'the user was removed');
          break;
        case 'taken':
          this.#watch?.taken();
          break;
        case 'stop':
          void this.stop();
          break;
      }
    });
    this.#upstreams.start();
    this.#statisticsTimer = setInterval(() => this.#sendStatistics(), STATISTICS_INTERVAL);
    this.#send({ type: 'running', listeners: addresses });
  }

  /** Ends all connections; the thread ends with its last handle. */
  async stop(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    this.#upstreams.stop();
    await this.#connections.stop();
    await this.#store.close();
    clearInterval(this.#statisticsTimer);
    this.#sendStatistics();
    this.#events.flush();
    this.#parent.close();
  }

  async #answer(id: number, { name, argument }: AdministrationCall): Promise<void> {
    try {
      // The type of a call says that its argument is its own.
      const call = this.#administration[name] as (argument: unknown) => Promise<unknown>;
      this.#send({ type: 'answer', id, answer: await call.call(this.#administration, argument) });
    } catch (error) {
      this.#send({ type: 'answer', id, fault: error instanceof Error ? error.message : String(error) });
    }
  }

  #accept(stream: PortStream, peer: Peer): void {
    if (this.#connections.admit(stream, peer)) this.#serve(stream, peer);
  }

  // Behind a proxy on this machine a client may still be of another one.
  #serve(stream: Duplex, peer: Peer): void {
    if (this.#access.mayTry(peer)) {
      this.#connections.serve(stream, peer);
      return;
    }
    stream.destroy();
    this.#connections.refused(peer, ReasonCode.notAuthorized, 'clients of other machines are not allowed');
  }

  #setUser(user: UserSettings): void {
    this.#access.setUser(user);
    // Who is connected has proved less than is asked for now.
    this.#connections.endUser(user.name, ReasonCode.administrativeAction, 'the user was changed');
  }

  #onStoreChanged(): void {
    this.#connections.storeChanged();
    this.#administration.storeChanged();
    const { fault } = this.#store;
    if (fault === this.#reportedFault) return;
    if (fault === undefined || this.#reportedFault === undefined) {
      const state = fault === undefined ? 'recovered' : 'failed';
      this.#events.add({
        type: 'storage',
        state,
        reason: fault ?? 'what is to be kept can be written again',
      });
    }
    this.#reportedFault = fault;
  }

  #sendStatistics(): void {
    const overrun = this.#watch?.takeOverrun();
    if (overrun !== undefined) this.#events.add({ type: 'overrun', ...overrun });
    const statistics = this.#statistics;
    const now = performance.now();
    const received = statistics.messagesReceived - this.#receivedBefore;
    statistics.receivedPerSecond = Math.round((received * 1000) / (now - this.#sentAt));
    this.#receivedBefore = statistics.messagesReceived;
    this.#sentAt = now;
    statistics.upstreams = this.#upstreams.statistics;
    statistics.sessionsAway = this.#broker.away;
    const text = JSON.stringify(statistics);
    if (text === this.#sentStatistics) return;
    this.#sentStatistics = text;
    this.#send({ type: 'statistics', statistics });
  }

  #send(message: FromWorker, transfer: ArrayBuffer[] = []): void {
    this.#parent.postMessage(message, transfer);
  }
}

if (parentPort !== null) {
  const port = parentPort;
  const tell = (error: unknown) => {
    const failed: FromWorker = {
      type: 'failed',
      reason: error instanceof Error ? error.message : String(error),
      ...(error instanceof ListenerError && { fault: 'listener' }),
      ...(error instanceof AccessSettingsError && { fault: 'access' }),
    };
    port.postMessage(failed);
  };
  try {
    const worker = new BrokerWorker(port, workerData as WorkerSettings);
    worker.start().catch((error: unknown) => {
      tell(error);
      void worker.stop();
    });
  } catch (error) {
    tell(error);
    port.close();
  }
}
