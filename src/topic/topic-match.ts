/**
 * What the wildcards of a valid filter stand for in a topic name: the level of each `+`, then the levels of `#` as one
 * text (blank where there are none). `undefined` when the filter does not match the name, MQTT 5.0 section 4.7.
 * @param filter the levels of a filter, without `$share/<group>/`
 */
export function wildcardParts(filter: readonly string[], topic: string): string[] | undefined {
  const levels = topic.split('/');
  // [MQTT-4.7.2-1]
  if (topic.startsWith('$') && filter[0] !== levels[0]) return undefined;
  const parts: string[] = [];
  for (let index = 0; index < filter.length; index++) {
    const wanted = filter[index];
    if (wanted === '#') return [...parts, levels.slice(index).join('/')];
    const level = levels[index];
    if (level === undefined) return undefined;
    if (wanted === '+') parts.push(level);
    else if (wanted !== level) return undefined;
  }
  return levels.length === filter.length ? parts : undefined;
}
