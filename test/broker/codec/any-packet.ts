import {
  type AcknowledgementPacket,
  decodeAcknowledgement,
  encodeAcknowledgement,
} from '../../../src/broker/codec/acknowledgement-packet';
import { type AuthPacket, decodeAuth, encodeAuth } from '../../../src/broker/codec/auth-packet';
import { type ConnackPacket, decodeConnack, encodeConnack } from '../../../src/broker/codec/connack-packet';
import { type ConnectPacket, decodeConnect, encodeConnect } from '../../../src/broker/codec/connect-packet';
import {
  type DisconnectPacket,
  decodeDisconnect,
  encodeDisconnect,
} from '../../../src/broker/codec/disconnect-packet';
import { PacketType, type ProtocolVersion, packetTypeOf } from '../../../src/broker/codec/packet-type';
import { malformed, ProtocolError } from '../../../src/broker/codec/protocol-error';
import { decodePublish, encodePublish, type PublishPacket } from '../../../src/broker/codec/publish-packet';
import { ReasonCode } from '../../../src/broker/codec/reason-code';
import { decodeSuback, encodeSuback, type SubackPacket } from '../../../src/broker/codec/suback-packet';
import {
  decodeSubscribe,
  encodeSubscribe,
  type SubscribePacket,
} from '../../../src/broker/codec/subscribe-packet';
import {
  decodeUnsubscribe,
  encodeUnsubscribe,
  type UnsubscribePacket,
} from '../../../src/broker/codec/unsubscribe-packet';

/** PINGREQ and PINGRESP, which have no body (MQTT 5.0 sections 3.12, 3.13). */
interface PingPacket {
  type: 'pingreq' | 'pingresp';
}

/** Every control packet of MQTT 3.1, 3.1.1 and 5.0 as values. */
export type Packet =
  | ConnectPacket
  | ConnackPacket
  | PublishPacket
  | AcknowledgementPacket
  | SubscribePacket
  | SubackPacket
  | UnsubscribePacket
  | PingPacket
  | DisconnectPacket
  | AuthPacket;

/**
 * Decodes one whole packet of either direction.
 * @param header the packet's first byte
 * @param start offset after the remaining length
 * @param end offset after the packet
 * @param version of the connection; CONNECT brings its own
 * @throws ProtocolError and nothing else
 */
export function decodePacket(
  header: number,
  bytes: Buffer,
  start: number,
  end: number,
  version: ProtocolVersion,
): Packet {
  switch (packetTypeOf(header)) {
    case PacketType.connect:
      return decodeConnect(bytes, start, end);
    case PacketType.connack:
      return decodeConnack(bytes, start, end, version);
    case PacketType.publish:
      return decodePublish(header, bytes, start, end, version);
    case PacketType.puback:
      return decodeAcknowledgement('puback', bytes, start, end, version);
    case PacketType.pubrec:
      return decodeAcknowledgement('pubrec', bytes, start, end, version);
    case PacketType.pubrel:
      return decodeAcknowledgement('pubrel', bytes, start, end, version);
    case PacketType.pubcomp:
      return decodeAcknowledgement('pubcomp', bytes, start, end, version);
    case PacketType.subscribe:
      return decodeSubscribe(bytes, start, end, version);
    case PacketType.suback:
      return decodeSuback('suback', bytes, start, end, version);
    case PacketType.unsubscribe:
      return decodeUnsubscribe(bytes, start, end, version);
    case PacketType.unsuback:
      return decodeSuback('unsuback', bytes, start, end, version);
    case PacketType.pingreq:
      return ping('pingreq', start, end);
    case PacketType.pingresp:
      return ping('pingresp', start, end);
    case PacketType.disconnect:
      return decodeDisconnect(bytes, start, end, version);
    case PacketType.auth:
      if (version < 5) throw new ProtocolError(ReasonCode.protocolError, 'AUTH needs MQTT 5');
      return decodeAuth(bytes, start, end);
  }
}

function ping(type: PingPacket['type'], start: number, end: number): PingPacket {
  if (end > start) throw malformed(`${type.toUpperCase()} has a body of ${end - start} bytes`);
  return { type };
}

/**
 * Encodes one whole packet of either direction.
 * @throws RangeError a field is longer than MQTT can carry
 */
export function encodePacket(packet: Packet, version: ProtocolVersion): Buffer {
  switch (packet.type) {
    case 'connect':
      return encodeConnect(packet);
    case 'connack':
      return encodeConnack(packet, version);
    case 'publish':
      return encodePublish(packet, version);
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return encodeAcknowledgement(packet, version);
    case 'subscribe':
      return encodeSubscribe(packet, version);
    case 'suback':
    case 'unsuback':
      return encodeSuback(packet, version);
    case 'unsubscribe':
      return encodeUnsubscribe(packet, version);
    case 'pingreq':
      return Buffer.from([PacketType.pingreq << 4, 0]);
    case 'pingresp':
      return Buffer.from([PacketType.pingresp << 4, 0]);
    case 'disconnect':
      return encodeDisconnect(packet, version);
    case 'auth':
      return encodeAuth(packet);
  }
}
