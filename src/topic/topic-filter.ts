import { shown, textFault } from './topic-name';

/** `$share/<group>/<filter>` taken apart; `group` is absent on an ordinary subscription. */
export interface ParsedFilter {
  group?: string;
  /** The filter that topic names are compared with. */
  filter: string;
}

/**
 * Says what is wrong with a topic filter for SUBSCRIBE, or `undefined` when it is valid.
 * Source: MQTT 5.0 sections 4.7 and 4.8.2 ([MQTT-4.7.1-1], [MQTT-4.7.1-2], [MQTT-4.8.2-1], [MQTT-4.8.2-2]).
 */
export function topicFilterFault(text: string): string | undefined {
  const fault = textFault('topic filter', text);
  if (fault !== undefined) return fault;
  if (text.startsWith('$share/')) {
    const slash = text.indexOf('/', '$share/'.length);
    const group = text.slice('$share/'.length, slash === -1 ? undefined : slash);
    if (group === '' || /[+#]/.test(group))
      return `shared subscription "${shown(text)}" has no valid group name`;
    if (slash === -1 || slash === text.length - 1)
      return `shared subscription "${shown(text)}" has no topic filter after the group`;
  }
  const levels = parseFilter(text).filter.split('/');
  for (const [index, level] of levels.entries()) {
    if (level.includes('#') && (level !== '#' || index !== levels.length - 1)) {
      return `topic filter "${shown(text)}": # must be alone in the last level`;
    }
    if (level.includes('+') && level !== '+')
      return `topic filter "${shown(text)}": + must be alone in its level`;
  }
  return undefined;
}

/** The same of one that only looks on: it cannot be a shared subscription, which takes messages from others. */
export function watchFilterFault(text: string): string | undefined {
  return text.startsWith('$share/')
    ? `"${shown(text)}" is a shared subscription, expected a topic filter`
    : topicFilterFault(text);
}

/** Takes a valid filter apart. */
export function parseFilter(text: string): ParsedFilter {
  if (!text.startsWith('$share/')) return { filter: text };
  const slash = text.indexOf('/', '$share/'.length);
  return { group: text.slice('$share/'.length, slash), filter: text.slice(slash + 1) };
}
