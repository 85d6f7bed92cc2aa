import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import type { ConnackPacket } from '../../src/broker/codec/connack-packet';
import type { ConnectPacket } from '../../src/broker/codec/connect-packet';
import { PacketFramer } from '../../src/broker/codec/packet-framer';
import type { ProtocolVersion, QoS } from '../../src/broker/codec/packet-type';
import type { Properties } from '../../src/broker/codec/properties';
import type { PublishPacket } from '../../src/broker/codec/publish-packet';
import type { SubackPacket } from '../../src/broker/codec/suback-packet';
import type { SubscriptionRequest } from '../../src/broker/codec/subscribe-packet';
import { decodePacket, encodePacket, type Packet } from './codec/any-packet';

/** CONNECT of a client whose session outlasts its connections. */
export const lasting = { clientId: 'lasting', cleanStart: false, properties: { sessionExpiryInterval: 100 } };

/** The member of `Packet` whose type may be this. */
type PacketOf<T extends Packet['type']> = Packet extends infer P
  ? P extends Packet
    ? T extends P['type']
      ? P
      : never
    : never
  : never;

/** A scripted client that sends and awaits single packets, also ones that no polite client would send. */
export class MqttPeer {
  readonly stream: Duplex;
  readonly version: ProtocolVersion;
  /** Resolves when the stream is closed, also by a failure of the network. */
  readonly closed: Promise<unknown>;
  readonly #received: Packet[] = [];
  #waiting: ((packet: Packet | undefined) => void) | undefined;
  #ended = false;

  constructor(stream: Duplex, version: ProtocolVersion) {
    this.stream = stream;
    this.version = version;
    // `once` would reject at a reset, which the broker's end may cause by closing before it has read all.
    this.closed = new Promise((resolve) => stream.once('close', resolve));
    const framer = new PacketFramer(1 << 28, (header, bytes, _packetStart, start, end) => {
      this.#deliver(decodePacket(header, bytes, start, end, version));
      return true;
    });
    stream.on('data', (chunk: Buffer) => framer.push(chunk));
    stream.on('error', () => {});
    stream.on('end', () => this.#end());
    stream.on('close', () => this.#end());
  }

  send(...packets: Packet[]): void {
    this.stream.write(Buffer.concat(packets.map((packet) => encodePacket(packet, this.version))));
  }

  acknowledge(type: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp', packetId: number): void {
    this.send({ type, packetId, reasonCode: 0, properties: {} });
  }

  /** The next packet, or `undefined` when the broker has closed instead. */
  next(): Promise<Packet | undefined> {
    assert.equal(this.#waiting, undefined, 'somebody waits already');
    const packet = this.#received.shift();
    if (packet !== undefined || this.#ended) return Promise.resolve(packet);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  /** The next packet, which must be of this type. */
  async expect<T extends Packet['type']>(type: T): Promise<PacketOf<T>> {
    const packet = await this.next();
    assert.equal(packet?.type, type, JSON.stringify(packet));
    return packet as PacketOf<T>;
  }

  /** Asserts that nothing has come: whatever was under way is here once the answer to a ping is. */
  async expectNothing(): Promise<void> {
    this.send({ type: 'pingreq' });
    await this.expect('pingresp');
  }

  async connect(options: Partial<ConnectPacket> = {}): Promise<ConnackPacket> {
    this.send({
      type: 'connect',
      protocolVersion: this.version,
      clientId: '',
      cleanStart: true,
      keepAlive: 0,
      properties: {},
      ...options,
    });
    return this.expect('connack');
  }

  /** Subscribes to one filter and returns the reason code. */
  async subscribe(
    filter: string,
    options: Partial<SubscriptionRequest> & { properties?: Properties } = {},
  ): Promise<SubackPacket> {
    const { properties = {}, ...rest } = options;
    const request = {
      filter,
      qos: 0 as QoS,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0 as const,
    };
    this.send({ type: 'subscribe', packetId: 1, subscriptions: [{ ...request, ...rest }], properties });
    return this.expect('suback');
  }

  publish(topic: string, payload: string, options: Partial<PublishPacket> = {}): void {
    this.send({
      type: 'publish',
      topic,
      payload: Buffer.from(payload),
      qos: 0,
      dup: false,
      retain: false,
      packetId: (options.qos ?? 0) > 0 ? 1 : 0,
      properties: {},
      ...options,
    });
  }

  /** Closes as a network failure does. */
  async vanish(): Promise<void> {
    this.stream.destroy();
    await this.closed;
  }

  #deliver(packet: Packet): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#received.push(packet);
    else waiting(packet);
  }

  #end(): void {
    this.#ended = true;
    this.#waiting?.(undefined);
    this.#waiting = undefined;
  }
}
