import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startMosquitto, stop } from '../bench/broker-contestants';
import { findCounterpart } from '../counterparts';
import { BridgeTraffic, type StreamAccount } from './bridge-traffic';
import { megabytes } from './fuzz';
import type { Soak } from './soak';

/** The part of the time after which compilers and the system's memory pools are taken to be warm. */
const WARM_UP = 1 / 3;
/** How long before the end memory is looked at again, ms: without traffic nothing is collected. */
const LAST_LOOK = 20_000;
/** The shortest time that says something, ms. */
const SHORTEST = 90_000;
/** How often the broker stands still, and for how long, ms. */
const STANDSTILL = { every: 20_000, duration: 2000 };
/** What memory may differ by between two moments of the same load, bytes. */
const NOISE = { heap: 48 * 1024 * 1024, resident: 96 * 1024 * 1024 };

/**
 * A bridge with texts, scans and images both ways, whose broker stands still now and then: it does not grow, and what it
 * does not deliver it has counted.
 */
export async function soakBridge({ print, deadline }: Soak): Promise<void> {
  const program = findCounterpart('mosquitto');
  if (program === undefined) throw new Error('mosquitto is missing: run "npm run test:setup"');
  const folder = mkdtempSync(join(tmpdir(), 'soak-bridge-'));
  const broker = await startMosquitto(program, folder, ['max_inflight_messages 0', 'max_queued_messages 0']);
  const traffic = new BridgeTraffic(broker, folder);
  const standing = setInterval(async () => {
    broker.process.kill('SIGSTOP');
    await sleep(STANDSTILL.duration);
    broker.process.kill('SIGCONT');
  }, STANDSTILL.every);
  try {
    await traffic.open();
    const duration = Math.max(SHORTEST, deadline - performance.now());
    const start = performance.now();
    const over = traffic.run(duration);
    await sleep(WARM_UP * duration);
    const first = await traffic.memory();
    await sleep(start + duration - LAST_LOOK - performance.now());
    const last = await traffic.memory();
    await over;
    print(
      `heap from ${megabytes(first.heap)} to ${megabytes(last.heap)} MB, ` +
        `resident from ${megabytes(first.resident)} to ${megabytes(last.resident)} MB`,
    );
    const { streams, toFlow } = await traffic.account();
    const expected = streams.map((stream) => check(stream, print));
    assert.equal(
      toFlow,
      expected.reduce((sum, count) => sum + count, 0),
    );
    assert.ok(last.heap < first.heap + NOISE.heap);
    assert.ok(last.resident < first.resident + NOISE.resident);
  } finally {
    clearInterval(standing);
    await traffic.close();
    await stop(broker);
    rmSync(folder, { recursive: true });
  }
}

/** Prints what became of a stream, all of which must be accounted for. Returns how much of it went to the flow. */
function check({ name, sent, came, inC, route }: StreamAccount, print: (line: string) => void): number {
  const { counts, direction } = route;
  assert.ok(counts !== undefined, name);
  // What the flows' thread did not read in time has gone to the broker.
  const { flow: _flow, ...others } = counts.dropped;
  const dropped = Object.values(others).reduce((sum, count) => sum + count, 0);
  const reasons = Object.entries({
    ...counts.dropped,
    ...(counts.rosLost && { 'lost in ROS': counts.rosLost }),
  });
  const words = reasons.map(([reason, count]) => `, ${count} ${reason}`).join('');
  const compared = direction === 'ros-to-mqtt' ? ` (a listener in C: ${inC})` : '';
  print(`${name}: ${came} of ${sent} came${words}${compared}`);
  if (direction === 'ros-to-mqtt') {
    assert.equal(counts.rosReceived + counts.rosLost, sent);
    assert.equal(counts.mqttPublished + dropped, counts.rosReceived);
    assert.equal(came, counts.mqttPublished);
  } else {
    assert.equal(counts.mqttReceived, sent);
    assert.equal(counts.rosPublished + dropped, counts.mqttReceived);
    assert.equal(came, counts.rosPublished);
  }
  return counts.flowPublished;
}
