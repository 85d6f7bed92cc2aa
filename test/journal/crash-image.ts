import { cpSync, rmSync } from 'node:fs';
import { LOCK_NAME } from '../../src/journal/directory-lock';

/** Copies a journal's files as a crash would leave them now. */
export function crashImage(directory: string, image: string): void {
  for (;;) {
    rmSync(image, { recursive: true, force: true });
    try {
      cpSync(directory, image, { recursive: true, filter: (source) => !source.endsWith(LOCK_NAME) });
      return;
    } catch (error) {
      // A snapshot got its name, or a file was removed, while it was copied: Node does that in a thread of its own.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}
