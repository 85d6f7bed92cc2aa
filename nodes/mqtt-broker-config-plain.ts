import type { FormValues } from './form-values';
import type { FormEndpoint, FormPassword } from './mqtt-broker-config-security';
import type { FormSettings } from './mqtt-broker-config-settings';

/** The settings of a connection that somebody else makes, in another thread: nothing in them is a function but the password. */
export type PlainSettings = Omit<
  FormSettings,
  'endpoint' | 'protocolVersion' | 'password' | 'will' | 'birth' | 'closing' | 'unsubscribeOnClose' | 'queue'
> & {
  protocolVersion: 4 | 5;
  password?: FormPassword;
  target: FormEndpoint;
};

/**
 * What of a connection's settings another thread can use, under the client id with `suffix`.
 * @throws Error MQTT 3.1 is chosen
 */
export function plainSettings(
  form: FormValues,
  {
    endpoint,
    protocolVersion,
    clientId,
    password,
    will: _will,
    birth: _birth,
    closing: _closing,
    unsubscribeOnClose: _unsubscribe,
    queue: _queue,
    ...settings
  }: FormSettings,
  suffix: string,
): PlainSettings {
  if (protocolVersion === 3) return form.refuse('plainVersion');
  return {
    ...settings,
    protocolVersion,
    clientId: clientId + suffix,
    target: endpoint,
    ...(password !== undefined && { password }),
  };
}
