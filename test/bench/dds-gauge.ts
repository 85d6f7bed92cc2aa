import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { findCounterpart } from '../counterparts';
import { processorTime } from './process-use';

/** A run of the program that measures Cyclone DDS, on the loopback interface; see gauge.c. */
export class Gauge {
  readonly #process: ChildProcess;
  readonly #told: Record<string, unknown>[] = [];

  constructor(role: string, args: Record<string, string | number>) {
    const profile = pathToFileURL(resolve('test/peers/dds/loopback.xml')).href;
    const options = Object.entries(args).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.#process = spawn(program('dds-gauge'), [role, ...options], {
      env: { ...process.env, CYCLONEDDS_URI: profile },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    if (this.#process.stderr !== null)
      createInterface({ input: this.#process.stderr }).on('line', (line) => {
        if (!line.startsWith('{')) return;
        this.#told.push(JSON.parse(line));
        this.#process.emit('told');
      });
  }

  /** The value of that name, once it is told. */
  async told(name: string): Promise<number> {
    for (;;) {
      const told = this.#told.find((news) => name in news);
      if (told !== undefined) return Number(told[name]);
      if (this.#process.exitCode !== null) throw new Error(`gauge ended with ${this.#process.exitCode}`);
      await Promise.race([once(this.#process, 'told'), once(this.#process, 'exit')]);
    }
  }

  /** Processor time since its start, ms. */
  get used(): number {
    return processorTime(this.#process.pid as number);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill();
    await once(this.#process, 'exit');
  }
}

export function program(name: 'dds-gauge' | 'dds-peer'): string {
  const path = findCounterpart(name);
  if (path === undefined) throw new Error(`${name} is missing: run "npm run test:setup"`);
  return path;
}
