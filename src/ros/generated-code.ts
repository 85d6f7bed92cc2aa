/**
 * JavaScript that is put together at run time. Values never become text: they are constants, which the code names.
 * So only the identifiers that a caller writes into the code must be valid, and those are validated field names.
 */
export class GeneratedCode {
  readonly #constants: unknown[] = [];
  readonly #functions: string[] = [];

  /** Makes a value usable in the code and returns its name there. */
  constant(value: unknown): string {
    this.#constants.push(value);
    return `c${this.#constants.length - 1}`;
  }

  /** Adds a function; it may call those added before. */
  add(source: string): void {
    this.#functions.push(source);
  }

  /** Compiles the code and returns the function with this name. */
  compile(name: string): unknown {
    const names = this.#constants.map((_, index) => `c${index}`);
    const make = new Function(...names, `'use strict';${this.#functions.join('\n')}\nreturn ${name};`);
    return make(...this.#constants);
  }
}
