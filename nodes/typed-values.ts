import type { Node, NodeAPI, NodeMessage } from 'node-red';
import { fillTopic } from '../src/topic/topic-template';
import type { Fields } from './message-fields';

/** Kinds of values that may have to be waited for: JSONata, and context stores that are not in memory. */
const ASYNCHRONOUS = ['flow', 'global', 'jsonata'];
/** The kind that stands for an empty payload. */
const EMPTY = 'empty';
/** Fields whose text may have placeholders. */
const TOPICS = ['topic', 'responseTopic'];

/** A value that cannot be looked up; the message names the field. */
class TypedValueError extends Error {
  override readonly name = 'TypedValueError';

  /** @param cause of JSONata no Error, but an object with a message */
  constructor(field: string, cause: { message?: string }) {
    super(`${field}: ${cause.message}`);
  }
}

type Expression = ReturnType<NodeAPI['util']['prepareJSONataExpression']>;

interface TypedField {
  name: string;
  value: string;
  type: string;
}

/**
 * The values of fields of which a form says where they are taken from: `<name>` and `<name>Type`, as Node-RED's typed
 * input makes them. A field that is blank, or absent as in a flow of an earlier form, is taken from the message's
 * property of the same name; what is set in the form wins over the message.
 */
export class TypedValues {
  readonly #RED: NodeAPI;
  readonly #node: Node;
  readonly #names: readonly string[];
  readonly #set: TypedField[] = [];
  readonly #synchronous: boolean;
  /** To compile one takes more than ten times as long as to evaluate it. */
  readonly #expressions = new Map<string, Expression>();
  #turn: Promise<void> = Promise.resolve();

  constructor(RED: NodeAPI, node: Node, names: readonly string[], fields: Fields) {
    this.#RED = RED;
    this.#node = node;
    this.#names = names;
    for (const name of names) {
      const [value, type] = [String(fields[name] ?? ''), String(fields[`${name}Type`] ?? 'str')];
      if (value !== '' || type === EMPTY) this.#set.push({ name, value, type });
    }
    this.#synchronous = !this.#set.some(({ type }) => ASYNCHRONOUS.includes(type));
  }

  /**
   * Calls `use` with the values for a message, in the order in which the messages came. Resolves with what it answers.
   * @throws TopicTemplateError a placeholder cannot be filled in
   * @throws TypedValueError a value cannot be looked up
   */
  async with<T>(msg: NodeMessage, use: (values: Fields) => T | Promise<T>): Promise<T> {
    const values: Fields = {};
    for (const name of this.#names) values[name] = (msg as Fields)[name];
    if (this.#synchronous) {
      for (const field of this.#set) values[field.name] = this.#now(field, msg);
      return use(values);
    }
    // One that takes longer to look up must not be overtaken.
    const looked = Promise.all(
      this.#set.map(async (field) => [field.name, await this.#later(field, msg)] as const),
    );
    looked.catch(() => {});
    const turn = this.#turn;
    let done = (): void => {};
    this.#turn = new Promise((resolve) => {
      done = resolve;
    });
    try {
      await turn;
      return use(Object.assign(values, Object.fromEntries(await looked)));
    } finally {
      done();
    }
  }

  #now({ name, value, type }: TypedField, msg: NodeMessage): unknown {
    if (type === EMPTY) return Buffer.alloc(0);
    if (type === 'str') {
      if (!TOPICS.includes(name) || !value.includes('{{')) return value;
      return fillTopic(value, (source, path) => this.#lookUp(name, path, source, msg));
    }
    return this.#lookUp(name, value, type, msg);
  }

  #lookUp(name: string, value: string, type: string, msg: NodeMessage): unknown {
    try {
      return this.#RED.util.evaluateNodeProperty(value, type, this.#node, msg);
    } catch (error) {
      // Nothing is where the path would lead on from.
      if (error instanceof TypeError) return undefined;
      throw new TypedValueError(name, error as Error);
    }
  }

  #later(field: TypedField, msg: NodeMessage): Promise<unknown> | unknown {
    if (!ASYNCHRONOUS.includes(field.type)) return this.#now(field, msg);
    return new Promise((resolve, reject) => {
      const answer = (error: Error | null, value: unknown) => (error ? reject(error) : resolve(value));
      const { util } = this.#RED;
      if (field.type === 'jsonata')
        util.evaluateJSONataExpression(this.#expression(field.value), msg, answer);
      else util.evaluateNodeProperty(field.value, field.type, this.#node, msg, answer);
    }).catch((error) => {
      throw new TypedValueError(field.name, error);
    });
  }

  #expression(source: string): Expression {
    const known = this.#expressions.get(source);
    if (known !== undefined) return known;
    const expression = this.#RED.util.prepareJSONataExpression(source, this.#node);
    this.#expressions.set(source, expression);
    return expression;
  }
}
