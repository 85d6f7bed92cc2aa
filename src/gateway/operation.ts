import type { ErrorCode } from './api-error';
import type { Schema, ValueOf } from './json-schema';

/** `mqtt-ros.read` or `mqtt-ros.write` where Node-RED asks for permissions. */
export type Permission = 'read' | 'write';

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

/** Query parameters by name; all are optional, and what has another type than text is written as JSON has it. */
export type QuerySchemas = { readonly [name: string]: Schema };

/** One call as it has come, checked. */
export interface Call<Path extends string, Query extends QuerySchemas, Body extends Schema> {
  /** The parts of the path in braces, decoded. */
  path: Record<Path, string>;
  query: { [Name in keyof Query]?: ValueOf<Query[Name]> };
  body: ValueOf<Body>;
}

/** An answer that is no JSON, or JSON that is written already. */
export interface Text {
  contentType: string;
  text: string;
}

type PathNames<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathNames<Rest>
  : never;

interface Definition<Path extends string, Query extends QuerySchemas, Body extends Schema> {
  method: Method;
  /** With names in braces: `/brokers/{broker_id}`. */
  path: Path;
  /** Of the OpenAPI document: unique, and what a generated client calls it. */
  operationId: string;
  summary: string;
  description?: string;
  permission: Permission;
  query?: Query;
  body?: Body;
  answer: { status: 200 | 201 | 204; description: string; schema?: Schema; contentType?: string };
  /** Besides those that any call may have. */
  errors?: readonly ErrorCode[];
  /** @throws ApiError what the caller is told */
  run(call: Call<PathNames<Path>, Query, Body>): unknown;
}

/** One call of the API: what the OpenAPI document says of it, and what does it. */
export type Operation = Omit<Definition<string, QuerySchemas, Schema>, 'run'> & {
  run(call: Call<string, QuerySchemas, Schema>): unknown;
};

/** Defines a call, whose `run` has the types of the schemas. */
export function operation<
  const Path extends string,
  const Query extends QuerySchemas = Record<never, Schema>,
  const Body extends Schema = Schema,
>(definition: Definition<Path, Query, Body>): Operation {
  // What reaches `run` has been checked against these very schemas.
  return definition as unknown as Operation;
}
