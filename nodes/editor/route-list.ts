import { interfaceTypeFault, rosNameFault } from '../../src/ros/names';
import { PAYLOAD_FORMATS, type PayloadFormat } from '../../src/ros/payload-format';
import { MAX_DOMAIN } from '../../src/topic/ros-topic';
import type { EditorNode } from './editor-api';
import { isWholeNumber, showFault } from './form-fault';
import { COMMON_INTERFACE_TYPES } from './interface-types';
import { addSelect, rowsIn, textIn } from './list-row';

/** One row of a bridge's routes, as the flow file keeps it. */
export interface Route {
  domain: number;
  rosName: string;
  type: string;
  direction: 'ros-to-mqtt' | 'mqtt-to-ros' | 'both';
  /** Absent: `json`. */
  format?: PayloadFormat;
}

const DIRECTIONS: readonly Route['direction'][] = ['ros-to-mqtt', 'mqtt-to-ros', 'both'];
const ARROWS: Record<Route['direction'], string> = { 'ros-to-mqtt': '→', 'mqtt-to-ros': '←', both: '⇄' };
const NEW_ROUTE: Route = { domain: 0, rosName: '', type: '', direction: 'both' };

/** Why a list of routes is refused, naming the row. */
export function routesFault(
  node: EditorNode,
  routes: readonly Route[],
  domains: readonly { id: number }[],
): string | undefined {
  if (routes.length === 0) return node._('ros-bridge.fault.noRoute');
  const seen = new Set<string>();
  for (const [index, { domain, rosName, type }] of routes.entries()) {
    const name = `${domain}${rosName}`;
    const reason =
      domainFault(node, domain) ??
      rosNameFault(rosName) ??
      interfaceTypeFault(type) ??
      (domains.some(({ id }) => id === domain)
        ? undefined
        : node._('ros-bridge.fault.domainMissing', { domain })) ??
      (seen.has(name) ? node._('ros-bridge.fault.routeTwice', { rosName }) : undefined);
    if (reason !== undefined) return node._('ros-bridge.fault.route', { row: index + 1, reason });
    seen.add(name);
  }
  return undefined;
}

/** Why a domain is refused. */
export function domainFault(node: EditorNode, domain: unknown): string | undefined {
  return isWholeNumber(domain, 0, MAX_DOMAIN) ? undefined : node._('ros-bridge.fault.domain');
}

/** The editable list of a bridge's routes; each row shows the topic name it stands for. */
export class RouteList {
  readonly #list: JQuery;
  readonly #node: EditorNode;
  readonly #topicOf: (domain: number, rosName: string) => string | undefined;

  /** `topicOf` answers the topic name, or `undefined` when there is none because something is invalid. */
  constructor(
    list: JQuery,
    node: EditorNode,
    topicOf: (domain: number, rosName: string) => string | undefined,
  ) {
    this.#list = list;
    this.#node = node;
    this.#topicOf = topicOf;
  }

  open(routes: readonly Route[]): void {
    this.#list.editableList({
      addButton: this.#node._('ros-bridge.label.addRoute'),
      removable: true,
      sortable: true,
      addItem: (row: JQuery, _index: number, route: Partial<Route>) =>
        this.#addRow(row, { ...NEW_ROUTE, ...route }),
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

  #addRow(row: JQuery, route: Route): void {
    const text = (key: string) => this.#node._(`ros-bridge.${key}`);
    const first = $('<div class="mqttros-route-line">').appendTo(row);
    const second = $('<div class="mqttros-route-line">').appendTo(row);
    $('<input type="text" class="mqttros-route-name">')
      .attr({ placeholder: text('placeholder.rosName'), 'aria-label': text('label.rosName') })
      .val(route.rosName)
      .appendTo(first);
    const type = $('<input type="text" class="mqttros-route-type">')
      .attr({ placeholder: text('placeholder.type'), 'aria-label': text('label.type') })
      .val(route.type)
      .appendTo(first);
    addSelect(second, 'mqttros-route-direction', text('label.direction'), DIRECTIONS, (direction) =>
      text(`direction.${direction}`),
    ).val(route.direction);
    addSelect(second, 'mqttros-route-format', text('label.format'), PAYLOAD_FORMATS, (format) =>
      text(`format.${format}`),
    ).val(route.format ?? 'json');
    const domain = $('<label class="mqttros-route-domain">').text(text('label.domain')).appendTo(second);
    $('<input type="text">').val(route.domain).appendTo(domain);
    $('<span class="mqttros-route-topic">').appendTo(second);
    type.autoComplete({ search: matchingTypes });
    row.find('input, select').on('change keyup paste', () => this.#check(row));
    this.#check(row);
  }

  #check(row: JQuery): void {
    const route = routeOf(row);
    showFault(row.find('.mqttros-route-name'), rosNameFault(route.rosName));
    showFault(row.find('.mqttros-route-type'), interfaceTypeFault(route.type));
    showFault(
      row.find('.mqttros-route-domain input'),
      domainFault(this.#node, row.find('.mqttros-route-domain input').val()),
    );
    const topic = this.#topicOf(route.domain, route.rosName);
    row
      .find('.mqttros-route-topic')
      .text(topic === undefined ? '' : `${ARROWS[route.direction]} ${topic}`)
      .attr('title', topic ?? '');
  }
}

function routeOf(row: JQuery): Route {
  const value = (selector: string) => textIn(row, selector);
  const domain = value('.mqttros-route-domain input');
  const format = value('.mqttros-route-format') as PayloadFormat;
  return {
    // What is no number stays NaN, which no check accepts and the flow file keeps as null.
    domain: domain === '' ? Number.NaN : Number(domain),
    rosName: value('.mqttros-route-name'),
    type: value('.mqttros-route-type'),
    direction: value('.mqttros-route-direction') as Route['direction'],
    ...(format !== 'json' && { format }),
  };
}

function matchingTypes(text: string): { value: string; label: string }[] {
  const wanted = text.trim().toLowerCase();
  return COMMON_INTERFACE_TYPES.filter((type) => type.toLowerCase().includes(wanted)).map((type) => ({
    value: type,
    label: type,
  }));
}
