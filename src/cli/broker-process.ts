import { isIPv6 } from 'node:net';
import { type BrokerSettings, BrokerThread, type BrokerThreadStatus } from '../broker/broker-thread';
import type { ListenerKind } from '../broker/listeners/listener-settings';
import type { BrokerStatistics } from '../broker/statistics';
import { BridgeProcess } from './bridge-process';
import type { BrokerLog } from './broker-log';
import { bridgeSettings, servesGateway } from './broker-settings';
import { GatewayProcess } from './gateway-process';
import { RosTopics } from './ros-topics';
import { withoutSlash } from './setting-kind';
import type { Configuration } from './settings';

/** By which callers of the gateway know it. */
const BROKER_ID = 'broker';
const SCHEMES: Readonly<Record<ListenerKind, string>> = { tcp: 'mqtt', tls: 'mqtts', ws: 'ws', wss: 'wss' };

/** The broker as a program of its own, with bridge and gateway, which tells in its log what happens. */
export class BrokerProcess {
  readonly #broker: BrokerThread;
  readonly #bridge: BridgeProcess | undefined;
  readonly #gateway: GatewayProcess | undefined;
  readonly #rosTopics: RosTopics | undefined;
  #statistics: BrokerStatistics | undefined;
  readonly #log: BrokerLog;
  #stopping = false;

  /**
   * @param settings of the broker, of the configuration
   * @throws SettingsError, BridgeSettingsError bridge or gateway cannot be had with the configuration
   */
  constructor(configuration: Configuration, settings: BrokerSettings, version: string, log: BrokerLog) {
    this.#broker = new BrokerThread(settings);
    const broker = this.#broker;
    const bridged = bridgeSettings(configuration);
    const bridge = bridged && new BridgeProcess(bridged, broker, log);
    this.#bridge = bridge;
    const { rosIntegration, rosPrefix, httpEnabled } = configuration.settings;
    if (servesGateway(configuration)) {
      const sources = {
        embeddedBrokers: () => [{ id: BROKER_ID, name: 'broker', broker }],
        bridges: () =>
          bridge === undefined
            ? []
            : [{ id: 'bridge', name: 'bridge', bridge: bridge.handle, at: { embedded: BROKER_ID } }],
      };
      this.#gateway = new GatewayProcess(configuration, { version, sources }, log);
    }
    if (httpEnabled && this.#gateway === undefined) log.warn('gateway API not served: it has no token');
    if (rosIntegration) {
      this.#rosTopics = new RosTopics(
        broker.administration,
        { prefix: withoutSlash(rosPrefix), bridge: bridge?.handle },
        (topic, { domain, node, messageType }) => log.info('ROS topic', { topic, domain, node, messageType }),
      );
    }
    this.#log = log;
    broker.on('statistics', (statistics) => {
      this.#statistics = statistics;
      void this.#rosTopics?.look(statistics.topics);
    });
    broker.on('status', (status) => this.#onStatus(status));
    broker.on('event', (event) => log.event(event));
  }

  /**
   * Resolves when it listens, or when it was stopped before.
   * @throws ListenerError, AccessSettingsError, UpstreamSettingsError, RangeError, Error as of `BrokerThread.start`
   * @throws BridgeSettingsError, GatewayServerError bridge or gateway cannot be opened
   */
  async start(): Promise<void> {
    try {
      await this.#broker.start();
      await this.#bridge?.open();
      await this.#gateway?.open();
    } catch (error) {
      if (this.#stopping) return;
      await this.#end();
      throw error;
    }
    // What was being opened when it was to end.
    if (this.#stopping) await this.#end();
  }

  /** Tells all clients, and resolves when what is to be kept is kept. */
  async stop(reason: string): Promise<void> {
    this.#stopping = true;
    this.#log.info('stopping', { reason });
    await this.#end();
    const {
      clientsAccepted = 0,
      messagesReceived = 0,
      messagesSent = 0,
      dropped = 0,
      topics = 0,
    } = this.#statistics ?? {};
    this.#log.info('stopped', {
      ...{ clientsAccepted, messagesReceived, messagesSent, dropped, topics },
      ...(this.#rosTopics !== undefined && { rosTopics: this.#rosTopics.count }),
    });
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

  async #end(): Promise<void> {
    await this.#gateway?.close();
    await this.#bridge?.close();
    await this.#broker.stop();
  }

  #onStatus({ state, reason, listeners }: BrokerThreadStatus): void {
    if (state === 'restarting') this.#log.error('the broker starts again', { reason });
    for (const { kind, host, port } of listeners) {
      const url = `${SCHEMES[kind]}://${isIPv6(host) ? `[${host}]` : host}:${port}`;
      this.#log.info('listening', { url });
    }
  }
}
