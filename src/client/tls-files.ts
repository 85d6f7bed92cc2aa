import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import type { TlsFiles } from './connection-settings';

/**
 * TLS options with what the files contain now.
 * @throws Error of the file system
 */
export async function readTlsFiles(options: ConnectionOptions, files: TlsFiles): Promise<ConnectionOptions> {
  const read = { ...options };
  for (const name of ['ca', 'cert', 'key', 'pfx'] as const) {
    const path = files[name];
    if (path !== undefined) read[name] = await readFile(path);
  }
  return read;
}
