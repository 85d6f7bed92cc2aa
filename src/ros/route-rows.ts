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

/**
 * The routes that one more row stands for behind a list, as `listedRoutes` has them, and those among them whose names
 * the routes of rows of all domains have had. Where other rows have all its names, these are what is in the way.
 * @param isListed whether a route of that name is listed
 */
export function addedRoutes<Row extends NamedRow>(
  row: Row,
  rows: readonly NamedRow[],
  place: Place,
  isListed: (route: Row & { domain: number }) => boolean,
): { routes: Array<Row & { domain: number }>; replaced: Array<Row & { domain: number }> } {
  const routes = routesOf(row, place);
  const taken = routes.filter(isListed);
  // Most names are new, and the lists may be long.
  const ofOne = taken.length === 0 ? undefined : namesOfOneDomain(rows, place);
  const isOfOne = (route: Row & { domain: number }) => ofOne?.has(keyOf(route)) === true;
  if (row.domain !== undefined) return { routes, replaced: taken.filter((route) => !isOfOne(route)) };
  const left = routes.filter((route) => !isOfOne(route));
  return { routes: left.length > 0 ? left : routes, replaced: [] };
}

/** A list of rows without those, or those domains of theirs, that a row names. */
export function rowsWithout<Row extends NamedRow>(
  removed: NamedRow,
  rows: readonly Row[],
  place: Place,
): Row[] {
  const routes = routesOf(removed, place);
  const names = new Set(routes.map(keyOf));
  const rosNames = new Set(routes.map(({ rosName }) => rosName));
  const left: Row[] = [];
  for (const row of rows) {
    // The list may be long, and most rows have other names.
    if (!rosNames.has(row.rosName) && !row.rosName.includes('{')) {
      left.push(row);
      continue;
    }
    const own = routesOf(row, place);
    const others = own.filter((route) => !names.has(keyOf(route)));
    left.push(...(others.length === own.length ? [row] : others));
  }
  return left;
}

function keyOf({ kind, domain, rosName }: NamedRow & { domain: number }): string {
  return nameKey(kind, domain, rosName);
}
