import assert from 'node:assert/strict';
import mqttPacket from 'mqtt-packet';
import type { ProtocolVersion } from '../../../src/broker/codec/packet-type';
import { ProtocolError } from '../../../src/broker/codec/protocol-error';
import { ReasonCode } from '../../../src/broker/codec/reason-code';
import { encodePacket, type Packet } from './any-packet';
import { decodeChunks } from './decoding';
import { samples } from './sample-packets';

describe('MQTT packets', () => {
  for (const { version, packet } of samples) {
    const name = `${packet.type} at protocol level ${version}`;

    it(`survives encoding and decoding: ${name}`, () => {
      assert.deepEqual(decodeChunks([encodePacket(packet, version)], version), [packet]);
    });

    it(`means the same to mqtt-packet: ${name}`, () => {
      const encoded = encodePacket(packet, version);
      const again = mqttPacket.generate(parseWithMqttPacket(encoded, version), { protocolVersion: version });
      assert.deepEqual(
        decodeChunks([again], version).map(groupUserProperties),
        [packet].map(groupUserProperties),
      );
    });
  }

  it('takes the short forms that MQTT 5 allows', () => {
    assert.deepEqual(decodeChunks([Buffer.from([0x40, 2, 0, 9])], 5), [
      { type: 'puback', packetId: 9, reasonCode: 0, properties: {} },
    ]);
    assert.deepEqual(decodeChunks([Buffer.from([0x40, 3, 0, 9, 0x97])], 5), [
      { type: 'puback', packetId: 9, reasonCode: 0x97, properties: {} },
    ]);
    assert.deepEqual(decodeChunks([Buffer.from([0xe0, 0])], 5), [
      { type: 'disconnect', reasonCode: 0, properties: {} },
    ]);
    assert.deepEqual(decodeChunks([Buffer.from([0xf0, 0])], 5), [
      { type: 'auth', reasonCode: 0, properties: {} },
    ]);
  });

  const { malformedPacket, protocolError, unsupportedProtocolVersion } = ReasonCode;
  const connect = (flags: number, ...rest: number[]) => [0, 4, 77, 81, 84, 84, 4, flags, 0, 0, ...rest];
  const bad: Array<[name: string, version: ProtocolVersion, reason: number, header: number, body: number[]]> =
    [
      ['packet type 0', 5, malformedPacket, 0x00, []],
      ['reserved flags of CONNECT', 4, malformedPacket, 0x11, connect(2, 0, 0)],
      ['SUBSCRIBE without its flags', 4, malformedPacket, 0x80, [0, 1, 0, 1, 97, 0]],
      ['PUBREL without its flags', 5, malformedPacket, 0x60, [0, 1]],
      ['an unknown protocol', 4, unsupportedProtocolVersion, 0x10, [0, 4, 72, 84, 84, 80, 4, 2, 0, 0, 0, 0]],
      ['protocol level 6', 4, unsupportedProtocolVersion, 0x10, [0, 4, 77, 81, 84, 84, 6, 2, 0, 0, 0, 0]],
      ['the reserved connect flag', 4, malformedPacket, 0x10, connect(3, 0, 0)],
      ['will QoS without a will', 4, malformedPacket, 0x10, connect(2 | 8, 0, 0)],
      ['will QoS 3', 4, malformedPacket, 0x10, connect(2 | 4 | 24, 0, 0, 0, 1, 97, 0, 0)],
      ['a password without a user name', 4, malformedPacket, 0x10, connect(2 | 64, 0, 0, 0, 0)],
      ['CONNECT that ends early', 4, malformedPacket, 0x10, [0, 4, 77, 81]],
      ['CONNECT with bytes left over', 4, malformedPacket, 0x10, connect(2, 0, 0, 1)],
      ['a client identifier that is not UTF-8', 4, malformedPacket, 0x10, connect(2, 0, 2, 0xc3, 0x28)],
      ['a client identifier with NUL', 4, malformedPacket, 0x10, connect(2, 0, 1, 0)],
      ['a UTF-8 surrogate', 4, malformedPacket, 0x10, connect(2, 0, 3, 0xed, 0xa0, 0x80)],
      ['QoS 3', 4, malformedPacket, 0x36, [0, 1, 97, 0, 1]],
      ['DUP at QoS 0', 4, malformedPacket, 0x38, [0, 1, 97]],
      ['packet identifier 0 of PUBLISH', 4, protocolError, 0x32, [0, 1, 97, 0, 0]],
      ['packet identifier 0 of SUBSCRIBE', 4, protocolError, 0x82, [0, 0, 0, 1, 97, 0]],
      ['SUBSCRIBE without a filter', 4, protocolError, 0x82, [0, 1]],
      ['UNSUBSCRIBE without a filter', 4, protocolError, 0xa2, [0, 1]],
      ['reserved subscription options', 4, malformedPacket, 0x82, [0, 1, 0, 1, 97, 4]],
      ['retain handling 3', 5, protocolError, 0x82, [0, 1, 0, 0, 1, 97, 0x30]],
      [
        'No Local on a shared subscription',
        5,
        protocolError,
        0x82,
        [0, 1, 0, 0, 10, ...Buffer.from('$share/g/a'), 4],
      ],
      ['PINGREQ with a body', 4, malformedPacket, 0xc0, [0]],
      ['a property that does not exist', 5, malformedPacket, 0xe0, [0, 2, 0x7f, 0]],
      ['a property of another packet', 5, protocolError, 0xe0, [0, 3, 0x21, 0, 1]],
      ['a property given twice', 5, protocolError, 0x30, [0, 1, 97, 4, 1, 0, 1, 0]],
      ['a flag that is 2', 5, protocolError, 0x30, [0, 1, 97, 2, 1, 2]],
      ['subscription identifier 0', 5, protocolError, 0x82, [0, 1, 2, 0x0b, 0, 0, 1, 97, 0]],
      ['properties beyond the packet', 5, malformedPacket, 0xe0, [0, 9, 0x1f]],
      ['a property length not in the shortest form', 5, malformedPacket, 0x30, [0, 1, 97, 0x80, 0]],
      ['AUTH of MQTT 3.1.1', 4, protocolError, 0xf0, []],
      ['reserved CONNACK flags', 4, malformedPacket, 0x20, [2, 0]],
    ];
  for (const [name, version, reason, header, body] of bad) {
    it(`refuses ${name}`, () => {
      assert.throws(
        () => decodeChunks([Buffer.from([header, body.length, ...body])], version),
        (error) => error instanceof ProtocolError && error.reasonCode === reason,
      );
    });
  }
});

/** mqtt-packet keeps user properties by name. */
function groupUserProperties(packet: Packet): unknown {
  return JSON.parse(JSON.stringify(packet), (key, value: unknown) =>
    key === 'userProperties'
      ? (value as string[][]).toSorted(([a], [b]) => String(a).localeCompare(String(b)))
      : value,
  );
}

function parseWithMqttPacket(encoded: Buffer, version: ProtocolVersion): mqttPacket.Packet {
  const parser = mqttPacket.parser({ protocolVersion: version });
  let parsed: mqttPacket.Packet | undefined;
  parser.on('packet', (packet) => {
    parsed = packet;
  });
  parser.on('error', (error) => {
    throw error;
  });
  parser.parse(encoded);
  assert.ok(parsed, 'mqtt-packet read no packet');
  return parsed;
}
