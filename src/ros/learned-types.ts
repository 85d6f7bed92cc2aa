import type { MessageDefinition } from './message-definition';

/** A type that a robot has described. */
export interface LearnedType {
  type: string;
  /** `RIHS01_…`, which the definitions have. */
  hash: string;
  /** Of the type and of all that it contains. */
  definitions: MessageDefinition[];
}

/** How many are kept: the one that was learned first goes for a new one, and is asked again when it is needed. */
const MAX_TYPES = 256;
/** Most characters of a type's definitions as JSON, twenty times what the largest common type has; larger ones are not kept. */
const MAX_SIZE = 128 * 1024;

/** The types that robots have described, by their names and hashes, so that no bridge need ask for them again. */
export class LearnedTypes {
  readonly #types: Map<string, LearnedType>;
  readonly #added: (learned: LearnedType) => void;

  /**
   * @param types learned before
   * @param added called with each other type that is kept
   */
  constructor(types: Iterable<LearnedType> = [], added: (learned: LearnedType) => void = () => {}) {
    this.#types = new Map([...types].map((learned) => [keyOf(learned.type, learned.hash), learned]));
    this.#added = added;
  }

  /** Oldest first. */
  values(): Iterable<LearnedType> {
    return this.#types.values();
  }

  get(type: string, hash: string): MessageDefinition[] | undefined {
    return this.#types.get(keyOf(type, hash))?.definitions;
  }

  /** The definitions must have the hash. */
  add(learned: LearnedType): void {
    if (JSON.stringify(learned.definitions).length > MAX_SIZE) return;
    this.#types.set(keyOf(learned.type, learned.hash), learned);
    for (const oldest of this.#types.keys()) {
      if (this.#types.size <= MAX_TYPES) break;
      this.#types.delete(oldest);
    }
    this.#added(learned);
  }
}

function keyOf(type: string, hash: string): string {
  return `${type} ${hash}`;
}
