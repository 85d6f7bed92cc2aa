import assert from 'node:assert/strict';
import { closeAll, eachPacket, encodeMessage, openClient, subscribe } from '../bench/broker-client';
import { residentMemory } from '../bench/process-use';
import { ConnectionChurn } from '../broker/connection-churn';
import { IdleCrowd } from '../broker/idle-crowd';
import { PoliteClient } from '../broker/wire-fuzz';
import { BrokerCommand, WIDE_LIMITS } from '../cli/broker-command';
import { Random } from '../random';
import { megabytes } from './fuzz';
import type { Soak } from './soak';

const CYCLES = 10_000;
/** What may stay of a connection that has gone: nothing, but for the noise of a heap. */
const BYTES_LEFT = 100;
const IDLE = 5000;
/** After which a broker is as large as it gets. */
const SETTLED_CROWDS = 4;
/** What memory may differ by between two moments of the same load, bytes. */
const NOISE = 32 * 1024 * 1024;
const CROWD = 300;
const MESSAGES_OF_EACH = 40;

/** Connects and kills clients, and finds the heap and the handles as they were. */
export async function soakChurn({ print, deadline }: Soak): Promise<void> {
  const churn = new ConnectionChurn(new Random(1));
  await churn.open();
  try {
    await churn.cycle(CYCLES);
    const before = churn.measure();
    let cycles = 0;
    do {
      await churn.cycle(CYCLES);
      cycles += CYCLES;
    } while (performance.now() < deadline);
    const after = churn.measure();
    print(`${cycles} cycles, ${((after.heap - before.heap) / cycles).toFixed(1)} bytes left of each`);
    assert.ok(after.heap - before.heap < cycles * BYTES_LEFT);
    assert.deepEqual([after.clients, after.sockets], [0, 0]);
  } finally {
    await churn.close();
  }
}

/** Has thousands of clients connected that do nothing, again and again, and finds the broker no larger for it. */
export async function soakIdle({ print, deadline }: Soak): Promise<void> {
  const broker = await BrokerCommand.start({ environment: WIDE_LIMITS });
  try {
    const sizes: number[] = [];
    do {
      const crowd = new IdleCrowd();
      await crowd.grow(broker.port, IDLE);
      assert.equal(await crowd.ping(), IDLE);
      sizes.push(residentMemory(broker.pid));
      await crowd.leave();
    } while (performance.now() < deadline || sizes.length < SETTLED_CROWDS);
    print(`${IDLE} connections again and again: ${sizes.map(megabytes).join(', ')} MB`);
    assert.ok((sizes.at(-1) as number) < (sizes[SETTLED_CROWDS - 1] as number) + NOISE);
  } finally {
    await broker.stop();
  }
}

/** A crowd publishes to a reader that has stopped reading and then leaves. */
export async function soakBurst({ print, deadline }: Soak): Promise<void> {
  const broker = await BrokerCommand.start({ environment: WIDE_LIMITS });
  try {
    const polite = await PoliteClient.connect(broker.port);
    const message = encodeMessage('burst', Buffer.from('small'), 0, 0, 4);
    const burst = Buffer.concat(Array.from({ length: MESSAGES_OF_EACH }, () => message));
    const crowd = await Promise.all(Array.from({ length: CROWD }, () => openClient(broker.port, 4)));
    let bursts = 0;
    do {
      const stalled = await openClient(broker.port, 4);
      await subscribe(stalled, ['burst'], 0, 4);
      stalled.pause();
      const healthy = await openClient(broker.port, 4);
      await subscribe(healthy, ['burst'], 0, 4);
      const all = new Promise<void>((resolve) => {
        let received = 0;
        eachPacket(healthy, () => {
          if (++received === CROWD * MESSAGES_OF_EACH) resolve();
        });
      });
      for (const client of crowd) client.write(burst);
      await all;
      await closeAll([stalled]);
      await polite.isServed();
      await closeAll([healthy]);
      bursts++;
    } while (performance.now() < deadline);
    await closeAll(crowd);
    await polite.leave();
    print(`${bursts} bursts, ${megabytes(residentMemory(broker.pid))} MB`);
  } finally {
    await broker.stop();
  }
}
