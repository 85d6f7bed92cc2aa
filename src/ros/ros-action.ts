import { goalIdIn } from './goal-id';
import type { InterfaceLibrary } from './interface-library';
import { MessageCodec } from './message-codec';
import { rosNameFault } from './names';
import type { RosDomain, RosQos, RosServiceEndpoint, RosServiceOptions } from './ros-backend';

/** ROS 2's defaults for an action's topics (rcl_action). */
export const FEEDBACK_QOS: RosQos = { reliability: 'reliable', durability: 'volatile', depth: 10 };
export const STATUS_QOS: RosQos = { reliability: 'reliable', durability: 'transient-local', depth: 1 };

/** The states of a goal by their numbers in `action_msgs/msg/GoalStatus`. */
export const GOAL_STATES = [
  'unknown',
  'accepted',
  'executing',
  'canceling',
  'succeeded',
  'canceled',
  'aborted',
] as const;

export type GoalState = (typeof GOAL_STATES)[number];

/** A `builtin_interfaces/msg/Time`. */
export interface RosTime {
  sec: number;
  nanosec: number;
}

/** A goal that a server has accepted. */
export interface GoalInfo {
  goalId: string;
  /** When it was accepted. */
  stamp: RosTime;
}

export interface GoalStatus extends GoalInfo {
  state: GoalState;
}

/** The answers to a request to cancel by their numbers in `action_msgs/srv/CancelGoal`. */
export const CANCEL_ANSWERS = ['none', 'rejected', 'unknown-goal-id', 'goal-terminated'] as const;

/** `none`: no error. */
export type CancelAnswer = (typeof CANCEL_ANSWERS)[number];

/** A call of an action that did not come to its end. */
export class ActionError extends Error {
  override readonly name = 'ActionError';
  readonly status: 'rejected' | 'unknown-goal' | 'unavailable';

  constructor(rosName: string, status: ActionError['status'], reason: string) {
    super(`action ${rosName}: ${reason}`);
    this.status = status;
  }
}

/** One of the services that an action consists of. */
interface ActionService {
  readonly options: RosServiceOptions;
  readonly request: MessageCodec;
  readonly response: MessageCodec;
}

/** One of the topics that an action consists of. */
interface ActionTopic {
  readonly rosName: string;
  readonly codec: MessageCodec;
}

/**
 * The services and topics that an action of a type consists of, with their codecs. Source: design.ros2.org, "Actions";
 * rcl_action, `names.c`.
 */
export class ActionInterface {
  readonly rosName: string;
  readonly type: string;
  readonly sendGoal: ActionService;
  readonly cancelGoal: ActionService;
  readonly getResult: ActionService;
  readonly feedback: ActionTopic;
  readonly status: ActionTopic;

  /**
   * @param type for example `example_interfaces/action/Fibonacci`
   * @throws UnknownTypeError when the library does not know the type, an Error when the name is invalid or too long
   */
  constructor(library: InterfaceLibrary, rosName: string, type: string) {
    const fault = actionNameFault(rosName);
    if (fault !== undefined) throw new Error(fault);
    const service = (name: string, serviceType: string): ActionService => {
      const request = MessageCodec.for(library, `${serviceType}_Request`);
      const response = MessageCodec.for(library, `${serviceType}_Response`);
      const hashes = { requestHash: request.typeHash, responseHash: response.typeHash };
      const options = { rosName: partOf(rosName, name), type: serviceType, action: type, ...hashes };
      return { options, request, response };
    };
    const topic = (name: string, topicType: string): ActionTopic => ({
      rosName: partOf(rosName, name),
      codec: MessageCodec.for(library, topicType),
    });
    this.rosName = rosName;
    this.type = type;
    this.sendGoal = service('send_goal', `${type}_SendGoal`);
    this.cancelGoal = service('cancel_goal', 'action_msgs/srv/CancelGoal');
    this.getResult = service('get_result', `${type}_GetResult`);
    this.feedback = topic('feedback', `${type}_FeedbackMessage`);
    this.status = topic('status', 'action_msgs/msg/GoalStatusArray');
  }
}

/** Says what is wrong with the name of an action, or `undefined` when it and the names of its parts are valid. */
function actionNameFault(rosName: string): string | undefined {
  return rosNameFault(rosName) ?? rosNameFault(partOf(rosName, 'cancel_goal'));
}

/** The server or a client of an action, of somebody else. */
export interface RosActionEndpoint
  extends Pick<RosServiceEndpoint, 'guid' | 'kind' | 'vendor' | 'isNeighbour'> {
  /** For example `/fibonacci`. */
  rosName: string;
  /** For example `example_interfaces/action/Fibonacci`. */
  type: string;
}

const SEND_GOAL = '/_action/send_goal';

/** The actions among the services of a domain, each known by the service that takes its goals. */
export function* actionsAmong(services: Iterable<RosServiceEndpoint>): Iterable<RosActionEndpoint> {
  for (const { rosName, type, ...facts } of services) {
    const [, action] = /^(\w+\/action\/\w+)_SendGoal$/.exec(type) ?? [];
    if (action === undefined || !rosName.endsWith(SEND_GOAL)) continue;
    yield { ...facts, rosName: rosName.slice(0, -SEND_GOAL.length), type: action };
  }
}

/** The servers and clients that others have in a domain now of services or actions; of one name where it is given. */
export function servicesOf(
  kind: 'service' | 'action',
  domain: Pick<RosDomain, 'services'>,
  rosName?: string,
): Iterable<RosActionEndpoint> {
  if (kind === 'service') return domain.services(rosName);
  return actionsAmong(domain.services(rosName && sendGoalOf(rosName)));
}

/** The name of the service by which an action is known. */
export function sendGoalOf(rosName: string): string {
  return `${rosName}${SEND_GOAL}`;
}

/** The goal in a decoded `action_msgs/msg/GoalInfo`. */
export function goalInfoIn(message: { goal_id: { uuid: string }; stamp: RosTime }): GoalInfo {
  return { goalId: goalIdIn(message.goal_id), stamp: message.stamp };
}

function partOf(rosName: string, part: string): string {
  return `${rosName}/_action/${part}`;
}
