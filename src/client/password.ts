import { readFile } from 'node:fs/promises';
import { env } from 'node:process';
import type { PasswordSource } from './connection-settings';

/**
 * The password as it is now.
 * @throws Error in words, without the password: the variable is not set, the file cannot be read
 */
export async function readPassword(source: string | PasswordSource): Promise<string> {
  if (typeof source === 'string') return source;
  if (typeof source === 'function') return await source();
  if ('file' in source) return (await readFile(source.file, 'utf8')).replace(/\r?\n$/, '');
  const value = env[source.environment];
  if (value === undefined) throw new Error(`password: environment variable ${source.environment} is not set`);
  return value;
}
