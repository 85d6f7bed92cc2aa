import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';

const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest();

/** The client's side of SCRAM-SHA-256, as RFC 5802 section 3 has it. */
export class ScramClient {
  readonly first: Buffer;
  readonly #password: string;
  readonly #bare: string;
  readonly #header: string;
  #serverSignature = '';

  constructor(username: string, password: string, nonce = 'fyko+d2lbbFgONRv9qkxdawL', header = 'n,,') {
    this.#password = password;
    this.#header = header;
    this.#bare = `n=${username.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`;
    this.first = Buffer.from(header + this.#bare);
  }

  /** The answer to what the server has sent first; a dishonest one with another nonce or another header. */
  final(serverFirst: Buffer, other: { nonce?: string; header?: string } = {}): Buffer {
    const text = serverFirst.toString();
    const [, nonce = '', salt = '', iterations = ''] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(text) ?? [];
    const salted = pbkdf2Sync(this.#password, Buffer.from(salt, 'base64'), Number(iterations), 32, 'sha256');
    const clientKey = hmac(salted, 'Client Key');
    const header = Buffer.from(other.header ?? this.#header).toString('base64');
    const withoutProof = `c=${header},r=${other.nonce ?? nonce}`;
    const message = `${this.#bare},${text},${withoutProof}`;
    const signature = hmac(createHash('sha256').update(clientKey).digest(), message);
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] as number)));
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), message).toString('base64');
    return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`);
  }

  /** Whether the server knows the password as well. */
  trusts(serverFinal: Buffer | undefined): boolean {
    return serverFinal?.toString() === `v=${this.#serverSignature}`;
  }
}
