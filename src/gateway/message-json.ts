import { isAscii, isUtf8 } from 'node:buffer';
import type { MessageProperties, ReceivedMessage } from '../client/connection';
import { rosNameParts } from '../topic/parse-ros-topic';
import type { RosTopic } from '../topic/ros-topic';
import { isNestedDeeper, MOST_LEVELS } from './nesting';

/** Where and when a message has come. */
export interface Reception {
  brokerId: string;
  /** ms since 1970. */
  at: number;
}

/**
 * A message as JSON text of `RECEIVED_SCHEMA`, with `head` before it within the braces. A payload that is JSON stands in
 * it as it came, so that its numbers keep all their digits.
 * @param ros what its topic stands for there, where it does
 */
export function messageJson(
  { topic, payload, qos, retain, properties }: ReceivedMessage,
  { brokerId, at }: Reception,
  ros: RosTopic | undefined,
  head = '',
): string {
  const own = ownJson(properties);
  return `{${head}"broker_id":${JSON.stringify(brokerId)},"topic":${JSON.stringify(topic)},${payloadJson(payload)},"qos":${qos},"retain":${retain},"received_at":"${new Date(at).toISOString()}"${own}${rosJson(ros)}}`;
}

function payloadJson(payload: Buffer): string {
  if (!isUtf8(payload)) return `"payload":"${payload.toString('base64')}","payload_encoding":"base64"`;
  const text = payload.toString(isAscii(payload) ? 'latin1' : 'utf8');
  return isJson(text)
    ? `"payload":${text},"payload_encoding":"json"`
    : `"payload":${JSON.stringify(text)},"payload_encoding":"text"`;
}

/** To try costs more than to look, where the text is none. */
function isJson(text: string): boolean {
  if (!/^\s*[[{"tfn\d-]/.test(text)) return false;
  try {
    // What is nested too deeply callers could not read, and not what stands beside it either.
    return !isNestedDeeper(JSON.parse(text), MOST_LEVELS);
  } catch {
    return false;
  }
}

function ownJson(properties: MessageProperties | undefined): string {
  if (properties === undefined) return '';
  const named = {
    content_type: properties.contentType,
    payload_format:
      properties.payloadFormatIndicator === undefined
        ? undefined
        : properties.payloadFormatIndicator
          ? 'text'
          : 'bytes',
    message_expiry: properties.messageExpiryInterval,
    response_topic: properties.responseTopic,
    correlation_data: properties.correlationData?.toString('base64'),
    user_properties: properties.userProperties,
  };
  const text = JSON.stringify(named);
  return text === '{}' ? '' : `,"properties":${text}`;
}

function rosJson(ros: RosTopic | undefined): string {
  if (ros === undefined) return '';
  const { domain, rosName, kind } = ros;
  const { node, messageType } = rosNameParts(rosName);
  const parts = {
    domain,
    name: rosName,
    node,
    message_type: messageType,
    ...(kind !== undefined && { kind }),
  };
  return `,"ros":${JSON.stringify(parts)}`;
}
