/** A user of an embedded broker, as the flow file keeps it; the password is stored as a hash, in the node's credentials. */
export interface UserRow {
  name: string;
  /** Comma separated. */
  groups: string;
  /** `scram`: by SCRAM-SHA-256 as well. */
  login: 'password' | 'scram';
  /** Whether the form was left with a password; a copy of the node has none. */
  hasPassword: boolean;
}

export const NEW_USER: UserRow = { name: '', groups: '', login: 'password', hasPassword: false };

/** Who needs no password: nodes of this Node-RED, clients of this machine, or all. */
export type Anonymous = 'in-process' | 'local' | 'everybody';

/** Who needs no password, also of a broker that was saved by a form which knew only a tick for it. */
export function anonymousOf(fields: { anonymous?: Anonymous; allowAnonymous?: boolean }): Anonymous {
  return fields.anonymous ?? (fields.allowAnonymous === true ? 'everybody' : 'local');
}

/** Stored passwords by user name, as the credential `passwords` has them in its text. */
export function storedPasswords(text: string | undefined): Map<string, string> {
  if (!text) return new Map();
  try {
    const stored: unknown = JSON.parse(text);
    if (typeof stored !== 'object' || stored === null) return new Map();
    return new Map(Object.entries(stored).filter(([, hash]) => typeof hash === 'string'));
  } catch {
    return new Map();
  }
}
