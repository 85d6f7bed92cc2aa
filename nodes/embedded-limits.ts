import {
  type Limits,
  type NumericLimit,
  type QueuePolicy,
  queuePolicies,
  rangeOf,
} from '../src/broker/limits';
import { FieldError } from './field-error';
import { wholeNumber } from './form-number';

const KIB = 1024;
const MIB = 1024 * KIB;

/** The fields of the form that are limits, each with the limit and how much of it one is; empty for the default. */
export const limitFields = {
  limitConnections: { limit: 'connections', unit: 1 },
  limitConnectionsPerAddress: { limit: 'connectionsPerAddress', unit: 1 },
  limitConnectRate: { limit: 'connectRate', unit: 1 },
  limitConnectTimeout: { limit: 'connectTimeout', unit: 1000 },
  limitMessageRate: { limit: 'messageRate', unit: 1 },
  limitByteRate: { limit: 'byteRate', unit: KIB },
  limitPacketSize: { limit: 'packetSize', unit: KIB },
  limitTopicLevels: { limit: 'topicLevels', unit: 1 },
  limitTopicLength: { limit: 'topicLength', unit: 1 },
  limitSubscriptions: { limit: 'subscriptions', unit: 1 },
  limitInFlight: { limit: 'inFlight', unit: 1 },
  limitQueuedMessages: { limit: 'queuedMessages', unit: 1 },
  limitQueuedBytes: { limit: 'queuedBytes', unit: KIB },
  limitRetainedMessages: { limit: 'retainedMessages', unit: 1 },
  limitRetainedBytes: { limit: 'retainedBytes', unit: KIB },
  limitOfflineSessions: { limit: 'offlineSessions', unit: 1 },
  limitSessionExpiry: { limit: 'sessionExpiry', unit: 3600 },
  limitStoredBytes: { limit: 'storedBytes', unit: MIB },
  limitMemoryBytes: { limit: 'memoryBytes', unit: MIB },
} as const satisfies Record<string, { limit: NumericLimit; unit: number }>;

export type LimitField = keyof typeof limitFields;
export const limitFieldNames = Object.keys(limitFields) as LimitField[];

/** What the form says of limits; absent in nodes saved before there were any. */
export type LimitFields = Partial<Record<LimitField, number | string>> & { queuePolicy?: string };

/** Whole numbers beyond it are no limit that anybody means. */
const HIGHEST = 1_000_000_000;

/** The least and the most that a field may say, in its unit. */
export function limitRange(field: LimitField): readonly [least: number, most: number] {
  const { limit, unit } = limitFields[field];
  const [lowest, highest] = rangeOf(limit);
  return [Math.ceil(lowest / unit), Math.min(HIGHEST, Math.floor(highest / unit))];
}

/** The limit that a field says, `undefined` for the default, or `null` when the value cannot be used. */
export function limitOf(field: LimitField, value: unknown): number | undefined | null {
  if (value === undefined || (typeof value === 'string' && value.trim() === '')) return undefined;
  const number = wholeNumber(value, ...limitRange(field));
  return number === undefined ? null : number * limitFields[field].unit;
}

/**
 * What the form says.
 * @throws FieldError whose value `label` is the key of the field's label, where the field is a number
 */
export function limitsOf(fields: LimitFields): Partial<Limits> {
  const limits: Partial<Limits> = {};
  for (const field of limitFieldNames) {
    const value = fields[field];
    const limit = limitOf(field, value);
    if (limit === null) {
      const [least, most] = limitRange(field);
      throw new FieldError('limit', value, { label: field, least, most });
    }
    if (limit !== undefined) limits[limitFields[field].limit] = limit;
  }
  const policy = fields.queuePolicy || undefined;
  if (policy === undefined) return limits;
  if (!queuePolicies.includes(policy as QueuePolicy)) throw new FieldError('queuePolicy', policy);
  return { ...limits, queuePolicy: policy as QueuePolicy };
}
