import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Paths of PEM files. */
export interface IssuedCertificate {
  certificate: string;
  key: string;
}

/** A certificate authority of its own in a folder of its own, made with OpenSSL for one test run. */
export class CertificateAuthority {
  readonly #openssl: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  /** Path of the authority's own certificate. */
  readonly certificate = this.path('ca.pem');

  constructor(openssl: string) {
    this.#openssl = openssl;
    this.#request('/CN=an authority for tests', 'ca', ['-nodes']);
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  /** A certificate for 127.0.0.1 and this common name; its key is encrypted when there is a passphrase. */
  issue(name: string, { commonName = name, passphrase = '' } = {}): IssuedCertificate {
    this.#request(`/CN=${commonName}`, name, [
      ...['-CA', this.certificate, '-CAkey', this.path('ca.key')],
      ...['-addext', 'subjectAltName=IP:127.0.0.1'],
      ...(passphrase === '' ? ['-nodes'] : ['-passout', `pass:${passphrase}`]),
    ]);
    return { certificate: this.path(`${name}.pem`), key: this.path(`${name}.key`) };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }

  #request(subject: string, name: string, options: string[]): void {
    const key = [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-keyout',
      this.path(`${name}.key`),
    ];
    const out = ['-out', this.path(`${name}.pem`), '-days', '2', '-subj', subject];
    execFileSync(this.#openssl, ['req', '-x509', ...key, ...out, ...options], { stdio: 'pipe' });
  }
}
