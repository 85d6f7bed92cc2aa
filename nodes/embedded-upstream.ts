import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import type { NodeAPI } from 'node-red';
import type { UpstreamRoute } from '../src/broker/upstream/upstream-route';
import type { UpstreamSettings } from '../src/broker/upstream/upstream-settings';
import { FieldError } from './field-error';
import { wholeNumber } from './form-number';
import { formText } from './form-text';
import type { BrokerConfigNode } from './mqtt-broker-config';
import { upstreamRowsOf } from './upstream-rows';

/** The name that the form's upstream has in the broker. */
export const UPSTREAM = 'upstream';

/** What the embedded broker's form says about the broker that it joins; absent in flows of before it existed. */
export interface UpstreamFields {
  /** An mqtt-broker-config, or blank for none. */
  upstream?: string;
  upstreamClientId?: string;
  upstreamRoutes?: unknown;
}

/**
 * The upstream broker of the form, or none.
 * @param id of the node
 * @throws FieldError
 */
export function upstreamsOf(RED: NodeAPI, fields: UpstreamFields, id: string): UpstreamSettings[] {
  if (!fields.upstream) return [];
  const textOf = (field: string, value: unknown): string => {
    const text = formText(value);
    if (text === undefined) throw new FieldError('upstream.text', value, { field });
    return text.trim();
  };
  const broker = RED.nodes.getNode(fields.upstream) as BrokerConfigNode | null;
  if (broker?.type !== 'mqtt-broker-config') throw new FieldError('upstream.missing', fields.upstream);
  const { target, protocolVersion, keepAlive, username, password, tls, ...others } = broker.plainSettings('');
  if (target === 'embedded') throw new FieldError('upstream.embedded', fields.upstream);
  for (const field of ['tlsFiles', 'proxy', 'webSocketHeaders'] as const) {
    if (others[field] !== undefined) throw unusable(field);
  }
  if (target.alternatives !== undefined) throw unusable('alternatives');
  const present = typeof password === 'function' ? password() : password;
  if (typeof present === 'object') throw unusable('passwordFile');
  const routes = upstreamRowsOf(fields.upstreamRoutes).map((row, index): UpstreamRoute => {
    const { direction } = row;
    if (direction !== 'in' && direction !== 'out' && direction !== 'both') {
      throw new FieldError('upstream.direction', direction, { row: index + 1 });
    }
    const qos = wholeNumber(row.qos, 0, 2);
    if (qos === undefined) throw new FieldError('upstream.qos', row.qos, { row: index + 1 });
    return {
      direction,
      filter: textOf('filter', row.filter),
      localPrefix: textOf('prefix here', row.localPrefix),
      remotePrefix: textOf('prefix there', row.remotePrefix),
      qos: qos as UpstreamRoute['qos'],
    };
  });
  return [
    {
      name: UPSTREAM,
      url: target.url,
      protocolVersion,
      clientId: textOf('client id', fields.upstreamClientId) || lastingClientId(RED, id),
      keepAlive,
      ...(username !== undefined && { username }),
      ...(present !== undefined && { password: present }),
      ...(tls !== undefined && { tls }),
      routes,
      start: true,
    },
  ];
}

/** What the broker configuration says of this the link cannot do. */
function unusable(field: string): FieldError {
  return new FieldError('upstream.unusable', field, { field });
}

/** The same after each restart, so that the session goes on, and another one where the flow is copied to another machine. */
function lastingClientId({ settings }: NodeAPI, id: string): string {
  const { get } = settings as { get?: (name: string) => unknown };
  let instance: unknown;
  try {
    instance = get?.('instanceId');
  } catch {
    // Settings that cannot be kept: Node-RED has no identity of its own then.
  }
  const seed = `${String(instance ?? hostname())} ${id}`;
  return `mqtt-ros-${createHash('sha256').update(seed).digest('hex').slice(0, 14)}`;
}
