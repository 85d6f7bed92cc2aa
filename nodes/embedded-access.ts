import { readFileSync } from 'node:fs';
import type { AccessRule } from '../src/broker/access/access-rules';
import type { AccessSettings, TokenSettings, UserSettings } from '../src/broker/access/access-settings';
import { type Anonymous, anonymousOf, storedPasswords, type UserRow } from './access-rows';
import { FieldError } from './field-error';
import { wholeNumber } from './form-number';
import { formText } from './form-text';
import { entriesOf } from './listener-rows';

/** What the embedded broker's form says about access; absent in flows of before it existed. */
export interface AccessFields {
  anonymous?: Anonymous;
  /** Of the earlier form. */
  allowAnonymous?: boolean;
  accessUsers?: UserRow[];
  passwordFile?: string;
  tokens?: 'none' | 'secret' | 'publicKey';
  /** The path of a PEM file, or PEM text. */
  tokenPublicKey?: string;
  tokenIssuer?: string;
  tokenAudience?: string;
  decide?: boolean;
  /** Seconds. */
  decisionTimeout?: number | string;
  accessRules?: AccessRule[];
  otherwise?: 'allow' | 'deny';
}

export interface AccessCredentials {
  /** JSON of user name -> stored password. */
  passwords?: string;
  tokenSecret?: string;
}

/** The longest that a flow may take for a decision, in seconds; clients do not wait longer either. */
const LONGEST_DECISION = 30;
/** How much longer than the node the broker waits, in ms: for a flow that keeps the whole runtime busy. */
const DECISION_GRACE = 1000;

/**
 * Who may connect and do what.
 * @throws FieldError a field of the form cannot be used
 */
export function accessOf(fields: AccessFields, credentials: AccessCredentials): AccessSettings {
  const passwordFile = textOf(fields, 'passwordFile');
  const tokens = tokensOf(fields, credentials);
  const anonymous = anonymousOf(fields);
  if (!['in-process', 'local', 'everybody'].includes(anonymous)) {
    throw new FieldError('anonymous', anonymous);
  }
  return {
    anonymous: anonymous === 'everybody' ? 'local' : anonymous,
    users: usersOf(fields, credentials),
    ...(passwordFile !== '' && { passwordFile }),
    ...(tokens !== undefined && { tokens }),
    ...(fields.decide === true && { decisionTimeout: decisionTimeoutOf(fields) + DECISION_GRACE }),
    rules: rulesOf(fields),
    ...(fields.otherwise === 'allow' && { otherwise: 'allow' }),
  };
}

/** The users who cannot log in, as no password of theirs is stored: a copied node has none. */
export function usersWithoutPassword(
  { accessUsers: users = [] }: AccessFields,
  credentials: AccessCredentials,
): string[] {
  const passwords = storedPasswords(credentials.passwords);
  return users.map(({ name }) => name).filter((name) => !passwords.has(name));
}

/** How long a flow may take for a decision, in ms. @throws FieldError */
export function decisionTimeoutOf({ decisionTimeout = 5 }: AccessFields): number {
  const seconds = wholeNumber(decisionTimeout, 1, LONGEST_DECISION);
  if (seconds === undefined) throw new FieldError('decisionTimeout', decisionTimeout);
  return seconds * 1000;
}

function usersOf({ accessUsers: users = [] }: AccessFields, credentials: AccessCredentials): UserSettings[] {
  if (!Array.isArray(users)) throw new FieldError('users', users);
  const passwords = storedPasswords(credentials.passwords);
  const settings: UserSettings[] = [];
  for (const user of users) {
    const groups = formText(user?.groups);
    if (typeof user?.name !== 'string' || groups === undefined) throw new FieldError('users', user);
    const passwordHash = passwords.get(user.name);
    if (passwordHash !== undefined)
      settings.push({ name: user.name, passwordHash, groups: entriesOf(groups) });
  }
  return settings;
}

function tokensOf(fields: AccessFields, { tokenSecret }: AccessCredentials): TokenSettings | undefined {
  const { tokens = 'none' } = fields;
  if (tokens === 'none') return undefined;
  const checked = { issuer: textOf(fields, 'tokenIssuer'), audience: textOf(fields, 'tokenAudience') };
  if (tokens === 'secret') {
    if (!tokenSecret) throw new FieldError('tokenSecret', '');
    return { ...checked, secret: tokenSecret };
  }
  if (tokens !== 'publicKey') throw new FieldError('tokens', tokens);
  return { ...checked, publicKey: pemOf(textOf(fields, 'tokenPublicKey')) };
}

function pemOf(source: string): string {
  if (source.startsWith('-----BEGIN ')) return source;
  try {
    return readFileSync(source, 'utf8');
  } catch (error) {
    throw new FieldError('tokenPublicKey', source === '' ? '' : (error as Error).message);
  }
}

function rulesOf({ accessRules: rules = [] }: AccessFields): AccessRule[] {
  if (!Array.isArray(rules)) throw new FieldError('rules', rules);
  return rules.map((rule) => {
    const name = formText(rule?.name);
    const filter = formText(rule?.filter);
    if (name === undefined || filter === undefined) throw new FieldError('rules', rule);
    const { access, who, action } = rule;
    return { access, who, name, action, filter };
  });
}

function textOf(
  fields: AccessFields,
  field: 'passwordFile' | 'tokenPublicKey' | 'tokenIssuer' | 'tokenAudience',
) {
  const text = formText(fields[field]);
  if (text === undefined) throw new FieldError(field, fields[field]);
  return text.trim();
}
