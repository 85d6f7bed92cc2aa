import {
  joined,
  routeFault,
  routesFault,
  type UpstreamRoute,
} from '../../src/broker/upstream/upstream-route';
import { NEW_UPSTREAM_ROW, type UpstreamRow } from '../upstream-rows';
import type { EditorNode } from './editor-api';
import { showFault } from './form-fault';
import { rowsIn } from './list-row';

const ARROWS: Record<UpstreamRow['direction'], string> = { out: '→', in: '←', both: '⇄' };

/** Why a list of routes is refused. */
export function upstreamRoutesFault(node: EditorNode, rows: readonly UpstreamRow[]): string | undefined {
  if (rows.length === 0) return node._('embedded-broker.fault.noUpstreamRoute');
  return routesFault(rows.map(asRoute));
}

const asRoute = (row: UpstreamRow): UpstreamRoute => ({
  ...row,
  qos: Number(row.qos) as UpstreamRoute['qos'],
});

/** The editable list of what goes to the upstream broker and comes from there; each row shows its topics on both sides. */
export class UpstreamRouteList {
  readonly #list: JQuery;
  readonly #node: EditorNode;

  constructor(list: JQuery, node: EditorNode) {
    this.#list = list;
    this.#node = node;
  }

  open(rows: readonly UpstreamRow[]): void {
    this.#list.editableList({
      addButton: this.#node._('embedded-broker.label.addUpstreamRoute'),
      removable: true,
      sortable: true,
      height: 'auto',
      addItem: (row: JQuery, _index: number, route: Partial<UpstreamRow>) =>
        this.#addRow(row, { ...NEW_UPSTREAM_ROW, ...route }),
    });
    this.#list.editableList('addItems', [...rows]);
  }

  rows(): UpstreamRow[] {
    return rowsIn(this.#list).map((row) => rowOf(row));
  }

  #addRow(row: JQuery, route: UpstreamRow): void {
    const text = (key: string) => this.#node._(`embedded-broker.${key}`);
    const [first, second, third] = [1, 2, 3].map(() =>
      $('<div class="mqttros-embedded-line">').appendTo(row),
    );
    const select = (name: 'direction' | 'qos', values: Record<string, string>) => {
      const made = $(`<select class="mqttros-upstream-${name}">`)
        .attr('aria-label', text(`label.upstream-${name}`))
        .appendTo(first as JQuery);
      for (const [value, label] of Object.entries(values))
        $('<option>').val(value).text(label).appendTo(made);
      made.val(String(route[name]));
    };
    const field = (name: 'filter' | 'localPrefix' | 'remotePrefix', line: JQuery | undefined) =>
      $(`<input type="text" class="mqttros-upstream-${name}">`)
        .attr({
          placeholder: text(`placeholder.upstream-${name}`),
          'aria-label': text(`label.upstream-${name}`),
        })
        .val(route[name])
        .appendTo(line as JQuery);
    select('direction', {
      out: text('direction.out'),
      in: text('direction.in'),
      both: text('direction.both'),
    });
    field('filter', first);
    select('qos', { 0: 'QoS 0', 1: 'QoS 1', 2: 'QoS 2' });
    field('localPrefix', second);
    field('remotePrefix', second);
    $('<span class="mqttros-upstream-topics">').appendTo(third as JQuery);
    row.find('input, select').on('change keyup paste', () => this.#check(row));
    this.#check(row);
  }

  #check(row: JQuery): void {
    const route = rowOf(row);
    const { filter, localPrefix, remotePrefix, direction } = route;
    const fault = routeFault(asRoute(route));
    showFault(row.find('.mqttros-upstream-filter'), fault);
    const topics = `${joined(localPrefix, filter)} ${ARROWS[direction]} ${joined(remotePrefix, filter)}`;
    row.find('.mqttros-upstream-topics').text(fault === undefined ? topics : '');
  }
}

function rowOf(row: JQuery): UpstreamRow {
  const value = (name: string) => String(row.find(`.mqttros-upstream-${name}`).val() ?? '').trim();
  return {
    direction: value('direction') as UpstreamRow['direction'],
    filter: value('filter'),
    localPrefix: value('localPrefix'),
    remotePrefix: value('remotePrefix'),
    qos: value('qos'),
  };
}
