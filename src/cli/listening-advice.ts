import { optionOf, type Setting, type SettingName, settingsTable } from './settings-table';

/** The settings of a place where the command listens: the address, and what lets others in there. */
interface Place {
  address: readonly SettingName[];
  openToOthers: readonly SettingName[];
}

const mqtt: Place = {
  address: ['mqttHost', 'mqttPort'],
  openToOthers: ['mqttHost', 'enableAuth', 'allowAnonymous'],
};
const webSocket: Place = {
  address: ['webSocketHost', 'webSocketPort'],
  openToOthers: ['webSocketHost', 'enableAuth', 'allowAnonymous'],
};
const http: Place = { address: ['httpHost', 'httpPort'], openToOthers: ['httpHost', 'httpToken'] };

/**
 * Which settings of the command a fault of listening is about; the listeners themselves do not know them.
 * @param message of a ListenerError or GatewayServerError
 */
export function listeningAdvice(message: string): string {
  const [, scheme] = /^listener (\w+):/.exec(message) ?? [];
  const place = scheme === undefined ? http : scheme.startsWith('ws') ? webSocket : mqtt;
  const names = settingsOf(message, place).map((name) => {
    const setting: Setting<unknown> = settingsTable[name];
    return optionOf(setting) ?? setting.variable;
  });
  return `see ${names.join(', ')}`;
}

function settingsOf(message: string, place: Place): readonly SettingName[] {
  if (/: TLS /.test(message)) return ['tlsCertFile', 'tlsKeyFile', 'tlsCaFile'];
  return message.includes('open to other machines') ? place.openToOthers : place.address;
}
