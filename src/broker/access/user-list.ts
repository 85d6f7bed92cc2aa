import { createHmac, randomBytes } from 'node:crypto';
import { AccessSettingsError, type UserSettings } from './access-settings';
import { readPasswordFile } from './password-file';
import {
  type PasswordHash,
  parsePasswordHash,
  SALT_BYTES,
  SCRAM_ITERATIONS,
  type ScramVerifier,
} from './password-hash';

/** Someone who may log in with a password. */
export interface User {
  readonly password: PasswordHash;
  readonly groups: readonly string[];
}

/** @throws AccessSettingsError the user has no name, or the password is not stored as it must be */
export function userOf({ name, passwordHash, groups = [] }: UserSettings): User {
  if (name === '') throw new AccessSettingsError('a user has no name');
  try {
    return { password: parsePasswordHash(passwordHash), groups };
  } catch (error) {
    throw new AccessSettingsError(`user "${name}": ${(error as Error).message}`);
  }
}

/**
 * The users with passwords, of the settings and of a password file; where both have one, that of the settings counts.
 * For who does not exist it has a stand-in, so that answers take the same time.
 */
export class UserList {
  readonly #users = new Map<string, User>();
  #ofFile: ReadonlyMap<string, User> = new Map();
  /** All passwords, and those that SCRAM works with. */
  #passwords: PasswordHash[] = [];
  #verifiers: ScramVerifier[] = [];
  /** Makes the stand-in of a name the same at each attempt. */
  readonly #secret = randomBytes(32);

  /** @throws AccessSettingsError a user is not valid or exists twice */
  constructor(users: readonly UserSettings[]) {
    for (const user of users) {
      if (this.#users.has(user.name)) throw new AccessSettingsError(`user "${user.name}" exists twice`);
      this.#users.set(user.name, userOf(user));
    }
    this.#changed();
  }

  /** Reads the users of a password file. @throws AccessSettingsError */
  async open(passwordFile: string): Promise<void> {
    const passwords = await readPasswordFile(passwordFile);
    this.#ofFile = new Map([...passwords].map(([name, password]) => [name, { password, groups: [] }]));
    this.#changed();
  }

  get size(): number {
    return this.#passwords.length;
  }

  /** Whether somebody can log in by SCRAM. */
  get offersScram(): boolean {
    return this.#verifiers.length > 0;
  }

  get(name: string): User | undefined {
    return this.#users.get(name) ?? this.#ofFile.get(name);
  }

  /** Adds or replaces a user. @throws AccessSettingsError */
  set(user: UserSettings): void {
    this.#users.set(user.name, userOf(user));
    this.#changed();
  }

  /** Removes a user of the settings. */
  remove(name: string): void {
    this.#users.delete(name);
    this.#changed();
  }

  /** What a password for this name, which nobody has, is compared with; `undefined` when there are no users at all. */
  standIn(name: string): PasswordHash | undefined {
    return this.#pick(this.#passwords, name);
  }

  /** What somebody who does not exist is shown: like the verifier of a user, and the same each time. */
  standInVerifier(name: string): ScramVerifier {
    const { iterations = SCRAM_ITERATIONS, salt = { length: SALT_BYTES } } =
      this.#pick(this.#verifiers, name) ?? {};
    return {
      iterations,
      salt: this.#digest(`salt ${name}`).subarray(0, salt.length),
      storedKey: randomBytes(32),
      serverKey: randomBytes(32),
    };
  }

  #pick<T>(list: readonly T[], name: string): T | undefined {
    return list[this.#digest(name).readUInt32BE() % list.length];
  }

  #digest(text: string): Buffer {
    return createHmac('sha256', this.#secret).update(text).digest();
  }

  #changed(): void {
    const users = new Map([...this.#ofFile, ...this.#users]);
    this.#passwords = [...users.values()].map(({ password }) => password);
    this.#verifiers = this.#passwords.flatMap(({ scram }) => scram ?? []);
  }
}
