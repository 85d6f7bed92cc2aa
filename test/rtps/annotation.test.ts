import assert from 'node:assert/strict';
import { once } from 'node:events';
import { annotationIn, encodeAnnotation } from '../../src/rtps/annotation';
import { MessageWriter } from '../../src/rtps/message-writer';
import { ParameterList } from '../../src/rtps/parameter-list';
import { now } from '../../src/rtps/time';
import { BEST_EFFORT, Cast, freshDomain, freshTopic, Inbox, RELIABLE, STRING } from './fixture';
import { Link, READER, WRITER } from './link';

const listOf = (bytes: Buffer) => ParameterList.read(bytes, 0, bytes.length, true);

describe('what a writer adds to a sample', () => {
  it('is read back as it was, but for zeros that fill the last word', () => {
    for (const text of ['a;', 'abcd', 'x'.repeat(512)]) {
      const found = annotationIn(listOf(encodeAnnotation(Buffer.from(text))));
      assert.equal(found?.toString().replace(/\0+$/, ''), text);
    }
  });

  it('is the copy of the reader, which may keep it', () => {
    const bytes = encodeAnnotation(Buffer.from('abcd'));
    const found = annotationIn(listOf(bytes));
    bytes.fill(0);
    assert.equal(String(found), 'abcd');
  });

  it('is nothing where there is no parameter of ours, or one of another vendor that is too long', () => {
    assert.equal(annotationIn(listOf(Buffer.from('01000000', 'hex'))), undefined);
    const long = Buffer.alloc(524);
    long.writeUInt16LE(0x8f4d, 0);
    long.writeUInt16LE(516, 2);
    long.writeUInt16LE(1, 520);
    assert.equal(annotationIn(listOf(long)), undefined);
  });

  it('takes memory where its sample waits for another one', () => {
    const link = new Link();
    link.matchReaderWithWriter();
    const inlineQos = encodeAnnotation(Buffer.alloc(512, 'x'));
    const message = new MessageWriter(WRITER.prefix, Buffer.alloc(1000));
    const payload = Buffer.alloc(4);
    message.data(READER.entityId, WRITER.entityId, {
      sequence: 2,
      timestamp: now(),
      payload,
      keyOnly: false,
      inlineQos,
    });
    link.readerSide.receive(message.message);
    assert.ok(link.memory.held > 512 + payload.length, `${link.memory.held} bytes`);
    link.close();
    assert.equal(link.memory.held, 0);
  });

  it('is refused above the bound', () => {
    assert.throws(() => encodeAnnotation(Buffer.alloc(513)), /expected at most 512 bytes, got 513/);
  });

  for (const [name, qos] of [
    ['reliable', RELIABLE],
    ['best-effort', BEST_EFFORT],
  ] as const)
    it(`comes with samples of any size, and only with those that have it (${name})`, async function () {
      this.timeout(60_000);
      const cast = new Cast();
      try {
        const domain = freshDomain();
        const a = await cast.participant({ domain });
        const b = await cast.participant({ domain });
        const topic = freshTopic();
        const inbox = new Inbox();
        const writer = a.createWriter({ topic, type: STRING, qos });
        const matched = once(writer, 'matched');
        b.createReader({ topic, type: STRING, qos }, inbox.take);
        const reader = once(b, 'matched');
        await Promise.all([matched, reader]);
        const lengths = [4, 59_500, 65_536, 300_000];
        const annotation = Buffer.from('x'.repeat(512));
        for (const length of lengths) {
          writer.write(Buffer.alloc(length, 7), encodeAnnotation(annotation));
          writer.write(Buffer.alloc(length, 8));
        }
        await inbox.until(2 * lengths.length);
        for (const [index, sample] of inbox.samples.entries()) {
          const annotated = index % 2 === 0;
          const { payload } = sample;
          assert.equal(payload.length, lengths[Math.floor(index / 2)]);
          assert.ok(payload.equals(Buffer.alloc(payload.length, annotated ? 7 : 8)));
          assert.deepEqual(sample.annotation, annotated ? annotation : undefined);
        }
      } finally {
        await cast.leave();
      }
    });
});
