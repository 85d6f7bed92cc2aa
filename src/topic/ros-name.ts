/** Longest fully qualified ROS 2 name in characters: 255 of a DDS topic less 8 for prefix and suffix. */
const MAX_ROS_NAME_LENGTH = 247;

/**
 * Says what is wrong with a fully qualified ROS 2 name (of a topic, service, action or node), or `undefined` when it
 * is valid. The rules are those that every ROS 2 client library enforces, `rmw_validate_full_topic_name`
 * (design.ros2.org, "Topic and Service name mapping to DDS"); like that function, and unlike the article, they allow
 * repeated underscores.
 */
export function rosNameFault(name: string): string | undefined {
  if (name === '') return 'ROS name is empty';
  if (name.length > MAX_ROS_NAME_LENGTH) {
    return `ROS name "${name.slice(0, 40)}…" has ${name.length} characters; at most ${MAX_ROS_NAME_LENGTH} are allowed`;
  }
  const unallowed = /[^A-Za-z0-9_/]/u.exec(name);
  if (unallowed !== null) {
    return `ROS name "${name}" contains ${JSON.stringify(unallowed[0])}; letters, digits, _ and / are allowed`;
  }
  if (!name.startsWith('/')) return `ROS name "${name}" does not start with /`;
  if (name.endsWith('/')) return `ROS name "${name}" ends with /`;
  if (name.includes('//')) return `ROS name "${name}" has an empty part (//)`;
  const digit = /\/(\d[^/]*)/.exec(name);
  if (digit !== null) return `ROS name "${name}": the part "${digit[1]}" starts with a digit`;
  return undefined;
}
