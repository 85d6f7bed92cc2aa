/** A field of a form whose value cannot be used. */
export class FieldError extends Error {
  override readonly name = 'FieldError';
  readonly field: string;
  /** As it can be shown. */
  readonly value: string;

  constructor(field: string, value: unknown) {
    const shown = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
    super(`${field}: ${shown}`);
    this.field = field;
    this.value = shown;
  }
}
