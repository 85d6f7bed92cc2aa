import type { GoalState, GoalStatus, RosTime } from './ros-action';

/** The events of a goal that its server's user decides, and the states from which they may come (rcl_action). */
const ENDS = {
  succeeded: ['executing', 'canceling'],
  aborted: ['executing', 'canceling'],
  canceled: ['canceling'],
} as const satisfies Record<string, readonly GoalState[]>;

export type GoalEnd = keyof typeof ENDS;

/** What a goal has its server do. */
export interface ServerGoalParts extends Readonly<{ goalId: string; goal: unknown; stamp: RosTime }> {
  publishFeedback(feedback: unknown): void;
  /** The answer to who asks for the result; throws PayloadError when that is not of its type. */
  encodeResult(state: GoalEnd, result: unknown): Buffer;
  ended(reply: Buffer): void;
}

/** A goal that our server has accepted, as the one who works on it has it. */
export class ServerGoal implements GoalStatus {
  readonly goalId: string;
  readonly stamp: RosTime;
  /** In the JSON form of its type. */
  readonly goal: unknown;
  readonly #parts: ServerGoalParts;
  readonly #cancel = new AbortController();
  #state: GoalState = 'accepted';

  constructor(parts: ServerGoalParts) {
    this.goalId = parts.goalId;
    this.stamp = parts.stamp;
    this.goal = parts.goal;
    this.#parts = parts;
  }

  get state(): GoalState {
    return this.#state;
  }

  get hasEnded(): boolean {
    return this.#state in ENDS;
  }

  /** Aborted when the goal is being canceled; it then ends by what `end` is called with. */
  get canceling(): AbortSignal {
    return this.#cancel.signal;
  }

  /** For the server. */
  begin(): void {
    this.#state = 'executing';
  }

  /** For the server. */
  cancel(): void {
    this.#state = 'canceling';
    this.#cancel.abort();
  }

  /**
   * Tells the clients how far it is, in the JSON form of its type.
   * @throws PayloadError when it is not of its type, an Error when the goal has ended
   */
  feedback(feedback: unknown): void {
    if (this.hasEnded) throw new Error(`goal ${this.goalId} is ${this.#state} already`);
    this.#parts.publishFeedback(feedback);
  }

  /**
   * Ends the goal.
   * @param result in the JSON form of its type
   * @throws PayloadError when it is not of its type, an Error when the goal cannot end so; it then has not ended
   */
  end(state: GoalEnd, result: unknown = {}): void {
    const from: readonly GoalState[] = ENDS[state];
    if (!from.includes(this.#state)) {
      throw new Error(`goal ${this.goalId} is ${this.#state}: it cannot become ${state}`);
    }
    const reply = this.#parts.encodeResult(state, result);
    this.#state = state;
    this.#parts.ended(reply);
  }
}
