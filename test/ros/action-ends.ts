import { ActionClient, type ActionClientListener, type GoalResult } from '../../src/ros/action-client';
import {
  ActionServer,
  type ActionServerHandler,
  type ActionServerOptions,
} from '../../src/ros/action-server';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import type { GoalInfo, GoalState, GoalStatus } from '../../src/ros/ros-action';
import type { RosDomain } from '../../src/ros/ros-backend';
import type { ServerGoal } from '../../src/ros/server-goal';
import { Watch } from './bridge-fixture';

export const ACTION = { rosName: '/robot1/fibonacci', type: 'example_interfaces/action/Fibonacci' };
const library = InterfaceLibrary.bundled();
/** Long enough for discovery on a busy machine: none of these is waited for to its end. */
export const PATIENCE = 15_000;
const FIRST_NUMBERS = [0, 1, 1, 2, 3, 5];

/** The Fibonacci numbers up to one of the first. */
export const upTo = (order: number) => FIRST_NUMBERS.slice(0, order + 1);

/** A client with what it has heard so far. */
export class Caller extends Watch implements ActionClientListener {
  readonly feedbacks: Array<{ goalId: string; sequence: number[] }> = [];
  readonly states: GoalState[][] = [];
  readonly problems: string[] = [];
  goals: GoalStatus[] = [];
  readonly client: ActionClient;

  constructor(
    domain: RosDomain,
    readonly patience = PATIENCE,
  ) {
    super();
    this.client = new ActionClient(domain, library, ACTION, this);
  }

  feedback(goalId: string, feedback: unknown): void {
    this.feedbacks.push({ goalId, ...(feedback as { sequence: number[] }) });
    this.changed();
  }

  status(goals: GoalStatus[]): void {
    this.goals = goals;
    this.states.push(goals.map(({ state }) => state));
    this.changed();
  }

  serversChanged(): void {
    this.changed();
  }

  problem(message: string): void {
    this.problems.push(message);
    this.changed();
  }

  send(order: number, goalId?: string): Promise<GoalInfo> {
    return this.client.sendGoal({ order }, this.patience, goalId);
  }

  result(goalId: string): Promise<GoalResult> {
    return this.client.result(goalId, this.patience);
  }

  cancel(goals: Parameters<ActionClient['cancel']>[0]) {
    return this.client.cancel(goals, this.patience);
  }
}

/** A server that takes all goals, and does with them what a test says. */
export class Worker extends Watch implements ActionServerHandler {
  readonly goals: ServerGoal[] = [];
  readonly problems: string[] = [];
  readonly server: ActionServer;

  constructor(domain: RosDomain, options: Partial<ActionServerOptions> = {}) {
    super();
    this.server = new ActionServer(domain, library, { ...ACTION, ...options }, this);
  }

  accept(_goal: Parameters<ActionServerHandler['accept']>[0]): boolean | Promise<boolean> {
    return true;
  }

  execute(goal: ServerGoal): void {
    this.goals.push(goal);
    this.changed();
  }

  cancel(_goal: ServerGoal): boolean | Promise<boolean> {
    return true;
  }

  problem(message: string): void {
    this.problems.push(message);
    this.changed();
  }

  async goal(index = 0): Promise<ServerGoal> {
    await this.until(() => this.goals.length > index);
    return this.goals[index] as ServerGoal;
  }
}
