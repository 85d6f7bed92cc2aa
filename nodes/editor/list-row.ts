/** The rows of an editable list, in their order. */
export function rowsIn(list: JQuery): JQuery[] {
  const rows: JQuery[] = [];
  list.editableList('items').each((_index: number, row: HTMLElement) => {
    rows.push($(row));
  });
  return rows;
}

/** What stands in an input or a select of a row, without blanks around it. */
export function textIn(row: JQuery, selector: string): string {
  return String(row.find(selector).val() ?? '').trim();
}

/** Adds a select to a line of a row; `textOf` gives the label of a value. */
export function addSelect<T extends string>(
  line: JQuery,
  className: string,
  label: string,
  values: readonly T[],
  textOf: (value: T) => string,
): JQuery {
  const select = $(`<select class="${className}">`).attr('aria-label', label).appendTo(line);
  for (const value of values) $('<option>').val(value).text(textOf(value)).appendTo(select);
  return select;
}

/** What contains the text that is being typed, for an input that completes it. */
export function completeFrom(known: readonly string[], text: string): { value: string; label: string }[] {
  const wanted = text.trim().toLowerCase();
  return known
    .filter((entry) => entry.toLowerCase().includes(wanted))
    .map((entry) => ({ value: entry, label: entry }));
}
