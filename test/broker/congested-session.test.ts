import assert from 'node:assert/strict';
import type { MessageParts, PublishView } from '../../src/broker/codec/publish-packet';
import { HeldMemory } from '../../src/broker/held-memory';
import { limitsOf } from '../../src/broker/limits';
import { joinedParts, Message, messageOfWill } from '../../src/broker/message';
import { MessageSlabs } from '../../src/broker/message-slab';
import { Session } from '../../src/broker/session/session';
import type { SessionOutput } from '../../src/broker/session/session-output';
import { newStatistics } from '../../src/broker/statistics';
import { MemoryStore } from '../../src/broker/store/memory-store';

/** An output that notes what it gets, and is congested when the test says so. */
class NotedOutput implements SessionOutput {
  readonly v5 = true;
  congested = false;
  readonly notes: string[] = [];

  forward(view: PublishView): boolean {
    this.notes.push(`forward ${view.bytes.toString('utf8', view.payloadStart, view.payloadEnd)}`);
    return true;
  }

  publish(parts: MessageParts, header: number, packetId: number): boolean {
    const payload = parts.bytes.toString('utf8', parts.payloadStart, parts.payloadEnd);
    this.notes.push(`publish 0x${header.toString(16)} ${packetId} ${payload}`);
    return true;
  }

  acknowledge(header: number, packetId: number): void {
    this.notes.push(`acknowledge 0x${header.toString(16)} ${packetId}`);
  }

  waitFor(): void {}

  overflow(): void {}
}

describe('a session with a congested output', () => {
  const delivery = { qos: 1 as const, retainAsPublished: false, identifiers: [] };
  const message = (payload: string) => {
    const properties = {};
    const fields = { topic: 't', payload: Buffer.from(payload), qos: 1 as const, retain: false, properties };
    return messageOfWill(fields, 'publisher', 0);
  };

  it('holds back, and lets nothing overtake what waits', () => {
    const output = new NotedOutput();
    const session = new Session('c', limitsOf({}), newStatistics(), new MemoryStore(), new HeldMemory(1e9));
    session.attach(output, 10, 0);
    session.deliver(message('first'), 1, false, delivery, 0);
    output.congested = true;
    session.deliver(message('second'), 1, false, delivery, 0);
    assert.equal(session.accepts(1, 0, 0), false);
    output.congested = false;
    session.deliver(message('third'), 1, false, delivery, 0);
    assert.deepEqual(output.notes, ['publish 0x32 1 first']);
    session.drain(0);
    assert.deepEqual(output.notes.slice(1), ['publish 0x32 2 second', 'publish 0x32 3 third']);
  });

  it('sends nothing new before what is to be sent again [MQTT-4.6.0-1]', () => {
    const session = new Session('c', limitsOf({}), newStatistics(), new MemoryStore(), new HeldMemory(1e9));
    session.attach(new NotedOutput(), 10, 0);
    session.deliver(message('first'), 1, false, delivery, 0);
    session.detach();
    const output = new NotedOutput();
    output.congested = true;
    session.attach(output, 10, 0);
    output.congested = false;
    session.deliver(message('second'), 1, false, delivery, 0);
    session.drain(0);
    assert.deepEqual(output.notes, ['publish 0x3a 1 first', 'publish 0x32 2 second']);
  });

  it('keeps no more memory of what waits for long than its bytes', () => {
    const memory = new HeldMemory(1e9);
    const session = new Session('c', limitsOf({}), newStatistics(), new MemoryStore(), memory);
    const chunk = Buffer.allocUnsafeSlow(1000);
    const slab = new MessageSlabs().around(chunk, 10);
    const messages = ['first', 'second', 'third'].map((text, index) => {
      const topicStart = 100 * index;
      chunk.write('t', topicStart);
      const payloadStart = topicStart + 10;
      const payloadEnd = payloadStart + chunk.write(text, payloadStart);
      const [topicEnd, propertiesStart, propertiesEnd] = [topicStart + 1, payloadStart, payloadStart];
      const parts = { topicStart, topicEnd, propertiesStart, propertiesEnd, payloadStart, payloadEnd };
      return new Message('t', { bytes: chunk, ...parts }, 1, false, Number.POSITIVE_INFINITY, '', slab);
    });
    for (const each of messages) session.deliver(each, 1, false, delivery, 0);
    const withSlab = memory.bytes;
    memory.compactSlabs();
    assert.equal(memory.bytes, withSlab, 'it may be gone soon');
    memory.compactSlabs();
    const texts = messages.map(({ bytes }) => bytes.toString());
    assert.deepEqual(texts, ['tfirst', 'tsecond', 'tthird']);
    const own = messages.reduce((sum, { bytes }) => sum + bytes.buffer.byteLength, 0);
    assert.equal(own, texts.join('').length);
    assert.equal(memory.bytes, withSlab - chunk.length + own);
    session.discard();
    assert.equal(memory.bytes, 0);
  });

  it('keeps together what fills its memory', () => {
    const memory = new HeldMemory(1e9);
    const session = new Session('c', limitsOf({}), newStatistics(), new MemoryStore(), memory);
    const chunk = Buffer.allocUnsafeSlow(1000);
    const slabs = new MessageSlabs();
    for (const start of [0, 300]) {
      const parts = joinedParts(chunk.subarray(start, start + 300), 1, 1);
      const slab = slabs.around(chunk, 300);
      const half = new Message('t', parts, 1, false, Number.POSITIVE_INFINITY, '', slab);
      session.deliver(half, 1, false, delivery, 0);
    }
    const before = memory.bytes;
    for (let count = 0; count < 3; count++) memory.compactSlabs();
    assert.equal(memory.bytes, before);
  });

  it('uses no packet identifier twice at a time [MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.3-1]', () => {
    const output = new NotedOutput();
    const session = new Session(
      'c',
      limitsOf({ inFlight: 65_535 }),
      newStatistics(),
      new MemoryStore(),
      new HeldMemory(1e9),
    );
    session.attach(output, 65_535, 0);
    for (let count = 0; count < 65_535; count++) session.deliver(message('x'), 1, false, delivery, 0);
    session.acknowledged(40_000, 0);
    session.deliver(message('again'), 1, false, delivery, 0);
    session.deliver(message('waits'), 1, false, delivery, 0);
    assert.equal(output.notes.at(-1), 'publish 0x32 40000 again');
    assert.equal(session.queued, 1);
  });
});
