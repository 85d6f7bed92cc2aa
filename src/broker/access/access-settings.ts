import type { AccessRule } from './access-rules';

/** Someone who may log in with a password. */
export interface UserSettings {
  name: string;
  /** As `hashPassword` or `scramVerifier` made it, or of mosquitto's password file. */
  passwordHash: string;
  groups?: string[];
}

/**
 * How JSON Web Tokens (RFC 7519), sent as the password, are checked: HS256 with the secret; RS256 or ES256 with the
 * public key, whose kind decides. The token's `sub` becomes the user name, `groups` the groups.
 */
export interface TokenSettings {
  secret?: string;
  /** PEM. */
  publicKey?: string;
  /** What `iss` must be. */
  issuer?: string;
  /** What `aud` must be or contain. */
  audience?: string;
}

/** Who may connect, and what each may do. Everything can be absent: then only the place decides. */
export interface AccessSettings {
  /** Who needs no password: clients of this process, or (the default) all of this machine. */
  anonymous?: 'in-process' | 'local';
  users?: UserSettings[];
  /** Path of a file as mosquitto_passwd writes it; read when the broker starts. */
  passwordFile?: string;
  tokens?: TokenSettings;
  /** Clients that the lists above do not know are asked about, this many ms at most; without an answer they are refused. */
  decisionTimeout?: number;
  /** The first that applies decides. */
  rules?: AccessRule[];
  /** Of publishing and subscribing where no rule applies: `deny` by default if there are rules. */
  otherwise?: 'allow' | 'deny';
}

/** A setting of the broker's access cannot be used; the message says which and why. */
export class AccessSettingsError extends Error {
  override readonly name = 'AccessSettingsError';
}
