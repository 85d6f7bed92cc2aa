import { isUtf8 } from 'node:buffer';
import { parseRosTopic, type RosTopicParts } from '../topic/parse-ros-topic';
import { topicNameFault } from '../topic/topic-name';
import type { MessageProperties, PublishOptions, ReceivedMessage } from './connection-settings';
import { messagePropertiesFault } from './message-properties';

/** A message as a plain object, which JSON can carry. */
export interface MessageObject {
  topic: string;
  /** A JSON value; text; or bytes in base64, as `payloadEncoding` says. */
  payload: unknown;
  payloadEncoding: PayloadEncoding;
  qos: 0 | 1 | 2;
  retain: boolean;
  properties?: MessagePropertiesObject;
  /** What the topic name says of ROS; absent for other topics. */
  ros?: RosTopicParts;
}

export type PayloadEncoding = 'json' | 'text' | 'base64';
const ENCODINGS: readonly unknown[] = ['json', 'text', 'base64'] satisfies PayloadEncoding[];

/** MQTT 5 properties of a message, with its correlation data in base64. */
export type MessagePropertiesObject = Omit<MessageProperties, 'correlationData'> & {
  correlationData?: string;
};

/** A message that can be published. */
export interface OutgoingMessage extends PublishOptions {
  topic: string;
  payload: Buffer;
}

/** An object that stands for no message; the message names the field, its value and what was expected. */
export class MessageObjectError extends Error {
  override readonly name = 'MessageObjectError';
}

/**
 * A message as a plain object. A payload that is JSON becomes its value, other text stays text, and bytes that are no
 * UTF-8 become base64.
 * @param rosPrefix first levels of the topics of ROS
 */
export function messageToObject(
  { topic, payload, qos, retain, properties }: Omit<ReceivedMessage, 'dup'>,
  rosPrefix = 'ros',
): MessageObject {
  const ros = parseRosTopic(topic, rosPrefix);
  return {
    topic,
    ...encoded(payload),
    qos,
    retain,
    ...(properties !== undefined && { properties: plainProperties(properties) }),
    ...(ros !== undefined && { ros }),
  };
}

/**
 * The message that a plain object stands for. Only the topic has to be there: without a payload it is empty, and without
 * `payloadEncoding` a text is text and all else JSON.
 * @throws MessageObjectError
 */
export function messageFromObject(object: unknown): OutgoingMessage {
  if (typeof object !== 'object' || object === null) refuse('message', object, 'an object');
  const {
    topic,
    payload,
    payloadEncoding,
    qos = 0,
    retain = false,
    properties,
  } = object as Partial<Record<keyof MessageObject, unknown>>;
  if (typeof topic !== 'string') refuse('topic', topic, 'a text');
  const fault = topicNameFault(topic);
  if (fault !== undefined) throw new MessageObjectError(fault);
  if (qos !== 0 && qos !== 1 && qos !== 2) refuse('qos', qos, '0, 1 or 2');
  if (typeof retain !== 'boolean') refuse('retain', retain, 'true or false');
  return {
    topic,
    payload: decoded(payload, payloadEncoding),
    qos,
    retain,
    ...(properties !== undefined && { properties: readProperties(properties) }),
  };
}

function encoded(payload: Buffer): Pick<MessageObject, 'payload' | 'payloadEncoding'> {
  if (!isUtf8(payload)) return { payload: payload.toString('base64'), payloadEncoding: 'base64' };
  const text = payload.toString();
  try {
    return { payload: JSON.parse(text), payloadEncoding: 'json' };
  } catch {
    return { payload: text, payloadEncoding: 'text' };
  }
}

function decoded(payload: unknown, encoding: unknown): Buffer {
  if (payload === undefined && encoding === undefined) return Buffer.alloc(0);
  const chosen = encoding ?? (typeof payload === 'string' ? 'text' : 'json');
  if (!ENCODINGS.includes(chosen)) refuse('payloadEncoding', chosen, `one of ${ENCODINGS.join(', ')}`);
  if (chosen === 'json') {
    const text: string | undefined = JSON.stringify(payload);
    return text === undefined ? refuse('payload', payload, 'a JSON value') : Buffer.from(text);
  }
  if (typeof payload !== 'string') refuse('payload', payload, `a text for the encoding ${chosen}`);
  return chosen === 'text' ? Buffer.from(payload) : base64('payload', payload);
}

function plainProperties({ correlationData, ...others }: MessageProperties): MessagePropertiesObject {
  return {
    ...others,
    ...(correlationData !== undefined && { correlationData: correlationData.toString('base64') }),
  };
}

function readProperties(given: unknown): MessageProperties {
  if (typeof given !== 'object' || given === null) refuse('properties', given, 'an object');
  const { correlationData, ...others } = given as MessagePropertiesObject;
  if (correlationData !== undefined && typeof correlationData !== 'string') {
    refuse('properties.correlationData', correlationData, 'a text in base64');
  }
  const properties: MessageProperties = {
    ...others,
    ...(correlationData !== undefined && {
      correlationData: base64('properties.correlationData', correlationData),
    }),
  };
  const fault = messagePropertiesFault(properties);
  if (fault !== undefined) throw new MessageObjectError(`properties: ${fault}`);
  return properties;
}

function base64(field: string, text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  // Node skips what is no base64.
  return bytes.toString('base64') === text ? bytes : refuse(field, text, 'base64');
}

function refuse(field: string, value: unknown, expected: string): never {
  const shown = JSON.stringify(value) ?? String(value);
  throw new MessageObjectError(`${field} is ${shown.slice(0, 100)}, expected ${expected}`);
}
