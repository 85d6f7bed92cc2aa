import { type RosTopicKind, RosTopicMapping } from './ros-topic';

/** The parts of a topic name of ROS: `<prefix>/<domain>/<node>/<message type>`. */
export interface RosTopicParts {
  /** As the name spells it: a number from 0 to 232, or an alias. */
  domain: string;
  /** The levels between domain and message type; empty where there are none. */
  node: string;
  /** The last level of the ROS name; empty for what belongs to the domain (`@bridge`, `@graph`). */
  messageType: string;
  /** Node and message type with leading slash, as ROS has them; empty likewise. */
  rosName: string;
  /** Of a topic that belongs to the name or the domain, without its `@`: `meta`, `req`. */
  kind?: RosTopicKind;
}

/**
 * What a topic name says of ROS, whatever domains there are: `ros/7/robot1/camera/image_raw` is `image_raw` of
 * `robot1/camera` in domain `7`. What namespaces and topics of their own routes have only a bridge knows
 * (`BridgeHandle.rosOf`). `undefined` for a name that is not below the prefix, or stands for nothing in ROS.
 * @throws Error the prefix is not valid
 */
export function parseRosTopic(topic: string, prefix = 'ros'): RosTopicParts | undefined {
  const [domain = ''] = topic.slice(prefix.length + 1).split('/', 1);
  const ros = mappingWith(prefix, domain)?.toRos(topic);
  if (ros === undefined || 'fault' in ros) return undefined;
  const { rosName, kind } = ros;
  return { domain, ...rosNameParts(rosName), rosName, ...(kind !== undefined && { kind }) };
}

/** Node and message type of a ROS name with its leading slash. */
export function rosNameParts(rosName: string): Pick<RosTopicParts, 'node' | 'messageType'> {
  const at = rosName.lastIndexOf('/');
  return { node: rosName.slice(1, Math.max(at, 1)), messageType: rosName.slice(at + 1) };
}

/** A mapping that knows the domain by this name, whichever it is; none where it can be no name of a domain. */
function mappingWith(prefix: string, domain: string): RosTopicMapping | undefined {
  const plain = new RosTopicMapping({ prefix });
  if (/^\d*$/.test(domain)) return plain;
  try {
    return new RosTopicMapping({ prefix, aliases: { [domain]: 0 } });
  } catch {
    return undefined;
  }
}
