import { messageTypeFault } from './type-table';

/** Largest `@meta` that is read, in bytes. */
const MAX_META_BYTES = 64 * 1024;

/** What is known of a type now. */
export interface FoundType {
  type?: string;
  /** The several types that others have in ROS. */
  ambiguous?: string[];
  /** What a message has said of its type, where others have another one in ROS. */
  contradiction?: string;
}

/**
 * Finds the type of a route that does not name it: what others have in ROS under that name, and of a topic what a message
 * says of itself (user property `ros-type`), what the stored `@meta` of the route says, and the bridge's type table, in
 * this order. Anybody at the broker may say something; what robots have is what can be carried.
 */
export class RouteType {
  readonly #typesInRos: () => ReadonlySet<string>;
  readonly #fallback: () => string | undefined;
  #said: string | undefined;
  /** What others in ROS had when they last had one type. */
  #discovered: string | undefined;
  #described: string | undefined;
  #found: string | undefined;

  /**
   * @param typesInRos those that others have now
   * @param fallback the type where nothing tells it
   */
  constructor(typesInRos: () => ReadonlySet<string>, fallback: () => string | undefined) {
    this.#typesInRos = typesInRos;
    this.#fallback = fallback;
  }

  /** Takes what a message says of its type. Throws an Error where that is no type. */
  say(type: string): void {
    const fault = messageTypeFault(type);
    if (fault !== undefined) throw new Error(`user property ros-type: ${fault}`);
    this.#said = type;
  }

  /** Takes the route's description, as it is stored at the broker. Throws an Error where that names no type. */
  describe(payload: Buffer): void {
    const type = payload.length <= MAX_META_BYTES ? typeIn(payload) : undefined;
    if (typeof type !== 'string')
      throw new Error('@meta: expected JSON such as {"type":"std_msgs/msg/String"}');
    const fault = messageTypeFault(type);
    if (fault !== undefined) throw new Error(`@meta: ${fault}`);
    this.#described = type;
  }

  /** Whether what `@meta` says does not matter. */
  get isTold(): boolean {
    return this.#said !== undefined || this.#discovered !== undefined;
  }

  /**
   * The type by what is known now; none while nothing tells. Of several that others have under the name a message may
   * say which it is; otherwise what was found before stays, and none is guessed.
   */
  find(): FoundType {
    const types = this.#typesInRos();
    if (types.size === 1) [this.#discovered] = types;
    const said = this.#said;
    const isOneOfThem = said !== undefined && types.has(said);
    if (types.size <= 1) {
      this.#found = this.#discovered ?? said ?? this.#described ?? this.#fallback();
    } else if (isOneOfThem) this.#found = said;
    return {
      ...(this.#found !== undefined && { type: this.#found }),
      ...(types.size > 1 && !isOneOfThem && { ambiguous: [...types].sort() }),
      ...(said !== undefined && types.size > 0 && !isOneOfThem && { contradiction: said }),
    };
  }
}

function typeIn(payload: Buffer): unknown {
  try {
    return (JSON.parse(payload.toString()) as { type?: unknown } | null)?.type;
  } catch {
    return undefined;
  }
}
