import { unwatchFile, watchFile } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { ListenerError, type TlsSettings } from './listener-settings';

const WATCH_INTERVAL = 1000;
/** Certificate and key are replaced one after the other: they are read when nothing has changed for so long, ms. */
const SETTLE_TIME = 500;

/** Certificate, key and certificate authority of a listener, read again when their files change. */
export class TlsCredentials {
  readonly #settings: TlsSettings;
  #watched: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #onChange: (() => void) | undefined;

  constructor(settings: TlsSettings) {
    this.#settings = settings;
  }

  /**
   * What the files hold now.
   * @throws ListenerError a setting is missing, a file cannot be read, or what they hold does not fit together
   */
  async load(): Promise<SecureContextOptions> {
    const { certificate, key, ca, passphrase, minimumVersion = 'TLSv1.2' } = this.#settings;
    if (ca === undefined && (this.#settings.clientCertificate ?? 'none') !== 'none') {
      // Node would take any authority that browsers know.
      throw new ListenerError('TLS client certificates need the certificate authority that signs them');
    }
    const options: SecureContextOptions = {
      cert: await pemOf('certificate', certificate),
      key: await pemOf('key', key),
      minVersion: minimumVersion,
      ...(ca !== undefined && { ca: await pemOf('certificate authority', ca) }),
      ...(passphrase !== undefined && { passphrase }),
    };
    try {
      createSecureContext(options);
    } catch (error) {
      throw new ListenerError(`TLS certificate and key cannot be used: ${(error as Error).message}`);
    }
    return options;
  }

  /**
   * Calls back when the files have changed: with what they hold now, or with the reason why that cannot be used. The
   * files are looked at once a second, which also finds them replaced on network drives and behind links.
   */
  watch(changed: (options: SecureContextOptions) => void, failed: (error: Error) => void): void {
    const { certificate, key, ca } = this.#settings;
    this.#watched = [certificate, key, ca].filter(
      (source): source is string => source !== undefined && !isPem(source),
    );
    this.#onChange = () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => {
        this.load().then(changed, failed);
      }, SETTLE_TIME);
    };
    for (const file of this.#watched) {
      watchFile(file, { persistent: false, interval: WATCH_INTERVAL }, this.#onChange);
    }
  }

  unwatch(): void {
    clearTimeout(this.#timer);
    for (const file of this.#watched) unwatchFile(file, this.#onChange);
  }
}

const isPem = (source: string) => source.includes('-----BEGIN');

async function pemOf(field: string, source: string | undefined): Promise<string> {
  if (source === undefined || source === '') {
    throw new ListenerError(`TLS ${field} is missing, expected PEM text or the path of a PEM file`);
  }
  if (isPem(source)) return source;
  try {
    return await readFile(source, 'utf8');
  } catch (error) {
    throw new ListenerError(`TLS ${field} cannot be read: ${(error as Error).message}`);
  }
}
