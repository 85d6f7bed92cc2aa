import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
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
});
