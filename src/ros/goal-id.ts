import { mismatch } from './payload-error';

const TEXT = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** What stands for no goal in a request to cancel. */
export const NO_GOAL = '00000000-0000-0000-0000-000000000000';

/**
 * The `unique_identifier_msgs/msg/UUID` of a goal's id, as codecs take it.
 * @throws Error it is no UUID in its text form
 */
export function uuidMessage(id: string): { uuid: Buffer } {
  if (!TEXT.test(id)) throw notGoalId(id);
  return { uuid: Buffer.from(id.replaceAll('-', ''), 'hex') };
}

/** The id in a decoded `unique_identifier_msgs/msg/UUID`, in lower case. */
export function goalIdIn({ uuid }: { uuid: string }): string {
  const hex = Buffer.from(uuid, 'base64').toString('hex');
  return [0, 8, 12, 16, 20].map((at, index, all) => hex.slice(at, all[index + 1])).join('-');
}

/** The error for what a message has in the place of a goal's id. */
export function notGoalId(value: unknown): Error {
  return new Error(`goal_id: ${mismatch('a UUID such as "0b8f1ec2-3c52-4a0e-9d3c-6f1f6f6b9a01"', value)}`);
}
