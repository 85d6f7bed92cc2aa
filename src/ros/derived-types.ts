import type { MessageDefinition, MessageField } from './message-definition';

/** The fields and constants of one part of a `.srv` or `.action` file. */
export type InterfacePart = Pick<MessageDefinition, 'fields' | 'constants'>;

/**
 * What rosidl makes of a service: its request, response and event messages, and the service itself, whose fields are
 * those messages. Nobody sends the last one; its hash identifies the service. Source: rosidl_parser, `Service`.
 */
export function serviceTypes(
  name: string,
  request: InterfacePart,
  response: InterfacePart,
): MessageDefinition[] {
  const messages = [
    { name: `${name}_Request`, ...request },
    { name: `${name}_Response`, ...response },
    derived(`${name}_Event`, [
      field('info', 'service_msgs/msg/ServiceEventInfo'),
      { ...field('request', `${name}_Request`), array: { bound: 1 } },
      { ...field('response', `${name}_Response`), array: { bound: 1 } },
    ]),
  ];
  const service = derived(name, [
    field('request_message', `${name}_Request`),
    field('response_message', `${name}_Response`),
    field('event_message', `${name}_Event`),
  ]);
  return [...messages, service];
}

/**
 * What rosidl makes of an action: goal, result and feedback, the services and the message that carry them together
 * with the goal's id, and the action itself, whose fields are those. Source: rosidl_parser, `Action`.
 */
export function actionTypes(
  name: string,
  goal: InterfacePart,
  result: InterfacePart,
  feedback: InterfacePart,
): MessageDefinition[] {
  const goalId = field('goal_id', 'unique_identifier_msgs/msg/UUID');
  return [
    { name: `${name}_Goal`, ...goal },
    { name: `${name}_Result`, ...result },
    { name: `${name}_Feedback`, ...feedback },
    ...serviceTypes(
      `${name}_SendGoal`,
      { fields: [goalId, field('goal', `${name}_Goal`)], constants: [] },
      {
        fields: [field('accepted', 'bool'), field('stamp', 'builtin_interfaces/msg/Time')],
        constants: [],
      },
    ),
    ...serviceTypes(
      `${name}_GetResult`,
      { fields: [goalId], constants: [] },
      { fields: [field('status', 'int8'), field('result', `${name}_Result`)], constants: [] },
    ),
    derived(`${name}_FeedbackMessage`, [goalId, field('feedback', `${name}_Feedback`)]),
    derived(name, [
      field('goal', `${name}_Goal`),
      field('result', `${name}_Result`),
      field('feedback', `${name}_Feedback`),
      field('send_goal_service', `${name}_SendGoal`),
      field('get_result_service', `${name}_GetResult`),
      field('feedback_message', `${name}_FeedbackMessage`),
    ]),
  ];
}

function derived(name: string, fields: MessageField[]): MessageDefinition {
  return { name, fields, constants: [] };
}

function field(name: string, type: string): MessageField {
  return { name, type };
}
