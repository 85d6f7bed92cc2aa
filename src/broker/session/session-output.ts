import type { MessageParts, PublishView } from '../codec/publish-packet';
import type { ReasonCode } from '../codec/reason-code';

/** Where a session puts the packets for its client while the client is connected. */
export interface SessionOutput {
  readonly v5: boolean;
  /** The reader is behind: nothing more should be added until the session is told to `drain`. */
  readonly congested: boolean;
  /** Passes a received PUBLISH on as it stands. Returns false when it is larger than the client accepts. */
  forward(view: PublishView): boolean;
  /** Returns false when the packet would be larger than the client accepts [MQTT-3.1.2-24]. */
  publish(
    parts: MessageParts,
    header: number,
    packetId: number,
    expiry: number,
    identifiers: readonly number[],
  ): boolean;
  /** PUBACK, PUBREC, PUBREL or PUBCOMP. */
  acknowledge(header: number, packetId: number, reasonCode: ReasonCode): void;
  /** What goes out from now on, and what waits, must not go before the store has made this position durable. */
  waitFor(position: number): void;
  /** The queue is full and the policy is to end the connection for it: soon, not within the call. */
  overflow(reason: string): void;
}
