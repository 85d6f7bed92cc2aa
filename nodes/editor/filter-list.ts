import { topicFilterFault } from '../../src/topic/topic-filter';
import type { EditorNode } from './editor-api';
import { showFault } from './form-fault';
import { rowsIn, textIn } from './list-row';
import { completeTopics } from './topic-field';

/** Why a list of topic filters is refused, naming the first bad one. */
export function filtersFault(filters: readonly string[]): string | undefined {
  for (const filter of filters) {
    const fault = topicFilterFault(filter);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** The editable list of the topic filters of a node, beyond the first. */
export class FilterList {
  readonly #list: JQuery;
  readonly #node: EditorNode;

  constructor(list: JQuery, node: EditorNode) {
    this.#list = list;
    this.#node = node;
  }

  open(filters: readonly string[]): void {
    this.#list.editableList({
      addButton: this.#node._('mqtt-sub.label.addFilter'),
      removable: true,
      height: 'auto',
      // The list makes an object of each new row, and of each text.
      addItem: (row: JQuery, _index: number, { filter = '' }: { filter?: string }) =>
        this.#addRow(row, filter),
    });
    this.#list.editableList(
      'addItems',
      filters.map((filter) => ({ filter })),
    );
  }

  filters(): string[] {
    return rowsIn(this.#list).map((row) => textIn(row, '.mqttros-sub-filter'));
  }

  #addRow(row: JQuery, filter: string): void {
    const input = $('<input type="text" class="mqttros-sub-filter" style="width: 100%">')
      .attr('aria-label', this.#node._('mqtt-sub.label.topicFilter'))
      .val(filter)
      .appendTo(row);
    completeTopics(input, this.#node);
    const check = () => showFault(input, topicFilterFault(String(input.val())));
    input.on('input change', check);
    check();
  }
}
