import type { ConnectPacket } from './codec/connect-packet';
import type { QoS } from './codec/packet-type';
import type { Properties } from './codec/properties';
import { ProtocolError } from './codec/protocol-error';
import { ReasonCode } from './codec/reason-code';

/** What of MQTT the broker offers; what it does not is told to MQTT 5 clients in CONNACK and refused to all. */
export interface Capabilities {
  /** Highest QoS of a PUBLISH and of what is granted to a subscription. */
  maximumQos: QoS;
  retain: boolean;
  wildcardSubscriptions: boolean;
  sharedSubscriptions: boolean;
  subscriptionIdentifiers: boolean;
  /** Longest keep alive of MQTT 5 clients, s; one that asks for more, or for none, gets this. 0 leaves it to them. */
  serverKeepAlive: number;
  /** What clients that ask for Response Information are told, or empty. */
  responseInformation: string;
  /** Refuse a payload that says it is UTF-8 and is not. */
  checkPayloadFormat: boolean;
  /** How often the topics below `$SYS` are brought up to date, s; 0 for no such topics. */
  sysInterval: number;
}

export const defaultCapabilities: Capabilities = {
  maximumQos: 2,
  retain: true,
  wildcardSubscriptions: true,
  sharedSubscriptions: true,
  subscriptionIdentifiers: true,
  serverKeepAlive: 0,
  responseInformation: '',
  checkPayloadFormat: false,
  sysInterval: 10,
};

/**
 * The defaults with the given capabilities in their place.
 * @throws RangeError a number is out of its range
 */
export function capabilitiesOf(given: Partial<Capabilities>): Capabilities {
  const capabilities = { ...defaultCapabilities, ...given };
  const { maximumQos, serverKeepAlive, sysInterval } = capabilities;
  for (const [name, value, highest] of [
    ['maximumQos', maximumQos, 2],
    ['serverKeepAlive', serverKeepAlive, 65_535],
    ['sysInterval', sysInterval, 65_535],
  ] as const) {
    if (!Number.isInteger(value) || value < 0 || value > highest) {
      throw new RangeError(
        `broker capability ${name} is ${value}, expected a whole number from 0 to ${highest}`,
      );
    }
  }
  return capabilities;
}

/** What CONNACK says of the capabilities: only what differs from what its absence means (MQTT 5.0 section 3.2.2.3). */
export function announced(capabilities: Capabilities, { keepAlive, properties }: ConnectPacket): Properties {
  const { maximumQos, retain, wildcardSubscriptions, sharedSubscriptions, subscriptionIdentifiers } =
    capabilities;
  const granted = grantedKeepAlive(capabilities, keepAlive);
  const { responseInformation } = capabilities;
  return {
    ...(maximumQos < 2 && { maximumQos }), // [MQTT-3.2.2-9]
    ...(!retain && { retainAvailable: 0 }),
    ...(!wildcardSubscriptions && { wildcardSubscriptionAvailable: 0 }),
    ...(!sharedSubscriptions && { sharedSubscriptionAvailable: 0 }),
    ...(!subscriptionIdentifiers && { subscriptionIdentifiersAvailable: 0 }),
    ...(granted !== keepAlive && { serverKeepAlive: granted }),
    // [MQTT-3.1.2-28]
    ...(properties.requestResponseInformation === 1 && responseInformation !== '' && { responseInformation }),
  };
}

/** The keep alive of an MQTT 5 client, s [MQTT-3.2.2-21], [MQTT-3.2.2-22]. */
export function grantedKeepAlive({ serverKeepAlive }: Capabilities, wanted: number): number {
  return serverKeepAlive > 0 && (wanted === 0 || wanted > serverKeepAlive) ? serverKeepAlive : wanted;
}

/**
 * Checks a message against what the broker offers; a will alike.
 * @throws ProtocolError [MQTT-3.2.2-12], [MQTT-3.2.2-13]
 */
export function checkOffered(
  { maximumQos, retain }: Capabilities,
  message: { readonly qos: QoS; readonly retain: boolean },
): void {
  if (message.qos > maximumQos) {
    throw new ProtocolError(
      ReasonCode.qosNotSupported,
      `QoS ${message.qos} is above the maximum of ${maximumQos}`,
    );
  }
  if (message.retain && !retain) {
    throw new ProtocolError(ReasonCode.retainNotSupported, 'retained messages are not available');
  }
}

/** Why a subscription to this filter is not to be had, or `undefined`. */
export function unavailable(
  { sharedSubscriptions, wildcardSubscriptions }: Capabilities,
  filter: string,
): ReasonCode | undefined {
  if (!sharedSubscriptions && filter.startsWith('$share/')) return ReasonCode.sharedSubscriptionsNotSupported;
  if (!wildcardSubscriptions && /[+#]/.test(filter)) return ReasonCode.wildcardSubscriptionsNotSupported;
  return undefined;
}
