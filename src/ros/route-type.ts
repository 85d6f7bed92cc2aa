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
  #meta: string | undefined;

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
    this.#meta = type;
  }

  /**
   * The type by what is known now; none while nothing tells. What the route has by now stays while others have it too or
   * have none. Where others have several types under the name, which are `ambiguous` then, none is guessed.
   */
  find(present: string | undefined): { type?: string; ambiguous?: string[] } {
    const types = new Set<string>();
    for (const { rosName, type } of this.#domain.endpoints()) if (rosName === this.#rosName) types.add(type);
    const stays = present !== undefined && (types.size !== 1 || types.has(present));
    const [only] = types.size === 1 ? types : [];
    const type =
      this.#said ??
      (stays ? present : only) ??
      (types.size === 0 ? (this.#meta ?? this.#table.typeOf(this.#rosName)) : undefined);
    return { ...(type !== undefined && { type }), ...(types.size > 1 && { ambiguous: [...types].sort() }) };
  }
}

function typeIn(payload: Buffer): unknown {
  try {
    return (JSON.parse(payload.toString()) as { type?: unknown } | null)?.type;
  } catch {
    return undefined;
  }
}
