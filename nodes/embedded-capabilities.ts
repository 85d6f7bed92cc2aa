import type { Capabilities } from '../src/broker/capabilities';
import { wholeNumber } from './form-number';
import { formText } from './form-text';

/** The fields of the form that say what of MQTT the broker offers; absent in nodes saved before there were any. */
export interface CapabilityFields {
  maximumQos?: number | string;
  retain?: boolean;
  wildcardSubscriptions?: boolean;
  sharedSubscriptions?: boolean;
  subscriptionIdentifiers?: boolean;
  serverKeepAlive?: number | string;
  responseInformation?: string;
  checkPayloadFormat?: boolean;
  sysInterval?: number | string;
}

/** What the form says, or the field whose value cannot be used. */
export function formCapabilities(
  fields: CapabilityFields,
): Capabilities | { fault: keyof CapabilityFields; value: string } {
  const refused = (fault: keyof CapabilityFields) => ({ fault, value: String(fields[fault]) });
  const maximumQos = wholeNumber(fields.maximumQos ?? 2, 0, 2);
  if (maximumQos === undefined) return refused('maximumQos');
  const serverKeepAlive = wholeNumber(fields.serverKeepAlive ?? 0, 0, 65_535);
  if (serverKeepAlive === undefined) return refused('serverKeepAlive');
  const sysInterval = wholeNumber(fields.sysInterval ?? 10, 0, 65_535);
  if (sysInterval === undefined) return refused('sysInterval');
  const responseInformation = formText(fields.responseInformation);
  if (responseInformation === undefined) return refused('responseInformation');
  return {
    maximumQos: maximumQos as Capabilities['maximumQos'],
    retain: fields.retain !== false,
    wildcardSubscriptions: fields.wildcardSubscriptions !== false,
    sharedSubscriptions: fields.sharedSubscriptions !== false,
    subscriptionIdentifiers: fields.subscriptionIdentifiers !== false,
    serverKeepAlive,
    responseInformation,
    checkPayloadFormat: fields.checkPayloadFormat === true,
    sysInterval,
  };
}
