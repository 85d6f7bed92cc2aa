import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { UpstreamSettings } from '../../src/broker/upstream/upstream-settings';
import { LastingClient } from './lasting-client';

/** A broker with a journal in a process of its own, which can be killed and started again on the same port. */
export class JournalProcess {
  port = 0;
  /** Brokers that it joins. */
  upstreams: UpstreamSettings[] = [];
  readonly #directory: string;
  readonly #durability: 'write' | 'strict';
  readonly #fileKilobytes: number | undefined;
  #child: ChildProcess | undefined;

  /** @param fileKilobytes the system's limit for the size of its files */
  constructor(directory: string, durability: 'write' | 'strict', fileKilobytes?: number) {
    this.#directory = directory;
    this.#durability = durability;
    this.#fileKilobytes = fileKilobytes;
  }

  async start(): Promise<void> {
    const script = require.resolve('./journal-process');
    const args = [script, this.#directory, String(this.port), this.#durability];
    if (this.upstreams.length > 0) args.push('65536', JSON.stringify(this.upstreams));
    const limit = this.#fileKilobytes;
    const child =
      limit === undefined
        ? spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
        : spawn(
            'bash',
            ['-c', 'ulimit -f "$1"; shift; exec "$@"', 'bash', String(limit), process.execPath, ...args],
            {
              stdio: ['ignore', 'pipe', 'inherit'],
            },
          );
    this.#child = child;
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the broker ended with code ${code}`);
    });
    const [line] = await Promise.race([
      once(child.stdout as NonNullable<typeof child.stdout>, 'data'),
      ended,
    ]);
    ended.catch(() => {});
    this.port = Number(String(line));
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

export interface KillSettings {
  kills: number;
  durability: 'write' | 'strict';
  /** Messages that are acknowledged between two kills, at most. */
  messagesBetween: number;
}

/**
 * Kills a broker again and again while two clients publish at QoS 1 and 2 to a third one, whose connection breaks as
 * well, and then accounts for every message: QoS 2 exactly once and in order, QoS 1 at least once and first in order.
 * @returns how many messages were sent, and how many of QoS 1 came more than once
 */
export async function accountOverKills(
  settings: KillSettings,
): Promise<{ messages: number; repeated: number; bytes: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'kill-'));
  const broker = new JournalProcess(folder, settings.durability);
  const publishers = [new LastingClient('one'), new LastingClient('two')];
  const subscriber = new LastingClient('subscriber');
  const everybody = [subscriber, ...publishers];
  const sent = new Map<string, number>();
  const publish = (publisher: LastingClient, index: number): void => {
    const qos = Math.random() < 0.5 ? 1 : 2;
    const topic = `kill/${index}/${qos}`;
    const number = sent.get(topic) ?? 0;
    sent.set(topic, number + 1);
    publisher.publish(topic, `${number} ${'x'.repeat(Math.random() * 300)}`, qos);
  };
  try {
    await broker.start();
    for (const client of everybody) await client.connect(broker.port);
    await subscriber.subscribe('kill/#');
    for (let kill = 0; kill < settings.kills; kill++) {
      const messages = Math.ceil(Math.random() * settings.messagesBetween);
      // The broker dies while its clients are at work, and sometimes its reader is gone at that moment.
      for (const [index, publisher] of publishers.entries()) {
        for (let count = 0; count < messages; count++) publish(publisher, index);
      }
      const [first] = publishers as [LastingClient];
      const goal = first.acknowledged + Math.floor(Math.random() * messages);
      if (kill % 3 === 1) await subscriber.vanish();
      await first.until(() => first.acknowledged >= goal);
      if (kill % 3 === 2) {
        await subscriber.vanish();
        await subscriber.connect(broker.port);
      }
      await broker.kill();
      await Promise.all(everybody.map((client) => client.vanish()));
      await broker.start();
      for (const client of everybody) await client.connect(broker.port);
    }
    for (const publisher of publishers) await publisher.until(() => publisher.open === 0);
    const expected = [...sent.values()].reduce((sum, count) => sum + count, 0);
    const numbers = (topic: string) =>
      (subscriber.received.get(topic) ?? []).map((payload) => Number(payload.split(' ')[0]));
    const distinct = () => [...sent.keys()].reduce((sum, topic) => sum + new Set(numbers(topic)).size, 0);
    await subscriber.until(() => distinct() === expected);
    let repeated = 0;
    for (const [topic, count] of sent) {
      const came = numbers(topic);
      const all = Array.from({ length: count }, (_, number) => number);
      if (topic.endsWith('2')) assert.deepEqual(came, all, topic);
      else assert.deepEqual([...new Set(came)], all, topic);
      repeated += came.length - count;
    }
    // It may be removing files still.
    await broker.kill();
    const files = readdirSync(folder);
    const bytes = files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    return { messages: expected, repeated, bytes };
  } finally {
    await Promise.all(everybody.map((client) => client.vanish()));
    await broker.kill();
    rmSync(folder, { recursive: true });
  }
}
