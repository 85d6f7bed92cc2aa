import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Random } from '../random';
import { encodePacket } from './codec/any-packet';
import { samples } from './codec/sample-packets';
import { MqttPeer } from './mqtt-peer';

const PACKETS = samples.map(({ version, packet }) => ({ version, bytes: encodePacket(packet, version) }));

/** A packet that may be as it should, or changed in some bytes, or cut off, or nothing but random bytes. */
function oddPacket(random: Random, version: number): Buffer {
  const kind = random.below(10);
  if (kind === 0) return Buffer.from(random.times(random.below(200), () => random.below(256)));
  const { bytes } = random.pick(PACKETS.filter((packet) => packet.version === version));
  if (kind < 4) return bytes;
  const mutated = Buffer.from(bytes);
  for (let changes = random.below(4); changes >= 0; changes--) {
    mutated[random.below(mutated.length)] = random.below(256);
  }
  return kind === 9 ? mutated.subarray(0, random.below(mutated.length)) : mutated;
}

function connectPacket(random: Random, version: 4 | 5): Buffer {
  const clientId = `odd-${random.below(20)}`;
  const session = { clientId, cleanStart: random.below(2) === 0, keepAlive: 0, properties: {} };
  return encodePacket({ type: 'connect', protocolVersion: version, ...session }, version);
}

/** The bytes in pieces, cut anywhere. */
function* pieces(random: Random, bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random.below(random.below(2) === 0 ? 3 : bytes.length);
    yield bytes.subarray(at, end);
    at = end;
  }
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return socket;
}

/** One connection that breaks the protocol, or nearly, and goes in one way or the other. */
async function attack(port: number, random: Random): Promise<void> {
  const socket = await open(port);
  socket.on('error', () => {});
  // `once` would reject at a reset.
  const closed = new Promise((resolve) => socket.once('close', resolve));
  if (random.below(4) > 0) socket.resume();
  const version = random.pick([4, 5] as const);
  const packets = random.times(1 + random.below(8), () => oddPacket(random, version));
  if (random.below(8) > 0) packets.unshift(connectPacket(random, version));
  for (const piece of pieces(random, Buffer.concat(packets))) {
    if (!socket.writable) break;
    await new Promise((resolve) => socket.write(piece, resolve));
  }
  if (random.below(3) === 0) socket.resetAndDestroy();
  else socket.destroy();
  await closed;
}

/**
 * A client of the broker's that keeps to the protocol, beside those that do not: what it publishes comes back to it, and
 * nothing else does.
 */
export class PoliteClient {
  readonly #peer: MqttPeer;
  #messages = 0;

  private constructor(peer: MqttPeer) {
    this.#peer = peer;
  }

  static async connect(port: number): Promise<PoliteClient> {
    const peer = new MqttPeer(await open(port), 5);
    await peer.connect({ clientId: 'polite' });
    await peer.subscribe('polite/client', { qos: 1 });
    return new PoliteClient(peer);
  }

  /** @throws AssertionError it is not served as it should be */
  async isServed(): Promise<void> {
    const payload = String(this.#messages++);
    this.#peer.publish('polite/client', payload, { qos: 1, packetId: 1 });
    const packets = [await this.#peer.next(), await this.#peer.next()];
    assert.deepEqual(packets.map((packet) => packet?.type).sort(), ['puback', 'publish']);
    for (const packet of packets) {
      if (packet?.type !== 'publish') continue;
      assert.equal(packet.payload.toString(), payload);
      const { packetId } = packet;
      this.#peer.send({ type: 'puback', packetId, reasonCode: 0, properties: {} });
    }
  }

  async leave(): Promise<void> {
    await this.#peer.vanish();
  }
}

/** So many connections, some of them at once, that send to the broker what nobody meant. */
export async function attackBroker(port: number, random: Random, connections: number): Promise<void> {
  const AT_ONCE = 10;
  for (let count = 0; count < connections; count += AT_ONCE) {
    await Promise.all(random.times(AT_ONCE, () => attack(port, random)));
  }
}
