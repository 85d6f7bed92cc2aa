import { bridgeIdFault } from './via';

/** The name of a bridge's node begins with it. */
const PREFIX = 'mqtt_ros_bridge_';
/** Of a node's name in ROS 2. */
const MAX_LENGTH = 255;

/**
 * The name of a bridge's node in ROS, which has no namespace: by it others know the bridge where nothing else tells its
 * id. What is neither a letter nor a digit of ASCII is `_` and two hexadecimal digits for each byte of its UTF-8.
 */
export function bridgeNodeName(bridgeId: string): string {
  const name = bridgeId.replace(/[^A-Za-z0-9]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `_${byte.toString(16).padStart(2, '0')}`).join(''),
  );
  // Nobody knows the id of one that is cut off, as no more is behind its end than a part of a character.
  return `${PREFIX}${name}`.slice(0, MAX_LENGTH);
}

/** Whether a node is a bridge's. @param name with or without its namespace */
export function isBridgeNode(name: string): boolean {
  return /(?:^|\/)mqtt_ros_bridge_\w*$/.test(name);
}

/** The id of the bridge whose node it is, by its full name; `undefined` where it is none, or does not tell it. */
export function bridgeIdOfNode(fullName: string): string | undefined {
  if (!fullName.startsWith(`/${PREFIX}`)) return undefined;
  const encoded = fullName.slice(PREFIX.length + 1).replaceAll('_', '%');
  try {
    const id = decodeURIComponent(encoded);
    return bridgeIdFault(id) === undefined && `/${bridgeNodeName(id)}` === fullName ? id : undefined;
  } catch {
    return undefined;
  }
}
