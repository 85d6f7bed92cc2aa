import { randomUUID } from 'node:crypto';
import type { RosTopic } from '../topic/ros-topic';
import { ActionClient } from './action-client';
import { type ActionMessage, ActionTopics, parseActionMessage, type StatusEntry } from './action-topics';
import type { BridgeRoute, RouteContext } from './bridge-route';
import type { ActionRouteSettings } from './bridge-settings';
import { CdrError } from './message-codec';
import { type MqttRequest, MqttRequests, type ReplyStatus } from './mqtt-requests';
import type { Way } from './name-patterns';
import { ActionError, type GoalStatus, type RosTime } from './ros-action';
import { ServiceError } from './ros-service';
import type { RouteDetails } from './ros-worker-messages';
import { countDrop, type DropReason, newRouteCounts } from './route-counts';
import type { Turn } from './route-turn';
import { ServerWatch } from './server-watch';

/** What may be under way at the same time; what comes above that is refused as `unavailable`. */
const MAX_GOALS = 100;
const MAX_CANCELS = 100;
/** How long a server has to answer, in ms, where the route does not say. */
export const DEFAULT_TIMEOUT = 5000;
/** How long a goal may take, in ms, where the route does not say: an hour. */
export const DEFAULT_RESULT_TIMEOUT = 3_600_000;

const DROP_REASON: Record<ReplyStatus, DropReason> = {
  ok: 'rejected',
  unavailable: 'unavailable',
  timeout: 'timeout',
  'bad-request': 'invalid',
  error: 'invalid',
};

/** One action of ROS that MQTT clients and the flow have goals for. */
export class ActionCallRoute implements BridgeRoute {
  readonly settings: ActionRouteSettings;
  readonly topic: string;
  readonly counts = newRouteCounts();
  readonly #context: RouteContext;
  readonly #topics: ActionTopics;
  readonly #requests: readonly MqttRequests[];
  readonly #servers: ServerWatch;
  readonly turns: Partial<Record<Way, Turn>> = {};
  /** The ids of the goals that are under way by this route. */
  readonly #goals = new Set<string>();
  #cancels = 0;
  #client: ActionClient | undefined;
  /** What the server told last of all its goals. */
  #status: readonly StatusEntry[] | undefined;
  #problem: string | undefined;

  constructor(settings: ActionRouteSettings, context: RouteContext) {
    this.settings = settings;
    this.#context = context;
    this.#servers = new ServerWatch(settings, context, performance.now());
    const { counts } = this;
    const topics = new ActionTopics(settings, context, counts);
    const { rosName, type } = settings;
    const requests = (part: 'goal' | 'cancel', serve: (request: MqttRequest) => Promise<void>) =>
      new MqttRequests(
        {
          context,
          counts,
          type,
          topic: topics.of(part),
          // Where all hear it, also who has MQTT 3.1.1.
          replyPrefix: topics.of('status'),
          granted: () => {
            if (part === 'goal') this.#storeStatus();
          },
          fail: (fault) => this.#fail(`${rosName}: ${fault}`),
        },
        (request) => void serve(request),
      );
    this.topic = topics.topic;
    this.#topics = topics;
    this.#requests = [
      requests('goal', (request) => this.#serveGoal(request)),
      requests('cancel', (request) => this.#serveCancel(request)),
    ];
  }

  /** The last fault of this route, until a goal is accepted or has its result again. */
  get problem(): string | undefined {
    return this.#problem;
  }

  get isBusy(): boolean {
    return this.#goals.size > 0 || this.#cancels > 0;
  }

  get subscribed(): boolean | undefined {
    const granted = this.#requests.map(({ subscribed }) => subscribed);
    return granted.includes(undefined) ? undefined : !granted.includes(false);
  }

  get details(): RouteDetails {
    return this.#servers.look(this, this.#reached);
  }

  get #reached(): number {
    return this.#client?.servers ?? 0;
  }

  /** Throws `UnknownTypeError` where the library has no definition of the type. */
  open(): void {
    const { domain, library } = this.#context;
    this.#client = new ActionClient(domain, library, this.settings, {
      feedback: (goalId, feedback) => this.#receiveFeedback(goalId, feedback),
      status: (goals) => this.#receiveStatus(goals),
      serversChanged: () => this.#serversChanged(),
      problem: (message) => this.#fail(message),
    });
    const turn = this.#context.join('mqtt-to-ros', this.topic, () => this.#storeStatus());
    this.turns['mqtt-to-ros'] = turn;
    for (const requests of this.#requests) requests.open(turn);
  }

  close(): void {
    for (const turn of Object.values(this.turns)) turn.close();
    for (const requests of this.#requests) requests.close();
    this.#client?.close();
    this.#client = undefined;
  }

  /** Where another bridge has the action, that one tells MQTT clients of all goals. */
  get #isOurs(): boolean {
    return this.turns['mqtt-to-ros']?.active === true;
  }

  #storeStatus(): void {
    if (this.#isOurs && this.#status !== undefined) this.#topics.store('status', { goals: this.#status });
  }

  publish(topic: RosTopic, payload: unknown): Promise<string> {
    switch (this.#topics.partOf(topic)) {
      case 'goal':
        return this.#sendGoal(payload).then((answer) => JSON.stringify(answer));
      case 'cancel':
        return this.#cancel(payload).then((answer) => JSON.stringify(answer));
      default: {
        const places = `${this.#topics.of('goal')} and ${this.#topics.of('cancel')}`;
        throw new Error(`${this.settings.rosName}: an action of ROS takes messages at ${places}`);
      }
    }
  }

  async #serveGoal({ payload, patience, reply }: MqttRequest): Promise<void> {
    try {
      reply('ok', JSON.stringify(await this.#sendGoal(payload, patience)));
    } catch (error) {
      const { status, message, answer } = error as CallFailure;
      reply(status, JSON.stringify(answer));
      // Here hears of it also who has no response topic; unless the goal of that id is another's, or was sent twice.
      const { goal_id } = answer;
      if (goal_id !== undefined && !this.#goals.has(goal_id)) this.#topics.tellMqtt('result', answer);
      if (status !== 'ok') this.#context.report(message);
    }
  }

  async #serveCancel({ payload, patience, reply }: MqttRequest): Promise<void> {
    try {
      reply('ok', JSON.stringify(await this.#cancel(payload, patience)));
    } catch (error) {
      const { status, message, answer } = error as CallFailure;
      reply(status, JSON.stringify(answer));
      this.#context.report(message);
    }
  }

  /** Resolves when the goal is accepted. Rejects with CallFailure. */
  #sendGoal(payload: unknown, patience?: number): Promise<StatusEntry> {
    return this.#attempt(payload, ['goal_id', 'goal'], async (client, message) => {
      const goalId = (message.goal_id ?? randomUUID()).toLowerCase();
      message.goal_id = goalId;
      if (this.#goals.has(goalId)) throw new Error(`goal ${goalId} is under way already`);
      if (this.#goals.size >= MAX_GOALS) throw this.#error('unavailable', `${MAX_GOALS} goals are under way`);
      this.#goals.add(goalId);
      try {
        const { stamp } = await client.sendGoal(message.goal ?? {}, this.#timeout(patience), goalId);
        void this.#follow(goalId);
        return { goal_id: goalId, status: 'accepted', stamp };
      } catch (error) {
        this.#goals.delete(goalId);
        throw error;
      }
    });
  }

  /** Rejects with CallFailure. */
  #cancel(payload: unknown, patience?: number): Promise<ActionMessage> {
    return this.#attempt(payload, ['goal_id', 'stamp'], async (client, { goal_id, stamp }) => {
      if (this.#cancels >= MAX_CANCELS) {
        throw this.#error('unavailable', `${MAX_CANCELS} requests to cancel are under way`);
      }
      const wanted = {
        ...(goal_id !== undefined && { goalId: goal_id }),
        ...(stamp !== undefined && { until: stamp as RosTime }),
      };
      this.#cancels++;
      const { answer, goals } = await client.cancel(wanted, this.#timeout(patience)).finally(() => {
        this.#cancels--;
      });
      return {
        ...(goal_id !== undefined && { goal_id }),
        error: answer,
        goals: goals.map(({ goalId, stamp }) => ({ goal_id: goalId, status: 'canceling', stamp })),
      };
    });
  }

  /** Asks a server of ROS. */
  async #attempt<Answer>(
    payload: unknown,
    fields: readonly string[],
    ask: (client: ActionClient, message: ActionMessage) => Promise<Answer>,
  ): Promise<Answer> {
    let message: ActionMessage = {};
    try {
      message = parseActionMessage(payload, fields);
      const answer = await ask(this.#client as ActionClient, message);
      this.counts.rosPublished++;
      this.counts.rosReceived++;
      this.#problem = undefined;
      this.#servers.answered();
      return answer;
    } catch (error) {
      const failure = this.#failed(this.#servers.explained(error as Error, this.#reached), message.goal_id);
      if (failure.status === 'ok') this.#servers.answered();
      if (failure.status !== 'bad-request' && failure.status !== 'unavailable') this.counts.rosPublished++;
      throw failure;
    }
  }

  /** Tells how a goal ends that was accepted. */
  async #follow(goalId: string): Promise<void> {
    try {
      const timeout = this.settings.resultTimeout ?? DEFAULT_RESULT_TIMEOUT;
      const { state, result } = await (this.#client as ActionClient).result(goalId, timeout);
      this.counts.rosReceived++;
      this.#problem = undefined;
      this.#topics.tell('result', { goal_id: goalId, status: state, result });
    } catch (error) {
      if (this.#client === undefined) return;
      const { message, answer } = this.#failed(error as Error, goalId);
      this.#topics.tell('result', answer);
      this.#context.report(message);
    } finally {
      this.#goals.delete(goalId);
    }
  }

  #receiveFeedback(goalId: string, feedback: unknown): void {
    this.counts.rosReceived++;
    const message = { goal_id: goalId, feedback };
    if (this.#isOurs) this.#topics.tellMqtt('feedback', message);
    this.#topics.tellFlow('feedback', message);
  }

  #receiveStatus(goals: readonly GoalStatus[]): void {
    this.counts.rosReceived++;
    this.#tellStatus(goals.map(({ goalId, state, stamp }) => ({ goal_id: goalId, status: state, stamp })));
  }

  /** What a server that has gone told last is not so any more. */
  #serversChanged(): void {
    if (this.#client?.servers === 0 && this.#status !== undefined && this.#status.length > 0)
      this.#tellStatus([]);
    this.#context.changed();
  }

  #tellStatus(status: readonly StatusEntry[]): void {
    this.#status = status;
    this.#storeStatus();
    this.#topics.tellFlow('status', { goals: status });
  }

  /** Counts and shows why something has failed. */
  #failed(error: Error, goalId: string | undefined): CallFailure {
    const failure = new CallFailure(this.settings.rosName, error, goalId);
    countDrop(this.counts, DROP_REASON[failure.status]);
    // A server that rejects a goal works as it should.
    if (failure.status !== 'ok') this.#problem = failure.message;
    this.#context.changed();
    return failure;
  }

  #timeout(patience = Number.POSITIVE_INFINITY): number {
    return Math.min(patience, this.settings.timeout ?? DEFAULT_TIMEOUT);
  }

  #error(status: ActionError['status'], reason: string): ActionError {
    return new ActionError(this.settings.rosName, status, reason);
  }

  #fail(problem: string): void {
    this.#problem = problem;
    this.#context.report(problem);
    this.#context.changed();
  }
}

/** Why a request has not come to what it asked for. */
class CallFailure extends Error {
  /** `ok` where ROS has answered, with a rejection. */
  readonly status: ReplyStatus;
  /** What an MQTT client is told. */
  readonly answer: ActionMessage;

  constructor(rosName: string, cause: Error, goalId: string | undefined) {
    const isWorded = cause instanceof ActionError || cause instanceof ServiceError;
    super(isWorded ? cause.message : `action ${rosName}: ${cause.message}`, { cause });
    this.status = statusOf(cause);
    this.answer = {
      ...(goalId !== undefined && { goal_id: goalId }),
      ...(this.status === 'ok' ? { status: 'rejected' } : { '@status': this.status, '@error': this.message }),
    };
  }
}

function statusOf(error: Error): ReplyStatus {
  if (error instanceof ServiceError) return error.status;
  if (error instanceof ActionError) {
    if (error.status === 'rejected') return 'ok';
    return error.status === 'unknown-goal' ? 'error' : error.status;
  }
  return error instanceof CdrError ? 'error' : 'bad-request';
}
