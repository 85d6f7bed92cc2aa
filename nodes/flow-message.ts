import type { NodeMessage } from 'node-red';
import type { ReceivedMessage } from '../src/client/connection';

/** A received message as Node-RED's own MQTT nodes lay it out, so that flows can move from them to ours. */
export function flowMessage(
  { topic, qos, retain, properties }: Omit<ReceivedMessage, 'payload'>,
  payload: unknown,
): NodeMessage {
  const msg: NodeMessage = { topic, payload, qos, retain };
  if (properties === undefined) return msg;
  const { responseTopic, correlationData, contentType, messageExpiryInterval } = properties;
  const { payloadFormatIndicator, userProperties } = properties;
  if (responseTopic !== undefined) msg.responseTopic = responseTopic;
  if (correlationData !== undefined) msg.correlationData = correlationData;
  if (contentType !== undefined) msg.contentType = contentType;
  if (messageExpiryInterval !== undefined) msg.messageExpiryInterval = messageExpiryInterval;
  if (payloadFormatIndicator !== undefined) msg.payloadFormatIndicator = payloadFormatIndicator;
  // MQTT.js builds it without a prototype, which flows do not expect.
  if (userProperties !== undefined) msg.userProperties = { ...userProperties };
  return msg;
}
