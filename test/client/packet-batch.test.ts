import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { PassThrough, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { PacketBatch } from '../../src/client/packet-batch';

describe('packets that go out together', () => {
  let time: number;
  let written: string[];
  let batch: PacketBatch;

  beforeEach(() => {
    time = 0;
    written = [];
    const stream = new Writable({
      write(chunk, _encoding, done) {
        written.push(String(chunk));
        done();
      },
    });
    batch = new PacketBatch(stream, () => time);
  });

  function add(head: string, payload = '') {
    batch.add(head.length, (to, at) => at + to.write(head, at), Buffer.from(payload));
  }

  const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

  it('writes one that is alone at once', () => {
    for (const name of ['a', 'b', 'c']) {
      add(name, '1');
      time += 1;
    }
    assert.deepEqual(written, ['a1', 'b1', 'c1']);
    assert.equal(batch.bytes, 0);
  });

  it('writes those that follow one another at the end of the turn, in one piece', async () => {
    for (const name of ['a', 'b', 'c']) add(name, '1');
    assert.deepEqual(written, ['a1']);
    assert.equal(batch.bytes, 4);
    await nextTurn();
    assert.deepEqual(written, ['a1', 'b1c1']);
    assert.equal(batch.bytes, 0);
  });

  it('keeps the order where one comes late in a turn in which others wait', async () => {
    for (const name of ['a', 'b']) add(name);
    time += 1;
    add('c');
    await nextTurn();
    assert.deepEqual(written, ['a', 'bc']);
  });

  it('does not copy a large payload behind its head', async () => {
    const large = 'x'.repeat(20_000);
    add('a', large);
    assert.deepEqual(written, ['a', large]);
    add('b');
    add('c', large);
    await nextTurn();
    assert.deepEqual(written.slice(2), ['bc', large]);
  });

  describe("whose payloads are nobody else's", () => {
    const payloadOf = (bytes: number, octet: number) => Buffer.allocUnsafeSlow(bytes).fill(octet);
    const [small, large] = [2000, 5_000_000];

    it('frees them when the system has them', async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
      const [peer] = (await once(server, 'connection')) as [Socket];
      const toSocket = new PacketBatch(socket);
      const payloads = [payloadOf(large, 1), payloadOf(small, 2), payloadOf(large, 3)];
      for (const payload of payloads) toSocket.add(0, (_to, at) => at, payload, true);
      // The socket takes the first ones only after some reading.
      assert.deepEqual(
        payloads.map(({ length }) => length),
        [large, 0, large],
      );
      setImmediate(() => socket.end());
      const came = await buffer(peer);
      const expected = Buffer.concat([payloadOf(large, 1), payloadOf(small, 2), payloadOf(large, 3)]);
      assert.ok(came.equals(expected));
      assert.deepEqual(
        payloads.map(({ length }) => length),
        [0, 0, 0],
      );
      server.close();
    });

    it('leaves them to a stream that may have them still when it says that it has written them', async () => {
      const stream = new PassThrough();
      const payload = payloadOf(20_000, 1);
      new PacketBatch(stream).add(0, (_to, at) => at, payload, true);
      await nextTurn();
      assert.ok((stream.read() as Buffer).equals(payloadOf(20_000, 1)));
    });
  });
});
