import { PASSWORD_SOURCES, type PasswordOrigin, TLS_FIELDS } from '../../mqtt-broker-config-security';
import { parseNamedTexts } from '../../named-texts';
import type { EditorNode } from '../editor-api';
import { presentValue, refusedBy } from '../form-fault';
import type { FieldDefinitions, FormPage } from '../form-page';
import { NamedTextList } from '../named-text-list';
import { hasVariables } from '../variables';
import { reachedBy } from './connection';
import { input, preset } from './fields';

/** The fields of the page "Security"; what is secret is among the credentials. */
export interface SecurityPageFields {
  passwordSource: PasswordOrigin;
  passwordEnvironment: string;
  passwordFile: string;
  tls: string;
  tlsCaFile: string;
  tlsCertFile: string;
  tlsKeyFile: string;
  tlsPfxFile: string;
  proxy: string;
}

type Node = EditorNode & SecurityPageFields;

const present = (node: Node, field: keyof SecurityPageFields) =>
  String(presentValue(node, field, 'node-config-input') ?? '').trim();

const neededFor = (source: PasswordOrigin, field: 'passwordEnvironment' | 'passwordFile') =>
  refusedBy<Node>((node, value) =>
    present(node, 'passwordSource') === source && !String(value ?? '').trim()
      ? `${node._(`mqtt-broker-config.label.${field}`)}: ${node._('mqtt-broker-config.fault.blank')}`
      : undefined,
  );

const togetherWith = (other: 'tlsCertFile' | 'tlsKeyFile') =>
  refusedBy<Node>((node, value) =>
    !String(value ?? '').trim() && present(node, other) ? node._('mqtt-broker-config.fault.pair') : undefined,
  );

function proxyFault(node: Node, value: unknown): string | undefined {
  const text = String(value ?? '').trim();
  if (text === '' || hasVariables(text)) return undefined;
  if (/\/\/[^/]*@/.test(text)) return node._('mqtt-broker-config.fault.credentials');
  return /^(https?|socks[45]):\/\/[^/\s]+\/?$/.test(text)
    ? undefined
    : node._('mqtt-broker-config.fault.proxy');
}

export const securityFields: FieldDefinitions<SecurityPageFields> = {
  passwordSource: { value: 'typed' },
  passwordEnvironment: { value: '', validate: neededFor('environment', 'passwordEnvironment') },
  passwordFile: { value: '', validate: neededFor('file', 'passwordFile') },
  tls: { value: '', type: 'tls-config', required: false },
  tlsCaFile: { value: '' },
  tlsCertFile: { value: '', validate: togetherWith('tlsKeyFile') },
  tlsKeyFile: { value: '', validate: togetherWith('tlsCertFile') },
  tlsPfxFile: { value: '' },
  proxy: { value: '', validate: refusedBy(proxyFault) },
};

// One form is open at a time: the list of the open one.
let headers: NamedTextList | undefined;

const refresh = () => $('.mqttros-broker-websocket').toggle(reachedBy('ws'));

export const securityPage: FormPage<SecurityPageFields> = {
  prepare(node) {
    headers = new NamedTextList($('#mqttros-broker-headers'), {
      add: node._('mqtt-broker-config.label.addHeader'),
      name: node._('mqtt-broker-config.label.propertyName'),
      value: node._('mqtt-broker-config.label.propertyValue'),
    });
    headers.show(parseNamedTexts(String(input('webSocketHeaders').val() ?? '')));
    preset('passwordSource', 'typed');
    const show = () => {
      const chosen = input('passwordSource').val();
      for (const source of PASSWORD_SOURCES)
        $(`.mqttros-broker-password-${source}`).toggle(chosen === source);
    };
    input('passwordSource').on('change', show);
    show();
    for (const field of TLS_FIELDS) {
      input(field).on('change', () => input('url').trigger('change'));
    }
    refresh();
  },
  refresh,
  save() {
    const rows = headers?.rows() ?? [];
    input('webSocketHeaders').val(rows.length === 0 ? '' : JSON.stringify(rows));
  },
};
