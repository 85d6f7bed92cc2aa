import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** The file in the directory that stands for the lock, except on Windows and where its path is too long for a socket. */
export const LOCK_NAME = 'lock';
/** What all systems allow for the path of a socket. */
const LONGEST_PATH = 103;

/** Somebody else, of this process or another, keeps its state in the directory. */
export class StoreInUseError extends Error {
  override readonly name = 'StoreInUseError';
  constructor(directory: string) {
    super(`the storage directory ${directory} is in use: each broker and each queue needs one of its own`);
  }
}

/**
 * Holds a directory for one process by listening on a local socket: when the process dies, however, the system lets go
 * of it, and nothing that it leaves behind is taken for a living owner. On file systems without sockets it holds nothing.
 */
export class DirectoryLock {
  readonly #directory: string;
  #server: Server | undefined;

  constructor(directory: string) {
    this.#directory = resolve(directory);
  }

  /**
   * The directory must be there.
   * @throws StoreInUseError somebody else holds it
   */
  async acquire(): Promise<void> {
    const path = pathOf(this.#directory);
    for (let attempt = 1; ; attempt++) {
      try {
        this.#server = await listen(path);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') return;
        if (attempt === 2 || (await answers(path))) throw new StoreInUseError(this.#directory);
        // Left behind by a process that was killed.
        rmSync(path, { force: true });
      }
    }
  }

  async release(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await new Promise((closed) => server.close(closed));
  }
}

function pathOf(directory: string): string {
  const name = `mqtt-ros-${createHash('sha256').update(directory).digest('hex').slice(0, 32)}`;
  if (process.platform === 'win32') return `\\\\.\\pipe\\${name}`;
  const path = join(directory, LOCK_NAME);
  return Buffer.byteLength(path) <= LONGEST_PATH ? path : join(tmpdir(), name);
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    // Stays: accepting can fail later, for want of file descriptors, and must not end the thread.
    server.on('error', reject);
    server.listen(path, () => resolve(server));
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
