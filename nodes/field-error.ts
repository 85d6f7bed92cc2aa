/** A field of a form, or what a flow answers, whose value cannot be used. */
export class FieldError extends Error {
  override readonly name = 'FieldError';
  /** Key of the text that says what was expected, below `errors`. */
  readonly field: string;
  /** As it can be shown. */
  readonly value: string;
  /** What that text names: `value`, and more where it needs more. */
  readonly values: Readonly<Record<string, string | number>>;

  constructor(field: string, value: unknown, more: Readonly<Record<string, string | number>> = {}) {
    const shown = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
    super(`${field}: ${shown}`);
    this.field = field;
    this.value = shown;
    this.values = { value: shown, ...more };
  }
}
