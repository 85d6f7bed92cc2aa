import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { FlowQueue } from '../../src/ros/flow-queue';
import { joinFrames, splitFrames } from '../../src/ros/frames';
import { decodeSampleFrame, encodeSampleFrame, type SampleFrame } from '../../src/ros/sample-frame';

describe('frames', () => {
  it('come apart as they were joined', () => {
    const frames = [Buffer.from('a'), Buffer.alloc(0), Buffer.alloc(70_000, 7)];
    assert.deepEqual(splitFrames(joinFrames(frames)), frames);
    assert.deepEqual(splitFrames(joinFrames([])), []);
  });

  const samples: SampleFrame[] = [
    {
      route: 0,
      sequence: 1,
      sourceTimestamp: 0n,
      request: undefined,
      format: 'json',
      payload: Buffer.from('{}'),
    },
    {
      route: 4_000_000_000,
      sequence: Number.MAX_SAFE_INTEGER,
      sourceTimestamp: -1n,
      request: 2 ** 48,
      format: 'text',
      payload: Buffer.from('안녕'),
    },
    {
      route: 3,
      sequence: undefined,
      sourceTimestamp: undefined,
      request: undefined,
      format: 'cdr',
      payload: Buffer.alloc(0),
    },
    {
      route: 4,
      sequence: undefined,
      sourceTimestamp: undefined,
      request: undefined,
      format: 'json',
      payload: Buffer.from('15'),
      level: 'value/속도',
    },
  ];
  for (const sample of samples) {
    it(`keep the sample ${sample.payload.length > 0 ? sample.payload : 'without facts'}`, () => {
      assert.deepEqual(decodeSampleFrame(encodeSampleFrame(sample)), sample);
    });
  }
});

/** A queue, the batches it sent, and the first byte of each frame it dropped. */
function open() {
  const batches: Buffer[][] = [];
  const dropped: number[] = [];
  const queue = new FlowQueue(
    (joined) => batches.push(splitFrames(joined)),
    (frame) => dropped.push(frame[0] as number),
  );
  return { queue, batches, dropped };
}

describe('FlowQueue', () => {
  it('sends what came in one turn as one batch', async () => {
    const { queue, batches } = open();
    const frames = [Buffer.from('one'), Buffer.from('two')];
    for (const frame of frames) queue.push(frame);
    assert.deepEqual(batches, []);
    await turn();
    assert.deepEqual(batches, [frames]);
  });

  it('has two batches under way and waits until one is read', async () => {
    const { queue, batches } = open();
    for (let n = 0; n < 3; n++) {
      queue.push(Buffer.of(n));
      await turn();
    }
    assert.equal(batches.length, 2);
    queue.read();
    await turn();
    assert.deepEqual(batches[2], [Buffer.of(2)]);
  });

  it('bounds a batch by frames and by bytes, and lets a larger frame pass alone', async () => {
    const { queue, batches } = open();
    for (let n = 0; n < 300; n++) queue.push(Buffer.of(1));
    for (let n = 0; n < 3; n++) queue.push(Buffer.alloc(600 * 1024));
    queue.push(Buffer.alloc(2 * 1024 * 1024));
    for (let n = 0; n < 6; n++) {
      await turn();
      queue.read();
    }
    assert.deepEqual(
      batches.map((batch) => batch.length),
      [256, 45, 1, 1, 1],
    );
  });

  it('drops the oldest beyond 10,000 frames, and tells each', async () => {
    const { queue, batches, dropped } = open();
    queue.push(Buffer.of(200));
    queue.push(Buffer.of(201));
    for (let n = 0; n < 10_000; n++) queue.push(Buffer.of(0));
    assert.deepEqual(dropped, [200, 201]);
    await turn();
    assert.equal(batches[0]?.[0]?.[0], 0);
  });

  it('drops the oldest beyond 16 MiB, but never the only one', async () => {
    const { queue, batches, dropped } = open();
    for (let n = 0; n < 5; n++) queue.push(Buffer.alloc(4 * 1024 * 1024, n));
    assert.deepEqual(dropped, [0]);
    queue.push(Buffer.alloc(20 * 1024 * 1024, 5));
    assert.deepEqual(dropped, [0, 1, 2, 3, 4]);
    await turn();
    assert.equal(batches[0]?.length, 1);
  });
});
