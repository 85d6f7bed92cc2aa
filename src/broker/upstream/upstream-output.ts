import type { MessageParts, PublishView } from '../codec/publish-packet';
import type { ReasonCode } from '../codec/reason-code';
import type { ConnectionOutput } from '../connection-output';
import type { SessionOutput } from '../session/session-output';
import type { TopicMapping } from './topic-mapping';

/** What the upstream broker has said that it takes. */
export interface UpstreamCapabilities {
  maximumQos: number;
  retainAvailable: boolean;
}

/** Puts the messages of a session on the link under the names that they have there, stamped. */
export class UpstreamOutput implements SessionOutput {
  readonly v5: boolean;
  /** PUBLISH packets sent. */
  sent = 0;
  readonly #output: ConnectionOutput;
  readonly #mapping: TopicMapping;
  readonly #stamp: Buffer;
  readonly #capabilities: UpstreamCapabilities;

  constructor(
    output: ConnectionOutput,
    mapping: TopicMapping,
    stamp: Buffer,
    capabilities: UpstreamCapabilities,
  ) {
    this.v5 = output.v5;
    this.#output = output;
    this.#mapping = mapping;
    this.#stamp = stamp;
    this.#capabilities = capabilities;
  }

  get congested(): boolean {
    return this.#output.congested;
  }

  forward(view: PublishView): boolean {
    return this.publish(view, view.bytes[view.packetStart] as number, 0, -1);
  }

  publish(parts: MessageParts, header: number, packetId: number, expiry: number): boolean {
    const { maximumQos, retainAvailable } = this.#capabilities;
    const topic = this.#mapping.map(parts.bytes, parts.topicStart, parts.topicEnd);
    if (topic === undefined || ((header >> 1) & 3) > maximumQos) return false;
    const first = retainAvailable ? header : header & ~1;
    const sent = this.#output.publish(this.#renamed(parts, topic), first, packetId, expiry, []);
    if (sent) this.sent++;
    return sent;
  }

  acknowledge(header: number, packetId: number, reasonCode: ReasonCode): void {
    this.#output.acknowledge(header, packetId, reasonCode);
  }

  waitFor(position: number): void {
    this.#output.waitFor(position);
  }

  overflow(reason: string): void {
    this.#output.overflow(reason);
  }

  #renamed(parts: MessageParts, topic: Buffer): MessageParts {
    const properties = parts.bytes.subarray(parts.propertiesStart, parts.propertiesEnd);
    const payload = parts.bytes.subarray(parts.payloadStart, parts.payloadEnd);
    const bytes = Buffer.concat([topic, properties, this.#stamp, payload]);
    const payloadStart = bytes.length - payload.length;
    return {
      bytes,
      topicStart: 0,
      topicEnd: topic.length,
      propertiesStart: topic.length,
      propertiesEnd: payloadStart,
      payloadStart,
      payloadEnd: bytes.length,
    };
  }
}
