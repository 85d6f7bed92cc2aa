import assert from 'node:assert/strict';
import type { Random } from '../random';
import type { ApiClient } from './api-client';
import type { ApiOperation } from './api-contract';
import { type JsonFaker, loadFaker } from './json-faker';

/** How long a call may take, ms: a connect waits for 20 s at most. */
const PATIENCE = 30_000;

/** What a server reads of a URL. */
const MOST_QUERY = 1000;

const VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  0,
  1.5,
  2 ** 53,
  -(2 ** 31),
  1e308,
  '',
  '0',
  'null',
  '\0',
  '\ud800',
  '#',
  '$share/g/a',
  'ü'.repeat(70_000),
  [],
  [[[[]]]],
  {},
  { __proto__: null },
  { toString: 1 },
];
const IDS: readonly string[] = [
  'ours',
  'x',
  '%00',
  '%ff',
  '..',
  '%2e%2e',
  '__proto__',
  'a%2Fb',
  '%F0%9F%A4%96',
];
const TOPICS: readonly string[] = ['a', 'a/b', '#', '+/b', 'ros/0/chatter', '$SYS/x', 'a/#/b', ''];

/** A call that can be made again. */
interface FuzzedCall {
  method: string;
  url: string;
  body: string | undefined;
  /** Whether the document allows the body; absent where there is none. */
  allowed?: boolean;
}

/**
 * Calls an API as its own document describes it, and nearly so: each answer must be one that the document has for the
 * call, none a fault of the server, and what the document does not allow must be refused. Its hosts are 127.0.0.1.
 */
export class ApiFuzz {
  readonly #api: ApiClient;
  readonly #random: Random;
  readonly #faker: JsonFaker;
  readonly #ids: string[] = [];
  readonly #operations: [method: string, path: string, operation: ApiOperation][];
  /** How many calls were answered with each status. */
  readonly statuses = new Map<number, number>();

  static async create(api: ApiClient, random: Random): Promise<ApiFuzz> {
    return new ApiFuzz(api, random, await loadFaker());
  }

  private constructor(api: ApiClient, random: Random, faker: JsonFaker) {
    this.#faker = faker;
    this.#api = api;
    this.#random = random;
    this.#operations = Object.entries(api.contract.document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]): [string, string, ApiOperation] => [
        method.toUpperCase(),
        path,
        operation,
      ]),
    );
  }

  /** Makes one call. */
  async step(): Promise<void> {
    const call = this.#next();
    const what = `${call.method} ${call.url} ${call.body?.slice(0, 2000)}`;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${PATIENCE} ms: ${what}`)), PATIENCE);
    });
    try {
      const { status, body } = await Promise.race([this.#api.call(call.method, call.url, call.body), late]);
      assert.ok(status < 500, `${status} ${JSON.stringify(body)}: ${what}`);
      if (call.allowed === false) assert.ok(status >= 400, `${status}, which the document forbids: ${what}`);
      this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
      const id = body?.broker_id ?? body?.subscription_id;
      if (status === 201 && typeof id === 'string') this.#ids.push(id);
    } catch (error) {
      (error as Error).message += `\n${what}`;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #next(): FuzzedCall {
    const random = this.#random;
    const [method, path, operation] = random.pick(this.#operations);
    const url = this.#url(path, operation);
    const schema = operation.requestBody?.content['application/json'].schema;
    if (schema === undefined) return { method, url, body: undefined };
    const value = this.#mutated(this.#valid(schema));
    const text = JSON.stringify(value) ?? '';
    const check = this.#api.contract.schema(
      'paths',
      path,
      method.toLowerCase(),
      ...['requestBody', 'content', 'application/json', 'schema'],
    );
    if (random.below(20) > 0) return { method, url, body: text, allowed: check(JSON.parse(text || '{}')) };
    const cut = random.below(text.length);
    return { method, url, body: `${text.slice(0, cut)}${random.pick(['', '"', '}', '\0', '{', '\u00ff'])}` };
  }

  #url(path: string, { parameters = [] }: ApiOperation): string {
    const random = this.#random;
    const filled = path.replaceAll(/\{\w+\}/g, () =>
      random.below(3) === 0 || this.#ids.length === 0 ? random.pick(IDS) : random.pick(this.#ids),
    );
    const query = parameters
      .filter((each) => each.in === 'query' && random.below(2) === 0)
      .map(({ name, schema }) => {
        const value = random.below(4) === 0 ? random.pick(VALUES) : this.#valid(schema);
        const text = typeof value === 'string' ? value : JSON.stringify(value);
        return `${name}=${encodeURIComponent(Buffer.from(text).toString().slice(0, MOST_QUERY))}`;
      });
    if (random.below(30) === 0) query.push(random.pick(['x=1', 'limit=1&limit=2', '%ff', '=', '&&']));
    return query.length === 0 ? filled : `${filled}?${query.join('&')}`;
  }

  /** A value that the schema allows. */
  #valid(schema: object): unknown {
    const value = this.#faker(schema, this.#random.next());
    return this.#tamed(value);
  }

  /** With ids and topics that there are, and hosts that are here. */
  #tamed(value: unknown): unknown {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    const random = this.#random;
    const tamed: Record<string, unknown> = { ...value };
    if ('host' in tamed) tamed.host = '127.0.0.1';
    if ('port' in tamed) tamed.port = 1;
    if ('broker_id' in tamed && random.below(4) > 0) tamed.broker_id = random.pick([...this.#ids, 'ours']);
    if ('topic' in tamed && random.below(4) > 0) tamed.topic = random.pick(TOPICS);
    return tamed;
  }

  /** With up to two changes somewhere in it. */
  #mutated(value: unknown): unknown {
    const random = this.#random;
    let changed = value;
    for (let changes = random.below(3); changes > 0; changes--) changed = this.#change(changed);
    return changed;
  }

  #change(value: unknown): unknown {
    const random = this.#random;
    if (typeof value !== 'object' || value === null || random.below(8) === 0) return random.pick(VALUES);
    if (Array.isArray(value)) return [...value, random.pick(VALUES)];
    const names = Object.keys(value);
    // Names and addresses elsewhere are not for a test.
    const name = names.length === 0 || random.below(5) === 0 ? 'unknown' : random.pick(names);
    if (name === 'host') return value;
    const { [name]: old, ...rest } = value as Record<string, unknown>;
    if (random.below(4) === 0) return rest;
    return { ...rest, [name]: random.below(2) === 0 ? this.#change(old) : random.pick(VALUES) };
  }
}
