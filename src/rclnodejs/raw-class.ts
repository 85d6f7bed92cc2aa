import type {
  ActionClass,
  Message,
  MessageClass,
  MessageClasses,
  RclLibrary,
  RefObject,
  ServiceClass,
} from './library';

/** The fewest bytes that rclnodejs can read without harm: the encapsulation header. */
export const MIN_CDR_BYTES = 4;

/** A message in the library's hands whose content is CDR for us, not an object of JavaScript. */
export interface RawMessage {
  /** What C filled in; `undefined` where it could not be serialized. */
  readonly cdr: Buffer | undefined;
  /** Points to the C structure. */
  serialize(): Buffer;
  /** Frees what C allocated. */
  free(): void;
}

export type RawMessageClass = new (content?: Buffer | RawMessage) => RawMessage;

/** The requests and responses of a service, which are CDR for us. */
export interface RawClasses {
  readonly Request: RawMessageClass;
  readonly Response: RawMessageClass;
}

/** A service whose requests and responses are CDR for us. */
export interface RawServiceClass extends RawClasses {
  readonly service: ServiceClass;
}

/** An action whose messages are CDR for us. */
export interface RawActionClass {
  readonly action: ActionClass;
  readonly parts: Readonly<Record<'SendGoalService' | 'CancelGoal' | 'GetResultService', RawClasses>>;
}

// The classes made here are handled by the library like the generated ones, but go between CDR and the C structures
// alone. The objects of JavaScript that the library makes otherwise lose and damage values. The library knows a class by
// its being a function.

export function rawServiceClass(library: RclLibrary, generated: ServiceClass): RawServiceClass {
  const raw = rawClasses(library, generated);
  return { ...raw, service: Object.assign(() => {}, { ...asGenerated(raw), type: () => generated.type() }) };
}

export function rawActionClass(library: RclLibrary, generated: ActionClass): RawActionClass {
  const { impl } = generated;
  const parts = {
    SendGoalService: rawClasses(library, impl.SendGoalService),
    CancelGoal: rawClasses(library, impl.CancelGoal),
    GetResultService: rawClasses(library, impl.GetResultService),
  };
  const action = Object.assign(() => {}, {
    impl: {
      SendGoalService: asGenerated(parts.SendGoalService),
      CancelGoal: asGenerated(parts.CancelGoal),
      GetResultService: asGenerated(parts.GetResultService),
      FeedbackMessage: unreadClass(impl.FeedbackMessage),
      GoalStatusArray: unreadClass(impl.GoalStatusArray),
    },
    type: () => generated.type(),
  });
  return { action, parts };
}

/** The CDR of a message of a class that C has filled in. */
export function serialized(library: RclLibrary, Generated: MessageClass, filled: RefObject): Buffer {
  const message = Object.create(Generated.prototype, { serialize: { value: () => filled.ref() } });
  return library.serializeMessage(message, Generated);
}

function rawClasses(library: RclLibrary, { Request, Response }: MessageClasses): RawClasses {
  return { Request: madeRaw(library, Request), Response: madeRaw(library, Response) };
}

function asGenerated({ Request, Response }: RawClasses): MessageClasses {
  return { Request: Request as unknown as MessageClass, Response: Response as unknown as MessageClass };
}

/** Of messages that are taken and not looked at. */
function unreadClass(Generated: MessageClass): MessageClass {
  return class Unread extends Generated {
    deserialize(): void {}
  };
}

function madeRaw(library: RclLibrary, Generated: MessageClass): RawMessageClass {
  return class Raw implements RawMessage {
    readonly #message: Message;
    #cdr: Buffer | undefined;

    /** Without content it is for C to fill; the library also copies one that it is given back. */
    constructor(content?: Buffer | RawMessage) {
      if (content instanceof Raw) this.#message = content.#message;
      else if (content === undefined) this.#message = new Generated();
      else this.#message = library.deserializeMessage(content as Buffer, Generated);
    }

    static type(): object {
      return Generated.type();
    }

    static destroyRawROS(message: Raw): void {
      Generated.destroyRawROS(message.#message);
    }

    get cdr(): Buffer | undefined {
      return this.#cdr;
    }

    get refObject(): RefObject {
      return this.#message.refObject;
    }

    toRawROS(): Buffer {
      return this.#message.toRawROS();
    }

    serialize(): Buffer {
      return this.#message.refObject.ref();
    }

    /** Called from C, so that it must not throw. */
    deserialize(filled: RefObject): void {
      try {
        this.#cdr = serialized(library, Generated, filled);
      } catch {
        this.#cdr = undefined;
      }
    }

    toPlainObject(): RawMessage {
      return this;
    }

    free(): void {
      Generated.destroyRawROS(this.#message);
    }
  };
}
