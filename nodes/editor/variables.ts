/** Whether a text has variables in it, whose values only the runtime knows. */
export const hasVariables = (value: unknown): boolean => /\$\{[^{}\s]+\}/.test(String(value));

/** A text that Node-RED replaces before a node sees it, also within lists: one that is nothing but a variable. */
export type Variable = `\${${string}}`;

export const isVariable = (value: unknown): value is Variable => /^\$\{[^}]+\}$/.test(String(value));
