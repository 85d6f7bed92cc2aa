import assert from 'node:assert/strict';
import type { QoS, QueueSettings } from '../../src/client/connection';
import { OutgoingMessage } from '../../src/client/outgoing-message';
import { OutgoingQueue } from '../../src/client/outgoing-queue';
import { PublishWindow } from '../../src/client/publish-window';

const message = (text: string, qos: QoS = 1): OutgoingMessage =>
  new OutgoingMessage('t', text, { qos, retain: false });

/** A window whose messages count as sent, under packet identifiers as a connection would give them. */
function windowOf(settings: QueueSettings = {}) {
  const sent: OutgoingMessage[] = [];
  const queue = new OutgoingQueue(settings);
  const window = new PublishWindow(queue, (next) => {
    if (next.options.qos > 0) next.packetId ??= sent.length + 1;
    sent.push(next);
  });
  const push = (...messages: OutgoingMessage[]) => {
    for (const next of messages) window.push(next, undefined);
  };
  return { sent, queue, window, push, payloads: () => sent.map(({ payload }) => payload).join('') };
}

const outcomes = async (messages: OutgoingMessage[]) =>
  (await Promise.allSettled(messages.map(({ result }) => result))).map((outcome) =>
    outcome.status === 'fulfilled' ? 'done' : (outcome.reason as Error).message,
  );

describe('publish window', () => {
  it('sends in order, so many at a time', async () => {
    const { window, push, payloads } = windowOf();
    const all = [...'abcd'].map((text) => message(text));
    push(...all);
    const [a, b, c, d] = all as [OutgoingMessage, OutgoingMessage, OutgoingMessage, OutgoingMessage];
    assert.equal(payloads(), '');
    window.open(2);
    assert.equal(payloads(), 'ab');
    window.settle(b, {});
    assert.equal(payloads(), 'abc');
    window.settle(a, new Error('refused'));
    window.settle(a, {});
    window.settle(c, {});
    window.settle(d, {});
    assert.deepEqual(await outcomes(all), ['refused', 'done', 'done', 'done']);
  });

  it('survives outcomes that are known while sending', async () => {
    const queue = new OutgoingQueue({});
    const window: PublishWindow = new PublishWindow(queue, (next) => window.settle(next, {}));
    const all = Array.from({ length: 1000 }, () => message('x'));
    for (const next of all) window.push(next, undefined);
    window.open(1);
    await Promise.all(all.map(({ result }) => result));
  });

  it('is drained when nothing waits and nothing is in flight', async () => {
    const { window, push, sent } = windowOf();
    push(message('a'), message('b'));
    window.open(1);
    const drained = window.drained(60_000);
    window.settle(sent[0] as OutgoingMessage, {});
    window.settle(sent[1] as OutgoingMessage, {});
    assert.equal(await drained, true);
  });

  it('is not drained when the connection ends first, which is known at once', async () => {
    const { window, push } = windowOf();
    push(message('a'));
    window.open(1);
    const drained = window.drained(60_000);
    window.lost('cut', false);
    assert.equal(await drained, false);
  });

  it('sends of what waits only QoS 0 once it is held, and is drained without the rest, which comes later in order', async () => {
    const { window, push, sent, payloads } = windowOf();
    push(message('a'), message('b'), message('c', 0), message('d'));
    window.open(1);
    window.hold();
    assert.equal(payloads(), 'ac');
    const drained = window.drained(60_000);
    push(message('e'));
    for (const next of [...sent]) window.settle(next, {});
    assert.equal(await drained, true);
    window.pushFirst(message('goodbye'));
    assert.equal(payloads(), 'acgoodbye');
    window.lost('closed', false);
    window.open(10);
    assert.equal(payloads(), 'acgoodbyegoodbyebde');
  });

  it('sends what was unacknowledged before all else after each of several cuts, in the first order, within a smaller window too', async () => {
    const { window, push, payloads, sent } = windowOf();
    push(...[...'abcdef'].map((text) => message(text)));
    window.open(4);
    assert.equal(payloads(), 'abcd');
    window.settle(sent[1] as OutgoingMessage, {});
    assert.equal(payloads(), 'abcde');
    window.lost('cut', false);
    push(message('g'));
    window.open(2);
    assert.equal(payloads(), 'abcdeac');
    assert.ok(sent.slice(-2).every(({ repeated }) => repeated));
    window.lost('cut', false);
    window.open(256);
    assert.equal(payloads(), 'abcdeacacdefg');
    assert.equal(sent.at(-1)?.repeated, false);
  });

  it('rejects what may be lost at QoS 0, keeps the rest', async () => {
    const { window, push, sent } = windowOf();
    const [none, once] = [message('0', 0), message('1', 1)];
    push(none, once);
    window.open(10);
    window.lost('the cable is cut', false);
    assert.deepEqual(await outcomes([none]), ['topic "t" not published: the cable is cut']);
    window.open(10);
    assert.equal(sent.at(-1), once);
  });

  it('publishes QoS 1 again in a new session, and never a QoS 2 message whose fate is unknown', async () => {
    const { window, push, sent, payloads } = windowOf();
    const all = [message('a', 1), message('b', 2), message('c', 2)];
    push(...all);
    window.open(10);
    (all[2] as OutgoingMessage).released = true;
    window.lost('cut', false);
    window.forget();
    window.open(10);
    assert.equal(payloads(), 'abca');
    assert.equal(sent.at(-1)?.repeated, true);
    window.settle(all[0] as OutgoingMessage, {});
    assert.deepEqual(await outcomes(all), [
      'done',
      'topic "t" not published: the broker lost the session; whether the message arrived is not known',
      'done',
    ]);
  });

  it('finds out and gives up the message over which the broker ends the connection, and no other', async () => {
    const { window, push, sent } = windowOf();
    const all = [...'abPcd'].map((text) => message(text));
    push(...all);
    let connections = 0;
    for (; connections < 50 && !all.every(({ ended }) => ended); connections++) {
      window.open(256);
      // Answers in order, and ends the connection when it comes to the poison.
      for (const next of sent.splice(0)) {
        if (next.payload === 'P') break;
        window.settle(next, {});
      }
      while (sent.length > 0 && sent[0]?.payload !== 'P') window.settle(sent.shift() as OutgoingMessage, {});
      sent.length = 0;
      window.lost('reset', true);
    }
    assert.deepEqual(await outcomes(all), [
      'done',
      'done',
      'topic "t" not published: given up: the broker has ended the connection each time it was sent, 3 times while nothing else was under way; reset',
      'done',
      'done',
    ]);
    assert.ok(connections <= 8, `${connections} connections`);
  });

  it('sends as many at a time as before once the broker has forgotten what was suspect', async () => {
    const { window, push, payloads } = windowOf();
    push(message('a', 2), message('b', 2));
    for (let connection = 0; connection < 2; connection++) {
      window.open(256);
      window.lost('reset', true);
    }
    window.forget();
    push(message('c'), message('d'), message('e'));
    window.open(256);
    assert.ok(payloads().endsWith('cde'), payloads());
  });

  it('blames no message for a network that is cut again and again', async () => {
    const { window, push, sent } = windowOf();
    const only = message('a');
    push(only);
    for (let cut = 0; cut < 50; cut++) {
      window.open(256);
      window.lost('cut', false);
    }
    window.open(256);
    window.settle(sent.at(-1) as OutgoingMessage, {});
    assert.deepEqual(await outcomes([only]), ['done']);
  });
});
