import { ApiError } from './api-error';
import { type Schema, schemaFault } from './json-schema';
import type { Operation, QuerySchemas } from './operation';

/** A call that there is, with the parts of its path. */
export interface Route {
  operation: Operation;
  path: Record<string, string>;
}

interface Entry {
  parts: readonly string[];
  operation: Operation;
}

/** Finds the operation that a request asks for, and reads its parameters. */
export class Router {
  readonly #entries: readonly Entry[];

  constructor(operations: readonly Operation[]) {
    this.#entries = operations.map((operation) => ({ parts: operation.path.split('/'), operation }));
  }

  /**
   * @param method HEAD asks for what GET does (RFC 9110 section 9.3.2), and Node.js leaves out the body
   * @param path as in the URL, without its query
   * @throws ApiError there is nothing at this path, or not with this method
   */
  find(method: string, path: string): Route {
    const parts = path.split('/').map(decoded);
    const there = this.#entries.filter((entry) => matches(entry, parts));
    const found = there.find(({ operation }) => operation.method === (method === 'HEAD' ? 'GET' : method));
    if (found !== undefined) return { operation: found.operation, path: namedParts(found, parts) };
    if (there.length === 0) throw new ApiError('not_found', 'there is nothing at this path');
    const methods = there.map(({ operation }) => operation.method).join(', ');
    throw new ApiError(
      'method_not_allowed',
      `${method.slice(0, 20)} is not possible here, expected ${methods}`,
    );
  }

  /** The methods that there are at a path. */
  methods(path: string): string[] {
    const parts = path.split('/');
    return this.#entries.filter((entry) => matches(entry, parts)).map(({ operation }) => operation.method);
  }
}

/**
 * The parameters of a query string by their schemas.
 * @throws ApiError one is unknown, stands there twice or is not what its schema says
 */
export function readQuery(query: URLSearchParams, schemas: QuerySchemas = {}): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, text] of query) {
    const schema = Object.hasOwn(schemas, name) ? schemas[name] : undefined;
    if (schema === undefined) {
      const known = Object.keys(schemas).join(', ') || 'none';
      throw new ApiError(
        'invalid_request',
        `there is no parameter "${name.slice(0, 60)}", expected ${known}`,
      );
    }
    if (Object.hasOwn(values, name)) {
      throw new ApiError('invalid_field', `${name} is given twice`, { field: name });
    }
    const value = parameterValue(schema, text);
    checkValue(schema, value, name);
    values[name] = value;
  }
  return values;
}

/** @throws ApiError the value is not what the schema says */
export function checkValue(schema: Schema, value: unknown, field = ''): void {
  const fault = schemaFault(schema, value, field);
  if (fault === undefined) return;
  if (fault.field === '') throw new ApiError('invalid_request', fault.message);
  throw new ApiError('invalid_field', fault.message, { field: fault.field.slice(0, 200) });
}

/** The value that a text in a query or a path stands for; the text itself where it stands for none of the type. */
function parameterValue(schema: Schema, text: string): unknown {
  if (schema.type === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text);
  if (schema.type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

function matches({ parts }: Entry, path: readonly (string | undefined)[]): boolean {
  if (parts.length !== path.length) return false;
  return parts.every((part, index) => part === path[index] || (isName(part) && path[index] !== ''));
}

function namedParts({ parts }: Entry, path: readonly (string | undefined)[]): Record<string, string> {
  const named: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    if (!isName(part)) continue;
    const value = path[index];
    if (value === undefined) throw new ApiError('invalid_request', 'the path is not URL-encoded UTF-8');
    named[part.slice(1, -1)] = value;
  }
  return named;
}

const isName = (part: string): boolean => part.startsWith('{');

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
