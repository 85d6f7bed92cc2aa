import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { ScramVerifier } from './password-hash';

/** The authentication method of CONNECT and AUTH. */
export const SCRAM_SHA_256 = 'SCRAM-SHA-256';

const NONCE_BYTES = 18;
const MAX_MESSAGE_BYTES = 4096;

/** A message of the client that is not SCRAM; the text says why, without anything secret. */
export class ScramError extends Error {
  override readonly name = 'ScramError';
}

interface ClientFirst {
  username: string;
  gs2Header: string;
  bare: string;
  nonce: string;
}

/** Reads `client-first-message`. @throws ScramError */
export function readClientFirst(message: Buffer): ClientFirst {
  const text = textOf(message);
  const parts = /^[ny],(?:a=([^,]*))?,(n=([^,]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)$/s.exec(text);
  if (parts === null) throw new ScramError('the first message of SCRAM is not valid');
  const [, authorization, bare = '', name = '', nonce = ''] = parts;
  if (/=(?!2C|3D)/.test(name)) throw new ScramError('the user name of SCRAM is not encoded as it must be');
  const username = decodeName(name);
  if (authorization && decodeName(authorization) !== username) {
    throw new ScramError('SCRAM asks to act for another user');
  }
  return {
    username,
    gs2Header: text.slice(0, text.length - bare.length),
    bare,
    nonce,
  };
}

/** The server's side of one SCRAM-SHA-256 exchange (RFC 5802, RFC 7677), without channel binding. */
export class ScramExchange {
  readonly #first: ClientFirst;
  readonly #verifier: ScramVerifier;
  readonly #nonce: string;
  readonly #serverFirst: string;

  /**
   * @param verifier of the user; for an unknown one some other that nobody has the password of
   * @param nonce the server's part, new for each exchange
   */
  constructor(
    first: ClientFirst,
    verifier: ScramVerifier,
    nonce = randomBytes(NONCE_BYTES).toString('base64'),
  ) {
    this.#first = first;
    this.#verifier = verifier;
    this.#nonce = first.nonce + nonce;
    this.#serverFirst = `r=${this.#nonce},s=${verifier.salt.toString('base64')},i=${verifier.iterations}`;
  }

  /** `server-first-message`. */
  get serverFirst(): Buffer {
    return Buffer.from(this.#serverFirst);
  }

  /**
   * Reads `client-final-message` and returns `server-final-message`, or `undefined` when the password is wrong.
   * @throws ScramError
   */
  finish(message: Buffer): Buffer | undefined {
    const text = textOf(message);
    const parts = /^((?:c=([\w+/=]+)),r=([^,]+)(?:,.*)?),p=([\w+/=]+)$/s.exec(text);
    if (parts === null) throw new ScramError('the last message of SCRAM is not valid');
    const [, withoutProof = '', binding = '', nonce = '', proofText = ''] = parts;
    if (nonce !== this.#nonce) throw new ScramError('the nonce of SCRAM has changed');
    if (Buffer.from(binding, 'base64').toString() !== this.#first.gs2Header) {
      throw new ScramError('the channel binding of SCRAM has changed');
    }
    const { storedKey, serverKey } = this.#verifier;
    const authMessage = `${this.#first.bare},${this.#serverFirst},${withoutProof}`;
    const signature = hmac(storedKey, authMessage);
    const proof = Buffer.from(proofText, 'base64');
    if (proof.length !== signature.length) return undefined;
    const clientKey = Buffer.from(proof.map((byte, index) => byte ^ (signature[index] as number)));
    if (!timingSafeEqual(createHash('sha256').update(clientKey).digest(), storedKey)) return undefined;
    return Buffer.from(`v=${hmac(serverKey, authMessage).toString('base64')}`);
  }
}

function textOf(message: Buffer): string {
  if (message.length > MAX_MESSAGE_BYTES) throw new ScramError('a message of SCRAM is too long');
  return message.toString('utf8');
}

const decodeName = (name: string) => name.replaceAll('=2C', ',').replaceAll('=3D', '=');

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
