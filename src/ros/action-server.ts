import { goalIdIn, NO_GOAL, uuidMessage } from './goal-id';
import type { InterfaceLibrary } from './interface-library';
import {
  ActionInterface,
  CANCEL_ANSWERS,
  type CancelAnswer,
  FEEDBACK_QOS,
  GOAL_STATES,
  type GoalInfo,
  goalInfoIn,
  type RosTime,
  STATUS_QOS,
} from './ros-action';
import type { RosDomain, RosPublisher, RosQos, RosServiceServer } from './ros-backend';
import { ServerGoal } from './server-goal';

/** Goals that are accepted, or asked about, at the same time; further ones are rejected. */
const MAX_GOALS = 100;
/** Results that are kept for who asks late: for 15 minutes, as rcl_action did up to Iron, and the newest of these. */
const RESULT_TIMEOUT = 15 * 60 * 1000;
const MAX_RESULTS = 100;
const MAX_RESULT_BYTES = 16 * 1024 * 1024;
/** Requests for the result of one goal that wait for its end; the oldest gets no reply, its client has mostly gone. */
const MAX_WAITING = 20;

/** Who decides about the goals of an action and works on them. */
export interface ActionServerHandler {
  /** Whether a goal, in the JSON form of its type, is taken. A rejection is one of the goal. */
  accept(goal: { goalId: string; goal: unknown }): boolean | Promise<boolean>;
  /** Begins to work on a goal that was accepted; an exception aborts it. */
  execute(goal: ServerGoal): void;
  /** Whether a goal may be canceled: its `canceling` is aborted then. */
  cancel(goal: ServerGoal): boolean | Promise<boolean>;
  /** A request that is not of its type, or a client that does not suit, in words. */
  problem(message: string): void;
}

export interface ActionServerOptions {
  rosName: string;
  /** For example `example_interfaces/action/Fibonacci`. */
  type: string;
  /** How long results are kept for who asks late, in ms. */
  resultTimeout?: number;
}

/** The client gets its reply from another server. */
class OtherServersGoal extends Error {}

interface KnownGoal {
  readonly goal: ServerGoal;
  /** What waits for its result. */
  readonly waiting: Array<{ resolve(reply: Buffer): void; reject(error: Error): void }>;
  /** The answer to who asks for its result, once it has ended, and when that is forgotten. */
  kept?: { reply: Buffer; timer: NodeJS.Timeout };
}

/**
 * A server of a ROS 2 action, in the JSON forms of its types. Source: design.ros2.org, "Actions"; rcl_action for what
 * that leaves open.
 */
export class ActionServer {
  readonly #action: ActionInterface;
  readonly #handler: ActionServerHandler;
  readonly #resultTimeout: number;
  readonly #feedback: RosPublisher;
  readonly #status: RosPublisher;
  readonly #services: readonly RosServiceServer[];
  readonly #createSendGoal: () => RosServiceServer;
  #sendGoal: RosServiceServer | undefined;
  /** Those that have not ended and those whose results are kept, in the order of their acceptance. */
  readonly #goals = new Map<string, KnownGoal>();
  /** About which the handler has not decided yet. */
  readonly #undecided = new Set<string>();
  #keptBytes = 0;
  #closed = false;

  /** @throws UnknownTypeError when the library does not know the type, an Error when the name is invalid */
  constructor(
    domain: RosDomain,
    library: InterfaceLibrary,
    { rosName, type, resultTimeout = RESULT_TIMEOUT }: ActionServerOptions,
    handler: ActionServerHandler,
  ) {
    const action = new ActionInterface(library, rosName, type);
    this.#action = action;
    this.#handler = handler;
    this.#resultTimeout = resultTimeout;
    const failed =
      ({ rosName: part }: { rosName: string }) =>
      (reason: string) =>
        handler.problem(`${part}: ${reason}`);
    const publisher = ({ rosName: name, codec }: ActionInterface['feedback'], qos: RosQos) =>
      domain.createPublisher({
        rosName: name,
        type: codec.type,
        typeHash: codec.typeHash,
        qos,
        onIncompatible: ({ policy }) => handler.problem(`${name}: a client does not suit by its ${policy}`),
        onProblem: failed({ rosName: name }),
      });
    const server = (
      { options }: ActionInterface['sendGoal'],
      serve: (request: Buffer, settled: Promise<void>) => Buffer | Promise<Buffer>,
    ) =>
      domain.createServiceServer({ ...options, onProblem: failed(options) }, async (request, settled) => {
        try {
          return await serve(request, settled);
        } catch (error) {
          if (!(error instanceof OtherServersGoal)) failed(options)((error as Error).message);
          throw error;
        }
      });
    this.#feedback = publisher(action.feedback, FEEDBACK_QOS);
    this.#status = publisher(action.status, STATUS_QOS);
    this.#services = [
      server(action.cancelGoal, (request) => this.#serveCancelGoal(request)),
      server(action.getResult, (request) => this.#serveGetResult(request)),
    ];
    this.#createSendGoal = () =>
      server(action.sendGoal, (request, settled) => this.#serveSendGoal(request, settled));
    this.#sendGoal = this.#createSendGoal();
  }

  /** Whether goals are taken. Where not, there are other servers: goals that are not of this one are left to them. */
  set takesGoals(yes: boolean) {
    if (yes) this.#sendGoal ??= this.#createSendGoal();
    else {
      this.#sendGoal?.withdraw();
      this.#sendGoal = undefined;
    }
  }

  /** Goals that are accepted and have not ended. */
  get active(): number {
    return [...this.#goals.values()].filter(({ goal }) => !goal.hasEnded).length;
  }

  /** Leaves its goals as they are: their clients see that the server has gone. */
  close(): void {
    this.#closed = true;
    for (const service of [...this.#services, this.#sendGoal]) service?.close();
    this.#feedback.close();
    this.#status.close();
    for (const { waiting, kept } of this.#goals.values()) {
      clearTimeout(kept?.timer);
      for (const { reject } of waiting) reject(new Error('the action server was closed'));
    }
    this.#goals.clear();
  }

  async #serveSendGoal(request: Buffer, settled: Promise<void>): Promise<Buffer> {
    const { sendGoal } = this.#action;
    const { goal_id, goal } = JSON.parse(sendGoal.request.decodeToJson(request)) as {
      goal_id: { uuid: string };
      goal: unknown;
    };
    const goalId = goalIdIn(goal_id);
    const stamp = now();
    const accepted = await this.#decide(goalId, goal);
    if (accepted) {
      const added = this.#add(goalId, goal, stamp);
      // A client knows nothing of a goal before it has heard of its acceptance.
      void settled.then(() => this.#begin(added));
    }
    return sendGoal.response.encode({ accepted, stamp });
  }

  async #decide(goalId: string, goal: unknown): Promise<boolean> {
    if (goalId === NO_GOAL || this.#goals.has(goalId) || this.#undecided.has(goalId)) return false;
    if (this.active + this.#undecided.size >= MAX_GOALS) return false;
    this.#undecided.add(goalId);
    try {
      const accepted = await this.#handler.accept({ goalId, goal });
      return accepted && !this.#closed;
    } catch (error) {
      this.#handler.problem(`${this.#action.rosName}: ${(error as Error).message}`);
      return false;
    } finally {
      this.#undecided.delete(goalId);
    }
  }

  #add(goalId: string, value: unknown, stamp: RosTime): ServerGoal {
    const { feedback, getResult } = this.#action;
    const goal = new ServerGoal({
      goalId,
      goal: value,
      stamp,
      publishFeedback: (message) =>
        this.#feedback.publish(
          feedback.codec.encode({ goal_id: uuidMessage(goalId), feedback: message }),
          [],
        ),
      encodeResult: (state, result) =>
        getResult.response.encode({ status: GOAL_STATES.indexOf(state), result }),
      ended: (reply) => this.#keep(known, reply),
    });
    const known: KnownGoal = { goal, waiting: [] };
    this.#goals.set(goalId, known);
    this.#publishStatus();
    return goal;
  }

  #begin(goal: ServerGoal): void {
    if (this.#closed || goal.state !== 'accepted') return;
    goal.begin();
    this.#publishStatus();
    try {
      this.#handler.execute(goal);
    } catch (error) {
      this.#handler.problem(`${this.#action.rosName}: ${(error as Error).message}`);
      if (!goal.hasEnded) goal.end('aborted');
    }
  }

  #keep(known: KnownGoal, reply: Buffer): void {
    if (this.#closed) return;
    const timer = setTimeout(() => this.#forget(known), this.#resultTimeout);
    known.kept = { reply, timer };
    this.#keptBytes += reply.length;
    for (const { resolve } of known.waiting.splice(0)) resolve(reply);
    const ended = [...this.#goals.values()].filter(({ kept }) => kept !== undefined);
    while (ended.length > 1 && (ended.length > MAX_RESULTS || this.#keptBytes > MAX_RESULT_BYTES)) {
      this.#drop(ended.shift() as KnownGoal);
    }
    this.#publishStatus();
  }

  #forget(known: KnownGoal): void {
    this.#drop(known);
    this.#publishStatus();
  }

  #drop({ goal, kept }: KnownGoal): void {
    clearTimeout(kept?.timer);
    this.#keptBytes -= kept?.reply.length ?? 0;
    this.#goals.delete(goal.goalId);
  }

  #serveGetResult(request: Buffer): Buffer | Promise<Buffer> {
    const { getResult } = this.#action;
    const { goal_id } = JSON.parse(getResult.request.decodeToJson(request)) as { goal_id: { uuid: string } };
    const known = this.#goals.get(goalIdIn(goal_id));
    if (known === undefined) {
      this.#leaveToOthers();
      return getResult.response.encode({ status: GOAL_STATES.indexOf('unknown') });
    }
    const { kept, waiting } = known;
    if (kept !== undefined) return kept.reply;
    return new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      if (waiting.length > MAX_WAITING) {
        waiting.shift()?.reject(new Error(`more than ${MAX_WAITING} wait for the result of one goal`));
      }
    });
  }

  /** Where there are other servers, what this one does not know is a goal of theirs: they reply. */
  #leaveToOthers(): void {
    if (this.#sendGoal === undefined) throw new OtherServersGoal();
  }

  async #serveCancelGoal(request: Buffer): Promise<Buffer> {
    const { cancelGoal } = this.#action;
    const { goal_info } = JSON.parse(cancelGoal.request.decodeToJson(request)) as {
      goal_info: Parameters<typeof goalInfoIn>[0];
    };
    const { answer, goals } = await this.#cancel(goalInfoIn(goal_info));
    return cancelGoal.response.encode({
      return_code: CANCEL_ANSWERS.indexOf(answer),
      goals_canceling: goals.map(({ goalId, stamp }) => ({ goal_id: uuidMessage(goalId), stamp })),
    });
  }

  async #cancel({ goalId, stamp }: GoalInfo): Promise<{ answer: CancelAnswer; goals: ServerGoal[] }> {
    const one = goalId !== NO_GOAL && nanoseconds(stamp) === 0n ? this.#goals.get(goalId)?.goal : 'several';
    if (one === undefined) {
      this.#leaveToOthers();
      return { answer: 'unknown-goal-id', goals: [] };
    }
    if (one !== 'several' && one.hasEnded) return { answer: 'goal-terminated', goals: [] };
    const wanted = one === 'several' ? this.#activeUntil(goalId, stamp) : [one];
    const decided = await Promise.all(
      wanted.map(async (goal) => ({ goal, canceled: await this.#cancelOne(goal) })),
    );
    const goals = decided.filter(({ canceled }) => canceled).map(({ goal }) => goal);
    return { answer: wanted.length > 0 && goals.length === 0 ? 'rejected' : 'none', goals };
  }

  /** Those accepted up to a time, and that one; all where neither is given. */
  #activeUntil(goalId: string, stamp: RosTime): ServerGoal[] {
    const all = goalId === NO_GOAL && nanoseconds(stamp) === 0n;
    return [...this.#goals.values()]
      .map(({ goal }) => goal)
      .filter((goal) => !goal.hasEnded)
      .filter((goal) => all || goal.goalId === goalId || nanoseconds(goal.stamp) <= nanoseconds(stamp));
  }

  async #cancelOne(goal: ServerGoal): Promise<boolean> {
    this.#begin(goal);
    if (goal.state === 'executing') {
      try {
        if (!(await this.#handler.cancel(goal))) return false;
      } catch (error) {
        this.#handler.problem(`${this.#action.rosName}: ${(error as Error).message}`);
        return false;
      }
      // Another request, or its end, may have come meanwhile.
      if (goal.state === 'executing') {
        goal.cancel();
        this.#publishStatus();
      }
    }
    return goal.state === 'canceling' || goal.state === 'canceled';
  }

  #publishStatus(): void {
    if (this.#closed) return;
    const { codec } = this.#action.status;
    const status_list = [...this.#goals.values()].map(({ goal }) => ({
      goal_info: { goal_id: uuidMessage(goal.goalId), stamp: goal.stamp },
      status: GOAL_STATES.indexOf(goal.state),
    }));
    try {
      this.#status.publish(codec.encode({ status_list }), []);
    } catch (error) {
      // The goals go on; the next change of one tells of all.
      this.#handler.problem(`${this.#action.status.rosName}: ${(error as Error).message}`);
    }
  }
}

function now(): RosTime {
  const milliseconds = Date.now();
  return { sec: Math.floor(milliseconds / 1000), nanosec: (milliseconds % 1000) * 1_000_000 };
}

function nanoseconds({ sec, nanosec }: RosTime): bigint {
  return BigInt(sec) * 1_000_000_000n + BigInt(nanosec);
}
