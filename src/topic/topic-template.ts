import { shown } from './topic-name';

/** A topic with placeholders that cannot be filled in; the message names the topic and the placeholder. */
export class TopicTemplateError extends Error {
  override readonly name = 'TopicTemplateError';
}

/** Where the value of a placeholder is taken from. */
export type PlaceholderSource = 'msg' | 'flow' | 'global' | 'env';

const PLACEHOLDER = /\{\{\s*(msg|flow|global|env)\.([^{}]+?)\s*\}\}/g;

/**
 * Fills in `{{msg.path}}`, `{{flow.path}}`, `{{global.path}}` and `{{env.NAME}}`. Values are text, numbers or booleans.
 * @throws TopicTemplateError a value is missing, blank, of another kind, or has what no topic name may have
 */
export function fillTopic(
  template: string,
  lookUp: (source: PlaceholderSource, path: string) => unknown,
): string {
  const topic = template.replace(PLACEHOLDER, (placeholder, source: PlaceholderSource, path: string) => {
    const value = lookUp(source, path);
    const fault = valueFault(value);
    if (fault !== undefined)
      throw new TopicTemplateError(`topic "${shown(template)}": ${placeholder} ${fault}`);
    return String(value);
  });
  const [rest] = template.replace(PLACEHOLDER, '').match(/\{\{[^}]*\}?\}?/) ?? [];
  if (rest !== undefined) {
    throw new TopicTemplateError(
      `topic "${shown(template)}": ${rest} is no placeholder, expected {{msg.…}}, {{flow.…}}, {{global.…}} or {{env.…}}`,
    );
  }
  return topic;
}

function valueFault(value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return 'has no value';
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
    return `is ${Array.isArray(value) ? 'a list' : `of type ${typeof value}`}, expected text or a number`;
  }
  const text = String(value);
  if (/[+#]/.test(text)) return `is "${shown(text)}", which has a wildcard (+ or #)`;
  return text.includes('\0') ? 'has a NUL character' : undefined;
}
