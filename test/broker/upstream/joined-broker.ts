import { once } from 'node:events';
import type { BrokerEvent } from '../../../src/broker/broker-event';
import { type BrokerSettings, BrokerThread } from '../../../src/broker/broker-thread';
import type { ProtocolVersion } from '../../../src/broker/codec/packet-type';
import type { UpstreamRoute } from '../../../src/broker/upstream/upstream-route';
import type { UpstreamSettings } from '../../../src/broker/upstream/upstream-settings';
import { MqttPeer } from '../mqtt-peer';

/** A route of everything below `shared`, both ways. */
export const everything: UpstreamRoute = {
  direction: 'both',
  filter: 'shared/#',
  localPrefix: '',
  remotePrefix: '',
  qos: 2,
};

export function upstreamTo(port: number, settings: Partial<UpstreamSettings> = {}): UpstreamSettings {
  const name = settings.name ?? 'cloud';
  return {
    name,
    url: `mqtt://127.0.0.1:${port}`,
    protocolVersion: 5,
    clientId: `site-${name}`,
    keepAlive: 30,
    routes: [everything],
    start: true,
    ...settings,
  };
}

/** A broker in its thread, with a TCP listener. */
export class JoinedBroker {
  readonly thread: BrokerThread;
  readonly events: BrokerEvent[] = [];

  private constructor(settings: Partial<BrokerSettings>) {
    this.thread = new BrokerThread({ listeners: [{ host: '127.0.0.1', port: 0 }], ...settings });
    this.thread.on('event', (event) => this.events.push(event));
  }

  static async start(
    upstreams: UpstreamSettings[] = [],
    settings: Partial<BrokerSettings> = {},
  ): Promise<JoinedBroker> {
    const broker = new JoinedBroker({ upstreams, ...settings });
    await broker.thread.start();
    return broker;
  }

  get port(): number {
    return this.thread.status.listeners[0]?.port ?? 0;
  }

  /** Resolves when an upstream is in this state, now or later. */
  async until(name: string, state: string): Promise<string | undefined> {
    for (;;) {
      const last = this.events.findLast((event) => event.type === 'upstream' && event.name === name);
      if (last?.type === 'upstream' && last.state === state) return last.reason;
      await once(this.thread, 'event');
    }
  }

  async client(version: ProtocolVersion = 5): Promise<MqttPeer> {
    const peer = new MqttPeer(this.thread.openStream(), version);
    await peer.connect();
    return peer;
  }

  stop(): Promise<void> {
    return this.thread.stop();
  }
}
