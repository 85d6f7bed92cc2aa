import type { BridgeSettings, RouteKind, RouteRow } from './bridge-settings';
import { routesOf } from './domain-template';

type Place = Pick<BridgeSettings, 'domains' | 'aliases'>;
type NamedRow = Pick<RouteRow, 'kind' | 'domain' | 'rosName' | 'mqttTopic'>;

/** By what a route is known among those of a bridge. */
export function nameKey(kind: RouteKind = 'topic', domain: number, rosName: string): string {
  return `${kind} ${domain}${rosName}`;
}

/** The keys of what rows name that are of one domain. */
export function namesOfOneDomain(rows: readonly NamedRow[], place: Place): Set<string> {
  const ofOne = rows.filter(({ domain }) => domain !== undefined);
  return new Set(ofOne.flatMap((row) => routesOf(row, place).map(keyOf)));
}

/**
 * The routes that a list of rows stands for, with the index of each one's row. Where a row of one domain names what one
 * of all domains names as well, it is the former's there.
 */
export function listedRoutes<Row extends NamedRow>(
  rows: readonly Row[],
  place: Place,
): Array<{ route: Row & { domain: number }; row: number }> {
  const ofOne = namesOfOneDomain(rows, place);
  return rows.flatMap((row, index) =>
    routesOf(row, place)
      .filter((route) => row.domain !== undefined || !ofOne.has(keyOf(route)))
      .map((route) => ({ route, row: index })),
  );
}

/** A list of rows without those, or those domains of theirs, that a row names. */
export function rowsWithout<Row extends NamedRow>(
  removed: NamedRow,
  rows: readonly Row[],
  place: Place,
): Row[] {
  const names = new Set(routesOf(removed, place).map(keyOf));
  return rows.flatMap((row) => {
    const own = routesOf(row, place);
    const left = own.filter((route) => !names.has(keyOf(route)));
    return left.length === own.length ? [row] : left;
  });
}

function keyOf({ kind, domain, rosName }: NamedRow & { domain: number }): string {
  return nameKey(kind, domain, rosName);
}
