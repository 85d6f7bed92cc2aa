import type { QoS, SubscribeOptions } from '../src/client/connection';
import { PAYLOAD_OUTPUTS, type PayloadOutput } from '../src/client/flow-payload';
import { FieldError } from './field-error';
import { wholeNumber } from './form-number';
import { formText } from './form-text';

/** What mqtt-sub's form says of its subscriptions; all but the first three are absent in flows of an earlier form. */
export interface SubscriptionFields {
  topicFilter?: string;
  qos?: string;
  output?: string;
  moreFilters?: string[];
  noLocal?: boolean;
  retainAsPublished?: boolean;
  retainHandling?: string;
}

export interface SubscriptionForm {
  filters: string[];
  options: SubscribeOptions & { qos: QoS };
  output: PayloadOutput;
}

/** @throws FieldError a field whose value cannot be used */
export function readSubscriptionForm(fields: SubscriptionFields): SubscriptionForm {
  const qos = wholeNumber(fields.qos ?? '1', 0, 2);
  if (qos === undefined) throw new FieldError('qos', fields.qos);
  const retainHandling = wholeNumber(fields.retainHandling ?? '0', 0, 2);
  if (retainHandling === undefined) throw new FieldError('retainHandling', fields.retainHandling);
  const output = fields.output || 'auto';
  if (!isOutput(output)) throw new FieldError('output', output);
  const first = formText(fields.topicFilter);
  if (first === undefined) throw new FieldError('topicFilter', fields.topicFilter);
  const more: unknown = fields.moreFilters ?? [];
  if (!Array.isArray(more) || !more.every((filter) => typeof filter === 'string')) {
    throw new FieldError('moreFilters', more);
  }
  return {
    filters: [...new Set([first, ...more])],
    options: {
      qos: qos as QoS,
      noLocal: fields.noLocal === true,
      retainAsPublished: fields.retainAsPublished === true,
      retainHandling: retainHandling as 0 | 1 | 2,
    },
    output,
  };
}

const isOutput = (output: string): output is PayloadOutput =>
  (PAYLOAD_OUTPUTS as readonly string[]).includes(output);
