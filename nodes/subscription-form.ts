import type { QoS, SubscribeOptions } from '../src/client/connection';
import { PAYLOAD_OUTPUTS, type PayloadOutput } from '../src/client/flow-payload';
import { FieldError } from './field-error';
import { wholeNumber } from './form-number';
import { formText } from './form-text';
import { timeoutOf } from './form-timeout';

/** What mqtt-sub's form says of its subscriptions; all but the first three are absent in flows of an earlier form. */
export interface SubscriptionFields {
  topicFilter?: string;
  qos?: string;
  output?: string;
  moreFilters?: string[];
  noLocal?: boolean;
  retainAsPublished?: boolean;
  retainHandling?: string;
  actions?: boolean;
  delivery?: string;
  timeout?: string | number;
  maxWaiting?: string | number;
  overflow?: string;
  states?: boolean;
}

/** Messages as they arrive; so, and acknowledged by the flow; or when the input asks for them. */
const DELIVERIES = ['arrival', 'acknowledged', 'request'] as const;
export type Delivery = (typeof DELIVERIES)[number];

const OVERFLOWS = ['drop-oldest', 'drop-newest'] as const;
const MOST_WAITING = 10_000;

export interface SubscriptionForm {
  /** Empty only where the input may subscribe. */
  filters: string[];
  delivery: Delivery;
  /** Seconds that a message may be unacknowledged, or a request for messages wait. */
  timeout: number;
  /** Messages that may be unacknowledged, or wait for a request. */
  maxWaiting: number;
  overflow: (typeof OVERFLOWS)[number];
  options: SubscribeOptions & { qos: QoS };
  output: PayloadOutput;
}

/**
 * @param fill answers a text of a field with its `${NAME}` filled in, and may throw
 * @throws FieldError a field whose value cannot be used
 */
export function readSubscriptionForm(
  fields: SubscriptionFields,
  fill: (field: string, text: string) => string,
): SubscriptionForm {
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
  const delivery = DELIVERIES.find((known) => known === (fields.delivery || 'arrival'));
  if (delivery === undefined) throw new FieldError('delivery', fields.delivery);
  const timeout = timeoutOf(fields);
  const maxWaiting = wholeNumber(
    fields.maxWaiting || (delivery === 'acknowledged' ? 1 : 100),
    1,
    MOST_WAITING,
  );
  if (maxWaiting === undefined) throw new FieldError('maxWaiting', fields.maxWaiting);
  const overflow = OVERFLOWS.find((known) => known === (fields.overflow || 'drop-oldest'));
  if (overflow === undefined) throw new FieldError('overflow', fields.overflow);
  const none = first === '' && more.length === 0 && fields.actions === true;
  return {
    filters: none
      ? []
      : [...new Set([fill('topicFilter', first), ...more.map((text) => fill('moreFilters', text))])],
    delivery,
    timeout,
    maxWaiting,
    overflow,
    options: {
      qos: qos as QoS,
      ...(delivery === 'acknowledged' && { acknowledgement: { timeout, concurrency: maxWaiting } }),
      noLocal: fields.noLocal === true,
      retainAsPublished: fields.retainAsPublished === true,
      retainHandling: retainHandling as 0 | 1 | 2,
    },
    output,
  };
}

const isOutput = (output: string): output is PayloadOutput =>
  (PAYLOAD_OUTPUTS as readonly string[]).includes(output);
