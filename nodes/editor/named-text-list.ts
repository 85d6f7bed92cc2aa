import type { NamedText } from '../named-texts';
import { rowsIn, textIn } from './list-row';

/** What the parts of a list are called. */
export interface NamedTextLabels {
  add: string;
  name: string;
  value: string;
}

/** The editable list of texts with names, such as user properties. */
export class NamedTextList {
  readonly #list: JQuery;

  constructor(list: JQuery, { add, name, value }: NamedTextLabels) {
    this.#list = list;
    list.editableList({
      addButton: add,
      removable: true,
      sortable: true,
      height: 'auto',
      addItem: (row: JQuery, _index: number, text: Partial<NamedText>) => {
        const line = $('<div class="mqttros-broker-line">').appendTo(row);
        for (const [field, label] of [
          ['name', name],
          ['value', value],
        ] as const) {
          $(`<input type="text" class="mqttros-named-${field}">`)
            .attr({ placeholder: label, 'aria-label': label })
            .val(text[field] ?? '')
            .appendTo(line);
        }
      },
    });
  }

  show(rows: readonly NamedText[] | undefined): void {
    this.#list.editableList('empty');
    this.#list.editableList('addItems', [...(rows ?? [])]);
  }

  /** Those that have a name. */
  rows(): NamedText[] {
    return rowsIn(this.#list)
      .map((row) => ({
        name: textIn(row, '.mqttros-named-name'),
        value: String(row.find('.mqttros-named-value').val() ?? ''),
      }))
      .filter(({ name }) => name !== '');
  }
}
