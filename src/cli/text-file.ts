import { closeSync, openSync, readSync } from 'node:fs';
import { SettingsError } from './settings-error';

/** More than any file of settings needs: of what is larger, such as `/dev/zero`, no more is read. */
const MOST_BYTES = 1024 * 1024;

/**
 * The content of a file of settings, without byte order mark; `undefined` where there is no such file.
 * @throws SettingsError it cannot be read, is larger than 1 MiB, or is not UTF-8
 */
export function readTextFile(path: string): string | undefined {
  let bytes: Buffer;
  try {
    bytes = readBounded(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new SettingsError(`${path} cannot be read: ${message}`);
  }
  if (bytes.length > MOST_BYTES) {
    throw new SettingsError(`${path} is larger than a file of settings may be, ${MOST_BYTES} bytes`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new SettingsError(`${path} is not UTF-8`);
  }
}

function readBounded(path: string): Buffer {
  const descriptor = openSync(path, 'r');
  try {
    const bytes = Buffer.allocUnsafe(MOST_BYTES + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(descriptor, bytes, length, bytes.length - length, null);
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}
