import { readFile } from 'node:fs/promises';
import { AccessSettingsError } from './access-settings';
import { type PasswordHash, parsePasswordHash } from './password-hash';

/**
 * The users of a password file as mosquitto_passwd writes it: `name:$7$...` in each line.
 * @throws AccessSettingsError the file cannot be read, or a line of it; the message has its number
 */
export async function readPasswordFile(path: string): Promise<Map<string, PasswordHash>> {
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new AccessSettingsError(`password file: ${error.message}`);
  });
  const users = new Map<string, PasswordHash>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    try {
      if (colon < 1) throw new Error('expected name:password');
      users.set(line.slice(0, colon), parsePasswordHash(line.slice(colon + 1).trim()));
    } catch (error) {
      throw new AccessSettingsError(`password file ${path}, line ${index + 1}: ${(error as Error).message}`);
    }
  }
  return users;
}
