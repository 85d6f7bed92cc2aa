import type { Message, MessageClass, RclLibrary, RefObject, ServiceClass } from './library';

/** The fewest bytes that rclnodejs can read without harm: the encapsulation header. */
export const MIN_CDR_BYTES = 4;

/** A message in the library's hands whose content is CDR for us, not an object of JavaScript. */
export interface RawMessage {
  /** What C filled in; `undefined` where it could not be serialized. */
  readonly cdr: Buffer | undefined;
  /** Frees what C allocated. */
  free(): void;
}

/** A service whose requests and responses are CDR for us. */
export interface RawServiceClass {
  readonly service: ServiceClass;
  readonly Request: new (cdr: Buffer) => RawMessage;
  readonly Response: new (cdr: Buffer) => RawMessage;
}

/**
 * Makes a class of a service's generated class that the library handles like it, but that goes between CDR and the C
 * structures alone. The objects of JavaScript that the library makes otherwise lose and damage values.
 */
export function rawServiceClass(library: RclLibrary, generated: ServiceClass): RawServiceClass {
  const Request = rawMessageClass(library, generated.Request);
  const Response = rawMessageClass(library, generated.Response);
  // The library knows a class by its being a function.
  const service = Object.assign(() => {}, {
    Request: Request as unknown as MessageClass,
    Response: Response as unknown as MessageClass,
    type: () => generated.type(),
  });
  return { service, Request, Response };
}

function rawMessageClass(
  library: RclLibrary,
  Generated: MessageClass,
): new (
  content?: Buffer | RawMessage,
) => RawMessage {
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
        const message = Object.create(Generated.prototype, { serialize: { value: () => filled.ref() } });
        this.#cdr = library.serializeMessage(message, Generated);
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
