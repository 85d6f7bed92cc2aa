/** MQTT over TCP, over TLS, over WebSocket, over WebSocket and TLS. */
export type ListenerKind = 'tcp' | 'tls' | 'ws' | 'wss';

/** Certificate, key and certificate authority are each PEM text or the path of a PEM file. */
export interface TlsSettings {
  certificate: string;
  key: string;
  /** Of an encrypted key. */
  passphrase?: string;
  /** Who signs the certificates of clients; needed to ask for them. */
  ca?: string;
  /**
   * `none` by default. A requested certificate may be missing, but one that is sent must be valid; a required one may
   * not be missing.
   */
  clientCertificate?: 'none' | 'requested' | 'required';
  /** `TLSv1.2` by default. */
  minimumVersion?: 'TLSv1.2' | 'TLSv1.3';
}

/** Where clients come in, and how. */
export interface ListenerSettings {
  /** `tcp` by default. */
  kind?: ListenerKind;
  /** Host name or address; a name must resolve. */
  host: string;
  /** 0 for one that the system chooses. */
  port: number;
  /** For `tls` and `wss`. */
  tls?: TlsSettings;
  /**
   * Origins, such as `https://site.example`, whose web pages may connect over WebSocket, besides pages of the listener's
   * own host; `*` for all.
   */
  origins?: string[];
  /**
   * Addresses or networks (`10.0.0.0/8`) of proxies that say with PROXY protocol v2 whom they speak for. Where there are
   * some, every connection must come from one of them and begin with that.
   */
  proxies?: string[];
}

/** Where a listener really listens. */
export interface ListenerAddress {
  kind: ListenerKind;
  host: string;
  port: number;
}

/** A listener cannot be opened; the message says which and why. */
export class ListenerError extends Error {
  override readonly name = 'ListenerError';
}
