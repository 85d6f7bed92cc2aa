import type { Capabilities } from '../src/broker/capabilities';
import { FieldError } from './field-error';
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

/** What the form says. @throws FieldError */
export function capabilitiesOf(fields: CapabilityFields): Capabilities {
  const { maximumQos = 2, serverKeepAlive = 0, sysInterval = 10 } = fields;
  const qos = wholeNumber(maximumQos, 0, 2);
  if (qos === undefined) throw new FieldError('maximumQos', maximumQos);
  const keepAlive = wholeNumber(serverKeepAlive, 0, 65_535);
  if (keepAlive === undefined) throw new FieldError('serverKeepAlive', serverKeepAlive);
  const interval = wholeNumber(sysInterval, 0, 65_535);
  if (interval === undefined) throw new FieldError('sysInterval', sysInterval);
  const responseInformation = formText(fields.responseInformation);
  if (responseInformation === undefined) {
    throw new FieldError('responseInformation', fields.responseInformation);
  }
  return {
    maximumQos: qos as Capabilities['maximumQos'],
    retain: fields.retain !== false,
    wildcardSubscriptions: fields.wildcardSubscriptions !== false,
    sharedSubscriptions: fields.sharedSubscriptions !== false,
    subscriptionIdentifiers: fields.subscriptionIdentifiers !== false,
    serverKeepAlive: keepAlive,
    responseInformation,
    checkPayloadFormat: fields.checkPayloadFormat === true,
    sysInterval: interval,
  };
}
