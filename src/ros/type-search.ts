import type { BridgeSubscription, RouteConnection } from './bridge-connection';
import type { RouteSettings } from './bridge-settings';
import type { RoutePlace } from './route-entry';
import { typesInRos } from './route-peers';
import { RouteType } from './route-type';
import type { TypeTable } from './type-table';

export interface TypeSearchParts {
  connection: RouteConnection | undefined;
  typeTable: TypeTable;
  /** Reports a fault in words where it is another than before; returns all of its text. */
  fault(before: string | undefined, reason: string | undefined): string | undefined;
  report(problem: Error): void;
  /** What is known may have changed. */
  changed(): void;
}

/** Looks for the type of a route whose settings leave it open, in ROS and at the broker. */
export class TypeSearch {
  readonly #settings: RouteSettings;
  readonly #place: RoutePlace;
  readonly #parts: TypeSearchParts;
  readonly #type: RouteType;
  #meta: BridgeSubscription | undefined;
  /** Says that others have several types under the name, while they have. */
  #ambiguity: string | undefined;
  /** Says that a message has named another type than others have. */
  #contradiction: string | undefined;

  constructor(settings: RouteSettings, place: RoutePlace, parts: TypeSearchParts) {
    const { kind = 'topic', rosName } = settings;
    this.#settings = settings;
    this.#place = place;
    this.#parts = parts;
    // The table is of topics.
    const fallback = () => (kind === 'topic' ? parts.typeTable.typeOf(rosName) : undefined);
    this.#type = new RouteType(() => typesInRos(settings, place.domain), fallback);
  }

  get ambiguity(): string | undefined {
    return this.#ambiguity;
  }

  /** The type by what is known now; none while nothing tells. */
  look(): string | undefined {
    const { type, ambiguous, contradiction } = this.#type.find();
    const several =
      ambiguous && `it has several types in ROS, of which the route has to name one: ${ambiguous.join(', ')}`;
    const other =
      contradiction && `a message has said that its type is ${contradiction}, which is not its type in ROS`;
    this.#ambiguity = this.#parts.fault(this.#ambiguity, several);
    this.#contradiction = this.#parts.fault(this.#contradiction, other);
    if (this.#type.isTold) this.close();
    return type;
  }

  /** Reads the description of a topic that is stored at the broker, and each that is published, while it matters. */
  followMeta(): void {
    const { kind = 'topic', direction } = this.#settings;
    if (kind !== 'topic' || direction === 'ros-to-mqtt' || this.#type.isTold) return;
    this.#meta = this.#parts.connection?.subscribe(
      this.#place.topics.below('meta'),
      {
        message: ({ payload }) => {
          // Empty: it was removed.
          if (payload.length > 0) this.#hint(() => this.#type.describe(payload));
        },
        result: (error) => {
          if (error !== undefined) this.#parts.report(error);
        },
      },
      { retained: true },
    );
  }

  /** A message says of which type it is. */
  say(type: string): void {
    this.#hint(() => this.#type.say(type));
  }

  close(): void {
    this.#meta?.close();
    this.#meta = undefined;
  }

  /** Takes what may tell the type, from the network. */
  #hint(take: () => void): void {
    try {
      take();
    } catch (error) {
      this.#parts.report(error as Error);
    }
    // What the route subscribes meanwhile would be given the message that the connection is giving out now.
    queueMicrotask(() => this.#parts.changed());
  }
}
