import { isIPv6 } from 'node:net';
import { type BrokerSettings, BrokerThread, type BrokerThreadStatus } from '../broker/broker-thread';
import type { ListenerKind } from '../broker/listeners/listener-settings';
import type { BridgeSettings } from '../ros/bridge-settings';
import { BridgeProcess } from './bridge-process';
import type { BrokerLog } from './broker-log';

const SCHEMES: Readonly<Record<ListenerKind, string>> = { tcp: 'mqtt', tls: 'mqtts', ws: 'ws', wss: 'wss' };

/** The broker as a program of its own, which tells in its log what happens. */
export class BrokerProcess {
  readonly #broker: BrokerThread;
  readonly #bridge: BridgeProcess | undefined;
  readonly #log: BrokerLog;
  #stopping = false;

  /** @param bridge of its settings; none without them */
  constructor(settings: BrokerSettings, bridge: BridgeSettings | undefined, log: BrokerLog) {
    this.#broker = new BrokerThread(settings);
    this.#bridge = bridge && new BridgeProcess(bridge, this.#broker, log);
    this.#log = log;
    this.#broker.on('status', (status) => this.#onStatus(status));
    this.#broker.on('event', (event) => log.event(event));
  }

  /**
   * Resolves when it listens, or when it was stopped before.
   * @throws ListenerError, AccessSettingsError, UpstreamSettingsError, RangeError, Error as of `BrokerThread.start`
   * @throws BridgeSettingsError the bridge's settings cannot be used
   */
  async start(): Promise<void> {
    try {
      await this.#broker.start();
      await this.#bridge?.open();
    } catch (error) {
      if (this.#stopping) return;
      await this.#broker.stop();
      throw error;
    }
  }

  /** Tells all clients, and resolves when what is to be kept is kept. */
  async stop(reason: string): Promise<void> {
    this.#stopping = true;
    this.#log.info('stopping', { reason });
    await this.#bridge?.close();
    await this.#broker.stop();
    this.#log.info('stopped');
  }

  /** Reads again what others may have replaced: the TLS files. The log goes on in a new file. */
  async reload(): Promise<void> {
    this.#log.reopen();
    try {
      const listeners = await this.#broker.administration.reloadTls();
      this.#log.info('log file and TLS files opened again', { listeners });
    } catch (error) {
      this.#log.error('TLS files not read again', { reason: (error as Error).message });
    }
  }

  #onStatus({ state, reason, listeners }: BrokerThreadStatus): void {
    if (state === 'restarting') this.#log.error('the broker starts again', { reason });
    for (const { kind, host, port } of listeners) {
      const url = `${SCHEMES[kind]}://${isIPv6(host) ? `[${host}]` : host}:${port}`;
      this.#log.info('listening', { url });
    }
  }
}
