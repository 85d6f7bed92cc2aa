import { messagePropertiesBytes } from './message-properties';
import type { ConnackProperties } from './network-connection';
import type { OutgoingMessage } from './outgoing-message';
import { variableByteIntegerBytes } from './variable-byte-integer';

/** The longest packet that MQTT can carry: its header and what the header can count [MQTT-1.5.5]. */
export const MAX_PACKET_BYTES = 268_435_455 + 5;
const PACKET_IDENTIFIER_BYTES = 2;
const TOPIC_ALIAS_BYTES = 3;

/**
 * Why the broker would end the connection over this message instead of answering (MQTT 5.0 sections 3.2.2.3.4 to
 * 3.2.2.3.8), or `undefined`.
 * @param broker what it said of itself in CONNACK
 */
export function publishFault(
  message: OutgoingMessage,
  broker: ConnackProperties,
  protocolVersion: number,
): string | undefined {
  const { qos, retain, topicAlias } = message.options;
  if (broker.maximumQoS !== undefined && qos > broker.maximumQoS) {
    return `QoS ${qos}, but the broker takes at most QoS ${broker.maximumQoS}`;
  }
  if (broker.retainAvailable === false && retain) return 'the broker does not keep retained messages';
  const { topicAliasMaximum = 0 } = broker;
  if (protocolVersion === 5 && topicAlias !== undefined && topicAlias > topicAliasMaximum) {
    return `topic alias ${topicAlias}, but the broker's Topic Alias Maximum is ${topicAliasMaximum}`;
  }
  const limit = broker.maximumPacketSize ?? MAX_PACKET_BYTES;
  // What it takes in memory is more than what it takes in a packet.
  if (message.bytes <= limit) return undefined;
  const bytes = packetBytes(message, protocolVersion);
  if (bytes <= limit) return undefined;
  return `it makes a packet of ${bytes} bytes, but the broker takes packets of at most ${limit} bytes`;
}

/** The length of the PUBLISH packet of a message, without an automatic topic alias (MQTT 5.0 section 3.3). */
function packetBytes({ topic, payload, options }: OutgoingMessage, protocolVersion: number): number {
  let remaining = 2 + Buffer.byteLength(topic) + Buffer.byteLength(payload);
  if (options.qos > 0) remaining += PACKET_IDENTIFIER_BYTES;
  if (protocolVersion === 5) {
    const properties =
      (options.properties === undefined ? 0 : messagePropertiesBytes(options.properties)) +
      (options.topicAlias === undefined ? 0 : TOPIC_ALIAS_BYTES);
    remaining += variableByteIntegerBytes(properties) + properties;
  }
  return 1 + variableByteIntegerBytes(remaining) + remaining;
}
