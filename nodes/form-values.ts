import type { Node, NodeAPI } from 'node-red';
import { wholeNumber } from './form-number';
import { formText } from './form-text';
import type { NamedText } from './named-texts';
import type { NodeText } from './node-text';

/**
 * Reads the fields of a node's form. What cannot be used is refused by an Error that names the field, the value and
 * what was expected.
 *
 * `${NAME}` within a text stands for a setting of the node's subflow, group or flow, or an environment variable;
 * Node-RED itself replaces only texts that are nothing else.
 */
export class FormValues {
  readonly #RED: NodeAPI;
  readonly #node: Node;
  readonly #text: NodeText;

  constructor(RED: NodeAPI, node: Node, text: NodeText) {
    this.#RED = RED;
    this.#node = node;
    this.#text = text;
  }

  refuse(key: string, values: Record<string, string | number> = {}): never {
    throw new Error(this.#text(`errors.${key}`, values));
  }

  /** A text with its variables replaced; blank where the flow has none. */
  text(field: string, value: unknown): string {
    // A setting of a subflow may be a number, and then is what Node-RED puts in place of the whole text.
    const plain =
      typeof value === 'number' || typeof value === 'boolean'
        ? String(value)
        : (formText(value) ?? this.refuse('text', { field, value: JSON.stringify(value) }));
    return plain.replace(/\$\{([^{}\s]+)\}/g, (_whole, name: string) => this.variable(field, name));
  }

  /** A setting of the node's subflow, group or flow, or an environment variable, as it is now. */
  variable(field: string, name: string): string {
    const value: unknown = this.#RED.util.getSetting(this.#node, name);
    if (value === undefined || value === null) return this.refuse('variable', { field, name });
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  }

  /** A whole number, or `undefined` where the field is blank or absent. */
  number(field: string, value: unknown, min: number, max: number): number | undefined {
    if (value === undefined || value === null || (typeof value === 'string' && value.trim() === '')) {
      return undefined;
    }
    return (
      wholeNumber(value, min, max) ??
      this.refuse('number', {
        field,
        min,
        max,
        value: typeof value === 'object' ? JSON.stringify(value) : String(value),
      })
    );
  }

  /** One of several values; the first where the field is blank or absent. */
  choice<T extends string>(field: string, value: unknown, values: readonly [T, ...T[]]): T {
    if (value === undefined || value === null || value === '') return values[0];
    return (
      values.find((one) => one === String(value)) ??
      this.refuse('choice', { field, values: values.join(', '), value: String(value) })
    );
  }

  /** A list of texts; blank ones are left out. */
  texts(field: string, value: unknown): string[] {
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) return this.refuse('list', { field, value: JSON.stringify(value) });
    return value.map((entry) => this.text(field, entry).trim()).filter((entry) => entry !== '');
  }

  /** Texts by name, several where a name occurs several times; `undefined` where there are none. */
  named(field: string, value: unknown): Record<string, string | string[]> | undefined {
    if (value === undefined || value === null) return undefined;
    if (!Array.isArray(value)) return this.refuse('list', { field, value: JSON.stringify(value) });
    const byName = new Map<string, string[]>();
    for (const row of value as (Partial<NamedText> | null)[]) {
      const name = this.text(field, row?.name);
      if (name === '') continue;
      byName.set(name, [...(byName.get(name) ?? []), this.text(`${field}.${name}`, row?.value)]);
    }
    if (byName.size === 0) return undefined;
    return Object.fromEntries(
      [...byName].map(([name, texts]) => [name, texts.length === 1 ? (texts[0] as string) : texts]),
    );
  }
}
