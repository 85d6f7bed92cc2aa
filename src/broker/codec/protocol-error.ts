import { ReasonCode } from './reason-code';

/**
 * What a peer did against the specification, or what the broker cannot grant it: ends that connection and no other.
 * The only error that decoding throws.
 */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  /** MQTT 5.0 section 2.4; what DISCONNECT or CONNACK tells an MQTT 5 peer. */
  readonly reasonCode: ReasonCode;

  constructor(reasonCode: ReasonCode, message: string) {
    super(message);
    this.reasonCode = reasonCode;
  }
}

/** A packet that cannot be parsed according to the specification [MQTT-4.13.1-1]. */
export function malformed(message: string): ProtocolError {
  return new ProtocolError(ReasonCode.malformedPacket, message);
}
