import type { RosTopic } from '../topic/ros-topic';
import { shown } from '../topic/topic-name';
import { DEFAULT_RESULT_TIMEOUT, DEFAULT_TIMEOUT } from './action-call-route';
import { ActionServer } from './action-server';
import { type ActionMessage, ActionTopics, parseActionMessage } from './action-topics';
import type { BridgeSubscription, IncomingMessage } from './bridge-connection';
import type { BridgeRoute, RouteContext } from './bridge-route';
import type { ActionRouteSettings } from './bridge-settings';
import { ClientWatch } from './client-watch';
import type { Way } from './name-patterns';
import { mismatch } from './payload-error';
import type { RouteDetails } from './ros-worker-messages';
import { countDrop, type DropReason, newRouteCounts } from './route-counts';
import type { Turn } from './route-turn';
import type { GoalEnd, ServerGoal } from './server-goal';

/** Messages about one goal that are kept while its acceptance is on its way to the client of ROS. */
const MAX_EARLY = 100;

const FIELDS = {
  status: ['goal_id', 'status', 'stamp', 'error', 'goals'],
  feedback: ['goal_id', 'feedback'],
  result: ['goal_id', 'status', 'result', '@status', '@error'],
} as const;

type AnswerPart = keyof typeof FIELDS;

const ENDS: ReadonlySet<unknown> = new Set<GoalEnd>(['succeeded', 'aborted', 'canceled']);

/** What is known of a goal of a client of ROS. */
interface ServedGoal {
  /** Absent until its client has heard of its acceptance. */
  goal?: ServerGoal;
  /** What came before that. */
  early: Array<[AnswerPart, ActionMessage]>;
  /** What is waited for now: whether it is accepted, or canceled. */
  asked?: { outcome: Promise<boolean>; settle(yes: boolean): void };
  /** Ends it when nobody else does. */
  timer?: NodeJS.Timeout;
}

/** One action that an MQTT client or the flow serves for the clients of ROS. */
export class ActionServeRoute implements BridgeRoute {
  readonly settings: ActionRouteSettings;
  readonly topic: string;
  readonly counts = newRouteCounts();
  readonly #context: RouteContext;
  readonly #topics: ActionTopics;
  readonly #clients: ClientWatch;
  /** By the goals' ids. */
  readonly #goals = new Map<string, ServedGoal>();
  readonly turns: Partial<Record<Way, Turn>> = {};
  #server: ActionServer | undefined;
  #isLeft = false;
  #subscription: BridgeSubscription | undefined;
  #problem: string | undefined;

  constructor(settings: ActionRouteSettings, context: RouteContext) {
    this.settings = settings;
    this.#context = context;
    this.#topics = new ActionTopics(settings, context, this.counts);
    this.topic = this.#topics.topic;
    this.#clients = new ClientWatch(settings, context, performance.now());
  }

  /** The last fault of this route, until a goal is accepted or has ended again. */
  get problem(): string | undefined {
    return this.#problem;
  }

  get subscribed(): boolean | undefined {
    return this.#subscription?.granted;
  }

  get isBusy(): boolean {
    return this.#goals.size > 0;
  }

  get details(): RouteDetails {
    return this.#clients.look(this);
  }

  /** Throws `UnknownTypeError` where the library has no definition of the type. */
  open(): void {
    const { connection } = this.#context;
    this.turns['ros-to-mqtt'] = this.#context.join('ros-to-mqtt', this.topic, () => this.#takeTurn());
    this.#takeTurn();
    this.#subscription = connection?.subscribe(`${this.topic}/+`, {
      message: (message) => this.#receive(message),
      result: (error) => {
        if (error !== undefined) this.#fail(`${this.settings.rosName}: ${error.message}`);
        this.#context.changed();
      },
    });
  }

  leaveToOthers(yes: boolean): void {
    this.#isLeft = yes;
    if (this.#server !== undefined) this.#server.takesGoals = !yes;
  }

  close(): void {
    for (const turn of Object.values(this.turns)) turn.close();
    this.#subscription?.close();
    this.#stopServing();
  }

  /** Serves while no other bridge does: a client would be answered by both. What is under way outlives a reconnect. */
  #takeTurn(): void {
    const turn = this.turns['ros-to-mqtt'];
    if (turn?.active) this.#serve();
    else if (turn?.standbyFor) this.#stopServing();
  }

  #serve(): void {
    const { domain, library } = this.#context;
    const { rosName, type } = this.settings;
    this.#server ??= new ActionServer(
      domain,
      library,
      { rosName, type },
      {
        accept: (goal) => this.#accept(goal),
        execute: (goal) => this.#execute(goal),
        cancel: (goal) => this.#cancel(goal),
        problem: (message) => this.#fail(message),
      },
    );
    this.#server.takesGoals = !this.#isLeft;
  }

  #stopServing(): void {
    this.#server?.close();
    this.#server = undefined;
    for (const { asked, timer } of this.#goals.values()) {
      asked?.settle(false);
      clearTimeout(timer);
    }
    this.#goals.clear();
  }

  publish(topic: RosTopic, payload: unknown): undefined {
    const part = this.#topics.partOf(topic);
    if (!isAnswer(part)) {
      const places = ['status', 'feedback', 'result'].map((each) => `${this.topic}/${each}`).join(', ');
      throw new Error(`${this.settings.rosName}: an action for ROS takes messages at ${places}`);
    }
    try {
      const known = this.#take(part, parseActionMessage(payload, FIELDS[part]));
      if (!known) throw new Error('no goal of that goal_id is under way');
    } catch (error) {
      this.#drop('invalid');
      throw new Error(`${topic.rosName}/@action/${part}: ${(error as Error).message}`);
    }
  }

  #accept({ goalId, goal }: { goalId: string; goal: unknown }): Promise<boolean> {
    this.counts.rosReceived++;
    const isOurs = this.turns['ros-to-mqtt']?.active === true;
    if (!isOurs || !this.#topics.heard) {
      this.#drop(isOurs ? 'offline' : 'standby');
      return Promise.resolve(false);
    }
    const served: ServedGoal = { early: [] };
    this.#goals.set(goalId, served);
    return this.#ask(served, 'goal', { goal_id: goalId, goal }).then((accepted) => {
      if (accepted) this.#problem = undefined;
      else this.#goals.delete(goalId);
      return accepted;
    });
  }

  #execute(goal: ServerGoal): void {
    const served = this.#goals.get(goal.goalId);
    if (served === undefined) return;
    served.goal = goal;
    served.timer = setTimeout(() => {
      this.#drop('timeout');
      this.#clients.unanswered();
      this.#fail(`${this.settings.rosName}: goal ${goal.goalId} has no result in time`);
      this.#end(goal, 'aborted', undefined);
    }, this.settings.resultTimeout ?? DEFAULT_RESULT_TIMEOUT);
    for (const early of served.early.splice(0)) this.#try(() => this.#apply(goal, served, ...early));
  }

  #cancel({ goalId }: ServerGoal): Promise<boolean> | boolean {
    const served = this.#goals.get(goalId);
    if (served === undefined || !this.#topics.heard) return false;
    return served.asked?.outcome ?? this.#ask(served, 'cancel', { goal_id: goalId });
  }

  #fail(message: string): void {
    this.#problem = message;
    this.#context.report(message);
  }

  /** Asks who serves the action; no answer in time is a no. */
  #ask(served: ServedGoal, part: 'goal' | 'cancel', message: ActionMessage): Promise<boolean> {
    let settle: (yes: boolean) => void = () => {};
    const timer = setTimeout(() => {
      this.#drop('timeout');
      this.#clients.unanswered();
      this.#fail(`${this.settings.rosName}: nobody has answered at ${this.#topics.of('status')} in time`);
      settle(false);
    }, this.settings.timeout ?? DEFAULT_TIMEOUT);
    const outcome = new Promise<boolean>((resolve) => {
      settle = (yes) => {
        clearTimeout(timer);
        delete served.asked;
        resolve(yes);
      };
    });
    served.asked = { outcome, settle };
    this.#topics.tell(part, message, this.#topics.of('status'));
    return outcome;
  }

  #receive({ topic, payload, via }: IncomingMessage): void {
    const part = topic.slice(this.topic.length + 1);
    if (!isAnswer(part)) return;
    this.counts.mqttReceived++;
    if (via.includes(this.#context.bridgeId)) this.#drop('echo');
    else this.#try(() => this.#take(part, parseActionMessage(payload, FIELDS[part])));
  }

  /** Reports what a flow would be told. */
  #try(take: () => unknown): void {
    try {
      take();
    } catch (error) {
      this.#drop('invalid');
      this.#fail(`${this.settings.rosName}: ${(error as Error).message}`);
    }
  }

  /** Whether the message is about a goal that is under way. Throws where it cannot be what it should. */
  #take(part: AnswerPart, message: ActionMessage): boolean {
    const { goal_id, goals } = message;
    if (part === 'status' && Array.isArray(goals)) {
      const taken = goals.map((entry) => this.#take(part, parseActionMessage(entry, FIELDS.status)));
      if (taken.includes(true)) return true;
    }
    const goalId = typeof goal_id === 'string' ? goal_id.toLowerCase() : '';
    const served = this.#goals.get(goalId);
    if (served === undefined) return false;
    this.#clients.answered();
    if (served.goal !== undefined) this.#apply(served.goal, served, part, message);
    else if (message.status === 'rejected') served.asked?.settle(false);
    else {
      served.asked?.settle(true);
      served.early.push([part, message]);
      if (served.early.length > MAX_EARLY) {
        served.early.shift();
        this.#drop('in-flight');
      }
    }
    return true;
  }

  #apply(goal: ServerGoal, { asked }: ServedGoal, part: AnswerPart, message: ActionMessage): void {
    const { status, error, feedback, result } = message;
    switch (part) {
      case 'status':
        if (status === 'canceling') asked?.settle(true);
        else if (error !== undefined && error !== 'none') asked?.settle(false);
        break;
      case 'feedback':
        goal.feedback(feedback);
        this.counts.rosPublished++;
        break;
      case 'result':
        if (status === 'canceled' && goal.state === 'executing') {
          asked?.settle(true);
          // A goal that is being canceled since just now shows it a moment later.
          setImmediate(() => this.#try(() => this.#end(goal, status, result)));
        } else this.#end(goal, status, result, message['@error']);
    }
  }

  /** In ROS only what was asked to be canceled can end so; what ends in another way that ROS does not have is aborted. */
  #end(goal: ServerGoal, status: unknown, result: unknown, reason?: unknown): void {
    const served = this.#goals.get(goal.goalId);
    if (served === undefined) return;
    clearTimeout(served.timer);
    this.#goals.delete(goal.goalId);
    const isPossible = ENDS.has(status) && (status !== 'canceled' || goal.state === 'canceling');
    this.counts.rosPublished++;
    try {
      goal.end(isPossible ? (status as GoalEnd) : 'aborted', result);
      this.#problem = undefined;
    } catch (error) {
      goal.end('aborted');
      throw error;
    } finally {
      served.asked?.settle(false);
    }
    if (ENDS.has(status)) return;
    const words =
      typeof reason === 'string' ? shown(reason) : `status: ${mismatch([...ENDS].join(', '), status)}`;
    throw new Error(`goal ${goal.goalId} is aborted: ${words}`);
  }

  #drop(reason: DropReason): void {
    countDrop(this.counts, reason);
  }
}

function isAnswer(part: string | undefined): part is AnswerPart {
  return part !== undefined && Object.hasOwn(FIELDS, part);
}
