import { encodeProperties } from '../codec/properties';
import type { MessageParts } from '../codec/publish-packet';

/**
 * How messages that go round in a ring of brokers are recognised: one that has left by an upstream, or come in by one,
 * says so in a user property (`mqtt-via`) that all MQTT 5 brokers pass on. A broker takes no message again that has left
 * by one of its upstreams, and from an upstream none that has come in by it before. So a message goes once each way over
 * each link, whatever the brokers are joined to. MQTT 3.1.1 cannot carry it: a ring with such a link is not recognised.
 */
const USER_PROPERTY = 'mqtt-via';

/** The encoded user property of a message that crosses the link whose client identifier this is. */
export function passageStamp(direction: 'in' | 'out', clientId: string): Buffer {
  return encodeProperties({ userProperties: [[USER_PROPERTY, `${direction}:${clientId}`]] });
}

const PAYLOAD_FORMAT = 0x01;
const MESSAGE_EXPIRY = 0x02;
const TOPIC_ALIAS = 0x23;
const USER = 0x26;

/** Whether the properties of a message, which were checked when it came, hold this encoded one. */
export function bears({ bytes, propertiesStart, propertiesEnd }: MessageParts, property: Buffer): boolean {
  let at = propertiesStart;
  while (at < propertiesEnd) {
    const start = at;
    switch (bytes[at]) {
      case PAYLOAD_FORMAT:
        at += 2;
        break;
      case MESSAGE_EXPIRY:
        at += 5;
        break;
      case TOPIC_ALIAS:
        at += 3;
        break;
      case USER:
        at += 3 + bytes.readUInt16BE(at + 1);
        at += 2 + bytes.readUInt16BE(at);
        if (at - start === property.length && property.compare(bytes, start, at) === 0) return true;
        break;
      default: // Text or binary data.
        at += 3 + bytes.readUInt16BE(at + 1);
    }
  }
  return false;
}
