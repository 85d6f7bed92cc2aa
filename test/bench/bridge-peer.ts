import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { findCounterpart } from '../counterparts';

/** The program that talks, hears and bridges on Cyclone DDS; see bridge.c. */
export class BridgePeer {
  readonly process: ChildProcess;
  readonly #told: Record<string, unknown>[] = [];

  constructor(role: 'out' | 'in' | 'talk' | 'hear', args: Record<string, string | number>) {
    const program = findCounterpart('dds-bridge');
    if (program === undefined) throw new Error('dds-bridge is missing: run "npm run test:setup"');
    const profile = pathToFileURL(resolve('test/peers/dds/loopback.xml')).href;
    const options = Object.entries(args).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.process = spawn(program, [role, ...options], {
      // The samples under way fit the buffer that ours has, too.
      env: { ...process.env, CYCLONEDDS_URI: `${profile},${RECEIVE_BUFFER}` },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.process.stdin?.on('error', () => {});
    if (this.process.stderr !== null)
      createInterface({ input: this.process.stderr }).on('line', (line) => {
        if (!line.startsWith('{')) return;
        this.#told.push(JSON.parse(line));
        this.process.emit('told');
      });
  }

  get pid(): number {
    return this.process.pid as number;
  }

  /** The value of that name, once it is told. */
  async told(name: string): Promise<unknown> {
    for (;;) {
      const told = this.#told.find((news) => name in news);
      if (told !== undefined) return told[name];
      if (this.process.exitCode !== null) throw new Error(`bridge ended with ${this.process.exitCode}`);
      await Promise.race([once(this.process, 'told'), once(this.process, 'exit')]);
    }
  }

  /** Of a talker: has it write so many samples, or begin where it has a rate. */
  write(count: number): void {
    const bytes = Buffer.allocUnsafe(4);
    bytes.writeUInt32LE(count);
    this.process.stdin?.write(bytes);
  }

  /** Of a listener: calls with the number of samples in each batch. */
  onHeard(heard: (count: number) => void): void {
    let rest: Buffer = Buffer.alloc(0);
    this.process.stdout?.on('data', (chunk: Buffer) => {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let at = 0;
      let count = 0;
      for (; at + 4 <= bytes.length; at += 4) count += bytes.readUInt32LE(at);
      rest = bytes.subarray(at);
      heard(count);
    });
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exited = once(this.process, 'exit');
    this.process.kill();
    await exited;
  }
}

const RECEIVE_BUFFER =
  '<CycloneDDS><Domain Id="any"><Internal><SocketReceiveBufferSize min="4MB"/></Internal></Domain></CycloneDDS>';
