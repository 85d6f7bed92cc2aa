import { BrokerThread } from '../../src/broker/broker-thread';
import { MqttPeer } from '../broker/mqtt-peer';
import { encodeMessage } from './broker-client';

const MESSAGES = 64 * 500;
const ROUNDS = 5;

/** Microseconds that a message takes of those that are written in groups, one group in a turn of the event loop. */
async function perMessage(peer: MqttPeer, group: number): Promise<number> {
  const message = encodeMessage('bench/topic', Buffer.alloc(100), 0, 0, 4);
  const start = performance.now();
  for (let sent = 0; sent < MESSAGES; sent += group) {
    for (let count = 0; count < group; count++) peer.stream.write(message);
    await new Promise(setImmediate);
  }
  await peer.expectNothing();
  return ((performance.now() - start) * 1000) / MESSAGES;
}

/**
 * Prints what a QoS 0 message of 100 bytes from the main thread to the broker's costs, from the write until the broker
 * has taken it: alone in its turn of the event loop, and with 63 others.
 */
export async function benchInProcess(print: (line: string) => void): Promise<void> {
  const broker = new BrokerThread({ listeners: [] });
  await broker.start();
  try {
    const peer = new MqttPeer(broker.openStream(), 4);
    await peer.connect();
    const best = { alone: Number.POSITIVE_INFINITY, grouped: Number.POSITIVE_INFINITY };
    for (let round = 0; round < ROUNDS; round++) {
      best.alone = Math.min(best.alone, await perMessage(peer, 1));
      best.grouped = Math.min(best.grouped, await perMessage(peer, 64));
    }
    print('| us a message, one by one | in groups of 64 | ratio |');
    print('|---|---|---|');
    const { alone, grouped } = best;
    print(`| ${alone.toFixed(2)} | ${grouped.toFixed(2)} | ${(alone / grouped).toFixed(1)} |`);
    await peer.vanish();
  } finally {
    await broker.stop();
  }
}
