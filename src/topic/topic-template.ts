/** A topic with placeholders that cannot be filled in; the message names the placeholder. */
export class TopicTemplateError extends Error {
  override readonly name = 'TopicTemplateError';
}

/** Where the value of a placeholder is taken from. */
export type PlaceholderSource = 'msg' | 'flow' | 'global' | 'env';

const PLACEHOLDER = /\{\{\s*(msg|flow|global|env)\.([^{}]+?)\s*\}\}/g;

/**
 * Fills in `{{msg.path}}`, `{{flow.path}}`, `{{global.path}}` and `{{env.NAME}}`. Values are text, numbers or booleans.
 * @throws TopicTemplateError a value is missing, blank, of another kind, or has a wildcard: the topic would be another
 */
export function fillTopic(
  template: string,
  lookUp: (source: PlaceholderSource, path: string) => unknown,
): string {
  const topic = template.replace(PLACEHOLDER, (placeholder, source: PlaceholderSource, path: string) =>
    levelsOf(placeholder, lookUp(source, path)),
  );
  const [rest] = template.replace(PLACEHOLDER, '').match(/\{\{[^}]*\}?\}?/) ?? [];
  if (rest !== undefined) {
    throw new TopicTemplateError(
      `${rest} is no placeholder, expected {{msg.…}}, {{flow.…}}, {{global.…}} or {{env.…}}`,
    );
  }
  return topic;
}

function levelsOf(placeholder: string, value: unknown): string {
  if (value === undefined || value === null || value === '') {
    throw new TopicTemplateError(`${placeholder} has no value`);
  }
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
    throw new TopicTemplateError(
      `${placeholder} is ${Array.isArray(value) ? 'a list' : `of type ${typeof value}`}, expected text or a number`,
    );
  }
  const text = String(value);
  if (/[+#]/.test(text))
    throw new TopicTemplateError(`${placeholder} is "${text.slice(0, 100)}", which has a wildcard (+ or #)`);
  return text;
}
