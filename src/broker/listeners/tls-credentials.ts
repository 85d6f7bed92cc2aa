import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { ListenerError, type TlsSettings } from './listener-settings';

/** How often files are looked at, ms. Certificate and key are replaced one after the other: two looks must agree. */
const LOOK_INTERVAL = 500;

/** Certificate, key and certificate authority of a listener, read again when their files change. */
export class TlsCredentials {
  readonly #settings: TlsSettings;
  readonly #files: readonly string[];
  /** The state of the files when they were read last, and when they were looked at. */
  #loaded = '';
  #seen = '';
  #timer: NodeJS.Timeout | undefined;
  #isWatching = false;

  constructor(settings: TlsSettings) {
    this.#settings = settings;
    const { certificate, key, ca } = settings;
    this.#files = [certificate, key, ca].filter(
      (source): source is string => source !== undefined && source !== '' && !isPem(source),
    );
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
    this.#loaded = await this.#look();
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
   * Calls back when the files are not those that were loaded any more: with what they hold now, or with the reason why
   * that cannot be used. They are looked at by their names, which also finds them replaced on network drives and behind
   * links.
   */
  watch(changed: (options: SecureContextOptions) => void, failed: (error: Error) => void): void {
    if (this.#files.length === 0) return;
    const look = async () => {
      const before = this.#seen;
      this.#seen = await this.#look();
      if (!this.#isWatching) return;
      if (this.#seen === before && this.#seen !== this.#loaded) await this.load().then(changed, failed);
      if (this.#isWatching) this.#timer = setTimeout(look, LOOK_INTERVAL).unref();
    };
    this.#isWatching = true;
    this.#timer = setTimeout(look, LOOK_INTERVAL).unref();
  }

  unwatch(): void {
    this.#isWatching = false;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<string> {
    const states = this.#files.map(async (file) => {
      const { ino, size, mtimeMs } = await stat(file).catch(() => ({ ino: 0, size: 0, mtimeMs: 0 }));
      return `${ino} ${size} ${mtimeMs}`;
    });
    return (await Promise.all(states)).join();
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
