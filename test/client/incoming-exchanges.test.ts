import assert from 'node:assert/strict';
import type { IPublishPacket } from 'mqtt';
import { type Hold, IncomingExchanges } from '../../src/client/incoming-exchanges';

const publish = (messageId: number, qos: 1 | 2, dup = false): IPublishPacket => ({
  cmd: 'publish',
  topic: 't',
  payload: Buffer.from(String(messageId)),
  retain: false,
  qos,
  dup,
  messageId,
});

function exchanges(withCodes = true) {
  const answers: string[] = [];
  const delivered: number[] = [];
  const holds: ReturnType<Hold>[] = [];
  const incoming = new IncomingExchanges((bytes) => {
    for (let at = 0; at < bytes.length; at += 2 + (bytes[at + 1] ?? 0)) {
      const name = bytes[at] === 0x40 ? 'PUBACK' : bytes[at] === 0x50 ? 'PUBREC' : 'other';
      const code = bytes[at + 1] === 3 ? ` 0x${bytes[at + 4]?.toString(16)}` : '';
      answers.push(`${name} ${bytes.readUInt16BE(at + 2)}${code}`);
    }
  }, withCodes);
  incoming.connected(false);
  return {
    incoming,
    delivered,
    holds,
    /** Receives a message, with so many listeners who say themselves when they are done with it. */
    receive: (packet: IPublishPacket, holders = 0) =>
      incoming.receive(packet, (hold) => {
        delivered.push(packet.messageId ?? 0);
        for (let n = 0; n < holders; n++) holds.push(hold());
      }),
    /** What has been answered since the last time. */
    answered: async () => {
      await new Promise(setImmediate);
      return answers.splice(0);
    },
  };
}

describe('received messages', () => {
  it('are answered at once when nobody holds them, in the order in which they came', async () => {
    const { receive, answered } = exchanges();
    receive(publish(300, 1));
    receive(publish(2, 2));
    receive(publish(3, 1));
    assert.deepEqual(await answered(), ['PUBACK 300', 'PUBREC 2', 'PUBACK 3']);
  });

  it('are answered however many come at once', async () => {
    const { receive, answered } = exchanges();
    const ids = Array.from({ length: 5000 }, (_, n) => n + 1);
    for (const id of ids) receive(publish(id, 1));
    assert.deepEqual(
      await answered(),
      ids.map((id) => `PUBACK ${id}`),
    );
  });

  it('are answered when all who hold them are done, and none before one that came earlier', async () => {
    const { receive, answered, holds, incoming } = exchanges();
    receive(publish(1, 1), 2);
    receive(publish(2, 1), 1);
    receive(publish(3, 1));
    holds[2]?.();
    holds[0]?.();
    holds[0]?.();
    assert.deepEqual(await answered(), []);
    assert.equal(incoming.unanswered, 3);
    holds[1]?.();
    assert.deepEqual(await answered(), ['PUBACK 1', 'PUBACK 2', 'PUBACK 3']);
  });

  it('are refused with the worst reason code given, where the protocol has them', async () => {
    for (const [withCodes, expected] of [
      [true, ['PUBACK 1 0x99', 'PUBREC 2 0x80']],
      [false, ['PUBACK 1', 'PUBREC 2']],
    ] as const) {
      const { receive, answered, holds } = exchanges(withCodes);
      receive(publish(1, 1), 2);
      receive(publish(2, 2), 1);
      holds[0]?.(0x99);
      holds[1]?.();
      holds[2]?.(0x80);
      assert.deepEqual(await answered(), expected);
    }
  });

  it('are not delivered again at QoS 2 until they are released, in a resumed session too', async () => {
    const { receive, answered, delivered, incoming } = exchanges();
    receive(publish(7, 2));
    incoming.lost();
    incoming.connected(true);
    receive(publish(7, 2, true));
    assert.deepEqual(delivered, [7]);
    assert.deepEqual(await answered(), ['PUBREC 7']);
    incoming.complete(7);
    receive(publish(7, 2));
    assert.deepEqual(delivered, [7, 7]);
  });

  it('are delivered in a new session, whatever their packet identifiers', () => {
    const { receive, delivered, incoming } = exchanges();
    receive(publish(7, 2));
    receive(publish(8, 1), 1);
    incoming.lost();
    incoming.connected(false);
    receive(publish(7, 2, true));
    receive(publish(8, 1, true));
    assert.deepEqual(delivered, [7, 8, 7, 8]);
  });

  it('are not delivered again at QoS 1 while a listener still has them, and answered in the connection that is', async () => {
    const { receive, answered, delivered, holds, incoming } = exchanges();
    receive(publish(1, 1), 1);
    receive(publish(2, 1), 1);
    incoming.lost();
    holds[0]?.();
    assert.deepEqual(await answered(), []);
    incoming.connected(true);
    receive(publish(1, 1, true));
    receive(publish(2, 1, true));
    assert.deepEqual(delivered, [1, 2]);
    assert.deepEqual(await answered(), ['PUBACK 1']);
    holds[1]?.();
    assert.deepEqual(await answered(), ['PUBACK 2']);
  });

  it('take a packet identifier for a new message when it comes without DUP, or the broker did not send it again', async () => {
    const { receive, delivered, incoming } = exchanges();
    receive(publish(1, 1), 1);
    receive(publish(2, 1), 1);
    incoming.lost();
    incoming.connected(true);
    receive(publish(1, 1));
    incoming.lost();
    incoming.connected(true);
    receive(publish(2, 1, true));
    assert.deepEqual(delivered, [1, 2, 1, 2]);
  });

  it('end a refused QoS 2 exchange: no PUBREL will come', async () => {
    const { receive, delivered, holds } = exchanges();
    receive(publish(1, 2), 1);
    holds[0]?.(0x83);
    receive(publish(1, 2));
    assert.deepEqual(delivered, [1, 1]);
  });
});
