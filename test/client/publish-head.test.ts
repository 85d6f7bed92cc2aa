import assert from 'node:assert/strict';
import mqttPacket, { type IPublishPacket } from 'mqtt-packet';
import type { MessageProperties } from '../../src/client/connection-settings';
import { PublishHead, type PublishHeader } from '../../src/client/publish-head';
import { Random } from '../random';

const PAYLOAD_BYTES = [0, 1, 100, 127, 128, 16_383, 16_384];
const TEXTS = ['', 'a', 'topic/Ä', 'ros/0/chatter', 'x'.repeat(200)];

interface Written {
  readonly topic: string;
  readonly topicAlias: number | undefined;
  readonly properties: MessageProperties | undefined;
  readonly header: PublishHeader;
  readonly payload: Buffer;
}

function written({ topic, topicAlias, properties, header, payload }: Written): Buffer {
  const head = new PublishHead(topic, properties, topicAlias);
  const propertiesBytes = head.propertiesBytes({});
  const headBytes = head.bytes(propertiesBytes, payload.length, header.packetId);
  const packet = Buffer.alloc(headBytes + payload.length);
  assert.equal(head.write(packet, 0, propertiesBytes, payload.length, header, {}), headBytes);
  payload.copy(packet, headBytes);
  return packet;
}

function randomPublish(random: Random, protocolVersion: 4 | 5): Written {
  const maybe = <T>(value: T): T | undefined => (random.below(2) === 0 ? value : undefined);
  const all: Partial<Record<keyof MessageProperties, unknown>> = {
    payloadFormatIndicator: maybe(random.below(2) === 0),
    messageExpiryInterval: maybe(random.next()),
    contentType: maybe(random.pick(TEXTS)),
    responseTopic: maybe('reply/to'),
    correlationData: maybe(Buffer.alloc(random.below(200), 7)),
    userProperties: maybe({ one: random.pick(TEXTS), several: ['a', 'b'] }),
  };
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  const qos = random.below(3) as 0 | 1 | 2;
  const topicAlias = protocolVersion === 5 ? maybe(1 + random.below(65_535)) : undefined;
  return {
    topic: topicAlias === undefined ? random.pick(TEXTS.slice(1)) : random.pick(TEXTS),
    topicAlias,
    properties: protocolVersion === 5 ? given : undefined,
    header: {
      retain: random.below(2) === 0,
      qos,
      dup: qos > 0 && random.below(2) === 0,
      packetId: qos === 0 ? undefined : 1 + random.below(65_535),
    },
    payload: Buffer.alloc(random.pick(PAYLOAD_BYTES), 1),
  };
}

describe('heads of PUBLISH packets', () => {
  for (const protocolVersion of [4, 5] as const) {
    it(`are what the parser of MQTT.js reads as the message (protocol version ${protocolVersion})`, () => {
      const random = new Random(protocolVersion);
      for (let round = 0; round < 500; round++) {
        const said = randomPublish(random, protocolVersion);
        const { topic, topicAlias, properties, header, payload } = said;
        const packets: IPublishPacket[] = [];
        const parser = mqttPacket.parser({ protocolVersion });
        parser.on('packet', (packet) => packets.push(packet as IPublishPacket));
        parser.on('error', (error) => assert.fail(error));
        assert.equal(parser.parse(written(said)), 0);
        assert.equal(packets.length, 1);
        const [packet] = packets as [IPublishPacket];
        const { retain, qos, dup, packetId } = header;
        assert.deepEqual(
          [packet.topic, packet.retain, packet.qos, packet.dup, packet.messageId],
          [topic, retain, qos, dup, packetId],
        );
        assert.ok(payload.equals(packet.payload as Buffer));
        const expected = { ...properties, ...(topicAlias !== undefined && { topicAlias }) };
        const { userProperties, ...others } = packet.properties ?? {};
        const found = { ...others, ...(userProperties && { userProperties: { ...userProperties } }) };
        assert.deepEqual(found, expected);
      }
    });
  }
});
