import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { joinedParts, Message } from '../../src/broker/message';
import { JournalDirectory } from '../../src/broker/store/journal-directory';
import { JOURNAL_FORMAT } from '../../src/broker/store/journal-record';
import { type JournalSettings, JournalStore } from '../../src/broker/store/journal-store';
import type { SessionStore } from '../../src/broker/store/store';
import { deliveriesOf, StoredState } from '../../src/broker/store/stored-state';
import { crc32 } from '../../src/journal/checksum';
import { StoreInUseError } from '../../src/journal/directory-lock';
import { StoreVersionError } from '../../src/journal/journal-file';
import { crashImage } from '../journal/crash-image';

const FIRST = '0000000001.journal';

function message(topic: string, payload: string, expiresAt = Number.POSITIVE_INFINITY): Message {
  const bytes = Buffer.from(topic + payload);
  const { length } = Buffer.from(topic);
  return new Message(topic, joinedParts(bytes, length, length), 1, false, expiresAt, 'publisher');
}

const payloadOf = ({ bytes, payloadStart }: Message) => bytes.toString('utf8', payloadStart);

/** All that a state says, for comparison. */
function described(state: StoredState): unknown {
  const sessions = [...state.sessions.values()].map((session) => ({
    clientId: session.clientId,
    owner: session.owner,
    expiry: session.expiry,
    will: session.will,
    left: session.left,
    subscriptions: [...session.subscriptions.values()],
    received: [...session.received].sort(),
    deliveries: [...deliveriesOf(session)].map(({ message: kept, ...rest }) => ({
      ...rest,
      payload: kept === undefined ? undefined : payloadOf(kept),
    })),
  }));
  const retained = [...state.retained()].map((kept) => `${kept.topic}=${payloadOf(kept)}`);
  return { sessions, retained: retained.sort() };
}

function load(directory: string): { state: unknown; damage: string[]; bytes: number } {
  const state = new StoredState();
  const damage = new JournalDirectory(directory).load(state);
  return { state: described(state), damage, bytes: state.bytes };
}

/** The same numbers in each run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('the journal store', () => {
  let folder: string;
  let directory: string;
  let stores: JournalStore[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'journal-'));
    directory = join(folder, 'store');
    stores = [];
  });
  afterEach(async () => {
    for (const store of stores) await store.close();
    rmSync(folder, { recursive: true });
  });

  async function open(settings: Partial<JournalSettings> = {}, listener = () => {}): Promise<JournalStore> {
    const store = new JournalStore({ directory, durability: 'write', maximumBytes: 1 << 24, ...settings });
    await store.open(listener);
    stores.push(store);
    return store;
  }

  /** Every kind of change, committed one by one; says what is kept after each, by the size of the file then. */
  async function everyChange(): Promise<Map<number, unknown>> {
    const store = await open();
    let session: SessionStore | undefined;
    let delivery = 0;
    const changes: Array<() => void> = [
      () => {
        session = store.newSession('client', '');
      },
      () =>
        session?.connected(60, {
          topic: 'w',
          payload: Buffer.from('gone'),
          qos: 1,
          retain: true,
          properties: { willDelayInterval: 3, userProperties: [['a', 'b']] },
        }),
      () =>
        session?.subscribed({
          filter: 't/#',
          qos: 2,
          noLocal: true,
          retainAsPublished: false,
          identifier: 7,
        }),
      () =>
        session?.subscribed({ filter: 'u', qos: 1, noLocal: false, retainAsPublished: true, identifier: 0 }),
      () => session?.unsubscribed('u'),
      () => {
        delivery = session?.queued(message('t/1', 'one', 5000), 2, true, [7, 300_000], false) ?? 0;
        session?.queued(message('t/2', 'two'), 1, false, [], true);
      },
      () => session?.sent(delivery, 65_535),
      () => session?.taken(delivery),
      () => session?.received(9),
      () => session?.received(10),
      () => session?.released(9),
      () => store.retained(message('r/1', 'kept')),
      () => store.retained(message('r/1', 'kept instead')),
      () => store.retained(message('r/2', 'kept as well')),
      () => store.retainedRemoved('r/2'),
      () => session?.done(delivery),
      () => session?.left(7000, 6500),
      () => store.newSession('second', '').connected(1, undefined),
      () => session?.ended(),
    ];
    const states = new Map<number, unknown>();
    const note = () => states.set(statSync(join(directory, FIRST)).size, load(directory).state);
    store.commit();
    note();
    for (const change of changes) {
      change();
      store.commit();
      note();
    }
    assert.equal(states.size, changes.length + 1, 'every change is written at once');
    const kept = [...states.values()].map((state) => JSON.stringify(state));
    for (const [index, state] of kept.entries())
      assert.notEqual(state, kept[index - 1], 'every change is seen');
    return states;
  }

  /** What must be read from a file of which only this many bytes are sound. */
  function soundPart(states: Map<number, unknown>, offset: number): unknown {
    let last: unknown = described(new StoredState());
    for (const [size, state] of states) if (size <= offset) last = state;
    return last;
  }

  it('reads all changes up to any point where the file is cut, without a complaint', async function () {
    this.timeout(60_000);
    const states = await everyChange();
    const whole = readFileSync(join(directory, FIRST));
    const cut = join(folder, 'cut');
    mkdirSync(cut);
    for (let length = 0; length <= whole.length; length++) {
      writeFileSync(join(cut, FIRST), whole.subarray(0, length));
      const { state, damage } = load(cut);
      assert.deepEqual(state, soundPart(states, length), `cut at ${length}`);
      assert.deepEqual(damage, []);
    }
  });

  it('reads all changes before any flipped bit, and says that there is damage', async function () {
    this.timeout(60_000);
    const states = await everyChange();
    const whole = readFileSync(join(directory, FIRST));
    const flipped = join(folder, 'flipped');
    mkdirSync(flipped);
    for (let bit = 0; bit < whole.length * 8; bit += 7) {
      const bytes = Buffer.from(whole);
      const offset = bit >> 3;
      bytes[offset] = (bytes[offset] as number) ^ (1 << (bit & 7));
      writeFileSync(join(flipped, FIRST), bytes);
      const { state, damage } = load(flipped);
      assert.deepEqual(state, soundPart(states, offset), `bit ${bit}`);
      assert.equal(damage.length, 1, `bit ${bit}`);
    }
  });

  it('goes on after damage, says so, and puts the damaged file aside', async () => {
    const states = await everyChange();
    await stores.pop()?.close();
    const bytes = readFileSync(join(directory, FIRST));
    const [, afterOne] = [...states.keys()] as [number, number];
    bytes[afterOne + 12] = (bytes[afterOne + 12] as number) ^ 1;
    writeFileSync(join(directory, FIRST), bytes);
    const store = new JournalStore({ directory, durability: 'write', maximumBytes: 1 << 24 });
    const [notice, ...more] = await store.open(() => {});
    assert.match(notice ?? '', /^0000000001\.journal: .* checksum at byte \d+ of \d+/);
    assert.deepEqual(more, []);
    store.retained(message('r', 'after'));
    await replaced(FIRST);
    await store.close();
    assert.deepEqual(readdirSync(directory).sort(), [
      '0000000001.journal.damaged',
      '0000000002.journal',
      '0000000002.snapshot',
    ]);
    assert.deepEqual(load(directory).state, {
      ...(soundPart(states, afterOne) as object),
      retained: ['r=after'],
    });
  });

  it('puts a file without a sound header aside, whatever its name says, and reads the others', async () => {
    const states = await everyChange();
    await stores.pop()?.close();
    writeFileSync(join(directory, '9999999999.snapshot'), 'no snapshot at all');
    const store = new JournalStore({ directory, durability: 'write', maximumBytes: 1 << 24 });
    assert.deepEqual(await store.open(() => {}), [
      '9999999999.snapshot: the header is damaged; put aside as 9999999999.snapshot.damaged',
    ]);
    await replaced(FIRST);
    await store.close();
    assert.deepEqual(readdirSync(directory).sort(), [
      '0000000002.journal',
      '0000000002.snapshot',
      '9999999999.snapshot.damaged',
    ]);
    assert.deepEqual(load(directory).state, [...states.values()].at(-1));
  });

  it('counts what a session keeps besides its messages', async () => {
    const store = await open({ maximumBytes: 50_000 });
    const session = store.newSession('client', '');
    const will = {
      topic: 'w',
      payload: Buffer.alloc(60_000),
      qos: 0 as const,
      retain: false,
      properties: {},
    };
    session.connected(60, will);
    assert.equal(store.full, true);
    session.connected(60, undefined);
    assert.equal(store.full, false);
    for (let packetId = 1; packetId <= 10_000; packetId++) session.received(packetId);
    assert.equal(store.full, true);
    for (let packetId = 1; packetId <= 10_000; packetId++) session.released(packetId);
    assert.equal(store.full, false);
    session.connected(60, will);
    session.received(1);
    session.ended();
    const other = store.newSession('x'.repeat(60_000), '');
    assert.equal(store.full, true);
    other.ended();
    store.commit();
    assert.equal(load(directory).bytes, 0);
  });

  it('refuses files of another version and does not touch them', async () => {
    await everyChange();
    await stores.pop()?.close();
    const path = join(directory, FIRST);
    const bytes = readFileSync(path);
    bytes.writeUInt32BE(JOURNAL_FORMAT.version + 1, 8);
    bytes.writeUInt32BE(crc32(bytes.subarray(0, 12)), 12);
    writeFileSync(path, bytes);
    const store = new JournalStore({ directory, durability: 'write', maximumBytes: 1 << 24 });
    await assert.rejects(
      store.open(() => {}),
      (error) =>
        error instanceof StoreVersionError && /version 2, expected 1: use the version/.test(error.message),
    );
    await store.close();
    assert.deepEqual(readdirSync(directory), [FIRST]);
    assert.deepEqual(readFileSync(path), bytes);
  });

  for (const path of ['store', join('long'.repeat(20), 'path'.repeat(20))]) {
    it(`leaves a directory to the broker that uses it (path of ${path.length} characters)`, async () => {
      directory = join(folder, path);
      const first = await open();
      first.retained(message('r', 'first'));
      first.commit();
      const names = readdirSync(directory);
      const second = new JournalStore({ directory, durability: 'write', maximumBytes: 1 << 24 });
      await assert.rejects(
        second.open(() => {}),
        (error) => error instanceof StoreInUseError && error.message.includes(`${directory} is in use`),
      );
      await second.close();
      assert.deepEqual(readdirSync(directory), names);
      await first.close();
      assert.deepEqual([...(await open()).retainedMessages()].map(payloadOf), ['first']);
    });
  }

  it('says which directory cannot be created', async () => {
    writeFileSync(join(folder, 'file'), '');
    await assert.rejects(
      open({ directory: join(folder, 'file', 'store') }),
      /directory .*store cannot be created: /,
    );
  });

  it('survives arbitrary bytes in its files', () => {
    const next = random(7);
    mkdirSync(directory);
    for (let round = 0; round < 200; round++) {
      const bytes = Buffer.from(Array.from({ length: next(200) }, () => next(256)));
      writeFileSync(join(directory, FIRST), bytes);
      assert.deepEqual(load(directory).state, described(new StoredState()));
    }
  });

  /** Resolves when a snapshot has replaced this file. */
  async function replaced(name: string): Promise<void> {
    while (readdirSync(directory).includes(name)) await new Promise((resolve) => setImmediate(resolve));
  }

  it('keeps its files small, and says the same at every moment of a snapshot', async function () {
    this.timeout(60_000);
    const next = random(3);
    const store = await open({ compactionBytes: 2000 });
    const sessions = new Map<string, { store: SessionStore; open: number[] }>();
    // Is told the same and never takes a snapshot.
    const plain = join(folder, 'plain');
    const reference = await open({ directory: plain, compactionBytes: 1 << 30 });
    let snapshots = 0;
    let largest = 0;
    const both = pairOf(store, reference);
    const hasSeenEnough = () => snapshots > 2 && largest < statSync(join(plain, FIRST)).size / 2;
    // A slow disk takes more turns for a snapshot.
    for (let turn = 0; turn < 250 || !hasSeenEnough(); turn++) {
      assert.ok(turn < 2500, `images during ${snapshots} snapshots, ${largest} bytes at most`);
      for (let change = next(6); change >= 0; change--) churn(both, sessions, next, turn);
      store.commit();
      reference.commit();
      const image = join(folder, 'image');
      crashImage(directory, image);
      const names = readdirSync(image);
      if (names.some((file) => file.endsWith('.temporary'))) snapshots++;
      largest = Math.max(
        largest,
        names.reduce((sum, file) => sum + statSync(join(image, file)).size, 0),
      );
      assert.deepEqual(load(image), load(plain), `turn ${turn}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
});

type Both = Pick<JournalStore, 'newSession' | 'retained' | 'retainedRemoved'>;

/** Tells two stores the same; both answer the same. */
function pairOf(one: JournalStore, other: JournalStore): Both {
  const same = (first: number, second: number) => {
    assert.equal(first, second);
    return first;
  };
  return {
    retained: (kept) => [one, other].forEach((store) => void store.retained(kept)),
    retainedRemoved: (topic) => [one, other].forEach((store) => void store.retainedRemoved(topic)),
    newSession: (clientId) => {
      const sessions = [one.newSession(clientId, ''), other.newSession(clientId, '')] as const;
      const told =
        <T extends unknown[]>(change: (session: SessionStore, ...given: T) => void) =>
        (...given: T) =>
          sessions.forEach((session) => void change(session, ...given));
      return {
        connected: told((session, expiry, will) => session.connected(expiry, will)),
        left: told((session, expiresAt, willAt) => session.left(expiresAt, willAt)),
        subscribed: told((session, subscription) => session.subscribed(subscription)),
        unsubscribed: told((session, filter) => session.unsubscribed(filter)),
        queued: (...given) => same(sessions[0].queued(...given), sessions[1].queued(...given)),
        sent: told((session, delivery, packetId) => session.sent(delivery, packetId)),
        taken: told((session, delivery) => session.taken(delivery)),
        done: told((session, delivery) => session.done(delivery)),
        received: told((session, packetId) => session.received(packetId)),
        released: told((session, packetId) => session.released(packetId)),
        ended: told((session) => session.ended()),
      };
    },
  };
}

/** One change of some kind. */
function churn(
  store: Both,
  sessions: Map<string, { store: SessionStore; open: number[] }>,
  next: (below: number) => number,
  turn: number,
): void {
  const name = `client ${next(5)}`;
  const found = sessions.get(name);
  const kind = next(10);
  if (found === undefined) {
    const session = store.newSession(name, turn % 2 === 0 ? '' : `owner ${turn}`);
    session.connected(next(100) + 1, undefined);
    sessions.set(name, { store: session, open: [] });
  } else if (kind < 4) {
    const sent = message(`t/${next(4)}`, 'x'.repeat(next(200)));
    if (kind === 0) store.retained(sent);
    found.open.push(found.store.queued(sent, 2, false, [next(9)], false));
    for (const other of sessions.values()) {
      if (next(3) === 0) other.open.push(other.store.queued(sent, 1, false, [], false));
    }
  } else if (kind < 8) {
    if (kind === 7) for (const delivery of found.open.splice(1)) found.store.done(delivery);
    const delivery = found.open.shift();
    if (delivery === undefined) return;
    if (kind === 4) found.store.sent(delivery, next(65_535) + 1);
    if (kind === 5) found.store.taken(delivery);
    if (kind < 6) found.open.push(delivery);
    else found.store.done(delivery);
  } else if (kind === 8) {
    const filter = `f/${next(3)}`;
    found.store.subscribed({ filter, qos: 1, noLocal: false, retainAsPublished: false, identifier: turn });
    if (next(2) === 0) found.store.unsubscribed(filter);
    found.store.received(next(20) + 1);
    found.store.released(next(20) + 1);
    found.store.left(turn, next(2) === 0 ? turn : Number.POSITIVE_INFINITY);
    store.retainedRemoved(`t/${next(4)}`);
  } else if (next(4) === 0) {
    found.store.ended();
    sessions.delete(name);
  }
}
