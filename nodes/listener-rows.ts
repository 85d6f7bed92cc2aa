/** One way in to an embedded broker, as the flow file keeps it; which fields count depends on the kind. */
export interface ListenerRow {
  /** `path`: WebSocket on a path of Node-RED's own server. */
  kind: 'tcp' | 'tls' | 'ws' | 'wss' | 'path';
  host: string;
  port: number | string;
  path: string;
  /** Comma separated. */
  origins: string;
  /** Comma separated. */
  proxies: string;
}

export const NEW_ROW: ListenerRow = {
  kind: 'tcp',
  host: '127.0.0.1',
  port: 1883,
  path: '/mqtt',
  origins: '',
  proxies: '',
};

/** The fields of a form that knew one TCP listener only. */
export interface EarlierFields {
  listen?: boolean;
  host?: string;
  port?: number | string;
}

/** The ways in to a broker, also of one that was saved by the earlier form. */
export function rowsOf(fields: { listeners?: readonly ListenerRow[] } & EarlierFields): ListenerRow[] {
  if (Array.isArray(fields.listeners)) return fields.listeners.map((row) => ({ ...NEW_ROW, ...row }));
  const { listen, host, port } = fields;
  return listen === true ? [{ ...NEW_ROW, host: host ?? NEW_ROW.host, port: port ?? NEW_ROW.port }] : [];
}

/** The entries of a comma-separated list. */
export function entriesOf(list: string): string[] {
  return list
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}
