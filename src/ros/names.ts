import { rosNameFault } from '../topic/ros-name';

export { rosNameFault };

/** rosidl's names of packages and fields: lower case, no `__`, no `_` at the end. */
const LOWER_CASE_NAME = '(?!\\w*__)(?!\\w*_(?!\\w))[a-z][a-z0-9_]*';
/** rosidl's names of messages, and the parts of services and actions (`AddTwoInts_Request`). */
const TYPE_NAME = '[A-Z][A-Za-z0-9]*(?:_[A-Z][A-Za-z0-9]*)*';
const INTERFACE_TYPE = new RegExp(`^(${LOWER_CASE_NAME})/(msg|srv|action)/(${TYPE_NAME})$`);
const DDS_TYPE = new RegExp(`^(${LOWER_CASE_NAME})::(msg|srv|action)::dds_::(${TYPE_NAME})_$`);
const FIELD_NAME = new RegExp(`^${LOWER_CASE_NAME}$`);
const CONSTANT_NAME = /^(?!\w*__)(?!\w*_$)[A-Z][A-Z0-9_]*$/;

/** As long as a DDS type name may be in practice; keeps a hostile name from filling tables and logs. */
const MAX_TYPE_LENGTH = 255;

/**
 * Says what is wrong with the name of an interface type in its canonical form `package/msg/Type` (also `srv`,
 * `action`), or `undefined` when it is valid. Source: rosidl_adapter's VALID_PACKAGE_NAME_PATTERN and
 * VALID_MESSAGE_NAME_PATTERN; parts of services and actions (`AddTwoInts_Request`) are types too.
 */
export function interfaceTypeFault(type: string): string | undefined {
  if (type.length <= MAX_TYPE_LENGTH && INTERFACE_TYPE.test(type)) return undefined;
  return `"${type.slice(0, MAX_TYPE_LENGTH)}" is not an interface type like "std_msgs/msg/String"`;
}

/** Says what is wrong with the name of a service's type, for example `std_srvs/srv/Trigger`, or `undefined` when it is valid. */
export function serviceTypeFault(type: string): string | undefined {
  const isService = interfaceTypeFault(type) === undefined && type.includes('/srv/') && !isMessageType(type);
  return isService
    ? undefined
    : `"${type.slice(0, MAX_TYPE_LENGTH)}" is not a service type like "std_srvs/srv/Trigger"`;
}

/** The same of an action's type, for example `example_interfaces/action/Fibonacci`. */
export function actionTypeFault(type: string): string | undefined {
  const isAction =
    interfaceTypeFault(type) === undefined && type.includes('/action/') && !isMessageType(type);
  return isAction
    ? undefined
    : `"${type.slice(0, MAX_TYPE_LENGTH)}" is not an action type like "example_interfaces/action/Fibonacci"`;
}

/** Says what is wrong with the name of a message's field, or `undefined` when it is valid (rosidl_adapter). */
export function fieldNameFault(name: string): string | undefined {
  if (name.length <= MAX_TYPE_LENGTH && FIELD_NAME.test(name)) return undefined;
  return `"${name.slice(0, MAX_TYPE_LENGTH)}" is not a field name like "frame_id"`;
}

/** Says what is wrong with the name of a constant, or `undefined` when it is valid (rosidl_adapter). */
export function constantNameFault(name: string): string | undefined {
  if (name.length <= MAX_TYPE_LENGTH && CONSTANT_NAME.test(name)) return undefined;
  return `"${name.slice(0, MAX_TYPE_LENGTH)}" is not a constant's name like "MAX_SIZE"`;
}

/** Which part of a service or action travels as a message of its own, by the end of its name. */
const PART_OF_SERVICE = /_(?:Request|Response|Event)$/;
const PART_OF_ACTION = /_(?:Goal|Result|Feedback|FeedbackMessage|Request|Response|Event)$/;

/**
 * Whether an interface type is a message, which can be sent, and not a service or an action, which consists of several.
 * The name must be valid (see `interfaceTypeFault`).
 */
export function isMessageType(type: string): boolean {
  const [, kind, name] = type.split('/') as [string, string, string];
  if (kind === 'msg') return true;
  return (kind === 'srv' ? PART_OF_SERVICE : PART_OF_ACTION).test(name);
}

/**
 * The DDS topic of a ROS topic: `/chatter` -> `rt/chatter`. The name must be valid (see `rosNameFault`).
 * Source: design.ros2.org, "Topic and Service name mapping to DDS".
 */
export function ddsTopicName(rosName: string): string {
  return `rt${rosName}`;
}

/** The DDS topics of a service or of one of an action's services: `/add` -> `rq/addRequest` and `rr/addReply`. */
export function ddsServiceTopics(rosName: string): { request: string; reply: string } {
  return { request: `rq${rosName}Request`, reply: `rr${rosName}Reply` };
}

/** The service of the DDS topic of its requests (`rq/addRequest` -> `/add`), or `undefined` when it is none. */
export function rosServiceOf(ddsTopic: string): string | undefined {
  if (!ddsTopic.startsWith('rq/') || !ddsTopic.endsWith('Request')) return undefined;
  const rosName = ddsTopic.slice('rq'.length, -'Request'.length);
  return rosNameFault(rosName) === undefined ? rosName : undefined;
}

/** The ROS topic of a DDS topic (`rt/chatter` -> `/chatter`), or `undefined` when it is not one of a ROS topic. */
export function rosNameOf(ddsTopic: string): string | undefined {
  if (!ddsTopic.startsWith('rt/')) return undefined;
  const rosName = ddsTopic.slice('rt'.length);
  return rosNameFault(rosName) === undefined ? rosName : undefined;
}

/**
 * The DDS type of an interface type: `std_msgs/msg/String` -> `std_msgs::msg::dds_::String_`. The name must be valid
 * (see `interfaceTypeFault`).
 */
export function ddsTypeName(type: string): string {
  const slash = type.lastIndexOf('/');
  return `${type.slice(0, slash).replace('/', '::')}::dds_::${type.slice(slash + 1)}_`;
}

/** The interface type of a DDS type, or `undefined` when the DDS type is not one of ROS 2. */
export function rosTypeOf(ddsType: string): string | undefined {
  const match = ddsType.length <= MAX_TYPE_LENGTH ? DDS_TYPE.exec(ddsType) : null;
  return match === null ? undefined : `${match[1]}/${match[2]}/${match[3]}`;
}
