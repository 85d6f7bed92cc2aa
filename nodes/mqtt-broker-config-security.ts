import type { ConnectionOptions } from 'node:tls';
import type { Node, NodeAPI } from 'node-red';
import type { ConnectionSettings, ProxySettings, TlsFiles } from '../src/client/connection';
import { shownUrl } from '../src/client/shown-url';
import type { FormValues } from './form-values';
import { parseNamedTexts } from './named-texts';

/** Where the form says that the password comes from. */
export const PASSWORD_SOURCES = ['typed', 'environment', 'file', 'message'] as const;
export type PasswordOrigin = (typeof PASSWORD_SOURCES)[number];

/** What the form says about who the client is and how it is protected; absent in flows of before it existed. */
export interface SecurityFields {
  passwordSource?: PasswordOrigin;
  passwordEnvironment?: string;
  passwordFile?: string;
  /** A tls-config. */
  tls?: string;
  tlsCaFile?: string;
  tlsCertFile?: string;
  tlsKeyFile?: string;
  tlsPfxFile?: string;
  proxy?: string;
}

export interface SecurityCredentials {
  username?: string;
  password?: string;
  tlsPassphrase?: string;
  proxyUsername?: string;
  proxyPassword?: string;
  /** JSON of `NamedText[]`; they may hold tokens. */
  webSocketHeaders?: string;
}

/** Where the form says that the broker is. */
export type FormEndpoint = { url: string; alternatives?: readonly string[] } | 'embedded';

/**
 * The fields that are of use at secure addresses alone. The passphrase is of use beside one of them alone, and says
 * nothing by itself: that there is one the editor does not know of a configuration that was not opened.
 */
export const TLS_FIELDS = ['tls', 'tlsCaFile', 'tlsCertFile', 'tlsKeyFile', 'tlsPfxFile'] as const;

/** A password, where it stands, or what answers it as it is now. */
export type FormPassword = string | { file: string } | (() => string);

interface TlsConfigNode extends Node {
  /** Whether its files could be read. */
  valid?: boolean;
  addTLSOptions(options: ConnectionOptions): ConnectionOptions;
}

/**
 * User name and password. A password that is not typed is read anew at each attempt to connect.
 * @param fromFlow the password that a message has brought, if one has
 * @throws Error that names the field
 */
export function loginOf(
  form: FormValues,
  fields: SecurityFields,
  credentials: SecurityCredentials,
  fromFlow: () => string | undefined,
): { username?: string; password?: FormPassword } {
  const username = form.text('username', credentials.username);
  const password = passwordOf(form, fields, credentials, fromFlow);
  return { ...(username !== '' && { username }), ...(password !== undefined && { password }) };
}

function passwordOf(
  form: FormValues,
  fields: SecurityFields,
  credentials: SecurityCredentials,
  fromFlow: () => string | undefined,
): FormPassword | undefined {
  switch (form.choice('passwordSource', fields.passwordSource, PASSWORD_SOURCES)) {
    case 'typed':
      // As it is: what looks like a variable may be meant so.
      return credentials.password || undefined;
    case 'environment': {
      const name = filled(form, 'passwordEnvironment', fields.passwordEnvironment);
      return () => form.variable('passwordEnvironment', name);
    }
    case 'file':
      return { file: filled(form, 'passwordFile', fields.passwordFile) };
    case 'message':
      return () => fromFlow() ?? form.refuse('noPassword');
  }
}

/**
 * What protects connections to addresses, and what they go through; nothing for an embedded broker.
 * @param endpoint whose addresses all have to be secure where there are settings for TLS
 * @throws Error that names the field
 */
export function transportOf(
  RED: NodeAPI,
  form: FormValues,
  fields: SecurityFields,
  credentials: SecurityCredentials,
  endpoint: FormEndpoint,
): Pick<ConnectionSettings, 'tls' | 'tlsFiles' | 'proxy' | 'webSocketHeaders'> {
  if (endpoint === 'embedded') return {};
  const tlsFiles = tlsFilesOf(form, fields);
  const tls = tlsOf(RED, form, fields, credentials, tlsFiles);
  if (tls || tlsFiles) refuseInsecure(form, fields, endpoint);
  const proxy = proxyOf(form, fields, credentials);
  const headers = form.named('webSocketHeaders', parseNamedTexts(credentials.webSocketHeaders));
  return {
    ...(tls && { tls }),
    ...(tlsFiles && { tlsFiles }),
    ...(proxy && { proxy }),
    ...(headers && {
      webSocketHeaders: Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, String(value)]),
      ),
    }),
  };
}

function refuseInsecure(
  form: FormValues,
  fields: SecurityFields,
  { url: first, alternatives = [] }: Exclude<FormEndpoint, 'embedded'>,
): void {
  const url = [first, ...alternatives].find((address) => /^(mqtt|ws):/i.test(address));
  const field = TLS_FIELDS.find((name) => fields[name]?.trim());
  if (url !== undefined && field !== undefined) form.refuse('insecure', { field, url: shownUrl(url) });
}

function tlsOf(
  RED: NodeAPI,
  form: FormValues,
  { tls: id }: SecurityFields,
  { tlsPassphrase }: SecurityCredentials,
  files: TlsFiles | undefined,
): ConnectionOptions | undefined {
  const options: ConnectionOptions = tlsPassphrase ? { passphrase: tlsPassphrase } : {};
  if (!id) return tlsPassphrase && files ? options : undefined;
  const node = RED.nodes.getNode(id) as TlsConfigNode | null;
  if (node?.type !== 'tls-config') return form.refuse('tlsMissing', { id });
  return node.valid === false ? form.refuse('tlsInvalid', { id }) : node.addTLSOptions(options);
}

function tlsFilesOf(form: FormValues, fields: SecurityFields): TlsFiles | undefined {
  const files: TlsFiles = {};
  for (const [name, field] of [
    ['ca', 'tlsCaFile'],
    ['cert', 'tlsCertFile'],
    ['key', 'tlsKeyFile'],
    ['pfx', 'tlsPfxFile'],
  ] as const) {
    const path = form.text(field, fields[field]).trim();
    if (path !== '') files[name] = path;
  }
  if ((files.cert === undefined) !== (files.key === undefined)) {
    return form.refuse('blank', { field: files.cert === undefined ? 'tlsCertFile' : 'tlsKeyFile' });
  }
  return Object.keys(files).length > 0 ? files : undefined;
}

function proxyOf(
  form: FormValues,
  fields: SecurityFields,
  { proxyUsername, proxyPassword }: SecurityCredentials,
): ProxySettings | undefined {
  const url = form.text('proxy', fields.proxy).trim();
  if (url === '') return undefined;
  const username = form.text('proxyUsername', proxyUsername);
  return {
    url,
    ...(username !== '' && { username }),
    ...(proxyPassword && { password: proxyPassword }),
  };
}

function filled(form: FormValues, field: string, value: unknown): string {
  const text = form.text(field, value).trim();
  return text === '' ? form.refuse('blank', { field }) : text;
}
