import assert from 'node:assert/strict';
import { mock } from 'node:test';
import {
  fair,
  firstAnswer,
  Link,
  message,
  numbers,
  preEmptive,
  READER,
  RELIABLE,
  settle,
  TRANSIENT_LOCAL,
  WRITER,
} from './link';

describe('a reliable writer and a reader that comes later', function () {
  this.timeout(60_000);
  let link: Link;
  afterEach(() => link.close());

  it('exchange nothing that a late volatile reader must not get, even if it asks', async () => {
    link = new Link();
    // A reader of another participant, which never acknowledges, keeps the first samples in the history.
    link.writer.matchReader({ ...READER, ...RELIABLE, prefix: WRITER.prefix });
    link.write(1, 5);
    link.match();
    link.write(6, 8);
    await link.until(3);
    await settle();
    assert.deepEqual(link.texts, numbers(6, 8));
    assert.equal(link.statistics.samplesLost, 0);
    // 1 to 5 and 7, with the last count there is.
    const request = '06 01 1c00 00000104 00000103 00000000 01000000 08000000 000000fa ffffff7f';
    link.writerSide.receive(message(READER.prefix, request));
    await settle();
    assert.deepEqual(
      link.gaps.map(({ start, base }) => [start, base]),
      [[1, 6]],
    );
  });

  it('begin with what is written after the writer knows the reader, however late the reader knows it', async () => {
    link = new Link();
    link.write(1, 2);
    link.matchWriterWithReader();
    link.write(3, 5);
    await settle();
    link.matchReaderWithWriter();
    await link.until(3);
    link.write(6, 6);
    await link.until(4);
    assert.deepEqual(link.texts, numbers(3, 6));
  });

  it('keep back what is written until the reader has heard where it begins, however often it asks', async () => {
    link = new Link();
    link.matchWriterWithReader();
    link.write(1, 3);
    for (let count = 1; count <= 7; count++) {
      const before = link.heartbeats.length;
      link.writerSide.receive(preEmptive(count));
      await new Promise(setImmediate);
      assert.ok(link.heartbeats.length > before);
    }
    assert.ok(link.heartbeats.every(({ first, last }) => first === 1 && last === 0));
    assert.equal(link.writerStatistics.samplesSent, 0);
    link.writerSide.receive(firstAnswer(8));
    assert.equal(link.writerStatistics.samplesSent, 3);
  });

  it('do not keep it back for ever from a reader that asks for a HEARTBEAT after each', () => {
    link = new Link();
    link.matchWriterWithReader();
    link.write(1, 3);
    for (let count = 1; count <= 8; count++) link.writerSide.receive(preEmptive(count));
    assert.equal(link.writerStatistics.samplesSent, 3);
  });

  it('tell from its number that a reader has heard where it begins', () => {
    link = new Link();
    link.write(1, 5);
    link.matchWriterWithReader();
    link.write(6, 8);
    link.writerSide.receive(firstAnswer(1));
    assert.equal(link.writerStatistics.samplesSent, 0);
    link.writerSide.receive(
      message(READER.prefix, '06 01 1800 00000104 00000103 00000000 06000000 00000000 02000000'),
    );
    assert.equal(link.writerStatistics.samplesSent, 3);
  });

  it('leave to a reader what is not for a later one of its participant, which takes a word to one for all', async () => {
    link = new Link().match();
    link.write(1, 1);
    await link.until(1);
    await settle();
    link.toReader = () => [];
    link.write(2, 3);
    await new Promise(setImmediate);
    const later = { ...READER, ...RELIABLE, entityId: 0x204 };
    link.writer.matchReader(later);
    const wordToLater = () => link.heartbeats.some(({ readerId }) => readerId === later.entityId);
    const asks = '06 01 1c00 00000204 00000103 00000000 02000000 02000000 000000c0 01000000';
    link.writerSide.receive(message(READER.prefix, asks));
    await settle();
    assert.ok(!wordToLater());
    link.toReader = fair;
    await link.until(3);
    while (!wordToLater()) await settle();
    assert.deepEqual(link.gaps, []);
    const told = link.heartbeats.find(({ readerId }) => readerId === later.entityId);
    assert.deepEqual([told?.first, told?.last], [4, 3]);
  });

  it('do not take what others of its participant are told for where it begins', async () => {
    link = new Link(TRANSIENT_LOCAL);
    for (const entityId of [0x204, 0x304]) {
      link.writer.matchReader({ ...READER, ...RELIABLE, entityId });
      const answer = `06 03 1800 00000${entityId.toString(16)} 00000103 00000000 01000000 00000000 01000000`;
      link.writerSide.receive(message(READER.prefix, answer));
    }
    // It hears neither where it begins nor what is written first, and is not heard.
    link.toReader = link.toWriter = () => [];
    link.match();
    link.write(1, 3);
    await settle();
    link.toReader = fair;
    link.write(4, 4);
    await new Promise(setImmediate);
    link.toWriter = fair;
    await link.until(4);
    assert.deepEqual(link.texts, numbers(1, 4));
    assert.equal(link.statistics.samplesLost, 0);
  });

  it('keep the history for a transient-local reader, whatever others of its participant there are', async () => {
    const later = { ...READER, ...RELIABLE, entityId: 0x204 };
    const toLater = () => link.heartbeats.filter(({ readerId }) => readerId === later.entityId);
    // It is matched first, and told what is there, or last, and waits.
    for (const isFirst of [true, false]) {
      link = new Link(TRANSIENT_LOCAL, 10, TRANSIENT_LOCAL);
      link.write(1, 5);
      if (isFirst) link.writer.matchReader(later);
      else {
        link.toReader = () => [];
        link.match();
        link.writer.matchReader(later);
      }
      await settle();
      const told = toLater().map(({ first, last }) => [first, last]);
      assert.deepEqual(told.slice(0, 1), isFirst ? [[1, 5]] : []);
      link.close();
    }
  });

  it('have a reader wait for one of its participant that never answers, but not for ever', async () => {
    link = new Link();
    const silent = { ...READER, ...RELIABLE, entityId: 0x204 };
    link.writer.matchReader(silent);
    link.write(1, 5);
    const clock = performance.now.bind(performance);
    let ahead = 0;
    const clocked = mock.method(performance, 'now', () => clock() + ahead);
    try {
      link.match();
      link.write(6, 8);
      await settle();
      assert.ok(!link.heartbeats.some(({ readerId }) => readerId === READER.entityId));
      ahead = 3000;
      await link.until(3);
    } finally {
      clocked.mock.restore();
    }
    assert.deepEqual(link.texts, numbers(6, 8));
  });

  it('give a late transient-local reader the last samples', async () => {
    link = new Link(TRANSIENT_LOCAL, 3, TRANSIENT_LOCAL);
    link.write(1, 5);
    link.match();
    await link.until(3);
    link.write(6, 6);
    await link.until(4);
    assert.deepEqual(link.texts, numbers(3, 6));
    assert.equal(link.statistics.samplesLost, 0);
  });

  it('give a volatile reader of a transient-local writer what was written after its match only', async () => {
    link = new Link(TRANSIENT_LOCAL, 10, RELIABLE);
    link.write(1, 5);
    link.match();
    link.write(6, 7);
    await link.until(2);
    await settle();
    assert.deepEqual(link.texts, numbers(6, 7));
  });

  it('keep what comes before the reader knows the writer', async () => {
    link = new Link();
    // Another stack's writer sends at once when it knows the reader.
    for (const submessage of [
      '15 05 1800 0000 1000 00000104 00000103 00000000 01000000 31202020',
      '15 05 1800 0000 1000 00000000 00000103 00000000 02000000 32202020',
      '07 01 1c00 00000104 00000103 00000000 01000000 00000000 02000000 01000000',
    ])
      link.readerSide.receive(message(WRITER.prefix, submessage));
    assert.deepEqual(link.texts, []);
    link.matchReaderWithWriter();
    assert.deepEqual(link.texts, numbers(1, 2));
  });

  it('keep what comes before the reader knows the writer, though the history has it no longer', () => {
    link = new Link();
    for (const submessage of [
      '15 05 1800 0000 1000 00000104 00000103 00000000 01000000 31202020',
      '15 05 1800 0000 1000 00000104 00000103 00000000 03000000 33202020',
      '15 05 1800 0000 1000 00000104 00000103 00000000 04000000 34202020',
      '07 01 1c00 00000104 00000103 00000000 04000000 00000000 04000000 01000000',
    ])
      link.readerSide.receive(message(WRITER.prefix, submessage));
    link.matchReaderWithWriter();
    assert.deepEqual(link.texts, ['1', '3', '4']);
    assert.equal(link.statistics.samplesLost, 1);
  });

  it('answer a request for number 0, as Fast DDS begins, with no GAP from it', async () => {
    link = new Link(RELIABLE, 1);
    link.matchWriterWithReader();
    link.write(1, 3);
    link.writerSide.receive(firstAnswer(1));
    const request = '06 01 1c00 00000104 00000103 00000000 00000000 04000000 000000f0 02000000';
    link.writerSide.receive(message(READER.prefix, request));
    await settle();
    assert.deepEqual(
      link.gaps.map(({ start, base }) => [start, base]),
      [[1, 3]],
    );
  });
});
