import assert from 'node:assert/strict';
import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020';

/** An OpenAPI document, as far as tests look into it. */
export interface ApiDocument {
  openapi: string;
  paths: Record<string, Record<string, ApiOperation>>;
  components: { schemas: Record<string, object> };
}

export interface ApiOperation {
  operationId: string;
  parameters?: { name: string; in: 'path' | 'query'; schema: object }[];
  requestBody?: { content: { 'application/json': { schema: object } } };
  responses: Record<string, { content?: Record<string, { schema: object }> }>;
}

/** Holds answers to the OpenAPI document that the gateway serves. */
export class ApiContract {
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false });
  readonly #compiled = new Map<string, ValidateFunction>();
  /** Of each path, what matches URLs. */
  readonly #paths: [RegExp, string][];

  constructor(readonly document: ApiDocument) {
    this.#ajv.addSchema(document, 'api');
    this.#paths = Object.keys(document.paths).map((path) => [
      new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
      path,
    ]);
  }

  /** The path of the document that a URL's path is of. */
  pathOf(path: string): string | undefined {
    return this.#paths.find(([pattern]) => pattern.test(path))?.[1];
  }

  /** The check of a schema that stands at these keys of the document. */
  schema(...keys: string[]): ValidateFunction {
    const pointer = keys.map((key) => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1')));
    const reference = `api#/${pointer.join('/')}`;
    const compiled = this.#compiled.get(reference) ?? this.#ajv.compile({ $ref: reference });
    this.#compiled.set(reference, compiled);
    return compiled;
  }

  /** Fails unless the document has this answer to this call. */
  check(method: string, url: string, status: number, contentType: string | undefined, body: unknown): void {
    const path = this.pathOf(url.split('?', 1)[0] as string);
    const operation = path === undefined ? undefined : this.document.paths[path]?.[method.toLowerCase()];
    const what = `${method} ${url.slice(0, 300)} -> ${status}`;
    if (path === undefined || operation === undefined) {
      assert.ok(status >= 400, `${what}: the document has no such call`);
      this.#conforms(this.schema('components', 'schemas', 'Error'), body, what);
      return;
    }
    const response = operation.responses[status];
    assert.ok(response, `${what}: the document has no such answer`);
    if (response.content === undefined) {
      assert.equal(body, undefined, what);
      return;
    }
    const type = Object.keys(response.content)[0] as string;
    assert.equal(contentType?.split(';')[0], type.split(';')[0], what);
    const keys = [
      'paths',
      path,
      method.toLowerCase(),
      'responses',
      String(status),
      'content',
      type,
      'schema',
    ];
    this.#conforms(this.schema(...keys), body, what);
  }

  #conforms(check: ValidateFunction, body: unknown, what: string): void {
    assert.ok(
      check(body),
      `${what}: ${JSON.stringify(check.errors)} in ${JSON.stringify(body)?.slice(0, 500)}`,
    );
  }
}
