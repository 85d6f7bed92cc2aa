import type { NodeMessage } from 'node-red';
import type { PublishedMessage } from '../src/broker/message-batch';
import type { MessageProperties } from '../src/client/connection-settings';
import { decodePayload, type PayloadOutput } from '../src/client/flow-payload';
import { flowMessage } from './flow-message';

/**
 * A message that the embedded broker tells of, as mqtt-sub would send it, and with the client that published it.
 * @throws PayloadError JSON is wanted and this is none
 */
export function publishedFlowMessage(message: PublishedMessage, output: PayloadOutput): NodeMessage {
  const { clientId } = message;
  const properties = propertiesOf(message);
  const payload = decodePayload(message.payload, output, properties);
  const msg = flowMessage({ ...message, dup: false, properties }, payload);
  return Object.assign(msg, { clientId });
}

function propertiesOf({ properties }: PublishedMessage): MessageProperties {
  const { payloadFormatIndicator, userProperties, ...same } = properties;
  return {
    ...same,
    ...(payloadFormatIndicator !== undefined && { payloadFormatIndicator: payloadFormatIndicator === 1 }),
    ...(userProperties !== undefined && { userProperties: textsByName(userProperties) }),
  };
}

/** The texts of each name: a list where there are several. */
function textsByName(pairs: ReadonlyArray<readonly [string, string]>): Record<string, string | string[]> {
  const texts = new Map<string, string | string[]>();
  for (const [name, text] of pairs) {
    const before = texts.get(name);
    texts.set(name, before === undefined ? text : [before, text].flat());
  }
  return Object.fromEntries(texts);
}
