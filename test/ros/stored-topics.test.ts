import assert from 'node:assert/strict';
import type { OutgoingMessage, RouteConnection, Undelivered } from '../../src/ros/bridge-connection';
import { StoredTopics } from '../../src/ros/stored-topics';

/** The part of a connection that publishes; what is under way is settled by the test. */
class Outbound implements Pick<RouteConnection, 'connected' | 'publish'> {
  connected = true;
  readonly underWay: Array<{ message: OutgoingMessage; settled: (undelivered?: Undelivered) => void }> = [];

  publish(message: OutgoingMessage, settled: (undelivered?: Undelivered) => void): void {
    this.underWay.push({ message, settled });
  }

  /** What was sent longest ago, which is settled. */
  settle(undelivered?: Undelivered): string {
    const [{ message, settled }] = this.underWay.splice(0, 1) as [Outbound['underWay'][number]];
    settled(undelivered);
    return `${message.topic} ${message.payload}`;
  }
}

describe('topics that a broker is to have stored', () => {
  let outbound: Outbound;
  let stored: StoredTopics;

  beforeEach(() => {
    outbound = new Outbound();
    stored = new StoredTopics(outbound, 'bridge');
  });

  it('leave room for messages, however many there are, and go on as the broker takes them', () => {
    const texts = Array.from({ length: 2000 }, (_, index) => `topic${index} text`);
    for (const text of texts) stored.set(...(text.split(' ') as [string, string]));
    stored.send();
    const came: string[] = [];
    while (outbound.underWay.length > 0) {
      assert.ok(outbound.underWay.length <= 100, `${outbound.underWay.length} at once`);
      came.push(outbound.settle());
    }
    assert.deepEqual(came, texts);
  });

  it('wait for the next time where the broker does not take them', () => {
    stored.set('topic', 'text');
    stored.send();
    assert.equal(outbound.settle('in-flight'), 'topic text');
    assert.equal(outbound.underWay.length, 0);
    stored.send();
    assert.equal(outbound.settle(), 'topic text');
    stored.send();
    assert.equal(outbound.underWay.length, 0);
  });

  it('are sent again when the connection was lost, and what is under way when it changes', () => {
    stored.set('a', '1');
    stored.send();
    stored.set('a', '2');
    stored.send();
    assert.deepEqual([outbound.settle(), outbound.settle()], ['a 1', 'a 2']);
    outbound.connected = false;
    stored.send();
    outbound.connected = true;
    stored.send();
    assert.equal(outbound.settle(), 'a 2');
    stored.set('a', '');
    stored.send();
    assert.equal(outbound.settle(), 'a ');
    stored.send();
    assert.equal(outbound.underWay.length, 0);
  });
});
