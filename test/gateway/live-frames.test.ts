import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { LiveFrames } from '../../src/gateway/live-frames';

describe('frames that several readers are sent', () => {
  it('are counted once, until the last reader has taken them or has gone', async () => {
    const counts = { held: 0 };
    const take: (() => void)[] = [];
    const network = () =>
      new Duplex({ read() {}, write: (_chunk, _encoding, done) => void take.push(() => done()) });
    const [first, second, gone] = [network(), network(), network()];
    const [long, short] = [
      new LiveFrames(Buffer.alloc(100), counts),
      new LiveFrames(Buffer.alloc(10), counts),
    ];
    for (const each of [first, second, gone]) long.writeTo(each);
    short.writeTo(gone);
    assert.equal(counts.held, 110);
    gone.destroy();
    for (const taken of take) taken();
    await new Promise(setImmediate);
    assert.equal(counts.held, 0);
    long.writeTo(first);
    long.writeTo(second);
    assert.equal(counts.held, 100);
    take.pop()?.();
    await new Promise(setImmediate);
    assert.equal(counts.held, 100);
  });
});
