import { Gateway, type GatewaySettings } from '../../src/gateway/gateway';
import { GatewayServer } from '../../src/gateway/gateway-server';
import { ApiClient } from './api-client';

/** A gateway on a free port of 127.0.0.1, and a client that holds it to its document. */
export class GatewayFixture {
  private constructor(
    readonly gateway: Gateway,
    readonly server: GatewayServer,
    readonly port: number,
    readonly api: ApiClient,
  ) {}

  static async start(settings: Partial<GatewaySettings> = {}): Promise<GatewayFixture> {
    const gateway = new Gateway({ version: '1.2.3', ...settings });
    const server = new GatewayServer(gateway, { host: '127.0.0.1', port: 0 });
    const { port } = await server.open();
    const token = settings.guard?.token;
    const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    return new GatewayFixture(
      gateway,
      server,
      port,
      await ApiClient.create(`http://127.0.0.1:${port}`, headers),
    );
  }

  stop(): Promise<void> {
    return this.server.close();
  }
}
