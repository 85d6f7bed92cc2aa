import type { ListenerSettings, TlsSettings } from '../src/broker/listeners/listener-settings';
import { FieldError } from './field-error';
import { wholeNumber } from './form-number';
import { formText } from './form-text';
import { type EarlierFields, entriesOf, type ListenerRow, rowsOf } from './listener-rows';

/** What the embedded broker's form says about listening. */
export interface ListenerFields extends EarlierFields {
  listeners?: ListenerRow[];
  /** Each the path of a PEM file, or PEM text. */
  tlsCertificate?: string;
  tlsKey?: string;
  tlsCa?: string;
  tlsClientCertificate?: 'none' | 'requested' | 'required';
  tlsMinimumVersion?: 'TLSv1.2' | 'TLSv1.3';
}

/**
 * The listeners with ports of their own.
 * @throws FieldError an address is no text, a port no number
 */
export function listenersOf(fields: ListenerFields, passphrase?: string): ListenerSettings[] {
  const listeners: ListenerSettings[] = [];
  for (const { kind, host, port, origins, proxies } of rowsOf(fields)) {
    if (kind === 'path') continue;
    const number = wholeNumber(port, 0, 65_535);
    if (number === undefined) throw new FieldError('port', port);
    const address = formText(host);
    if (address === undefined) throw new FieldError('host', host);
    listeners.push({
      kind,
      host: address.trim(),
      port: number,
      proxies: entriesOf(proxies),
      ...((kind === 'ws' || kind === 'wss') && { origins: entriesOf(origins) }),
      ...((kind === 'tls' || kind === 'wss') && { tls: tlsOf(fields, passphrase) }),
    });
  }
  return listeners;
}

/**
 * The paths of Node-RED's own server, below its root for nodes.
 * @throws FieldError one does not begin with a slash, or has more than a path
 */
export function pathsOf(fields: ListenerFields, root: string): { path: string; origins: string[] }[] {
  return rowsOf(fields)
    .filter(({ kind }) => kind === 'path')
    .map(({ path, origins }) => {
      if (!/^\/[^\s?#]*$/.test(path)) throw new FieldError('path', path);
      return { path: `${root}${path}`.replace(/\/{2,}/g, '/'), origins: entriesOf(origins) };
    });
}

function tlsOf(fields: ListenerFields, passphrase: string | undefined): TlsSettings {
  const { tlsCertificate, tlsKey, tlsCa, tlsClientCertificate, tlsMinimumVersion } = fields;
  return {
    certificate: (tlsCertificate ?? '').trim(),
    key: (tlsKey ?? '').trim(),
    clientCertificate: tlsClientCertificate ?? 'none',
    minimumVersion: tlsMinimumVersion ?? 'TLSv1.2',
    ...(tlsCa?.trim() && { ca: tlsCa.trim() }),
    ...(passphrase && { passphrase }),
  };
}
