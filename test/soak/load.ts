import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closeAll, encodeMessage, openClient } from '../bench/broker-client';
import { residentMemory } from '../bench/process-use';
import { LastingClient } from '../broker/lasting-client';
import { BrokerCommand, WIDE_LIMITS } from '../cli/broker-command';
import { megabytes } from './fuzz';
import type { Soak } from './soak';

const MESSAGES_PER_ROUND = 1000;
const PASSERS_BY = 20;
const WARMING_ROUNDS = 20;
/** What memory may differ by between two moments of the same load, bytes. */
const NOISE = 48 * 1024 * 1024;

/** Messages of every QoS, lost connections, retained messages and clients that pass by, with a journal. */
export async function soakLoad({ print, deadline }: Soak): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'soak-'));
  const broker = await BrokerCommand.start({ options: ['--store', folder], environment: WIDE_LIMITS });
  const publishers = [new LastingClient('one'), new LastingClient('two')];
  const subscriber = new LastingClient('subscriber');
  const everybody = [subscriber, ...publishers];
  try {
    for (const client of everybody) await client.connect(broker.port);
    await subscriber.subscribe('load/#');
    let rounds = 0;
    let first: number | undefined;
    while (performance.now() < deadline || first === undefined) {
      for (const [index, publisher] of publishers.entries()) {
        for (let count = 0; count < MESSAGES_PER_ROUND; count++) {
          publisher.publish(`load/${index}`, 'x'.repeat(count), count % 2 === 0 ? 1 : 2);
        }
      }
      const passing = await Promise.all(Array.from({ length: PASSERS_BY }, () => openClient(broker.port, 4)));
      for (const [index, client] of passing.entries()) {
        const message = encodeMessage(`retained/${index}`, Buffer.alloc(1000), 0, 0, 4);
        message[0] = (message[0] as number) | 1;
        client.write(message);
      }
      if (rounds % 3 === 0) {
        await subscriber.vanish();
        await subscriber.connect(broker.port);
      }
      await closeAll(passing);
      for (const publisher of publishers) await publisher.until(() => publisher.open === 0);
      const count = () => [...subscriber.received.values()].reduce((sum, { length }) => sum + length, 0);
      await subscriber.until(() => count() >= publishers.length * MESSAGES_PER_ROUND);
      subscriber.received.clear();
      if (++rounds === WARMING_ROUNDS) first = residentMemory(broker.pid);
    }
    const last = residentMemory(broker.pid);
    print(`${rounds} rounds, from ${megabytes(first)} to ${megabytes(last)} MB`);
    assert.ok(last < first + NOISE);
    for (const publisher of publishers) assert.equal(publisher.refused, 0);
  } finally {
    await Promise.all(everybody.map((client) => client.vanish()));
    await broker.stop();
    rmSync(folder, { recursive: true });
  }
}
