// A message's C structure is a pointer, a Buffer here, to its content.

export interface Filled {
  toRawROS(): Buffer;
  readonly refObject: { ref(): Buffer };
  deserialize(filled: { ref(): Buffer }): void;
  toPlainObject(): unknown;
}

export const contents = new WeakMap<Buffer, Buffer>();
export const contentOf = (structure: Buffer) => contents.get(structure) as Buffer;

/** As the library takes what it has received. */
export function filled(Class: new () => Filled, content: Buffer): unknown {
  const message = new Class();
  contents.set(message.toRawROS(), content);
  const result = new Class();
  result.deserialize(message.refObject);
  (Class as unknown as { destroyRawROS(message: Filled): void }).destroyRawROS(message);
  return result.toPlainObject();
}

export class Message {
  readonly #structure = Buffer.alloc(1);
  readonly refObject = { ref: () => this.#structure };

  static type(): object {
    return {};
  }

  static destroyRawROS({ refObject }: Message): void {
    if (!contents.delete(refObject.ref())) throw new Error('a structure was freed twice');
  }

  toRawROS(): Buffer {
    contents.set(this.#structure, Buffer.alloc(0));
    return this.#structure;
  }

  serialize(): Buffer {
    throw new Error('a message went through an object of JavaScript');
  }
}

const Service = { Request: Message, Response: Message, type: () => ({}) };
const Action = {
  impl: {
    SendGoalService: Service,
    CancelGoal: Service,
    GetResultService: Service,
    FeedbackMessage: Message,
    GoalStatusArray: Message,
  },
  type: () => ({}),
};

export function classOf(type: string): object {
  if (type.startsWith('acme_')) throw Object.assign(new Error('no such type'), { code: 'MESSAGE_NOT_FOUND' });
  if (type.includes('/srv/')) return Service;
  return type.endsWith('/action/Fibonacci') ? Action : Message;
}
