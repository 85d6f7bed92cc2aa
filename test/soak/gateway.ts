import assert from 'node:assert/strict';
import { BrokerThread } from '../../src/broker/broker-thread';
import { residentMemory } from '../bench/process-use';
import { ApiFuzz } from '../gateway/api-fuzz';
import { GatewayFixture } from '../gateway/gateway-fixture';
import { Random } from '../random';
import type { Soak } from './soak';

/** Calls at a time. */
const CALLERS = 8;
/** What brokers, subscriptions and their histories of callers may take, whose number is limited, bytes. */
const TAKEN_BY_CALLERS = 256 * 1024 * 1024;

/** Calls the gateway as its own document describes it, and nearly so; it goes on to answer and does not grow. */
export async function soakGateway({ print, deadline }: Soak): Promise<void> {
  const seed = Date.now() % 2 ** 32;
  print(`seed ${seed}`);
  const broker = new BrokerThread({ listeners: [] });
  await broker.start();
  const known = { id: 'ours', name: 'Ours', broker };
  const fixture = await GatewayFixture.start({ sources: { embeddedBrokers: () => [known] } });
  const random = new Random(seed);
  const callers: ApiFuzz[] = [];
  for (let caller = 0; caller < CALLERS; caller++) {
    callers.push(await ApiFuzz.create(fixture.api, new Random(random.next())));
  }
  try {
    let count = 0;
    const round = async () => {
      await Promise.all(callers.map((caller) => caller.step()));
      count += CALLERS;
    };
    while (count < 2000) await round();
    const before = residentMemory(process.pid);
    while (performance.now() < deadline) await round();
    const grown = residentMemory(process.pid) - before;
    assert.equal((await fixture.api.get('/health')).status, 200);
    assert.ok(grown < TAKEN_BY_CALLERS, `the process has grown by ${grown} bytes`);
    print(`${count} calls, ${Math.round(grown / 2 ** 20)} MiB more memory`);
  } finally {
    await fixture.stop();
    await broker.stop();
  }
}
