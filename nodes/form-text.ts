/**
 * Text from a form; blank where the flow has none, as one of an older version may. `undefined` when something else
 * stands there, as in a flow that was not made by the form.
 */
export function formText(value: unknown): string | undefined {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : undefined;
}
