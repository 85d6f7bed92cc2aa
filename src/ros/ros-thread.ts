import { type MessagePort, Worker } from 'node:worker_threads';
import { BridgeHandle, type BridgeHost } from './bridge-handle';
import type { BridgeSettings } from './bridge-settings';
import { LearnedTypes } from './learned-types';
import type { RosWorkerReport, RosWorkerRequest } from './ros-worker-messages';

/** How long to wait before a crashed worker is started again: doubled each time, in ms. */
const FIRST_RESTART_DELAY = 250;
const LAST_RESTART_DELAY = 30_000;
/**
 * Of the worker's heap, in MB: what messages have outside of it is freed with each collection of the young generation, and
 * where that is rare V8 collects all of the heap instead, for half of the thread's time.
 */
const YOUNG_GENERATION = 3;

export interface CreateBridgeOptions {
  /** Whether samples are wanted as `message` events; default true. */
  flowOutput?: boolean;
  /** Hands a port to the embedded broker, for settings with `target: 'embedded'`; throws when that is impossible. */
  brokerPort?: (port: MessagePort) => void;
  /** The password as it is now, for settings that have it from the owner; throws with the reason why there is none. */
  password?: () => string;
}

/**
 * The main thread's host of the ROS worker, which runs RTPS, CDR, JSON and the bridges' MQTT connections. The worker
 * starts with the first bridge and ends with the last; when it crashes, the bridges are told and are opened again in
 * the next one. What robots have told of their types outlives it, because a deploy closes the bridges before it opens new
 * ones.
 */
export class RosThread {
  static #shared: RosThread | undefined;
  readonly #handles = new Map<number, BridgeHandle>();
  readonly #host: BridgeHost;
  readonly #learned = new LearnedTypes();
  #worker: Worker | undefined;
  #nextKey = 0;
  #restart: NodeJS.Timeout | undefined;
  #restartDelay = FIRST_RESTART_DELAY;
  #startedAt = 0;

  constructor() {
    const running = () => this.#worker !== undefined;
    this.#host = {
      get running() {
        return running();
      },
      post: (request, transfer) => this.#post(request, transfer),
      attach: (handle) => this.#attach(handle),
      detach: (handle) => this.#detach(handle),
    };
  }

  /** The one of this Node-RED runtime. */
  static shared(): RosThread {
    RosThread.#shared ??= new RosThread();
    return RosThread.#shared;
  }

  /** A bridge that is yet to be opened, so that its owner can listen first. */
  createBridge(settings: BridgeSettings, options: CreateBridgeOptions = {}): BridgeHandle {
    const { flowOutput = true, brokerPort, password } = options;
    return new BridgeHandle({ key: this.#nextKey++, settings, flowOutput, brokerPort, password }, this.#host);
  }

  #post(request: RosWorkerRequest, transfer: ArrayBuffer[] = []): void {
    this.#worker?.postMessage(request, transfer);
  }

  #attach(handle: BridgeHandle): void {
    this.#handles.set(handle.key, handle);
    if (this.#worker === undefined && this.#restart === undefined) this.#start();
    if (this.#worker !== undefined) handle.workerStarted();
  }

  async #detach(handle: BridgeHandle): Promise<void> {
    this.#handles.delete(handle.key);
    if (this.#handles.size > 0) return;
    clearTimeout(this.#restart);
    this.#restart = undefined;
    this.#restartDelay = FIRST_RESTART_DELAY;
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }

  #start(): void {
    const workerData = [...this.#learned.values()];
    const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_GENERATION };
    const worker = new Worker(require.resolve('./ros-worker'), { name: 'ros', workerData, resourceLimits });
    let fault: string | undefined;
    worker.on('message', (report: RosWorkerReport) => {
      if (report.type === 'learned') this.#learned.add(report.learned);
      else this.#handles.get(report.bridge)?.receive(report);
    });
    worker.on('error', (error) => {
      fault = error.message;
    });
    worker.on('exit', (code) => {
      // Terminated by us otherwise.
      if (worker === this.#worker) this.#crashed(fault ?? `exit code ${code}`);
    });
    this.#worker = worker;
    this.#startedAt = performance.now();
  }

  #crashed(fault: string): void {
    this.#worker = undefined;
    if (performance.now() - this.#startedAt > LAST_RESTART_DELAY) this.#restartDelay = FIRST_RESTART_DELAY;
    this.#restart = setTimeout(() => {
      this.#restart = undefined;
      this.#start();
      for (const handle of this.#handles.values()) handle.workerStarted();
    }, this.#restartDelay);
    this.#restartDelay = Math.min(this.#restartDelay * 2, LAST_RESTART_DELAY);
    for (const handle of [...this.#handles.values()]) handle.workerEnded(`the ROS worker ended: ${fault}`);
  }
}
