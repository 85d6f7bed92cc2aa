import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { ReceiveBuffer } from '../../src/rtps/receive-buffer';
import { endingAfterEach } from '../ending-after-each';
import { BEST_EFFORT, Cast, encodeString, freshDomain, freshTopic, Inbox, STRING } from './fixture';

describe('the receive buffer of a socket', function () {
  this.timeout(60_000);
  const keep = endingAfterEach();

  /** One that receives, and one that sends to it at once. */
  async function pair(): Promise<[Socket, Socket]> {
    const [to, from] = [createSocket('udp4'), createSocket('udp4')];
    for (const socket of [to, from])
      keep(socket, () => new Promise<void>((resolve) => socket.close(() => resolve())));
    to.bind(0, '127.0.0.1');
    await once(to, 'listening');
    from.connect(to.address().port, '127.0.0.1');
    await once(from, 'connect');
    return [to, from];
  }

  it('is asked for as large as the system gives it', async () => {
    const [socket] = await pair();
    const buffer = new ReceiveBuffer(socket);
    const before = buffer.bytes;
    buffer.enlarge();
    assert.ok(buffer.bytes > before);
    const asked: number[] = [];
    // As a system that gives all or nothing.
    socket.setRecvBufferSize = (bytes) => {
      asked.push(bytes);
      if (bytes > 4 * 1024 * 1024) throw new Error('ENOBUFS');
    };
    socket.getRecvBufferSize = () => 786_896;
    buffer.enlarge();
    assert.deepEqual(
      asked,
      [16, 8, 4].map((megabytes) => megabytes * 1024 * 1024),
    );
  });

  it('tells what was lost because it was full, and what to do', async () => {
    const [to, from] = await pair();
    const buffer = new ReceiveBuffer(to);
    assert.equal(buffer.overrun, undefined);
    to.setRecvBufferSize(16 * 1024);
    const { bytes } = buffer;
    for (let sent = 0; sent < bytes; sent += 1000) from.send(Buffer.alloc(1000));
    assert.match(
      String(buffer.overrun),
      new RegExp(
        `^[1-9]\\d* datagrams were lost because the receive buffer of ${bytes} bytes .*rmem_max=16777216`,
      ),
    );
  });

  it('is named by a participant that lost samples because it did not read', async () => {
    const cast = keep(new Cast(), (own) => own.leave());
    const domain = freshDomain();
    const topic = freshTopic();
    const [a, b] = [await cast.participant({ domain }), await cast.participant({ domain })];
    const inbox = new Inbox();
    b.createReader({ topic, type: STRING, qos: BEST_EFFORT }, inbox.take);
    const writer = a.createWriter({ topic, type: STRING, qos: BEST_EFFORT });
    while (writer.matchedCount === 0) await once(writer, 'matched');
    const warned = once(b, 'warning');
    // More than fits, in one turn of the event loop.
    const text = encodeString('.'.repeat(10_000));
    for (let sent = 0; sent < 40_000_000; sent += text.length) writer.write(text);
    while (b.statistics.samplesLost === 0) {
      await new Promise(setImmediate);
      writer.write(text);
    }
    assert.match((await warned)[0], /datagrams were lost because the receive buffer/);
  });
});
