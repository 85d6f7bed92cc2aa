import type { BridgeHandle, BridgeState } from '../ros/bridge-handle';
import type { BridgeSettings } from '../ros/bridge-settings';
import { type BridgeBroker, createBridge } from '../ros/create-bridge';
import type { BridgeStatus } from '../ros/ros-worker-messages';
import type { BrokerLog } from './broker-log';

const TOLD_AS_INFO: ReadonlySet<string> = new Set(['node-appeared', 'node-left', 'silence-ended']);

/** The bridge between the command's broker and ROS 2, which tells in the log what happens. */
export class BridgeProcess {
  readonly handle: BridgeHandle;
  readonly #log: BrokerLog;
  #told = '';

  constructor(settings: BridgeSettings, broker: BridgeBroker, log: BrokerLog) {
    this.handle = createBridge(settings, { broker, flowOutput: false });
    this.#log = log;
    this.handle.on('status', (state) => this.#onState(state));
    this.handle.on('event', ({ event, ...facts }) => {
      const level = TOLD_AS_INFO.has(event) ? 'info' : 'warn';
      log[event.startsWith('route-') ? 'debug' : level](`bridge: ${event}`, facts);
    });
    this.handle.on('warning', (reason) => log.warn('bridge: warning', { reason }));
    this.handle.on('problem', ({ message: reason }) => log.error('bridge: problem', { reason }));
  }

  /** @throws BridgeSettingsError the settings cannot be used */
  open(): Promise<void> {
    return this.handle.open();
  }

  /** Resolves when it has left ROS and the broker. */
  close(): Promise<void> {
    return this.handle.close();
  }

  /** Counts change all the time, which is not told here. */
  #onState(state: BridgeState): void {
    const facts = {
      state: state.state,
      ...(state.state === 'restarting' && { reason: state.reason }),
      ...(state.state === 'open' && openFacts(state)),
    };
    const line = JSON.stringify(facts);
    if (line !== this.#told) this.#log.info('bridge', facts);
    this.#told = line;
  }
}

function openFacts({ backend, mqtt, routes }: BridgeStatus) {
  return {
    backend,
    mqtt: mqtt?.state,
    routes: routes.length,
    /** The others are left to other bridges, or have a problem. */
    carried: routes.filter(
      ({ standby = {}, problem }) => problem === undefined && Object.keys(standby).length === 0,
    ).length,
  };
}
