import type { Direction, RouteKind } from '../../src/ros/bridge-settings';
import { BridgeTopics, LEVEL_OF, mqttTopicFault } from '../../src/ros/bridge-topics';
import { fillIn, placeholderFault, routesOf } from '../../src/ros/domain-template';
import { actionTypeFault, interfaceTypeFault, rosNameFault, serviceTypeFault } from '../../src/ros/names';
import { nameKey, namesOfOneDomain } from '../../src/ros/route-rows';
import type { RosTopicMapping } from '../../src/topic/ros-topic';
import type { TopicOptionRow } from '../topic-options';
import { addCarriage, type Carriage, carriageIn, checkCarriage } from './carriage-fields';
import { type DomainId, optionalDomainFault } from './domain-id';
import { aliasesOf, type Domain, numbersOf } from './domain-list';
import type { EditorNode } from './editor-api';
import { showFault } from './form-fault';
import { COMMON_ACTION_TYPES, COMMON_INTERFACE_TYPES, COMMON_SERVICE_TYPES } from './interface-types';
import { completeFrom, rowsIn, textIn } from './list-row';
import { addTopicOptions, checkTopicOptions, topicOptionsFault, topicOptionsIn } from './topic-options';

/** One row of a bridge's routes, as the flow file keeps it; the options are of a topic. */
export interface Route extends Carriage, TopicOptionRow {
  rosName: string;
  /** Blank: found by itself. */
  type: string;
  /** Absent: by the mapping. */
  mqttTopic?: string;
  /** Of a service, an action or parameters, in seconds; absent or blank: the default. */
  timeout?: string;
  /** Of an action, likewise: how long a goal may take. */
  resultTimeout?: string;
}

const TYPES: Record<RouteKind, readonly string[]> = {
  topic: COMMON_INTERFACE_TYPES,
  service: COMMON_SERVICE_TYPES,
  action: COMMON_ACTION_TYPES,
  parameters: [],
};
const TYPE_FAULTS: Record<RouteKind, (type: string) => string | undefined> = {
  topic: interfaceTypeFault,
  service: serviceTypeFault,
  action: actionTypeFault,
  parameters: () => undefined,
};
const ARROWS: Record<Direction, string> = { 'ros-to-mqtt': '→', 'mqtt-to-ros': '←', both: '⇄' };
/** The fields for them, and their defaults in seconds. */
const TIMEOUTS = { timeout: '5', resultTimeout: '3600' } as const;
/** A day, in seconds. */
const LONGEST_TIMEOUT = 86_400;
const NEW_ROUTE: Route = { rosName: '', type: '', direction: 'both' };

/** Why a list of routes is refused, naming the row. */
export function routesFault(
  node: EditorNode,
  routes: readonly Route[],
  domains: readonly Domain[],
  patterns: readonly unknown[],
  mapping: RosTopicMapping | undefined,
): string | undefined {
  if (routes.length === 0 && patterns.length === 0) return node._('ros-bridge.fault.noRoute');
  const seen = new Set<string>();
  const place = { domains: numbersOf(domains), aliases: aliasesOf(domains) };
  const topics = mapping && new BridgeTopics(mapping, place.domains);
  const ofOneDomain = namesOfOneDomain(
    routes.flatMap(({ domain, ...route }) => (typeof domain === 'number' ? { ...route, domain } : [])),
    place,
  );
  for (const [index, route] of routes.entries()) {
    const reason =
      optionalDomainFault(node, route.domain, domains) ??
      typeFault(route) ??
      timeoutFault(node, route.timeout) ??
      timeoutFault(node, route.resultTimeout) ??
      ((route.kind ?? 'topic') === 'topic' ? topicOptionsFault(route) : undefined) ??
      namesFault(node, route, place, { seen, ofOneDomain }, topics);
    if (reason !== undefined) return node._('ros-bridge.fault.route', { row: index + 1, reason });
  }
  return undefined;
}

/**
 * Why the names are refused that a route has in its domains, in one list with those that were `seen`, and those of rows
 * of one domain, which come before a row of all.
 */
function namesFault(
  node: EditorNode,
  { domain, ...route }: Route,
  place: { domains: number[]; aliases: Record<string, number> },
  { seen, ofOneDomain }: { seen: Set<string>; ofOneDomain: ReadonlySet<string> },
  topics: BridgeTopics | undefined,
): string | undefined {
  // Only the runtime knows its environment.
  if (typeof domain === 'string') return rosNameFault(route.rosName);
  for (const single of routesOf({ ...route, ...(domain !== undefined && { domain }) }, place)) {
    const { rosName, mqttTopic = '' } = single;
    const fault = placeholderFault(rosName) ?? rosNameFault(rosName) ?? placeholderFault(mqttTopic);
    if (fault !== undefined) return fault;
    const name = nameKey(single.kind, single.domain, rosName);
    if (domain === undefined && ofOneDomain.has(name)) continue;
    if (seen.has(name)) return node._('ros-bridge.fault.routeTwice', { rosName });
    seen.add(name);
    try {
      topics?.take(single);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
  return undefined;
}

function typeFault({ kind = 'topic', type }: Route): string | undefined {
  return type === '' ? undefined : TYPE_FAULTS[kind](type);
}

/** Why a time in seconds is refused; blank is the default. */
export function timeoutFault(node: EditorNode, timeout = ''): string | undefined {
  const isValid = timeout === '' || (Number(timeout) > 0 && Number(timeout) <= LONGEST_TIMEOUT);
  return isValid ? undefined : node._('ros-bridge.fault.timeout', { longest: LONGEST_TIMEOUT });
}

type TopicOf = (domain: DomainId | undefined, rosName: string) => string | undefined;

/** The editable list of a bridge's routes; each row shows the topic name it stands for. */
export class RouteList {
  readonly #list: JQuery;
  readonly #node: EditorNode;
  readonly #topicOf: TopicOf;
  readonly #domains: () => readonly Domain[];

  /**
   * @param topicOf answers the topic name, or `undefined` when there is none because something is invalid
   * @param domains those of the form
   */
  constructor(list: JQuery, node: EditorNode, topicOf: TopicOf, domains: () => readonly Domain[]) {
    this.#list = list;
    this.#node = node;
    this.#topicOf = topicOf;
    this.#domains = domains;
  }

  open(routes: readonly Route[]): void {
    this.#list.editableList({
      addButton: this.#node._('ros-bridge.label.addRoute'),
      removable: true,
      sortable: true,
      addItem: (row: JQuery, _index: number, route: Partial<Route>) =>
        // The button adds one without any field.
        this.#addRow(row, route.rosName === undefined ? this.#newRoute() : (route as Route)),
    });
    this.#list.editableList('addItems', [...routes]);
  }

  resize(height: number): void {
    this.#list.editableList('height', height);
  }

  routes(): Route[] {
    return rowsIn(this.#list).map((row) => routeOf(row));
  }

  /** Shows the topic names anew: the prefix or an alias has changed. */
  refresh(): void {
    for (const row of rowsIn(this.#list)) this.#check(row);
  }

  /** In the first domain of the bridge: saved in another, it would add that. */
  #newRoute(): Route {
    return { ...NEW_ROUTE, domain: this.#domains()[0]?.id ?? 0 };
  }

  #addRow(row: JQuery, route: Route): void {
    const text = (key: string) => this.#node._(`ros-bridge.${key}`);
    const first = $('<div class="mqttros-route-line">').appendTo(row);
    const second = $('<div class="mqttros-route-line">').appendTo(row);
    const third = $('<div class="mqttros-route-line">').appendTo(row);
    $('<input type="text" class="mqttros-route-name">')
      .attr({ placeholder: text('placeholder.rosName'), 'aria-label': text('label.rosName') })
      .val(route.rosName)
      .appendTo(first);
    const type = $('<input type="text" class="mqttros-route-type">')
      .attr({ 'aria-label': text('label.type') })
      .val(route.type)
      .appendTo(first);
    addCarriage(second, route, text);
    for (const [name, placeholder] of Object.entries(TIMEOUTS)) {
      const label = $(`<label class="mqttros-route-wait mqttros-route-${name}">`);
      label.text(text(`label.${name}`)).appendTo(second);
      $('<input type="text">')
        .attr({ placeholder })
        .val(route[name as keyof typeof TIMEOUTS] ?? '')
        .appendTo(label);
    }
    $('<span class="mqttros-route-arrow">').appendTo(third);
    $('<input type="text" class="mqttros-route-topic">')
      .attr('aria-label', text('label.mqttTopic'))
      .val(route.mqttTopic ?? '')
      .appendTo(third);
    $('<span class="mqttros-route-level">').appendTo(third);
    addTopicOptions(row, second, route, text);
    type.autoComplete({
      search: (typed: string) => completeFrom(TYPES[routeOf(row).kind ?? 'topic'], typed),
    });
    row.find('input, select').on('change keyup paste', () => this.#check(row));
    this.#check(row);
  }

  #check(row: JQuery): void {
    const route = routeOf(row);
    const place = { domains: numbersOf(this.#domains()), aliases: aliasesOf(this.#domains()) };
    const filled = (text: string) => {
      const domain = route.domain ?? place.domains[0];
      return typeof domain === 'number' ? fillIn(text, domain, place.aliases) : text;
    };
    const rosName = filled(route.rosName);
    showFault(row.find('.mqttros-route-name'), placeholderFault(rosName) ?? rosNameFault(rosName));
    const placeholder = route.kind === 'service' || route.kind === 'action' ? `${route.kind}Type` : 'type';
    row
      .find('.mqttros-route-type')
      .attr('placeholder', this.#node._(`ros-bridge.placeholder.${placeholder}`));
    showFault(row.find('.mqttros-route-type'), typeFault(route));
    checkCarriage(row, this.#node, route.kind === undefined);
    row.find('.mqttros-route-type').toggle(route.kind !== 'parameters');
    checkTopicOptions(row, route.kind === undefined);
    const timeouts = { timeout: route.kind !== undefined, resultTimeout: route.kind === 'action' };
    for (const [name, isUsed] of Object.entries(timeouts)) {
      const label = row.find(`.mqttros-route-${name}`).toggle(isUsed);
      const value = route[name as keyof typeof timeouts];
      showFault(label.find('input'), timeoutFault(this.#node, value));
    }
    const level = LEVEL_OF[route.kind ?? 'topic'];
    row.find('.mqttros-route-arrow').text(ARROWS[route.direction]);
    row.find('.mqttros-route-level').text(level === undefined ? '' : `/@${level}`);
    const { mqttTopic } = route;
    const topic = row.find('.mqttros-route-topic');
    topic.attr('placeholder', this.#topicOf(route.domain, rosName) ?? '');
    const named = mqttTopic === undefined ? undefined : filled(mqttTopic);
    const fault = named && mqttTopicFault(named);
    const words = fault && this.#node._('ros-bridge.fault.mqttTopic', { reason: fault });
    showFault(topic, (named && placeholderFault(named)) ?? words);
  }
}

function routeOf(row: JQuery): Route {
  const value = (selector: string) => textIn(row, selector);
  const { direction, format, ...place } = carriageIn(row);
  const { kind } = place;
  const timeout = value('.mqttros-route-timeout input');
  const resultTimeout = value('.mqttros-route-resultTimeout input');
  const mqttTopic = value('.mqttros-route-topic');
  // The editor takes another order of the fields for a change.
  return {
    ...place,
    rosName: value('.mqttros-route-name'),
    type: kind === 'parameters' ? '' : value('.mqttros-route-type'),
    direction,
    ...(mqttTopic !== '' && { mqttTopic }),
    ...(format !== undefined && { format }),
    ...(kind === undefined && topicOptionsIn(row)),
    ...(kind !== undefined && timeout !== '' && { timeout }),
    ...(kind === 'action' && resultTimeout !== '' && { resultTimeout }),
  };
}
