import { isIPv6 } from 'node:net';
import { Gateway, type GatewaySettings } from '../gateway/gateway';
import { GatewayServer } from '../gateway/gateway-server';
import { RosTopicMapping } from '../topic/ros-topic';
import type { BrokerLog } from './broker-log';
import { withoutSlash } from './setting-kind';
import type { Configuration } from './settings';
import { SettingsError } from './settings-error';

/** The gateway API on a port of its own, over the command's broker and bridge. */
export class GatewayProcess {
  readonly #server: GatewayServer;
  readonly #log: BrokerLog;

  /** @throws SettingsError a broker of the configuration file cannot be used */
  constructor(
    { settings, sections }: Configuration,
    { version, sources }: Required<Pick<GatewaySettings, 'version' | 'sources'>>,
    log: BrokerLog,
  ) {
    const { httpHost: host, httpPort: port, httpToken: token, rosPrefix, rosIntegration } = settings;
    const { brokers = [], ...guard } = sections.gateway ?? {};
    const aliases = sections.bridge?.aliases ?? {};
    let gateway: Gateway;
    try {
      gateway = new Gateway({
        version,
        guard: { ...guard, ...(token !== '' && { token }) },
        sources,
        // The gateway checks them.
        brokers: brokers as unknown as NonNullable<GatewaySettings['brokers']>,
        ...(rosIntegration && { mapping: new RosTopicMapping({ prefix: withoutSlash(rosPrefix), aliases }) }),
      });
    } catch (error) {
      throw new SettingsError(`gateway: ${(error as Error).message}`);
    }
    this.#server = new GatewayServer(gateway, { host, port });
    this.#log = log;
  }

  /** @throws GatewayServerError it is open to other machines without a token, or the address cannot be had */
  async open(): Promise<void> {
    const { host, port } = await this.#server.open();
    this.#log.info('listening', { url: `http://${isIPv6(host) ? `[${host}]` : host}:${port}` });
  }

  close(): Promise<void> {
    return this.#server.close();
  }
}
