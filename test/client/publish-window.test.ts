import assert from 'node:assert/strict';
import { mock } from 'node:test';
import {
  MAX_IN_FLIGHT,
  MAX_WAITING_BYTES,
  OutgoingMessage,
  PublishWindow,
} from '../../src/client/publish-window';

const message = (text: string): OutgoingMessage => new OutgoingMessage('t', text, { qos: 1, retain: false });

describe('publish window', () => {
  it('sends in order, so many at a time', async () => {
    const sent: OutgoingMessage[] = [];
    const window = new PublishWindow((next) => sent.push(next));
    const all = ['a', 'b', 'c', 'd'].map(message);
    const results = all.map((next) => window.push(next, undefined));
    assert.deepEqual(sent, []);
    window.open(2);
    assert.deepEqual(sent, all.slice(0, 2));
    window.settle(all[1] as OutgoingMessage);
    assert.deepEqual(sent, all.slice(0, 3));
    window.settle(all[0] as OutgoingMessage, new Error('refused'));
    window.settle(all[0] as OutgoingMessage);
    window.settle(all[2] as OutgoingMessage);
    window.settle(all[3] as OutgoingMessage);
    assert.deepEqual(
      (await Promise.allSettled(results)).map(({ status }) => status),
      ['rejected', 'fulfilled', 'fulfilled', 'fulfilled'],
    );
  });

  it('never has more in flight than its own bound, whatever the broker allows', () => {
    let sent = 0;
    const window = new PublishWindow(() => sent++);
    window.open(65_535);
    for (let n = 0; n < MAX_IN_FLIGHT + 10; n++) window.push(message('x'), undefined).catch(() => {});
    assert.equal(sent, MAX_IN_FLIGHT);
    window.refuseWaiting('enough');
  });

  it('holds a burst of small messages, and not without end', async () => {
    const window: PublishWindow = new PublishWindow((next) => window.settle(next));
    const burst = Array.from({ length: 10_000 }, () => window.push(message('x'), undefined));
    let refused = 0;
    for (let n = 0; n < 50_000; n++) window.push(message(''), undefined).catch(() => refused++);
    window.open(1);
    await Promise.all(burst);
    assert.ok(refused > 10_000, `${refused} refused`);
  });

  it('survives outcomes that are known while sending', async () => {
    const window: PublishWindow = new PublishWindow((next) => window.settle(next));
    const results = Array.from({ length: 1000 }, () => window.push(message('x'), undefined));
    window.open(1);
    await Promise.all(results);
  });

  it('refuses more bytes than it may hold', async () => {
    const window = new PublishWindow(() => {});
    const half = 'x'.repeat(MAX_WAITING_BYTES / 2 - 600);
    const first = window.push(message(half), 'no connection').catch((error: Error) => error.message);
    const second = window.push(message(half), 'no connection').catch(() => {});
    await assert.rejects(
      window.push(message(half), 'no connection'),
      /2 messages .* already waiting; no connection/,
    );
    window.refuseWaiting('closed');
    assert.equal(await first, 'not connected to the broker: closed');
    await second;
  });

  it('refuses what has waited too long, and has room again', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      const window = new PublishWindow(() => {});
      const waited = window.push(message('x'), 'no connection');
      mock.timers.tick(9999);
      const later = window.push(message('y'), 'no connection');
      mock.timers.tick(1);
      await assert.rejects(waited, /topic "t" not published: it waited 10 s to be sent/);
      let settled = false;
      void later
        .catch(() => {})
        .finally(() => {
          settled = true;
        });
      await new Promise(setImmediate);
      assert.equal(settled, false);
      window.refuseWaiting(undefined);
    } finally {
      mock.timers.reset();
    }
  });

  it('is drained when nothing waits and nothing is in flight', async () => {
    const sent: OutgoingMessage[] = [];
    const window = new PublishWindow((next) => sent.push(next));
    window.open(1);
    const results = [window.push(message('a'), undefined), window.push(message('b'), undefined)];
    const drained = window.drained(60_000);
    window.settle(sent[0] as OutgoingMessage);
    window.settle(sent[1] as OutgoingMessage);
    await drained;
    await Promise.all(results);
  });
});
