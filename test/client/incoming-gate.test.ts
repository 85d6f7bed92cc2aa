import assert from 'node:assert/strict';
import type { IPublishPacket } from 'mqtt';
import { IncomingGate } from '../../src/client/incoming-gate';

const publish = (qos: 0 | 1, payload: string): IPublishPacket => ({
  cmd: 'publish',
  topic: 't',
  payload: Buffer.from(payload),
  retain: false,
  qos,
  dup: false,
});

describe('gate for received messages', () => {
  it('keeps all behind the first that has to wait, in order, and says when that is too much', () => {
    let unanswered = 0;
    const passed: string[] = [];
    const gate = new IncomingGate(
      1,
      () => unanswered,
      ({ qos, payload }) => {
        unanswered += qos;
        passed.push(String(payload).slice(0, 1));
      },
    );
    gate.push(publish(1, 'a'));
    gate.push(publish(0, 'b'));
    gate.push(publish(1, 'c'));
    gate.push(publish(1, 'd'.repeat(16 * 1024 * 1024)));
    assert.deepEqual(passed, ['a']);
    assert.equal(gate.full, true);
    unanswered = 0;
    gate.open();
    assert.deepEqual(passed, ['a', 'b', 'c']);
    unanswered = 0;
    gate.open();
    assert.equal(gate.full, false);
    gate.push(publish(1, 'e'));
    gate.push(publish(0, 'f'));
    gate.lost();
    assert.deepEqual(passed, ['a', 'b', 'c', 'd', 'f']);
  });
});
