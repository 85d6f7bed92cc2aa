/** Longest UTF-8 string that MQTT can carry, in bytes [MQTT-1.5.4]. */
export const MAX_TOPIC_BYTES = 65535;

/**
 * Says what is wrong with a topic name for PUBLISH, or `undefined` when it is valid.
 * Source: MQTT 5.0 section 4.7 ([MQTT-3.3.2-2], [MQTT-4.7.3-1..3]).
 */
export function topicNameFault(name: string): string | undefined {
  if (/[+#]/.test(name))
    return `topic name "${shown(name)}" contains a wildcard (+ or #), which only filters may`;
  return textFault('topic name', name);
}

/** What topic names, topic filters and other texts that MQTT carries have in common: not empty, no NUL, well-formed, at most 65,535 bytes [MQTT-1.5.4-1, MQTT-1.5.4-2]. */
export function textFault(kind: string, text: string): string | undefined {
  if (text === '') return `${kind} is empty`;
  if (text.includes('\0')) return `${kind} contains a NUL character`;
  if (!isWellFormed(text)) return `${kind} is not well-formed Unicode (a lone surrogate)`;
  if (text.length > MAX_TOPIC_BYTES / 3 && new TextEncoder().encode(text).length > MAX_TOPIC_BYTES) {
    return `${kind} is longer than ${MAX_TOPIC_BYTES} bytes`;
  }
  return undefined;
}

// String.prototype.isWellFormed, which Node 20 has but the ES2023 library does not declare.
function isWellFormed(text: string): boolean {
  return !/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(text);
}

/** As much of a text from outside as a message to a person should quote: a topic may have 65,535 bytes. */
export function shown(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
