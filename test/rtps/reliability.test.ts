import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { guidOf } from '../../src/rtps/guid';
import type { HeartbeatSubmessage } from '../../src/rtps/submessage';
import {
  BEST_EFFORT,
  fair,
  firstAnswer,
  HISTORY_BYTES,
  Link,
  MAX_SAMPLE_BYTES,
  message,
  numbers,
  READER,
  RELIABLE,
  random,
  settle,
  type Weather,
  WRITER,
} from './link';

describe('a reliable writer and reader', function () {
  this.timeout(60_000);
  let link: Link;
  afterEach(() => link.close());

  for (const seed of [1, 2, 3])
    it(`lose, repeat and reorder nothing when the network does (seed ${seed})`, async () => {
      link = new Link().match();
      const next = random(seed);
      const storm: Weather = () => {
        const luck = next();
        if (luck < 0.3) return [];
        return luck < 0.4 ? [0, 3] : [Math.floor(next() * 4)];
      };
      link.toReader = storm;
      link.toWriter = storm;
      for (let from = 1; from <= 2000; from += 40) {
        link.write(from, from + 39);
        await new Promise(setImmediate);
      }
      await link.until(2000);
      await settle();
      assert.deepEqual(link.texts, numbers(1, 2000));
      assert.equal(link.statistics.samplesLost, 0);
    });

  it('lose nothing where the low word of the sequence numbers wraps', async () => {
    const startAfter = 2 ** 32 - 300;
    link = new Link({ ...RELIABLE, startAfter }).match();
    await settle();
    link.toReader = () => [];
    link.write(1, 400);
    await new Promise(setImmediate);
    const next = random(1);
    link.toReader = () => (next() < 0.3 ? [] : [Math.floor(next() * 4)]);
    link.toWriter = link.toReader;
    for (let from = 401; from <= 600; from += 20) {
      link.write(from, from + 19);
      await new Promise(setImmediate);
    }
    await link.until(600);
    assert.deepEqual(link.texts, numbers(1, 600));
    assert.equal(link.sequences[0], startAfter + 1);
    assert.equal(link.sequences.at(-1), startAfter + 600);
  });

  it('go on to the last sequence number that a double holds', async () => {
    link = new Link({ ...RELIABLE, startAfter: Number.MAX_SAFE_INTEGER - 20 }).match();
    await settle();
    link.toReader = () => [];
    link.write(1, 10);
    await new Promise(setImmediate);
    link.toReader = fair;
    link.write(11, 20);
    await link.until(20);
    assert.deepEqual(link.texts, numbers(1, 20));
    assert.equal(link.sequences.at(-1), Number.MAX_SAFE_INTEGER);
  });

  it('are silent once all is acknowledged, and beat once for what is written in one turn', async () => {
    link = new Link().match();
    await link.quiet();
    const before = link.heartbeats.length;
    // They fill many datagrams.
    link.write(1, 500);
    await new Promise(setImmediate);
    assert.equal(link.heartbeats.length, before + 1);
    await link.until(500);
    await link.quiet();
  });

  it('repair a hole that is larger than one request can span', async () => {
    link = new Link().match();
    await settle();
    link.toReader = () => [];
    link.write(1, 1500);
    await new Promise(setImmediate);
    link.toReader = fair;
    await link.until(1500);
    assert.deepEqual(link.texts, numbers(1, 1500));
  });

  it('ask for what is missing though no HEARTBEAT comes, as when Fast DDS sends without pause', async () => {
    link = new Link().match();
    await settle();
    link.toReader = () => [];
    link.write(1, 3);
    for (const [sequence, data] of [
      ['01', '31202020'],
      ['03', '33202020'],
    ])
      link.readerSide.receive(
        message(WRITER.prefix, `15 05 1800 0000 1000 00000104 00000103 00000000 ${sequence}000000 ${data}`),
      );
    while (!link.ackNacks.some(({ base, numbers }) => base === 2 && numbers.join() === '2')) await settle();
    link.toReader = fair;
    await link.until(3);
    assert.deepEqual(link.texts, numbers(1, 3));
  });

  it('acknowledge a sample that comes behind its HEARTBEAT as soon as it has come', async () => {
    const turns = async () => {
      for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    };
    // So that nothing comes by a timer.
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      link = new Link().match();
      await turns();
      const receive = (submessage: string) => link.readerSide.receive(message(WRITER.prefix, submessage));
      receive('07 01 1c00 00000104 00000103 00000000 01000000 00000000 01000000 ffffff00');
      await turns();
      assert.ok(link.ackNacks.every(({ base }) => base === 1));
      receive('15 05 1800 0000 1000 00000104 00000103 00000000 01000000 31202020');
      await turns();
      assert.equal(link.ackNacks.at(-1)?.base, 2);
    } finally {
      mock.timers.reset();
    }
  });

  it('repair the last sample, which no later one betrays', async () => {
    link = new Link().match();
    await settle();
    link.toReader = (_message, number) => (link.texts.length === 0 && number < 5 ? [] : [0]);
    link.write(1, 1);
    await link.until(1);
    assert.deepEqual(link.texts, ['1']);
  });

  it('repair what is lost before the writer is done, which asks at once', async () => {
    link = new Link().match();
    await settle();
    await link.writeSteadily(1, 3);
    link.toReader = () => [];
    link.write(4, 4);
    await new Promise(setImmediate);
    link.toReader = fair;
    const asked = link.heartbeats.length;
    const done = new Promise<void>((resolve) => link.writer.whenDone(10_000, resolve));
    await new Promise(setImmediate);
    assert.ok(link.heartbeats.slice(asked).some(({ final }) => !final));
    await done;
    assert.deepEqual(link.texts, numbers(1, 4));
    assert.equal(link.writer.unacknowledged, 0);
  });

  it('exchange an acknowledgement for many samples where the writer sends steadily', async () => {
    link = new Link().match();
    await link.quiet();
    const before = link.ackNacks.length;
    await link.writeSteadily(1, 300);
    await link.until(300);
    await link.quiet();
    assert.equal(link.writer.unacknowledged, 0);
    const acknowledged = link.ackNacks.length - before;
    assert.ok(acknowledged < 60, `${acknowledged} for 300 samples`);
  });

  it('repair the last sample also where its HEARTBEAT asked for no answer', async () => {
    link = new Link().match();
    await link.quiet();
    let lost = 0;
    link.toReader = () => {
      if (link.heartbeats.at(-1)?.final === false) return [0];
      lost++;
      return [];
    };
    await link.writeSteadily(1, 10);
    await link.until(10);
    assert.deepEqual(link.texts, numbers(1, 10));
    assert.ok(lost > 0);
  });

  for (const [name, request] of [
    ['samples', '06 01 1c00 00000104 00000103 00000000 01000000 01000000 00000080 02000000'],
    ['fragments', '12 01 2000 00000104 00000103 00000000 01000000 01000000 01000000 00000080 01000000'],
  ] as const)
    it(`go on soon after a request for ${name}, however long there was no answer`, async () => {
      link = new Link();
      mock.timers.enable({ apis: ['setTimeout'] });
      const heartbeatsWithin = async (milliseconds: number) => {
        const before = link.heartbeats.length;
        mock.timers.tick(milliseconds);
        await new Promise(setImmediate);
        return link.heartbeats.length - before;
      };
      try {
        link.matchWriterWithReader();
        link.writerSide.receive(firstAnswer(1));
        link.write(1, 1);
        await heartbeatsWithin(0);
        for (const delay of [50, 100, 200, 400, 800]) assert.equal(await heartbeatsWithin(delay), 1);
        link.writerSide.receive(message(READER.prefix, request));
        // What it asks for goes out, with a HEARTBEAT behind it.
        await heartbeatsWithin(10);
        await heartbeatsWithin(0);
        assert.equal(await heartbeatsWithin(40), 1);
      } finally {
        mock.timers.reset();
      }
    });

  it('have acknowledged what leaves a short history, where the writer sends steadily', async () => {
    link = new Link(RELIABLE, 10).match();
    await link.quiet();
    await link.writeSteadily(1, 200);
    await link.until(200);
    assert.equal(link.writerStatistics.samplesUnacknowledged, 0);
    assert.deepEqual(link.behind, []);
  });

  it('go on behind what the history no longer has, and count it as lost', async () => {
    link = new Link(RELIABLE, 10).match();
    await settle();
    link.toReader = () => [];
    link.write(1, 50);
    await new Promise(setImmediate);
    link.toReader = fair;
    await link.until(10);
    assert.deepEqual(link.texts, numbers(41, 50));
    assert.equal(link.statistics.samplesLost, 40);
  });

  it('never pin more than the depth of the history for a reader that falls silent', async () => {
    link = new Link(RELIABLE, 10);
    link.matchWriterWithReader();
    link.writerSide.receive(firstAnswer(1));
    link.write(1, 1000);
    await new Promise(setImmediate);
    const { first, last } = link.heartbeats.at(-1) as HeartbeatSubmessage;
    assert.deepEqual([first, last], [991, 1000]);
  });

  it('never pin more than the bytes of the history allow, whatever its depth', async () => {
    link = new Link(RELIABLE, Number.POSITIVE_INFINITY);
    link.matchWriterWithReader();
    link.writerSide.receive(firstAnswer(1));
    const sample = Buffer.alloc(MAX_SAMPLE_BYTES);
    for (let count = 0; count < 50; count++) link.writer.write(sample);
    assert.equal(link.writer.first, 32);
    // What a change takes besides its payload counts, too.
    for (let count = 0; count < 20_000; count++) link.writer.write(sample.subarray(0, 4));
    assert.ok(20_051 - link.writer.first <= HISTORY_BYTES / 256);
  });

  it('tell of a reader that is behind once in ten seconds, and count what it will not get', async () => {
    link = new Link(RELIABLE, 10);
    link.matchWriterWithReader();
    link.writerSide.receive(firstAnswer(1));
    link.write(1, 10);
    assert.deepEqual(link.behind, []);
    link.write(11, 30);
    const reader = guidOf(READER.prefix, READER.entityId);
    assert.deepEqual(link.behind, [reader]);
    assert.equal(link.writerStatistics.samplesUnacknowledged, 20);
    // Up to 25: only what it has not acknowledged counts.
    link.writerSide.receive(
      message(READER.prefix, '06 03 1800 00000104 00000103 00000000 1a000000 00000000 02000000'),
    );
    link.write(31, 40);
    assert.equal(link.writerStatistics.samplesUnacknowledged, 25);
    const { now } = performance;
    performance.now = () => now.call(performance) + 10_001;
    link.write(41, 41);
    performance.now = now;
    assert.deepEqual(link.behind, [reader, reader]);
  });

  it('keep nothing that all have acknowledged', async () => {
    link = new Link().match();
    link.write(1, 20);
    await link.until(20);
    await settle();
    link.writer.matchReader({ ...READER, ...RELIABLE, entityId: 0x204 });
    await new Promise(setImmediate);
    const { first, last } = link.heartbeats.at(-1) as HeartbeatSubmessage;
    assert.deepEqual([first, last], [21, 20]);
  });

  it('keep nothing for a reader that is closed by the sample that a GAP let through', () => {
    link = new Link();
    link.matchReaderWithWriter();
    for (const submessage of [
      '07 01 1c00 00000104 00000103 00000000 01000000 00000000 09000000 01000000',
      '15 05 1800 0000 1000 00000104 00000103 00000000 02000000 32202020',
    ])
      link.readerSide.receive(message(WRITER.prefix, submessage));
    link.received.once('sample', () => link.reader.close());
    // Neither 1 nor 5 comes.
    link.readerSide.receive(
      message(
        WRITER.prefix,
        '08 01 2000 00000104 00000103 00000000 01000000 00000000 02000000 08000000 00000010',
      ),
    );
    assert.deepEqual(link.texts, ['2']);
    assert.equal(link.memory.held, 0);
  });

  it('are not held up by a HEARTBEAT or a GAP over a huge range', async () => {
    link = new Link().match();
    await settle();
    link.toReader = () => [];
    link.readerSide.receive(
      message(WRITER.prefix, '07 01 1c00 00000104 00000103 00000000 01000000 ffff0f00 00000000 ffffff7f'),
    );
    link.readerSide.receive(
      message(WRITER.prefix, '08 01 1c00 00000104 00000103 00000000 01000000 ffff0f00 00000000 00000000'),
    );
    link.readerSide.receive(
      message(WRITER.prefix, '15 05 1800 0000 1000 00000104 00000103 ffff0f00 00000000 68656c6c'),
    );
    assert.deepEqual(link.texts, ['hell']);
  });
});

describe('a best-effort reader', () => {
  it('delivers what is newer than the last, once', async () => {
    const link = new Link(RELIABLE, 10, BEST_EFFORT).match();
    // The first datagram comes twice, the second late.
    link.toReader = (_message, number) => [[0, 5], [3], [0]][number] ?? [0];
    link.write(1, 1);
    await link.until(1);
    link.write(2, 2);
    await new Promise(setImmediate);
    link.write(3, 3);
    await link.until(2);
    await settle();
    assert.deepEqual(link.texts, ['1', '3']);
    assert.equal(link.statistics.samplesLost, 1);
    assert.equal(link.statistics.samplesDuplicate, 2);
    link.close();
  });
});
