import { randomUUID } from 'node:crypto';
import { goalIdIn, NO_GOAL, uuidMessage } from './goal-id';
import type { InterfaceLibrary } from './interface-library';
import type { MessageCodec } from './message-codec';
import {
  ActionError,
  ActionInterface,
  CANCEL_ANSWERS,
  type CancelAnswer,
  FEEDBACK_QOS,
  GOAL_STATES,
  type GoalInfo,
  type GoalState,
  type GoalStatus,
  goalInfoIn,
  type RosTime,
  STATUS_QOS,
} from './ros-action';
import type { RosDomain, RosQos, RosServiceClient, RosSubscription } from './ros-backend';

export interface ActionClientListener {
  /** Feedback on a goal of this or another client, in the JSON form of its type. */
  feedback(goalId: string, feedback: unknown): void;
  /** All goals that a server knows: after each change, and what it told last when the client has found it. */
  status(goals: GoalStatus[]): void;
  serversChanged(): void;
  /** A message of the server that is not of its type, or a server that does not suit, in words. */
  problem(message: string): void;
}

/** How a goal has ended. */
export interface GoalResult {
  state: GoalState;
  /** In the JSON form of its type. */
  result: unknown;
}

/** Which goals a request to cancel took effect on, or why on none. */
export interface CancelReply {
  answer: CancelAnswer;
  goals: GoalInfo[];
}

/**
 * A client of a ROS 2 action, in the JSON forms of its types. Its calls reject with ServiceError when no server is there,
 * when it leaves before it replies, or when it does not reply in time, and with CdrError when the reply is not of its
 * type. Source: design.ros2.org, "Actions".
 */
export class ActionClient {
  readonly #action: ActionInterface;
  readonly #listener: ActionClientListener;
  readonly #subscriptions: RosSubscription[];
  readonly #sendGoal: RosServiceClient;
  readonly #cancelGoal: RosServiceClient;
  readonly #getResult: RosServiceClient;

  /**
   * @param type for example `example_interfaces/action/Fibonacci`
   * @throws UnknownTypeError when the library does not know the type, an Error when the name is invalid
   */
  constructor(
    domain: RosDomain,
    library: InterfaceLibrary,
    { rosName, type }: { rosName: string; type: string },
    listener: ActionClientListener,
  ) {
    const action = new ActionInterface(library, rosName, type);
    this.#action = action;
    this.#listener = listener;
    const { sendGoal, cancelGoal, getResult, feedback, status } = action;
    const subscribe = (
      { rosName, codec }: { rosName: string; codec: MessageCodec },
      qos: RosQos,
      receive: (message: string) => void,
    ) =>
      domain.createSubscription(
        {
          rosName,
          type: codec.type,
          typeHash: codec.typeHash,
          qos,
          onIncompatible: ({ policy }) =>
            listener.problem(`${rosName}: a server does not suit by its ${policy}`),
          onProblem: (reason) => listener.problem(`${rosName}: ${reason}`),
        },
        ({ payload }) => this.#decode(rosName, codec, payload, receive),
      );
    // Before the services, so that a server that takes a goal of ours knows already who hears of it.
    this.#subscriptions = [
      subscribe(feedback, FEEDBACK_QOS, (json) => this.#receiveFeedback(json)),
      subscribe(status, STATUS_QOS, (json) => this.#receiveStatus(json)),
    ];
    const client = ({ options }: ActionInterface['sendGoal']) => {
      const onProblem = (reason: string) => listener.problem(`${options.rosName}: ${reason}`);
      return domain.createServiceClient({ ...options, onProblem }, () => listener.serversChanged());
    };
    this.#cancelGoal = client(cancelGoal);
    this.#getResult = client(getResult);
    this.#sendGoal = client(sendGoal);
  }

  /** How many processes serve the action now. */
  get servers(): number {
    return Math.min(this.#sendGoal.servers, this.#cancelGoal.servers, this.#getResult.servers);
  }

  /**
   * Sends a goal, and resolves when a server has accepted it.
   * @param goal in the JSON form of its type
   * @param timeout for the wait for a server and its answer, in ms
   * @param goalId a UUID that no other goal has
   * @throws ActionError when the server rejects it, PayloadError when it is not of its type
   */
  async sendGoal(goal: unknown, timeout: number, goalId: string = randomUUID()): Promise<GoalInfo> {
    const { request, response } = this.#action.sendGoal;
    const reply = await this.#sendGoal.call(request.encode({ goal_id: uuidMessage(goalId), goal }), timeout);
    const { accepted, stamp } = JSON.parse(response.decodeToJson(reply)) as {
      accepted: boolean;
      stamp: RosTime;
    };
    if (!accepted) throw this.#error('rejected', `the server has rejected the goal ${goalId}`);
    return { goalId: goalId.toLowerCase(), stamp };
  }

  /**
   * Resolves when the goal has ended.
   * @param timeout in ms
   * @throws ActionError when the server does not know the goal, or does not know it any more
   */
  async result(goalId: string, timeout: number): Promise<GoalResult> {
    const { request, response } = this.#action.getResult;
    const reply = await this.#getResult.call(request.encode({ goal_id: uuidMessage(goalId) }), timeout);
    const { status, result } = JSON.parse(response.decodeToJson(reply)) as {
      status: number;
      result: unknown;
    };
    const state = stateOf(status);
    if (state === 'unknown') throw this.#error('unknown-goal', `the server knows no goal ${goalId}`);
    return { state, result };
  }

  /**
   * Asks the server to cancel goals: one by its id, all that were accepted up to a time, both, or with neither all.
   * @param timeout in ms
   */
  async cancel(
    { goalId = NO_GOAL, until = { sec: 0, nanosec: 0 } }: { goalId?: string; until?: RosTime },
    timeout: number,
  ): Promise<CancelReply> {
    const { request, response } = this.#action.cancelGoal;
    const goalInfo = { goal_id: uuidMessage(goalId), stamp: until };
    const reply = await this.#cancelGoal.call(request.encode({ goal_info: goalInfo }), timeout);
    const decoded = JSON.parse(response.decodeToJson(reply)) as {
      return_code: number;
      goals_canceling: Parameters<typeof goalInfoIn>[0][];
    };
    const answer = CANCEL_ANSWERS[decoded.return_code] ?? 'rejected';
    return { answer, goals: decoded.goals_canceling.map(goalInfoIn) };
  }

  /** What waits is rejected. */
  close(): void {
    for (const subscription of this.#subscriptions) subscription.close();
    for (const client of [this.#sendGoal, this.#cancelGoal, this.#getResult]) client.close();
  }

  #decode(rosName: string, codec: MessageCodec, payload: Buffer, receive: (json: string) => void): void {
    let json: string;
    try {
      json = codec.decodeToJson(payload);
    } catch (error) {
      this.#listener.problem(`${rosName}: ${(error as Error).message}`);
      return;
    }
    receive(json);
  }

  #receiveFeedback(json: string): void {
    const { goal_id, feedback } = JSON.parse(json) as { goal_id: { uuid: string }; feedback: unknown };
    this.#listener.feedback(goalIdIn(goal_id), feedback);
  }

  #receiveStatus(json: string): void {
    const { status_list } = JSON.parse(json) as {
      status_list: Array<{ goal_info: Parameters<typeof goalInfoIn>[0]; status: number }>;
    };
    this.#listener.status(
      status_list.map(({ goal_info, status }) => ({ ...goalInfoIn(goal_info), state: stateOf(status) })),
    );
  }

  #error(status: ActionError['status'], reason: string): ActionError {
    return new ActionError(this.#action.rosName, status, reason);
  }
}

function stateOf(status: number): GoalState {
  return GOAL_STATES[status] ?? 'unknown';
}
