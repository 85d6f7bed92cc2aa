import type { IClientOptions } from 'mqtt';
import type { ConnectionSettings, Will } from './connection-settings';
import { writableProperties } from './message-properties';

/**
 * What CONNECT says, as MQTT.js takes it (MQTT 5.0 section 3.1).
 * @param now what may differ from one attempt to the next; timeout in ms
 */
export function connectOptions(
  settings: ConnectionSettings,
  now: { clientId: string; cleanStart: boolean; password: string | undefined; timeout: number },
): IClientOptions {
  const { protocolVersion, keepAlive, username, will } = settings;
  return {
    protocolVersion,
    protocolId: protocolVersion === 3 ? 'MQIsdp' : 'MQTT',
    clientId: now.clientId,
    keepalive: keepAlive,
    clean: now.cleanStart,
    connectTimeout: now.timeout,
    ...(username !== undefined && { username }),
    ...(now.password !== undefined && { password: now.password }),
    ...(will !== undefined && { will: willOptions(will, protocolVersion === 5) }),
    ...(protocolVersion === 5 && { properties: connectProperties(settings) }),
  };
}

function connectProperties(settings: ConnectionSettings): NonNullable<IClientOptions['properties']> {
  const { sessionExpiry, receiveMaximum, maximumPacketSize, topicAliasMaximum, userProperties } = settings;
  return writableProperties({
    ...(sessionExpiry !== undefined && { sessionExpiryInterval: sessionExpiry }),
    ...(receiveMaximum !== undefined && { receiveMaximum }),
    ...(maximumPacketSize !== undefined && { maximumPacketSize }),
    ...(topicAliasMaximum !== undefined && { topicAliasMaximum }),
    ...(userProperties !== undefined && { userProperties }),
  });
}

function willOptions(will: Will, version5: boolean): NonNullable<IClientOptions['will']> {
  const { topic, qos, retain, delay, properties } = will;
  // MQTT.js counts the bytes of a Buffer only.
  const payload = Buffer.from(will.payload as string);
  if (!version5) return { topic, payload, qos, retain };
  return {
    topic,
    payload,
    qos,
    retain,
    properties: writableProperties({
      ...properties,
      ...(delay !== undefined && { willDelayInterval: delay }),
    }),
  };
}
