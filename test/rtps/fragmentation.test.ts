import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { FragmentedSample } from '../../src/rtps/fragmented-sample';
import { SubmessageId } from '../../src/rtps/submessage';
import {
  BEST_EFFORT,
  fair,
  HISTORY_BYTES,
  Link,
  MAX_SAMPLE_BYTES,
  message,
  RELIABLE,
  random,
  settle,
  type Weather,
  WRITER,
} from './link';

/** A sample that says which octet is where. */
function large(number: number, bytes: number): Buffer {
  return Buffer.from(
    Array.from({ length: bytes }, (_, at) => (at * 7 + Math.floor(at / 251) + number) % 256),
  );
}

/** Which fragment a message bears, where it bears one. */
function fragmentIn(datagram: Buffer): number | undefined {
  // The header, INFO_DST, and INFO_TS come first.
  const at = 20 + 16 + 12;
  return datagram[at] === SubmessageId.dataFrag ? datagram.readUInt32LE(at + 24) : undefined;
}

const word = (number: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(number);
  return bytes.toString('hex');
};

/** A DATA_FRAG with one fragment of eight octets. */
const fragment = (sequence: number, number: number, sampleBytes: number) =>
  message(
    WRITER.prefix,
    `16 01 2800 0000 1c00 00000104 00000103 00000000 ${word(sequence)} ${word(number)} 0100 0800 ${word(sampleBytes)} 6161616161616161`,
  );

describe('samples in fragments', function () {
  this.timeout(60_000);
  let link: Link;
  afterEach(() => {
    link.close();
    assert.equal(link.memory.held, 0);
  });

  for (const seed of [1, 2, 3])
    it(`arrive complete and in order when fragments are lost, repeated and reordered (seed ${seed})`, async () => {
      link = new Link().match();
      const next = random(seed);
      const storm: Weather = () => {
        const luck = next();
        if (luck < 0.1) return [];
        return luck < 0.2 ? [0, 3] : [Math.floor(next() * 4)];
      };
      link.toReader = storm;
      link.toWriter = storm;
      const samples = Array.from({ length: 40 }, (_, number) =>
        large(number, 4 + Math.floor(next() * 20_000)),
      );
      for (const sample of samples) {
        link.writer.write(sample);
        await new Promise(setImmediate);
      }
      await link.until(samples.length);
      // What goes in one DATA is padded.
      for (const [index, sample] of samples.entries())
        assert.ok(
          sample.equals((link.payloads[index] as Buffer).subarray(0, sample.length)),
          `sample ${index}`,
        );
      assert.equal(link.statistics.samplesLost, 0);
      assert.ok(link.writerStatistics.fragmentsResent > 0);
    });

  it('are repaired by the one fragment that was lost', async () => {
    link = new Link().match();
    await settle();
    const sent: number[] = [];
    link.toReader = (datagram) => {
      const number = fragmentIn(datagram);
      if (number === undefined) return [0];
      sent.push(number);
      return number === 7 && sent.filter((other) => other === 7).length === 1 ? [] : [0];
    };
    const sample = large(1, 5000);
    link.writer.write(sample);
    await link.until(1);
    assert.ok(link.payloads[0]?.equals(sample));
    const all = Array.from({ length: Math.max(...sent) }, (_, index) => index + 1);
    assert.deepEqual(sent.slice(0, all.length), all);
    // On a busy machine it may be asked for twice.
    const again = sent.slice(all.length);
    assert.ok(again.length > 0 && again.every((number) => number === 7), `${again} were sent again`);
    assert.equal(link.writerStatistics.samplesResent, 0);
  });

  it('are repaired where the last fragment and the HEARTBEAT behind it were lost', async () => {
    link = new Link().match();
    await settle();
    let deaf = false;
    link.toReader = (datagram) => {
      if (fragmentIn(datagram) === 10) deaf = true;
      return deaf ? [] : [0];
    };
    link.writer.write(large(1, 5000));
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    link.toReader = fair;
    await link.until(1);
    assert.ok(link.payloads[0]?.equals(large(1, 5000)));
  });

  it('are sent whole when none of their fragments arrived', async () => {
    link = new Link().match();
    await settle();
    link.toReader = () => [];
    link.writer.write(large(1, 5000));
    await settle();
    link.toReader = fair;
    await link.until(1);
    assert.ok(link.payloads[0]?.equals(large(1, 5000)));
    assert.ok(link.writerStatistics.samplesResent > 0);
  });

  it('are announced when they have been sent, not while they wait', async () => {
    link = new Link().match();
    await settle();
    link.writer.write(large(1, 90_000));
    link.write(2, 3);
    // More than what goes out at once.
    await new Promise(setImmediate);
    assert.equal(link.heartbeats.at(-1)?.last, 0);
    await link.until(3);
    await settle();
    assert.equal(link.heartbeats.at(-1)?.last, 3);
  });

  it('are not overtaken by small ones of the same best-effort writer', async () => {
    link = new Link(BEST_EFFORT, 100, BEST_EFFORT).match();
    link.writer.write(large(1, 90_000));
    link.write(2, 3);
    await link.until(3);
    assert.deepEqual(
      link.payloads.map(({ length }) => length),
      [90_000, 4, 4],
    );
    assert.equal(link.statistics.samplesLost, 0);
  });

  for (const protocol of [RELIABLE, BEST_EFFORT])
    it(`arrive before the writer is done, for which it does not wait for ever (${protocol === RELIABLE ? 'reliable' : 'best effort'})`, async () => {
      link = new Link(protocol, 100, protocol).match();
      await settle();
      const done = (patience: number) =>
        new Promise<void>((resolve) => link.writer.whenDone(patience, resolve));
      await done(10_000);
      link.writer.write(large(1, 90_000));
      await done(10_000);
      await settle();
      assert.equal(link.payloads.length, 1);
      link.toReader = () => [];
      for (let number = 2; number <= 20; number++) link.writer.write(large(number, 90_000));
      await done(1);
    });

  it('replace those that wait, as far as the depth of the history allows', async () => {
    link = new Link(BEST_EFFORT, 2, BEST_EFFORT).match();
    link.writer.write(large(0, 90_000));
    await settle();
    for (let number = 1; number <= 6; number++) link.writer.write(large(number, 90_000));
    await link.until(3);
    await settle();
    assert.deepEqual(
      link.payloads.map((payload) => payload[0]),
      [0, 5, 6],
    );
    assert.equal(link.writerStatistics.samplesUnsent, 4);
  });

  it('keep no more small ones waiting than the bytes of the history allow, which count also what is around them', async () => {
    link = new Link(BEST_EFFORT, Number.POSITIVE_INFINITY, BEST_EFFORT).match();
    link.writer.write(large(1, 90_000));
    link.write(2, 20_000);
    const kept = 20_000 - link.writerStatistics.samplesUnsent;
    assert.ok(kept > 1000 && kept <= HISTORY_BYTES / 256, `${kept} kept`);
  });

  it('are freed when a newer one of a best-effort writer is complete', async () => {
    link = new Link(BEST_EFFORT, 100, BEST_EFFORT).match();
    link.toReader = (datagram) => (fragmentIn(datagram) === 2 && link.payloads.length === 0 ? [] : [0]);
    link.writer.write(large(1, 5000));
    await settle();
    assert.ok(link.memory.held > 5000);
    link.toReader = fair;
    link.writer.write(large(2, 5000));
    await link.until(1);
    assert.equal(link.payloads[0]?.[0], 2);
    assert.equal(link.memory.held, 0);
    assert.equal(link.statistics.samplesIncomplete, 1);
  });

  for (const [protocol, age] of [
    [BEST_EFFORT, 1000],
    [RELIABLE, 10_000],
  ] as const)
    it(`are freed ${age} ms after their last fragment (${protocol.reliable ? 'reliable' : 'best effort'})`, () => {
      link = new Link(protocol, 100, protocol);
      link.matchReaderWithWriter();
      const clock = mock.method(performance, 'now', () => 0);
      try {
        link.readerSide.receive(fragment(1, 1, 5000));
        clock.mock.mockImplementation(() => age - 1);
        link.readerSide.expire();
        assert.ok(link.memory.held > 5000);
        clock.mock.mockImplementation(() => age + 1);
        link.readerSide.expire();
      } finally {
        clock.mock.restore();
      }
      assert.equal(link.memory.held, 0);
      assert.equal(link.statistics.samplesIncomplete, 1);
    });

  it('are put together four at a time of a best-effort writer', () => {
    link = new Link(BEST_EFFORT, 100, BEST_EFFORT);
    link.matchReaderWithWriter();
    for (let sequence = 1; sequence <= 6; sequence++) link.readerSide.receive(fragment(sequence, 1, 16));
    assert.equal(link.statistics.samplesIncomplete, 2);
    for (const sequence of [1, 2]) link.readerSide.receive(fragment(sequence, 2, 16));
    assert.equal(link.payloads.length, 0);
    for (const sequence of [5, 6]) link.readerSide.receive(fragment(sequence, 2, 16));
    assert.equal(link.payloads.length, 2);
  });

  it('of more than the largest size are refused before memory is taken, and the others do not wait for them', async () => {
    link = new Link().match();
    link.write(1, 1);
    await link.until(1);
    link.readerSide.receive(fragment(2, 1, MAX_SAMPLE_BYTES + 1));
    link.readerSide.receive(fragment(2, 2, MAX_SAMPLE_BYTES + 1));
    assert.equal(link.memory.held, 0);
    link.readerSide.receive(fragment(3, 1, 8));
    assert.equal(link.payloads.length, 2);
    assert.equal(link.statistics.samplesTooLarge, 1);
    assert.equal(link.statistics.samplesLost, 1);
  });

  it('of more than the largest size are passed over, and what was lost before them is counted (best effort)', async () => {
    link = new Link(BEST_EFFORT, 100, BEST_EFFORT).match();
    link.write(1, 1);
    await link.until(1);
    link.readerSide.receive(fragment(3, 1, 16));
    link.readerSide.receive(fragment(5, 1, MAX_SAMPLE_BYTES + 1));
    assert.equal(link.memory.held, 0);
    link.readerSide.receive(fragment(6, 1, 8));
    assert.deepEqual(link.sequences, [1, 6]);
    assert.equal(link.statistics.samplesLost, 4);
  });

  it('take memory also where they are of a few octets', async () => {
    link = new Link().match();
    link.write(1, 1);
    await link.until(1);
    for (let sequence = 3; sequence < 103; sequence++) link.readerSide.receive(fragment(sequence, 1, 16));
    assert.ok(link.memory.held > 100 * 512);
  });

  it('share the memory of their participant, the next to be delivered first', async () => {
    link = new Link().match();
    link.write(1, 1);
    await link.until(1);
    const share = 16 * 1024 * 1024;
    const fits = Math.floor(share / (MAX_SAMPLE_BYTES + MAX_SAMPLE_BYTES / 64));
    for (let sequence = 3; sequence < 3 + fits + 20; sequence++)
      link.readerSide.receive(fragment(sequence, 1, MAX_SAMPLE_BYTES));
    assert.ok(link.memory.held <= share);
    assert.ok(link.memory.held > 0.9 * share);
    assert.ok(link.statistics.fragmentsDropped >= 19);
    link.readerSide.receive(fragment(2, 1, 16));
    link.readerSide.receive(fragment(2, 2, 16));
    assert.equal(link.payloads.length, 2);
  });

  it('do not take fragments that contradict the first', () => {
    link = new Link();
    link.matchReaderWithWriter();
    link.readerSide.receive(fragment(1, 1, 24));
    link.readerSide.receive(fragment(1, 2, 32));
    assert.equal(link.statistics.fragmentsDropped, 1);
  });
});

describe('a sample of which some fragments have come', () => {
  const part = (first: number, sampleBytes = 3000) => ({
    readerId: 0,
    writerId: 0,
    sequence: 1,
    inlineQos: undefined,
    first,
    count: 1,
    fragmentBytes: 1,
    sampleBytes,
    payload: Buffer.from([first]),
  });
  const begun = (...numbers: number[]) => {
    const sample = new FragmentedSample(part(1), {
      timestamp: undefined,
      status: 0,
      keyHash: undefined,
      related: undefined,
      annotation: undefined,
    });
    for (const number of numbers) sample.add(part(number));
    return sample;
  };

  it('asks for what lies before a fragment that has come, or for all, within 256 numbers', () => {
    assert.deepEqual(begun(1, 3, 6).request(false, 1000, 40), [2, 4, 5]);
    assert.deepEqual(begun(1, 3, 6).request(true, 4, 40), [2, 4, 5, 7]);
    const wide = begun(1).request(true, 1000, 40);
    assert.deepEqual([wide[0], wide.at(-1), wide.length], [2, 257, 256]);
    assert.deepEqual(begun(1, 2).request(false, 1000, 40), []);
  });

  it('does not ask again before the time is over, but goes on behind what it asked for', () => {
    const sample = begun(1, 2999);
    assert.equal(sample.request(false, 1000, 10_000).at(-1), 257);
    const more = sample.request(false, 1000, 10_000);
    assert.deepEqual([more[0], more.at(-1)], [258, 513]);
    assert.equal(sample.request(false, 1000, 0)[0], 2);
  });

  it('tells when all that it asked for has come', () => {
    const sample = begun(1);
    sample.request(true, 2, 40);
    sample.add(part(2));
    assert.equal(sample.isAnswered, false);
    assert.ok((sample.takeRoundTrip() as number) >= 0);
    assert.equal(sample.takeRoundTrip(), undefined);
    sample.add(part(3));
    assert.equal(sample.isAnswered, true);
  });
});
