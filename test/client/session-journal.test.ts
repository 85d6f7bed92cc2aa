import assert from 'node:assert/strict';
import fs, {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock } from 'node:test';
import { OutgoingMessage } from '../../src/client/outgoing-message';
import { SessionJournal } from '../../src/client/session-journal';
import { frameHeader } from '../../src/journal/journal-file';

const message = (text: string, qos: 1 | 2 = 1): OutgoingMessage =>
  new OutgoingMessage('t', text, { qos, retain: false });

describe('journal of a session', () => {
  let directory: string;
  const faults: (string | undefined)[] = [];
  const open: SessionJournal[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'outgoing-'));
    faults.length = 0;
  });
  afterEach(async () => {
    mock.timers.reset();
    for (const journal of open.splice(0)) await journal.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const start = async () => {
    const journal = new SessionJournal(directory, (fault) => faults.push(fault));
    const left = await journal.open();
    open.push(journal);
    return { journal, ...left };
  };
  /** What has been written anew is complete, and what it replaces gone. */
  const settled = async () => {
    const kept = () => readdirSync(directory).filter((name) => /^\d+\.\w+(\.temporary)?$/.test(name));
    while (kept().length > 2 || kept().some((name) => name.endsWith('y'))) await new Promise(setImmediate);
  };
  const durable = (journal: SessionJournal) => new Promise<void>((resolve) => journal.whenDurable(resolve));
  /** Begins again as after a crash: nothing is written any more by the first. */
  const crash = async (journal: SessionJournal) => {
    await durable(journal);
    await settled();
    const files = readdirSync(directory).filter((name) => name !== 'lock');
    const copies = files.map((name) => [name, readFileSync(join(directory, name))] as const);
    await journal.close();
    for (const name of readdirSync(directory)) rmSync(join(directory, name));
    for (const [name, bytes] of copies) writeFileSync(join(directory, name), bytes);
    open.splice(open.indexOf(journal), 1);
  };
  const file = (): string => {
    const names = readdirSync(directory).filter((name) => name.endsWith('.queue'));
    return join(directory, names.sort().at(-1) as string);
  };

  it('gives back what is not done, in order, with all that was known of it', async () => {
    const { journal, messages } = await start();
    assert.deepEqual(messages, []);
    const all = [message('a'), message('b', 2), message('c', 2), message('d')];
    const [a, b, c] = all as [OutgoingMessage, OutgoingMessage, OutgoingMessage];
    const properties = {
      contentType: 'text/plain',
      correlationData: Buffer.from([0, 255]),
      userProperties: { k: ['1', '2'] },
      messageExpiryInterval: 60,
    };
    const rich = new OutgoingMessage(
      'topic/ü',
      Buffer.from([1, 2, 0]),
      { qos: 2, retain: true, properties },
      12_345,
    );
    for (const each of [...all, rich]) journal.add(each);
    b.packetId = 7;
    journal.sent(b);
    c.packetId = 8;
    journal.sent(c);
    journal.taken(c);
    journal.done(a);
    await crash(journal);
    for (let run = 0; run < 2; run++) {
      const again = await start();
      assert.deepEqual(
        again.messages.map(({ payload, options, packetId, repeated, released }) => [
          String(payload),
          options.qos,
          packetId,
          repeated,
          released,
        ]),
        [
          ['b', 2, 7, true, false],
          ['c', 2, 8, true, true],
          ['d', 1, undefined, false, false],
          ['\u0001\u0002\0', 2, undefined, false, false],
        ],
      );
      const last = again.messages.at(-1) as OutgoingMessage;
      assert.deepEqual([last.topic, last.options, last.since], ['topic/ü', rich.options, 12_345]);
      await crash(again.journal);
    }
  });

  it('calls nobody back before the file has what was noted, also when that was during a sync', async () => {
    const { journal } = await start();
    const syncs: ((error: null) => void)[] = [];
    const fdatasync = mock.method(fs, 'fdatasync', (_file: number, done: (error: null) => void) =>
      syncs.push(done),
    );
    try {
      journal.add(message('first'));
      const first = durable(journal);
      await new Promise(setImmediate);
      journal.add(message('second'));
      let written: boolean | undefined;
      journal.whenDurable(() => {
        written = readFileSync(file()).includes('second');
      });
      // Both within one turn of the loop.
      for (let turn = 0; turn < 5; turn++) {
        syncs.shift()?.(null);
        await Promise.resolve();
      }
      await first;
      while (written === undefined) {
        syncs.shift()?.(null);
        await new Promise(setImmediate);
      }
      assert.equal(written, true);
    } finally {
      fdatasync.mock.restore();
    }
  });

  it('gives back the packet identifiers that were received and not released', async () => {
    const { journal, received } = await start();
    assert.deepEqual(received, []);
    for (const packetId of [1, 2, 65_535]) journal.received(packetId);
    journal.released(2);
    await crash(journal);
    for (let run = 0; run < 2; run++) {
      const again = await start();
      assert.deepEqual(again.received, [1, 65_535]);
      await crash(again.journal);
    }
    const last = await start();
    last.journal.releaseAll();
    await crash(last.journal);
    assert.deepEqual((await start()).received, []);
  });

  it('has what was received in the file at once', async () => {
    const { journal } = await start();
    await durable(journal);
    const { size } = statSync(file());
    journal.received(7);
    assert.ok(statSync(file()).size > size);
  });

  it('keeps what was added before it was opened, behind what an earlier run has left', async () => {
    const first = await start();
    first.journal.add(message('a'));
    await crash(first.journal);
    const journal = new SessionJournal(directory, () => {});
    journal.add(message('b'));
    await journal.open();
    await crash(journal);
    assert.deepEqual(
      (await start()).messages.map(({ payload }) => String(payload)),
      ['a', 'b'],
    );
  });

  it('leaves out a write that did not get to its end, wherever it broke off, and goes on', async () => {
    const { journal } = await start();
    journal.add(message('a'));
    await durable(journal);
    const whole = statSync(file()).size;
    journal.add(message('b'));
    await durable(journal);
    const path = file();
    const bytes = readFileSync(path);
    await journal.close();
    for (let size = whole; size < bytes.length; size++) {
      writeFileSync(path, bytes);
      truncateSync(path, size);
      const { journal: next, messages, damage } = await start();
      assert.deepEqual(
        [messages.map(({ payload }) => String(payload)), damage],
        [['a'], undefined],
        `${size}`,
      );
      await next.close();
      for (const name of readdirSync(directory)) rmSync(join(directory, name));
    }
  });

  it('says what is damaged, keeps the file aside, and has what came before', async () => {
    const { journal } = await start();
    journal.add(message('a'));
    await durable(journal);
    const whole = statSync(file()).size;
    journal.add(message('b'));
    await durable(journal);
    const path = file();
    await journal.close();
    const bytes = readFileSync(path);
    bytes[whole + 20] = (bytes[whole + 20] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    const { messages, damage } = await start();
    assert.deepEqual(
      messages.map(({ payload }) => String(payload)),
      ['a'],
    );
    assert.match(
      damage ?? '',
      /\.queue: a frame does not match its checksum at byte \d+ of \d+; the rest is not used$/,
    );
    await settled();
    assert.equal(readdirSync(directory).filter((name) => name.endsWith('.damaged')).length, 1);
  });

  it('takes bytes that are no records for damage', async () => {
    const { journal } = await start();
    await durable(journal);
    const path = file();
    await journal.close();
    for (const payload of [
      Buffer.from([9, 0, 0, 0, 1]),
      Buffer.from([1, 0, 0, 0, 1, 0, 0, 0]),
      Buffer.alloc(24, 1),
    ]) {
      const bytes = readFileSync(file());
      appendFileSync(file(), Buffer.concat([frameHeader(payload), payload]));
      const { journal: next, damage } = await start();
      assert.match(damage ?? '', /the rest is not used$/);
      await next.close();
      for (const name of readdirSync(directory)) rmSync(join(directory, name));
      writeFileSync(path, bytes);
    }
  });

  it('does not grow without end', async () => {
    const { journal } = await start();
    const payload = 'x'.repeat(50_000);
    let largest = 0;
    for (let n = 0; n < 400; n++) {
      const next = message(payload);
      journal.add(next);
      journal.done(next);
      if (n % 20 > 0) continue;
      await durable(journal);
      await settled();
      const sizes = readdirSync(directory).map((name) => statSync(join(directory, name)).size);
      largest = Math.max(largest, ...sizes);
    }
    assert.ok(largest < 6_000_000, `${largest} bytes`);
  });

  it('is used by one process at a time', async () => {
    await start();
    await assert.rejects(new SessionJournal(directory, () => {}).open(), /is in use/);
  });

  it('says when the disk fails, keeps nobody waiting, and has everything when it works again', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    const { journal } = await start();
    const all = Array.from({ length: 60 }, () => message('x'.repeat(100_000)));
    journal.add(all[0] as OutgoingMessage);
    await durable(journal);
    // What is done makes the file be written anew, which the missing directory forbids.
    rmSync(directory, { recursive: true });
    for (const next of all.slice(1)) journal.add(next);
    for (const next of all.slice(2)) journal.done(next);
    await durable(journal);
    assert.match(faults[0] ?? '', /ENOENT/);
    await durable(journal);
    mkdirSync(directory);
    mock.timers.tick(5000);
    while (faults.length === 1) await new Promise(setImmediate);
    assert.deepEqual(faults.slice(1), [undefined]);
    await crash(journal);
    assert.equal((await start()).messages.length, 2);
  });
});
