/*
 * A journal in a process that may write only so many bytes to a file, which to the journal is a disk that is full:
 * `full-disk-process.js <directory> <durability>`. Fails where something is not as it should be.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { messageOfBroker } from '../../src/broker/message';
import { JournalDirectory } from '../../src/broker/store/journal-directory';
import { JournalStore } from '../../src/broker/store/journal-store';
import { StoredState } from '../../src/broker/store/stored-state';

let now = 1_000_000;
let changes = 0;
let changed: (() => void) | undefined;

/** Resolves at the next change that the store reports after this call. */
const nextChange = () => new Promise<void>((resolve) => (changed = resolve));

/** What another process would read. */
function kept(directory: string): string[] {
  const state = new StoredState();
  assert.deepEqual(new JournalDirectory(directory).load(state), []);
  return [...state.retained()].map(({ topic }) => topic);
}

async function main(): Promise<void> {
  const [directory = '', durability] = process.argv.slice(2);
  const store = new JournalStore({
    directory,
    durability: durability === 'strict' ? 'strict' : 'write',
    maximumBytes: 1 << 24,
    compactionBytes: 1 << 30,
    monotonic: () => now,
    wall: () => now,
  });
  await store.open(() => {
    changes++;
    changed?.();
  });
  const durable: string[] = [];
  let count = 0;
  const retain = async () => {
    const topic = `t/${count++}`;
    store.retained(messageOfBroker(topic, 'x'.repeat(1000)));
    store.commit();
    while (store.durable < store.position && store.fault === undefined) await nextChange();
    if (store.fault === undefined) durable.push(topic);
  };
  while (store.fault === undefined) await retain();
  assert.match(store.fault, /EFBIG|ENOSPC/);
  assert.ok(store.full);
  assert.ok(durable.length > 40, `${durable.length} were kept`);
  assert.deepEqual(kept(directory), durable, 'all that was said to be durable, and not half of what was not');

  for (let more = 0; more < 10; more++) await retain();
  // Now the state is larger than a file may be: every attempt to go on fails.
  for (let attempt = 0; attempt < 5; attempt++) {
    now += 3000;
    const attempted = nextChange();
    store.tend();
    store.retainedRemoved('t/0');
    store.retained(messageOfBroker('t/0', 'again'));
    await attempted;
    while (readdirSync(directory).some((name) => name.endsWith('.temporary'))) await nextChange();
    await new Promise((resolve) => setImmediate(resolve));
    assert.notEqual(store.fault, undefined);
    assert.ok(store.durable < store.position);
  }
  assert.deepEqual(
    readdirSync(directory).sort(),
    ['0000000001.journal', 'lock'],
    'attempts leave nothing behind',
  );
  assert.deepEqual(kept(directory), durable);

  for (let number = 20; number < count; number++) store.retainedRemoved(`t/${number}`);
  while (store.fault !== undefined) {
    now += 3000;
    store.tend();
    await nextChange();
  }
  assert.equal(store.durable, store.position);
  const first = Array.from({ length: 20 }, (_, number) => `t/${number}`);
  assert.deepEqual(kept(directory).sort(), first.sort());
  await retain();
  await store.close();
  assert.deepEqual(kept(directory).sort(), [...first, `t/${count - 1}`].sort());
  assert.ok(changes > 5);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});
