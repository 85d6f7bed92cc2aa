import type { RosDomain } from './ros-backend';
import { messageTypeFault, type TypeTable } from './type-table';

/** Largest `@meta` that is read, in bytes. */
const MAX_META_BYTES = 64 * 1024;

/**
 * Finds the type of a topic whose route does not name it: what a message says of itself (user property `ros-type`),
 * what others have in ROS under that name, what the stored `@meta` of the route says, and the bridge's type table, in
 * this order.
 */
export class RouteType {
  readonly #rosName: string;
  readonly #domain: RosDomain;
  readonly #table: TypeTable;
  #said: string | undefined;
  /** What others in ROS had when they last had one type. */
  #discovered: string | undefined;
  #described: string | undefined;
  #found: string | undefined;

  constructor(rosName: string, domain: RosDomain, table: TypeTable) {
    this.#rosName = rosName;
    this.#domain = domain;
    this.#table = table;
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
   * The type by what is known now; none while nothing tells. Where others have several types under the name, which are
   * `ambiguous` then, what was found before stays, and otherwise none is guessed.
   */
  find(): { type?: string; ambiguous?: string[] } {
    const types = new Set<string>();
    for (const { rosName, type } of this.#domain.endpoints()) if (rosName === this.#rosName) types.add(type);
    if (types.size === 1) [this.#discovered] = types;
    if (this.#said !== undefined) this.#found = this.#said;
    else if (types.size <= 1) {
      this.#found = this.#discovered ?? this.#described ?? this.#table.typeOf(this.#rosName);
    }
    return {
      ...(this.#found !== undefined && { type: this.#found }),
      ...(types.size > 1 && { ambiguous: [...types].sort() }),
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
