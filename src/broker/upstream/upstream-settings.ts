import type { ConnectionOptions } from 'node:tls';
import { settingsFault } from '../../client/settings-fault';
import { topicNameFault } from '../../topic/topic-name';
import { routesFault, type UpstreamRoute } from './upstream-route';

/** A broker that this one joins, as its client. Nothing in it is a function: it crosses threads. */
export interface UpstreamSettings {
  /** Tells it from others of the same broker; one topic level. */
  name: string;
  /** `mqtt:`, `mqtts:`, `ws:` or `wss:` URL without credentials. */
  url: string;
  /** 4 is MQTT 3.1.1. */
  protocolVersion: 4 | 5;
  /** Of its own among all brokers that are joined, as it also tells messages that have come round in a ring. */
  clientId: string;
  /** Seconds, 1 to 65535. */
  keepAlive: number;
  username?: string;
  password?: string;
  /** For `mqtts:` and `wss:`. */
  tls?: ConnectionOptions;
  routes: UpstreamRoute[];
  /** Whether it is joined as soon as the broker runs. */
  start: boolean;
}

/** Client identifiers of the broker's own sessions, which no client can have. */
const SESSIONS = '$upstream/';

/** The client identifier of an upstream's session in this broker. */
export const sessionId = (name: string): string => SESSIONS + name;

/** Whether only an upstream can have this client identifier. */
export const isUpstreamSession = (clientId: string): boolean => clientId.startsWith(SESSIONS);

/** Upstream brokers that cannot be joined, and the message says why. */
export class UpstreamSettingsError extends Error {
  override readonly name = 'UpstreamSettingsError';
}

/** @throws UpstreamSettingsError one cannot be used, or two cannot be told apart */
export function checkUpstreams(upstreams: readonly UpstreamSettings[]): void {
  const taken = { name: new Set<string>(), clientId: new Set<string>() };
  for (const upstream of upstreams) {
    const fault = upstreamFault(upstream);
    if (fault !== undefined) throw new UpstreamSettingsError(fault);
    for (const field of ['name', 'clientId'] as const) {
      if (taken[field].has(upstream[field])) {
        throw new UpstreamSettingsError(`two upstreams have the ${field} "${upstream[field]}"`);
      }
      taken[field].add(upstream[field]);
    }
  }
}

/** Says what makes these settings unusable whatever the upstream broker does, or `undefined`. */
export function upstreamFault(settings: UpstreamSettings): string | undefined {
  const { name, url, routes, clientId, keepAlive } = settings;
  if (topicNameFault(name) !== undefined || name.includes('/')) {
    return `upstream name "${name}" is not one topic level`;
  }
  const fault = connectionFault(settings) ?? routesFault(routes);
  return fault === undefined ? undefined : `upstream "${name}": ${fault}`;

  function connectionFault({ protocolVersion, tls }: UpstreamSettings): string | undefined {
    // Without it the end of a link that was cut would go unnoticed.
    if (keepAlive === 0) return 'keep alive is 0, expected whole seconds from 1 to 65535';
    return settingsFault({
      endpoint: { url },
      protocolVersion,
      clientId,
      keepAlive,
      cleanStart: false,
      ...(tls !== undefined && { tls }),
    });
  }
}
