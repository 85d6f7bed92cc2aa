import { entriesOf, type ListenerRow, NEW_ROW } from '../listener-rows';
import type { EditorNode } from './editor-api';
import { isWholeNumber, showFault } from './form-fault';
import { addSelect, rowsIn, textIn } from './list-row';
import { isVariable } from './variables';

const KINDS: readonly ListenerRow['kind'][] = ['tcp', 'tls', 'ws', 'wss', 'path'];

/** Why a list of listeners is refused, naming the row. */
export function listenersFault(
  node: EditorNode,
  rows: readonly ListenerRow[],
  admitsOthers: (row: ListenerRow) => boolean,
): string | undefined {
  const places = new Set<string>();
  for (const [index, row] of rows.entries()) {
    const place = row.kind === 'path' ? row.path : isVariable(row.port) ? row.port : String(Number(row.port));
    const reason =
      hostFault(node, row, admitsOthers) ??
      portFault(node, row) ??
      pathFault(node, row) ??
      listFault(node, row) ??
      (places.has(place) ? node._('embedded-broker.fault.twice', { place }) : undefined);
    if (reason !== undefined) return node._('embedded-broker.fault.row', { row: index + 1, reason });
    places.add(place);
  }
  return undefined;
}

/** Whether only this machine can reach the listener. */
export function isClosed({ kind, host }: ListenerRow): boolean {
  return kind !== 'path' && /^(127(\.\d{1,3}){3}|::1|localhost)$/.test(host);
}

function hostFault(
  node: EditorNode,
  row: ListenerRow,
  admitsOthers: (row: ListenerRow) => boolean,
): string | undefined {
  if (row.kind === 'path' || isVariable(row.host)) return undefined;
  if (!/^[\w.:-]+$/.test(row.host)) return node._('embedded-broker.fault.host');
  return isClosed(row) || admitsOthers(row) ? undefined : node._('embedded-broker.fault.closed');
}

function portFault(node: EditorNode, { kind, port }: ListenerRow): string | undefined {
  return kind === 'path' || isVariable(port) || isWholeNumber(port, 1, 65535)
    ? undefined
    : node._('embedded-broker.fault.port');
}

function pathFault(node: EditorNode, { kind, path }: ListenerRow): string | undefined {
  return kind !== 'path' || isVariable(path) || /^\/[^\s?#]*$/.test(path)
    ? undefined
    : node._('embedded-broker.fault.path');
}

function listFault(node: EditorNode, { origins, proxies }: ListenerRow): string | undefined {
  if (!isListOf(/^(\*|[a-z][a-z0-9+.-]*:\/\/[^/\s]+)$/i, origins))
    return node._('embedded-broker.fault.origins');
  return isListOf(/^[\da-f.:]+(\/\d{1,3})?$/i, proxies) ? undefined : node._('embedded-broker.fault.proxies');
}

function isListOf(entry: RegExp, list: string): boolean {
  return isVariable(list) || entriesOf(list).every((each) => entry.test(each));
}

/** The editable list of a broker's listeners. */
export class ListenerList {
  readonly #list: JQuery;
  readonly #node: EditorNode;
  readonly #admitsOthers: (row: ListenerRow) => boolean;
  readonly #changed: () => void;

  /** @param admitsOthers whether clients of other machines can get in here at all */
  constructor(
    list: JQuery,
    node: EditorNode,
    admitsOthers: (row: ListenerRow) => boolean,
    changed: () => void,
  ) {
    this.#list = list;
    this.#node = node;
    this.#admitsOthers = admitsOthers;
    this.#changed = changed;
  }

  open(rows: readonly ListenerRow[]): void {
    this.#list.editableList({
      addButton: this.#node._('embedded-broker.label.addListener'),
      removable: true,
      height: 'auto',
      addItem: (row: JQuery, _index: number, listener: Partial<ListenerRow>) =>
        this.#addRow(row, { ...NEW_ROW, ...listener }),
      removeItem: () => this.#changed(),
    });
    this.#list.editableList('addItems', [...rows]);
  }

  rows(): ListenerRow[] {
    return rowsIn(this.#list).map((row) => rowOf(row));
  }

  /** Looks at the rows again: what other machines may do has changed. */
  refresh(): void {
    for (const row of rowsIn(this.#list)) this.#check(row);
  }

  #addRow(row: JQuery, listener: ListenerRow): void {
    const text = (key: string) => this.#node._(`embedded-broker.${key}`);
    const first = $('<div class="mqttros-embedded-line">').appendTo(row);
    const second = $('<div class="mqttros-embedded-line">').appendTo(row);
    addSelect(first, 'mqttros-listener-kind', text('label.kind'), KINDS, (kind) => text(`kind.${kind}`)).val(
      listener.kind,
    );
    const field = (name: 'host' | 'port' | 'path' | 'origins' | 'proxies', line: JQuery) =>
      $(`<input type="text" class="mqttros-listener-${name}">`)
        .attr({ placeholder: text(`placeholder.${name}`), 'aria-label': text(`label.${name}`) })
        .val(listener[name])
        .appendTo(line);
    field('host', first);
    field('port', first);
    field('path', first);
    field('origins', second);
    field('proxies', second);
    row.find('input, select').on('change keyup paste', () => {
      this.#check(row);
      this.#changed();
    });
    this.#check(row);
    this.#changed();
  }

  #check(row: JQuery): void {
    const listener = rowOf(row);
    const { kind } = listener;
    const part = (name: string) => row.find(`.mqttros-listener-${name}`);
    part('host').toggle(kind !== 'path');
    part('port').toggle(kind !== 'path');
    part('path').toggle(kind === 'path');
    part('origins').toggle(kind !== 'tcp' && kind !== 'tls');
    part('proxies').toggle(kind !== 'path');
    const { origins, proxies } = listener;
    showFault(part('host'), hostFault(this.#node, listener, this.#admitsOthers));
    showFault(part('port'), portFault(this.#node, listener));
    showFault(part('path'), pathFault(this.#node, listener));
    showFault(part('origins'), listFault(this.#node, { ...NEW_ROW, origins }));
    showFault(part('proxies'), listFault(this.#node, { ...NEW_ROW, proxies }));
  }
}

function rowOf(row: JQuery): ListenerRow {
  const value = (name: string) => textIn(row, `.mqttros-listener-${name}`);
  return {
    kind: value('kind') as ListenerRow['kind'],
    host: value('host'),
    port: value('port'),
    path: value('path'),
    origins: value('origins'),
    proxies: value('proxies'),
  };
}
