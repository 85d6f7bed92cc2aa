import { close, openSync, write } from 'node:fs';
import { promisify } from 'node:util';

const writeTo = promisify(write);
const closeFile = promisify(close);

/** Bytes of lines that may wait for a slow disk or reader; further lines are lost and counted. */
const HELD_BYTES = 4 * 1024 * 1024;
/** How long `close` waits for lines to be written, ms. */
const CLOSE_TIMEOUT = 1000;
/** How long a full pipe is left alone, ms. */
const PIPE_DELAY = 20;

/**
 * Where log lines go: a file, to which they are appended, or the standard output. Neither a full disk nor a reader that
 * does not read delays anything else: lines that cannot be written are lost, which is told once, and counted in the log
 * when it can be written again.
 */
export class LogOutput {
  readonly #path: string | undefined;
  readonly #complain: (text: string) => void;
  #descriptor: number;
  #waiting: Buffer[] = [];
  #heldBytes = 0;
  #lost = 0;
  /** The last line that was begun has no end. */
  #torn = false;
  #failed = false;
  #writing: Promise<void> | undefined;

  /**
   * @param path of the file; the standard output without one
   * @param complain told when lines are lost
   * @throws Error the file cannot be opened
   */
  constructor(path: string | undefined, complain: (text: string) => void) {
    this.#path = path;
    this.#complain = complain;
    this.#descriptor = path === undefined ? process.stdout.fd : openSync(path, 'a');
  }

  /** Takes a line, with its line break. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#heldBytes + bytes.length > HELD_BYTES) {
      this.#lost++;
      return;
    }
    this.#heldBytes += bytes.length;
    this.#waiting.push(bytes);
    this.#writing ??= this.#writeAll();
  }

  /** Goes on in a new file of the same path: what a program that rotates logs has moved away is left alone. */
  reopen(): void {
    if (this.#path === undefined) return;
    let opened: number;
    try {
      opened = openSync(this.#path, 'a');
    } catch (error) {
      this.#complain(`the log goes on in the old file: ${(error as Error).message}`);
      return;
    }
    const before = this.#descriptor;
    this.#descriptor = opened;
    this.#torn = false;
    const closed = () => closeFile(before).catch(() => {});
    if (this.#writing === undefined) void closed();
    else void this.#writing.then(closed);
  }

  /** Resolves when all lines are written, or with false when that takes too long. */
  async close(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, CLOSE_TIMEOUT, false);
    });
    const written = await Promise.race([this.#writing?.then(() => true) ?? true, timeout]);
    clearTimeout(timer);
    return written;
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      const head = this.#lost > 0 ? [lostLine(this.#lost)] : [];
      if (this.#torn) head.unshift(Buffer.from('\n'));
      const told = this.#lost;
      const all = Buffer.concat([...head, ...lines]);
      try {
        await this.#writeWhole(all);
        this.#lost -= told;
        this.#failed = false;
      } catch (error) {
        this.#lost += lines.length;
        if (!this.#failed) this.#complain(`lines of the log are lost: ${(error as Error).message}`);
        this.#failed = true;
      }
      for (const { length } of lines) this.#heldBytes -= length;
    }
    this.#writing = undefined;
  }

  async #writeWhole(bytes: Buffer): Promise<void> {
    const descriptor = this.#descriptor;
    for (let at = 0; at < bytes.length; ) {
      try {
        const { bytesWritten } = await writeTo(descriptor, bytes, at);
        at += bytesWritten;
        this.#torn = at < bytes.length;
      } catch (error) {
        // A pipe that does not block and is full.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        await new Promise((resolve) => setTimeout(resolve, PIPE_DELAY));
      }
    }
  }
}

function lostLine(count: number): Buffer {
  const line = { level: 'warn', time: new Date().toISOString(), msg: 'lines of the log were lost', count };
  return Buffer.from(`${JSON.stringify(line)}\n`);
}
