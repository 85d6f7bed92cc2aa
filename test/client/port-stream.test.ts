import assert from 'node:assert/strict';
import { once } from 'node:events';
import { finished, pipeline } from 'node:stream/promises';
import { MessageChannel, Worker } from 'node:worker_threads';
import { PortStream } from '../../src/client/port-stream';

describe('port stream', function () {
  this.timeout(60_000);
  let worker: Worker;

  beforeEach(() => {
    worker = new Worker(require.resolve('./echo-worker'));
  });
  afterEach(async () => {
    await worker.terminate();
  });

  const open = (role: string): PortStream => {
    const { port1, port2 } = new MessageChannel();
    worker.postMessage({ port: port2, role }, [port2]);
    return new PortStream(port1);
  };
  const pair = (): [PortStream, PortStream] => {
    const { port1, port2 } = new MessageChannel();
    return [new PortStream(port1), new PortStream(port2)];
  };

  it('carries bytes to another thread and back, unchanged and in order, whatever their sizes', async () => {
    const stream = open('echo');
    const sent = Array.from({ length: 500 }, (_, n) => Buffer.alloc((n * 7919) % 60_000, n));
    const total = Buffer.concat(sent);
    const received: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => received.push(chunk));
    await pipeline(sent, stream, { end: false });
    stream.end();
    await finished(stream);
    assert.ok(Buffer.concat(received).equals(total));
  });

  it('crosses once for all that is written in one turn of the loop', async () => {
    const [a, b] = pair();
    const chunks: Buffer[] = [];
    b.on('data', (chunk: Buffer) => chunks.push(chunk));
    for (let n = 0; n < 100; n++) a.write(String(n % 10));
    a.end();
    await finished(b);
    assert.equal(chunks.length, 1);
    assert.equal(String(chunks[0]), '0123456789'.repeat(10));
  });

  it('leaves others of its thread their turns, however much comes at once', async () => {
    const { port1, port2 } = new MessageChannel();
    for (let frame = 0; frame < 100; frame++) {
      const bytes = new ArrayBuffer(frame === 50 ? 1024 * 1024 : 10_000);
      port1.postMessage(bytes, [bytes]);
    }
    const reader = new PortStream(port2);
    let read = 0;
    let turn = 0;
    let longest = 0;
    reader.on('data', (data: Buffer) => {
      read += data.length;
      turn += data.length;
      longest = Math.max(longest, turn);
    });
    while (read < 99 * 10_000 + 1024 * 1024) {
      await new Promise(setImmediate);
      turn = 0;
    }
    assert.ok(longest <= 3 * 64 * 1024, `${longest} bytes in one turn`);
    reader.destroy();
  });

  it('keeps a writer waiting while the reader does not read, and lets it go on', async () => {
    const [writer, reader] = pair();
    const chunk = Buffer.alloc(64 * 1024);
    let written = 0;
    // The bound: what is under way plus what the stream itself holds before it asks its user to stop.
    while (writer.write(chunk, () => {})) {
      written += chunk.length;
      await new Promise(setImmediate);
      assert.ok(written < 4 * 1024 * 1024, 'the writer is never asked to stop');
    }
    let drained = false;
    writer.once('drain', () => {
      drained = true;
    });
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
    assert.equal(drained, false);
    let read = 0;
    reader.on('data', (data: Buffer) => {
      read += data.length;
    });
    await once(writer, 'drain');
    writer.end();
    await finished(reader);
    assert.equal(read, written + chunk.length);
  });

  it('does not hold more than its window for a reader that has stalled', async () => {
    const [writer, reader] = pair();
    reader.pause();
    const chunk = Buffer.alloc(256 * 1024);
    let accepted = 0;
    for (let n = 0; n < 40; n++) writer.write(chunk, () => accepted++);
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
    assert.ok(accepted * chunk.length <= 2 * 1024 * 1024, `${accepted} chunks were accepted`);
    writer.destroy();
    reader.destroy();
    await Promise.all([once(writer, 'close'), once(reader, 'close')]);
  });

  it('ends cleanly in both directions when one side ends', async () => {
    const stream = open('end');
    const received: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => received.push(chunk));
    await finished(stream);
    assert.equal(String(Buffer.concat(received)), 'bye');
    assert.ok(stream.writableFinished && stream.readableEnded);
  });

  it('delivers what was written before its end to a reader that comes late', async () => {
    const [a, b] = pair();
    a.end('last words');
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    const received: Buffer[] = [];
    b.on('data', (chunk: Buffer) => received.push(chunk));
    await finished(b);
    assert.equal(String(Buffer.concat(received)), 'last words');
  });

  for (const role of ['destroy', 'crash', 'exit']) {
    it(`closes, without an end, when the other side is gone: ${role}`, async () => {
      const stream = open(role);
      if (role === 'crash') worker.once('error', () => {});
      let ended = false;
      stream.on('end', () => {
        ended = true;
      });
      stream.resume();
      stream.write('x');
      await once(stream, 'close');
      assert.equal(ended, false);
      assert.equal(stream.destroyed, true);
    });
  }

  it('lets go of writers that wait when the other side is gone', async () => {
    const [writer, reader] = pair();
    reader.pause();
    const outcomes: unknown[] = [];
    for (let n = 0; n < 10; n++) writer.write(Buffer.alloc(1024 * 1024), (error) => outcomes.push(error));
    await new Promise(setImmediate);
    reader.destroy();
    writer.on('error', () => {});
    await once(writer, 'close');
    assert.equal(outcomes.length, 10);
    assert.ok(
      outcomes.some((error) => error instanceof Error),
      'unsent data is not reported as sent',
    );
  });

  it('sends what was written before it was destroyed with its window open', async () => {
    const [a, b] = pair();
    const received: Buffer[] = [];
    b.on('data', (chunk: Buffer) => received.push(chunk));
    a.write('disconnect packet');
    a.destroy();
    await once(b, 'close');
    assert.equal(String(Buffer.concat(received)), 'disconnect packet');
  });

  it('closes when the other side ended and went while this one had more to say', async () => {
    const [a, b] = pair();
    b.pause();
    for (let n = 0; n < 4; n++) b.write(Buffer.alloc(1024 * 1024), () => {});
    a.end('bye');
    await new Promise(setImmediate);
    a.destroy();
    await once(b, 'close');
  });

  it('refuses what is written after the other side has ended and gone, and still gives what it said', async () => {
    const [a, b] = pair();
    a.end('bye');
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    a.destroy();
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    assert.equal(String(b.read()), 'bye');
    const failed = once(b, 'error');
    b.write('too late');
    const [error] = (await failed) as [Error];
    assert.equal(error.message, 'the other side has closed the stream');
  });
});
