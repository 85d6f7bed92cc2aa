import { Multimap } from '../rtps/multimap';
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
  rows: Iterable<NamedRow>,
  place: Place,
  isListed: (route: Row & { domain: number }) => boolean,
): { routes: Array<Row & { domain: number }>; replaced: Array<Row & { domain: number }> } {
  const routes = routesOf(row, place);
  const taken = routes.filter(isListed);
  // Most names are new, and the lists may be long.
  const ofOne = taken.length === 0 ? undefined : namesOfOneDomain([...rows], place);
  const isOfOne = (route: Row & { domain: number }) => ofOne?.has(keyOf(route)) === true;
  if (row.domain !== undefined) return { routes, replaced: taken.filter((route) => !isOfOne(route)) };
  const left = routes.filter((route) => !isOfOne(route));
  return { routes: left.length > 0 ? left : routes, replaced: [] };
}

/** Stands for the names with placeholders, which may be any: no ROS name has it. */
const PLACEHOLDER = '{';

/** The rows of a bridge that routes are added to and removed from, in their order. */
export class RouteRows<Row extends NamedRow> implements Iterable<Row> {
  readonly #place: Place;
  /** By numbers; several stand in the place of one that has lost some of its domains. */
  readonly #rows = new Map<number, readonly Row[]>();
  readonly #numbers = new Multimap<string, number>();
  #next = 0;

  constructor(rows: readonly Row[], place: Place) {
    this.#place = place;
    for (const row of rows) this.add(row);
  }

  *[Symbol.iterator](): Iterator<Row> {
    for (const rows of this.#rows.values()) yield* rows;
  }

  /** Adds one behind the others. */
  add(row: Row): void {
    this.#put(this.#next++, [row]);
  }

  /** Removes the rows, or those domains of theirs, that a row names. */
  remove(named: NamedRow): void {
    const routes = routesOf(named, this.#place);
    const removed = new Set(routes.map(keyOf));
    const names = [PLACEHOLDER, ...routes.map(({ rosName }) => rosName)];
    for (const number of new Set(names.flatMap((name) => [...this.#numbers.get(name)]))) {
      const rows = this.#rows.get(number) as readonly Row[];
      for (const { rosName } of rows) this.#numbers.delete(indexName(rosName), number);
      this.#put(
        number,
        rows.flatMap((row) => this.#without(row, removed)),
      );
    }
  }

  #put(number: number, rows: readonly Row[]): void {
    if (rows.length > 0) this.#rows.set(number, rows);
    else this.#rows.delete(number);
    for (const { rosName } of rows) this.#numbers.add(indexName(rosName), number);
  }

  #without(row: Row, removed: ReadonlySet<string>): readonly Row[] {
    const own = routesOf(row, this.#place);
    const others = own.filter((route) => !removed.has(keyOf(route)));
    return others.length === own.length ? [row] : others;
  }
}

function indexName(rosName: string): string {
  return rosName.includes(PLACEHOLDER) ? PLACEHOLDER : rosName;
}

function keyOf({ kind, domain, rosName }: NamedRow & { domain: number }): string {
  return nameKey(kind, domain, rosName);
}
