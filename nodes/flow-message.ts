import type { NodeMessage } from 'node-red';
import type { ReceivedMessage } from '../src/client/connection';
import { copyOfTexts } from './named-texts';

/**
 * A received message as Node-RED's own MQTT nodes lay it out, so that flows can move from them to ours. Nothing in it but
 * the payload is shared with others who get the message.
 */
export function flowMessage(
  { topic, qos, retain, packetId, properties }: Omit<ReceivedMessage, 'payload'>,
  payload: unknown,
): NodeMessage {
  const msg: NodeMessage = { topic, payload, qos, retain };
  if (packetId !== undefined) msg.messageId = packetId;
  if (properties === undefined) return msg;
  const { responseTopic, correlationData, contentType, messageExpiryInterval } = properties;
  const { payloadFormatIndicator, userProperties } = properties;
  if (responseTopic !== undefined) msg.responseTopic = responseTopic;
  if (correlationData !== undefined) msg.correlationData = Buffer.from(correlationData);
  if (contentType !== undefined) msg.contentType = contentType;
  if (messageExpiryInterval !== undefined) msg.messageExpiryInterval = messageExpiryInterval;
  if (payloadFormatIndicator !== undefined) msg.payloadFormatIndicator = payloadFormatIndicator;
  if (userProperties !== undefined) msg.userProperties = copyOfTexts(userProperties);
  return msg;
}
