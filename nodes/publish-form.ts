import { topicNameFault } from '../src/topic/topic-name';
import { FieldError } from './field-error';
import { formText } from './form-text';
import { timeoutOf } from './form-timeout';

const MODES = ['publish', 'request', 'reply'] as const;
export type PublishMode = (typeof MODES)[number];

/** What is the same for all messages of an mqtt-pub; absent in flows of an earlier form. */
export interface PublishFields {
  mode?: string;
  replyPrefix?: string;
  timeout?: string | number;
}

export interface PublishForm {
  mode: PublishMode;
  /** Levels that response topics begin with. */
  replyPrefix: string;
  /** Seconds to wait for a reply. */
  timeout: number;
}

/** @throws FieldError a field whose value cannot be used */
export function readPublishForm(fields: PublishFields): PublishForm {
  const mode = MODES.find((known) => known === (fields.mode || 'publish'));
  if (mode === undefined) throw new FieldError('mode', fields.mode);
  const replyPrefix = formText(fields.replyPrefix) || 'replies';
  if (topicNameFault(replyPrefix) !== undefined) throw new FieldError('replyPrefix', replyPrefix);
  return { mode, replyPrefix, timeout: timeoutOf(fields) };
}
