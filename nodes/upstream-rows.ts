import type { UpstreamRoute } from '../src/broker/upstream/upstream-route';

/** One route to the upstream broker, as the flow file keeps it. */
export interface UpstreamRow extends Omit<UpstreamRoute, 'qos'> {
  qos: number | string;
}

export const NEW_UPSTREAM_ROW: UpstreamRow = {
  direction: 'out',
  filter: '',
  localPrefix: '',
  remotePrefix: '',
  qos: '1',
};

/** The routes of a form that may have none; one that lacks something has the default. */
export function upstreamRowsOf(rows: unknown): UpstreamRow[] {
  return Array.isArray(rows)
    ? rows.map((row: Partial<UpstreamRow>) => ({ ...NEW_UPSTREAM_ROW, ...row }))
    : [];
}
