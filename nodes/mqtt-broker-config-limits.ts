import type { ConnectionSettings } from '../src/client/connection';
import type { FormValues } from './form-values';

const KIB = 1024;

/**
 * The fields of the form that are numbers: the least and the most they may be. A blank one leaves the matter to the
 * connection.
 */
export const numberFields = {
  receiveMaximum: [1, 65_535],
  maximumPacketSize: [1, 4_194_303],
  topicAliasMaximum: [0, 65_535],
  maxInFlight: [1, 32_767],
  queueMessages: [1, 1_000_000_000],
  queueBytes: [1, 1_000_000_000],
  queueExpiry: [1, 4_294_967_295],
  reconnectFirst: [1, 3_600_000],
  reconnectLongest: [1, 86_400],
  connectTimeout: [1, 3600],
} as const satisfies Record<string, readonly [least: number, most: number]>;

export type NumberField = keyof typeof numberFields;

/** `short`: for 10 s, so that a reconnect is bridged and an outage reported. */
export const QUEUES = ['short', 'memory', 'disk'] as const;
export const OVERFLOWS = ['refuse', 'drop-oldest', 'drop-newest'] as const;
export const QOS0 = ['queue', 'refuse'] as const;

/** Limits, queue and delays; absent in flows of before they existed. */
export type LimitFields = Partial<Record<NumberField, number | string>> & {
  /** Whether topic aliases are used for what is published. */
  topicAliases?: boolean;
  queue?: (typeof QUEUES)[number];
  queueOverflow?: (typeof OVERFLOWS)[number];
  queueQos0?: (typeof QOS0)[number];
};

/**
 * What the form says about limits, the queue and when to try again. `maximumPacketSize` and `queueBytes` are KiB there,
 * `reconnectFirst` is ms, other times are seconds.
 * @param directory where a queue on disk would be; Node-RED may have no place for one
 * @throws Error that names the field
 */
export function limitsOf(
  form: FormValues,
  fields: LimitFields,
  directory: string | undefined,
): Pick<
  ConnectionSettings,
  | 'receiveMaximum'
  | 'maximumPacketSize'
  | 'topicAliasMaximum'
  | 'topicAliases'
  | 'maxInFlight'
  | 'connectTimeout'
  | 'reconnect'
  | 'queue'
> {
  const number = (field: NumberField) => {
    const [least, most] = numberFields[field];
    return form.number(field, fields[field], least, most);
  };
  const [receiveMaximum, packetSize, topicAliasMaximum, maxInFlight, connectTimeout, first, longest] = [
    number('receiveMaximum'),
    number('maximumPacketSize'),
    number('topicAliasMaximum'),
    number('maxInFlight'),
    number('connectTimeout'),
    number('reconnectFirst'),
    number('reconnectLongest'),
  ];
  const queue = queueOf(form, fields, number, directory);
  return {
    ...(receiveMaximum !== undefined && { receiveMaximum }),
    ...(packetSize !== undefined && { maximumPacketSize: packetSize * KIB }),
    ...(topicAliasMaximum !== undefined && { topicAliasMaximum }),
    ...(fields.topicAliases === true && { topicAliases: true }),
    ...(maxInFlight !== undefined && { maxInFlight }),
    ...(connectTimeout !== undefined && { connectTimeout }),
    ...((first !== undefined || longest !== undefined) && {
      reconnect: {
        ...(first !== undefined && { first }),
        ...(longest !== undefined && { longest: longest * 1000 }),
      },
    }),
    ...(queue && { queue }),
  };
}

function queueOf(
  form: FormValues,
  fields: LimitFields,
  number: (field: NumberField) => number | undefined,
  directory: string | undefined,
): ConnectionSettings['queue'] {
  const place = form.choice('queue', fields.queue, QUEUES);
  if (place === 'short') return undefined;
  if (place === 'disk' && directory === undefined) return form.refuse('noDirectory');
  const [maxMessages, size, expiry] = [number('queueMessages'), number('queueBytes'), number('queueExpiry')];
  return {
    ...(place === 'disk' && directory !== undefined && { directory }),
    ...(maxMessages !== undefined && { maxMessages }),
    ...(size !== undefined && { maxBytes: size * KIB }),
    ...(expiry !== undefined && { expiry }),
    overflow: form.choice('queueOverflow', fields.queueOverflow, OVERFLOWS),
    qos0: form.choice('queueQos0', fields.queueQos0, QOS0),
  };
}
