import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { PacketFramer } from '../../src/broker/codec/packet-framer';
import { decodePacket, encodePacket, type Packet } from './codec/any-packet';

/** Messages on their way at a time. */
const WINDOW = 20;

interface Outgoing {
  packetId: number;
  topic: string;
  payload: string;
  qos: 1 | 2;
  /** PUBREC has come. */
  taken: boolean;
}

/**
 * An MQTT 5 client whose session outlives its connections, kept to the letter (section 4.4): what is not acknowledged is
 * sent again in order, and a QoS 2 message counts once.
 */
export class LastingClient {
  /** Payloads by topic, in the order in which they came. */
  readonly received = new Map<string, string[]>();
  /** Messages of its own that were acknowledged, and those refused. */
  acknowledged = 0;
  refused = 0;
  readonly #clientId: string;
  readonly #outgoing = new Map<number, Outgoing>();
  readonly #waiting: Outgoing[] = [];
  readonly #incoming = new Set<number>();
  #socket: Socket | undefined;
  #connected = false;
  #known = false;
  #lastPacketId = 0;
  #changed: (() => void)[] = [];

  constructor(clientId: string) {
    this.#clientId = clientId;
  }

  /** Connects and goes on where it stood; the broker must know the session unless this is the first time. */
  async connect(port: number): Promise<void> {
    const socket = connect(port, '127.0.0.1');
    this.#socket = socket;
    const framer = new PacketFramer(1 << 28, (header, bytes, _packetStart, start, end) => {
      if (this.#socket === socket) this.#receive(decodePacket(header, bytes, start, end, 5));
      return true;
    });
    socket.on('data', (chunk: Buffer) => framer.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      this.#connected = false;
      this.#tell();
    });
    this.#send({
      type: 'connect',
      protocolVersion: 5,
      clientId: this.#clientId,
      cleanStart: false,
      keepAlive: 0,
      properties: { sessionExpiryInterval: 3600 },
    });
    await this.until(() => this.#connected || socket.destroyed);
    assert.ok(this.#connected, `${this.#clientId} is not let in`);
  }

  async subscribe(filter: string): Promise<void> {
    const options = { noLocal: false, retainAsPublished: false, retainHandling: 2 as const };
    this.#send({
      type: 'subscribe',
      packetId: 65_535,
      subscriptions: [{ filter, qos: 2, ...options }],
      properties: {},
    });
    let answered = false;
    this.#onSuback = () => {
      answered = true;
    };
    await this.until(() => answered);
  }
  #onSuback: () => void = () => {};

  publish(topic: string, payload: string, qos: 1 | 2): void {
    this.#waiting.push({ packetId: 0, topic, payload, qos, taken: false });
    this.#sendWaiting();
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Messages of its own that are not acknowledged yet. */
  get open(): number {
    return this.#waiting.length + this.#outgoing.size;
  }

  /** Resolves when the condition holds, which is looked at after every packet. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#changed.push(resolve));
  }

  async vanish(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return;
    socket.destroy();
    await once(socket, 'close');
  }

  #tell(): void {
    const changed = this.#changed;
    this.#changed = [];
    for (const resolve of changed) resolve();
  }

  #send(packet: Packet): void {
    this.#socket?.write(encodePacket(packet, 5));
  }

  #sendPublish({ packetId, topic, payload, qos }: Outgoing, dup: boolean): void {
    const bytes = Buffer.from(payload);
    const properties = {};
    this.#send({ type: 'publish', topic, payload: bytes, qos, dup, retain: false, packetId, properties });
  }

  #sendWaiting(): void {
    while (this.#connected && this.#outgoing.size < WINDOW) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      do {
        this.#lastPacketId = (this.#lastPacketId % 60_000) + 1;
      } while (this.#outgoing.has(this.#lastPacketId));
      next.packetId = this.#lastPacketId;
      this.#outgoing.set(next.packetId, next);
      this.#sendPublish(next, false);
    }
  }

  #receive(packet: Packet): void {
    switch (packet.type) {
      case 'connack':
        assert.equal(packet.reasonCode, 0);
        assert.equal(packet.sessionPresent, this.#known, `${this.#clientId}: the session is present`);
        this.#known = true;
        this.#connected = true;
        for (const outgoing of this.#outgoing.values()) {
          if (outgoing.taken) this.#acknowledge('pubrel', outgoing.packetId);
          else this.#sendPublish(outgoing, true);
        }
        this.#sendWaiting();
        break;
      case 'suback':
        this.#onSuback();
        break;
      case 'publish': {
        const { topic, payload, qos, packetId } = packet;
        const seen = qos === 2 && this.#incoming.has(packetId);
        if (!seen) {
          const before = this.received.get(topic);
          if (before === undefined) this.received.set(topic, [payload.toString()]);
          else before.push(payload.toString());
        }
        if (qos === 2) {
          this.#incoming.add(packetId);
          this.#acknowledge('pubrec', packetId);
        } else if (qos === 1) {
          this.#acknowledge('puback', packetId);
        }
        break;
      }
      case 'pubrel':
        this.#incoming.delete(packet.packetId);
        this.#acknowledge('pubcomp', packet.packetId);
        break;
      case 'pubrec': {
        const outgoing = this.#outgoing.get(packet.packetId);
        if (packet.reasonCode >= 0x80) {
          this.#finish(packet.packetId, packet.reasonCode);
        } else if (outgoing !== undefined) {
          outgoing.taken = true;
          this.#acknowledge('pubrel', packet.packetId);
        }
        break;
      }
      case 'puback':
      case 'pubcomp':
        this.#finish(packet.packetId, packet.reasonCode);
        break;
    }
    this.#tell();
  }

  #finish(packetId: number, reasonCode: number): void {
    if (!this.#outgoing.delete(packetId)) return;
    // PUBCOMP says 0x92 where the one before it was lost.
    if (reasonCode === 0 || reasonCode === 0x92) this.acknowledged++;
    else this.refused++;
    this.#sendWaiting();
  }

  #acknowledge(type: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp', packetId: number): void {
    this.#send({ type, packetId, reasonCode: 0, properties: {} });
  }
}
