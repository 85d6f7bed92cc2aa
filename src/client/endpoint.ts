import type { Duplex } from 'node:stream';
import type { ConnectionSettings, Endpoint } from './connection-settings';
import { openNetworkStream } from './network-stream';
import { readTlsFiles } from './tls-files';

/**
 * Opens a stream to the endpoint, on which MQTT can be spoken. Rejects with the reason why there is none.
 * @param url which of the endpoint's addresses; `undefined` where it has none
 */
export async function openStream(
  settings: ConnectionSettings,
  url: string | undefined,
  signal: AbortSignal,
): Promise<Duplex> {
  const { endpoint, tls, tlsFiles, proxy, webSocketHeaders: headers } = settings;
  if ('openStream' in endpoint) {
    const stream = endpoint.openStream();
    // Until the stream has an owner who listens, an error must not leave the process.
    return stream.on('error', () => {});
  }
  const secrets = tlsFiles === undefined ? tls : await readTlsFiles(tls ?? {}, tlsFiles);
  return openNetworkStream(
    new URL(url ?? endpoint.url),
    {
      subprotocol: settings.protocolVersion === 3 ? 'mqttv3.1' : 'mqtt',
      ...(secrets !== undefined && { tls: secrets }),
      ...(proxy !== undefined && { proxy }),
      ...(headers !== undefined && { headers }),
    },
    signal,
  );
}

/**
 * Which of an endpoint's addresses is to be tried. They are tried in turn, each time from the first one on once a
 * connection has lasted; between two rounds there is a pause.
 */
export class AddressList {
  readonly #urls: readonly (string | undefined)[];
  #at = 0;

  constructor(endpoint: Endpoint) {
    this.#urls = 'url' in endpoint ? [endpoint.url, ...(endpoint.alternatives ?? [])] : [undefined];
  }

  /** The present address; `undefined` for an endpoint that is a stream. */
  get current(): string | undefined {
    return this.#urls[this.#at];
  }

  /** Whether there is more than one. */
  get several(): boolean {
    return this.#urls.length > 1;
  }

  /** Goes on to the next, and says whether that begins another round. */
  next(): boolean {
    this.#at = (this.#at + 1) % this.#urls.length;
    return this.#at === 0;
  }

  /** Begins with the first again. */
  restart(): void {
    this.#at = 0;
  }
}
