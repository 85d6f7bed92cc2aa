import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { locatorOf } from '../../src/rtps/locator';
import { Outbox } from '../../src/rtps/outbox';
import { READER, WRITER } from './link';

describe('the outbox', () => {
  const to = { prefix: READER.prefix, locator: locatorOf('127.0.0.1', 1) };

  function outboxOf() {
    const sent: Buffer[] = [];
    const events = new EventEmitter();
    const outbox = new Outbox(WRITER.prefix, {
      batchBytes: () => 1000,
      messageBytes: () => 50_000,
      requestBytes: 0,
      send: (message, _locator, done) => {
        sent.push(Buffer.from(message));
        done();
        events.emit('sent');
      },
    });
    const heartbeat = () => outbox.heartbeat(to, READER.entityId, WRITER.entityId, 1, 1, 1, false);
    return { outbox, sent, events, heartbeat };
  }

  const waitingTurns = () =>
    process.getActiveResourcesInfo().filter((resource) => resource === 'Immediate').length;

  it('sends what is added before a flush along with it, and plans no other one', () => {
    const { outbox, sent, heartbeat } = outboxOf();
    const before = waitingTurns();
    outbox.beforeFlush(heartbeat);
    assert.equal(waitingTurns(), before + 1);
    outbox.flush();
    assert.equal(sent.length, 1);
    assert.equal(waitingTurns(), before);
  });

  it('calls back in the next turn who asks for that at a flush', async () => {
    const { outbox, sent, events, heartbeat } = outboxOf();
    outbox.beforeFlush(() => outbox.beforeFlush(heartbeat));
    outbox.flush();
    assert.equal(sent.length, 0);
    await once(events, 'sent');
    assert.equal(sent.length, 1);
  });

  it('sends in the next turn what was collected when a callback throws', async () => {
    const { outbox, sent, events, heartbeat } = outboxOf();
    heartbeat();
    outbox.beforeFlush(() => {
      throw new Error('from a callback');
    });
    assert.throws(() => outbox.flush(), /from a callback/);
    assert.equal(sent.length, 0);
    await once(events, 'sent');
    heartbeat();
    await once(events, 'sent');
    assert.equal(sent.length, 2);
  });
});
