import { type TypeTableRow, typeTableFault } from '../../src/ros/type-table';
import type { EditorNode } from './editor-api';
import { showFault } from './form-fault';
import { COMMON_INTERFACE_TYPES } from './interface-types';
import { completeFrom, rowsIn, textIn } from './list-row';

/** Why a type table is refused, naming the row. */
export function typesFault(node: EditorNode, table: readonly TypeTableRow[]): string | undefined {
  for (const [index, row] of table.entries()) {
    const reason = typeTableFault(row, table.slice(0, index));
    if (reason !== undefined) return node._('ros-bridge.fault.typeRow', { row: index + 1, reason });
  }
  return undefined;
}

/** The editable list of the types that topics of certain names have. */
export class TypeTableList {
  readonly #list: JQuery;
  readonly #node: EditorNode;

  constructor(list: JQuery, node: EditorNode) {
    this.#list = list;
    this.#node = node;
  }

  open(table: readonly TypeTableRow[]): void {
    this.#list.editableList({
      addButton: this.#node._('ros-bridge.label.addType'),
      removable: true,
      height: 'auto',
      addItem: (row: JQuery, _index: number, { name = '', type = '' }: Partial<TypeTableRow>) =>
        this.#addRow(row, { name, type }),
    });
    this.#list.editableList('addItems', [...table]);
  }

  table(): TypeTableRow[] {
    return rowsIn(this.#list).map((row) => rowOf(row));
  }

  #addRow(row: JQuery, { name, type }: TypeTableRow): void {
    const text = (key: string) => this.#node._(`ros-bridge.${key}`);
    const line = $('<div class="mqttros-route-line">').appendTo(row);
    $('<input type="text" class="mqttros-route-name">')
      .attr({ placeholder: text('placeholder.typeName'), 'aria-label': text('label.typeName') })
      .val(name)
      .appendTo(line);
    $('<input type="text" class="mqttros-route-type">')
      .attr({ placeholder: text('placeholder.messageType'), 'aria-label': text('label.type') })
      .val(type)
      .appendTo(line)
      .autoComplete({ search: (typed: string) => completeFrom(COMMON_INTERFACE_TYPES, typed) });
    row.find('input').on('change keyup paste', () => this.#check(row));
    this.#check(row);
  }

  #check(row: JQuery): void {
    const { name, type } = rowOf(row);
    showFault(row.find('.mqttros-route-name'), typeTableFault({ name, type: 'std_msgs/msg/String' }, []));
    showFault(row.find('.mqttros-route-type'), typeTableFault({ name: 'any', type }, []));
  }
}

function rowOf(row: JQuery): TypeTableRow {
  return { name: textIn(row, '.mqttros-route-name'), type: textIn(row, '.mqttros-route-type') };
}
