import {
  createHmac,
  createPublicKey,
  type KeyObject,
  timingSafeEqual,
  verify as verifySignature,
} from 'node:crypto';
import { AccessSettingsError, type TokenSettings } from './access-settings';
import type { Identity } from './identity';

type Algorithm = 'HS256' | 'RS256' | 'ES256';

/** RFC 7518 sections 3.2 and 3.3: what is shorter can be guessed from a single token. */
const MIN_SECRET_BYTES = 32;
const MIN_RSA_BITS = 2048;

/** Checks JSON Web Tokens (RFC 7519, RFC 7515) with one key, which alone decides the algorithm (RFC 8725 section 3.1). */
export class TokenVerifier {
  readonly #settings: TokenSettings;
  readonly #algorithm: Algorithm;
  readonly #publicKey: KeyObject | undefined;

  /** @throws AccessSettingsError there is no key, there are two, or it is of a kind that cannot be used */
  constructor(settings: TokenSettings) {
    this.#settings = settings;
    const { secret = '', publicKey = '' } = settings;
    if ((secret === '') === (publicKey === '')) {
      throw new AccessSettingsError('tokens: expected either a secret or a public key');
    }
    if (publicKey === '') {
      const bytes = Buffer.byteLength(secret);
      if (bytes < MIN_SECRET_BYTES) {
        throw new AccessSettingsError(
          `tokens: the secret has ${bytes} bytes, expected ${MIN_SECRET_BYTES} at least`,
        );
      }
      this.#algorithm = 'HS256';
      return;
    }
    try {
      this.#publicKey = createPublicKey(publicKey);
    } catch (error) {
      throw new AccessSettingsError(`tokens: the public key cannot be read: ${(error as Error).message}`);
    }
    const { asymmetricKeyType, asymmetricKeyDetails } = this.#publicKey;
    if (asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS) {
      this.#algorithm = 'RS256';
    } else if (asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1') {
      this.#algorithm = 'ES256';
    } else {
      throw new AccessSettingsError(
        `tokens: the public key must be RSA of ${MIN_RSA_BITS} bits at least, or elliptic with the curve P-256`,
      );
    }
  }

  /**
   * Who bears the token.
   * @param now of the system's clock, ms since 1970
   * @returns why not, where the token is not good
   */
  verify(token: string, now: number): Omit<Identity, 'inProcess'> | string {
    const [header = '', payload = '', signature = '', ...more] = token.split('.');
    if (more.length > 0 || signature === '') return 'the token is not a signed JSON Web Token';
    const { alg, crit } = jsonOf(header) ?? {};
    if (alg !== this.#algorithm) return `the token is not signed with ${this.#algorithm}`;
    // RFC 7515 section 4.1.11: none of them is known here.
    if (crit !== undefined) return 'the token needs extensions that are not known';
    if (!this.#signed(`${header}.${payload}`, Buffer.from(signature, 'base64url'))) {
      return "the token's signature is not right";
    }
    const { sub, exp, nbf, iss, aud, groups } = jsonOf(payload) ?? {};
    const { issuer = '', audience = '' } = this.#settings;
    if (typeof sub !== 'string' || sub === '') return 'the token names no user in "sub"';
    if (exp !== undefined && !(typeof exp === 'number' && exp * 1000 > now)) return 'the token has expired';
    if (nbf !== undefined && !(typeof nbf === 'number' && nbf * 1000 <= now))
      return 'the token is not valid yet';
    if (issuer !== '' && iss !== issuer) return 'the token is of another issuer';
    if (audience !== '' && aud !== audience && !(Array.isArray(aud) && aud.includes(audience))) {
      return 'the token is for another audience';
    }
    return {
      username: sub,
      groups: Array.isArray(groups) ? groups.filter((group) => typeof group === 'string') : [],
      ...(typeof exp === 'number' && { validFor: exp * 1000 - now }),
    };
  }

  #signed(text: string, signature: Buffer): boolean {
    if (this.#publicKey === undefined) {
      const expected = createHmac('sha256', this.#settings.secret ?? '')
        .update(text)
        .digest();
      return signature.length === expected.length && timingSafeEqual(signature, expected);
    }
    const key =
      this.#algorithm === 'ES256'
        ? { key: this.#publicKey, dsaEncoding: 'ieee-p1363' as const }
        : this.#publicKey;
    return verifySignature('sha256', Buffer.from(text), key, signature);
  }
}

/** Whether a password has the form of a signed token. */
export function looksLikeToken(password: string): boolean {
  return (
    /^[\w-]+\.[\w-]+\.[\w-]+$/.test(password) &&
    jsonOf(password.slice(0, password.indexOf('.')))?.alg !== undefined
  );
}

function jsonOf(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
