import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import type { ConnectPacket } from '../../src/broker/codec/connect-packet';
import type { ProtocolVersion } from '../../src/broker/codec/packet-type';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { Random } from '../random';
import { BrokerInProcess } from './broker-in-process';
import { encodePacket } from './codec/any-packet';
import { samples } from './codec/sample-packets';
import { MqttPeer } from './mqtt-peer';

const { malformedPacket, protocolError, topicNameInvalid, topicAliasInvalid } = ReasonCode;
const publish = (topic: string, ...rest: number[]) => {
  const name = Buffer.from(topic, 'latin1');
  return Buffer.from([0x30, 2 + name.length + rest.length, 0, name.length, ...name, ...rest]);
};

describe('a violation of the protocol', () => {
  let broker: BrokerInProcess;
  let witness: MqttPeer;
  beforeEach(async () => {
    // The witness acknowledges nothing.
    const inFlight = 10_000;
    broker = new BrokerInProcess({
      receiveMaximum: 2,
      topicAliases: 2,
      packetSize: 1000,
      topicLevels: 5,
      inFlight,
    });
    witness = await broker.client(5, { clientId: 'witness' });
    await witness.subscribe('#', { qos: 2 });
  });
  afterEach(async () => {
    // Whatever happened touched nobody else.
    const publisher = await broker.client(4);
    publisher.publish('still', 'alive', { qos: 1, packetId: 1 });
    await publisher.expect('puback');
    let message = await witness.expect('publish');
    while (message.topic !== 'still') message = await witness.expect('publish');
  });

  const after: Array<[name: string, reason: number, bytes: Buffer]> = [
    [
      'a second CONNECT [MQTT-3.1.0-2] [MQTT-4.13.1-1]',
      protocolError,
      encodePacket(
        {
          type: 'connect',
          protocolVersion: 5,
          clientId: 'x',
          cleanStart: true,
          keepAlive: 0,
          properties: {},
        },
        5,
      ),
    ],
    ['a packet that only servers send', protocolError, encodePacket({ type: 'pingresp' }, 5)],
    ['packet type 0', malformedPacket, Buffer.from([0, 0])],
    ['a topic name with a wildcard [MQTT-3.3.2-2] [MQTT-4.7.0-1]', topicNameInvalid, publish('a/+', 0)],
    ['an empty topic name [MQTT-4.7.3-1]', topicNameInvalid, publish('', 0)],
    ['a topic name with too many levels', topicNameInvalid, publish('1/2/3/4/5/6', 0)],
    ['a topic name that is not UTF-8 [MQTT-1.5.4-1] [MQTT-3.3.2-1]', malformedPacket, publish('\xc3\x28', 0)],
    ['a topic name with NUL [MQTT-1.5.4-2] [MQTT-4.7.3-2]', malformedPacket, publish('a\0', 0)],
    ['topic alias 0 [MQTT-3.3.2-8]', topicAliasInvalid, publish('a', 3, 0x23, 0, 0)],
    ['a topic alias above the maximum [MQTT-3.3.2-9]', topicAliasInvalid, publish('a', 3, 0x23, 0, 3)],
    ['a topic alias that was never set', protocolError, publish('', 3, 0x23, 0, 1)],
    ['a subscription identifier from a client [MQTT-3.3.4-6]', protocolError, publish('a', 2, 0x0b, 1)],
    ['a response topic with a wildcard [MQTT-3.3.2-14]', protocolError, publish('a', 4, 0x08, 0, 1, 0x23)],
    ['a property that PUBLISH has not', protocolError, publish('a', 3, 0x21, 0, 1)],
    ['a packet that is too large', ReasonCode.packetTooLarge, Buffer.from([0x30, 0xe6, 7])],
    ['a length that never ends', malformedPacket, Buffer.from([0x30, 255, 255, 255, 255])],
    ['AUTH without a method', protocolError, Buffer.from([0xf0, 0])],
    ['AUTH with reserved flags [MQTT-3.15.1-1]', malformedPacket, Buffer.from([0xf1, 0])],
    ['QoS 3 [MQTT-3.3.1-4]', malformedPacket, Buffer.from([0x36, 6, 0, 1, 97, 0, 1, 0])],
    ['DUP at QoS 0 [MQTT-3.3.1-2]', malformedPacket, Buffer.from([0x38, 4, 0, 1, 97, 0])],
    ['PUBLISH with identifier 0 [MQTT-2.2.1-3]', protocolError, Buffer.from([0x32, 6, 0, 1, 97, 0, 0, 0])],
    ['a length that is longer than need be [MQTT-1.5.5-1]', malformedPacket, Buffer.from([0xc0, 0x80, 0])],
    [
      'a user property that is not UTF-8 [MQTT-1.5.7-1]',
      malformedPacket,
      publish('a', 7, 0x26, 0, 1, 0x62, 0, 1, 0xc3),
    ],
    ['a response topic that is not UTF-8 [MQTT-3.3.2-13]', malformedPacket, publish('a', 4, 8, 0, 1, 0xc3)],
    ['a content type that is not UTF-8 [MQTT-3.3.2-19]', malformedPacket, publish('a', 4, 3, 0, 1, 0xc3)],
    ['PINGREQ with reserved flags [MQTT-2.1.3-1]', malformedPacket, Buffer.from([0xc1, 0])],
    ['PUBREL without its flags [MQTT-3.6.1-1]', malformedPacket, Buffer.from([0x60, 2, 0, 1])],
    ['DISCONNECT with reserved flags [MQTT-3.14.1-1]', malformedPacket, Buffer.from([0xe1, 0])],
    [
      'SUBSCRIBE without its flags [MQTT-3.8.1-1]',
      malformedPacket,
      Buffer.from([0x80, 7, 0, 1, 0, 0, 1, 97, 0]),
    ],
    ['SUBSCRIBE without a filter [MQTT-3.8.3-2]', protocolError, Buffer.from([0x82, 3, 0, 1, 0])],
    [
      'a topic filter that is not UTF-8 [MQTT-3.8.3-1]',
      malformedPacket,
      Buffer.from([0x82, 7, 0, 1, 0, 0, 1, 0xc3, 0]),
    ],
    [
      'reserved subscription options [MQTT-3.8.3-5]',
      malformedPacket,
      Buffer.from([0x82, 7, 0, 1, 0, 0, 1, 97, 0x40]),
    ],
    [
      'No Local on a shared subscription [MQTT-3.8.3-4]',
      protocolError,
      Buffer.from([0x82, 16, 0, 1, 0, 0, 10, ...Buffer.from('$share/g/t'), 4]),
    ],
    [
      'UNSUBSCRIBE without its flags [MQTT-3.10.1-1]',
      malformedPacket,
      Buffer.from([0xa0, 6, 0, 1, 0, 0, 1, 97]),
    ],
    ['UNSUBSCRIBE without a filter [MQTT-3.10.3-2]', protocolError, Buffer.from([0xa2, 3, 0, 1, 0])],
    [
      'UNSUBSCRIBE with a filter that is not UTF-8 [MQTT-3.10.3-1]',
      malformedPacket,
      Buffer.from([0xa2, 6, 0, 1, 0, 0, 1, 0xc3]),
    ],
  ];
  for (const [name, reason, bytes] of after) {
    it(`ends the connection with 0x${reason.toString(16)}: ${name}`, async () => {
      const client = await broker.client(5, { clientId: 'offender' });
      client.stream.write(bytes);
      const { reasonCode, properties } = await client.expect('disconnect');
      assert.equal(reasonCode, reason, properties.reasonString);
      assert.ok(properties.reasonString);
      assert.equal(await client.next(), undefined);
      const event = broker.events.findLast(({ type }) => type === 'disconnected');
      assert.deepEqual(event, {
        type: 'disconnected',
        clientId: 'offender',
        address: 'test',
        reason: properties.reasonString,
        reasonCode: reason,
      });
    });
  }

  it('closes an MQTT 3.1.1 connection without a packet [MQTT-4.8.0-1 of 3.1.1]', async () => {
    const client = await broker.client(4);
    client.stream.write(Buffer.from([0x30, 3, 0, 1, 0x23]));
    assert.equal(await client.next(), undefined);
  });

  it('ends who opens more QoS 2 messages than the Receive Maximum it was told [MQTT-3.3.4-7]', async () => {
    const client = broker.open(5);
    assert.equal((await client.connect()).properties.receiveMaximum, 2);
    for (let packetId = 1; packetId <= 3; packetId++) client.publish('t', 'x', { qos: 2, packetId });
    await client.expect('pubrec');
    await client.expect('pubrec');
    assert.equal((await client.expect('disconnect')).reasonCode, ReasonCode.receiveMaximumExceeded);
  });

  for (const [type, qos] of [
    ['puback', 2],
    ['pubrec', 1],
    ['pubcomp', 2],
  ] as const) {
    it(`ends who answers a QoS ${qos} message with ${type.toUpperCase()}`, async () => {
      const client = await broker.client(5, { clientId: 'c' });
      await client.subscribe('t', { qos: 2 });
      const publisher = await broker.client(5);
      publisher.publish('t', 'x', { qos, packetId: 1 });
      const { packetId } = await client.expect('publish');
      client.send({ type, packetId, reasonCode: 0, properties: {} });
      assert.equal((await client.expect('disconnect')).reasonCode, protocolError);
    });
  }

  it('ignores an acknowledgement of nothing', async () => {
    const client = await broker.client(5);
    client.send({ type: 'puback', packetId: 1, reasonCode: 0, properties: {} });
    client.send({ type: 'pubcomp', packetId: 1, reasonCode: 0, properties: {} });
    await client.expectNothing();
    client.send({ type: 'pubrec', packetId: 1, reasonCode: 0, properties: {} });
    assert.equal((await client.expect('pubrel')).reasonCode, ReasonCode.packetIdentifierNotFound);
  });

  describe('in CONNECT', () => {
    const will = { topic: 'a/#', payload: Buffer.alloc(0), qos: 0 as const, retain: false, properties: {} };
    const refusals: Array<[ProtocolVersion, string, Partial<ConnectPacket>, number]> = [
      [5, 'an invalid will topic [MQTT-3.1.4-2]', { will }, topicNameInvalid],
      [
        5,
        'an authentication method [MQTT-4.12.0-1]',
        { properties: { authenticationMethod: 'X' } },
        ReasonCode.badAuthenticationMethod,
      ],
      [
        4,
        'an empty client identifier without a clean session [MQTT-3.1.3-8] [MQTT-3.1.3-8 of 3.1.1] [MQTT-3.1.3-9 of 3.1.1] [MQTT-3.2.2-5 of 3.1.1]',
        { cleanStart: false },
        2,
      ],
    ];
    for (const [version, name, options, reason] of refusals) {
      it(`is answered by CONNACK ${reason}: ${name}`, async () => {
        const client = broker.open(version);
        assert.equal((await client.connect(options)).reasonCode, reason);
        assert.equal(await client.next(), undefined);
        assert.equal(broker.events.at(-1)?.type, 'refused');
      });
    }

    it('is answered by CONNACK 0x81 when MQTT 5 is malformed [MQTT-3.1.4-1]', async () => {
      const client = broker.open(5);
      client.stream.write(Buffer.from([0x10, 11, 0, 4, 77, 81, 84, 84, 5, 3, 0, 0, 0]));
      assert.equal((await client.expect('connack')).reasonCode, malformedPacket);
      assert.equal(await client.next(), undefined);
    });

    it('is answered by return code 1 when the protocol level is unknown [MQTT-3.1.2-2] [MQTT-3.1.2-2 of 3.1.1]', async () => {
      const client = broker.open(4);
      client.stream.write(Buffer.from([0x10, 12, 0, 4, 77, 81, 84, 84, 9, 2, 0, 0, 0, 0]));
      assert.equal((await client.expect('connack')).reasonCode, 1);
    });

    for (const [name, bytes] of [
      [
        'HTTP',
        Buffer.from(
          'GET / HTTP/1.1\r\nHost: 127.0.0.1:1883\r\nUser-Agent: some browser\r\nAccept: */*\r\n\r\n',
        ),
      ],
      ['another packet', encodePacket({ type: 'pingreq' }, 4)],
      ['a PUBLISH', publish('a', 1)],
    ] as const) {
      it(`closes without an answer when the first packet is ${name} [MQTT-3.1.0-1] [MQTT-3.14.0-1]`, async () => {
        const client = broker.open(4);
        client.stream.write(bytes);
        assert.equal(await client.next(), undefined);
        assert.equal(broker.events.at(-1)?.type, 'refused');
      });
    }
  });

  it('never is an internal error: mutated packets end the connection or do nothing', async () => {
    const random = new Random(11);
    for (let round = 0; round < 2000; round++) {
      const { version, packet } = random.pick(samples);
      const bytes = Buffer.from(encodePacket(packet, version));
      bytes[random.below(bytes.length)] = random.below(256);
      const client = await broker.client(version === 5 ? 5 : 4, { clientId: `fuzz-${round}` });
      client.stream.end(bytes);
      await client.closed;
    }
    const internal = broker.events.filter(
      (event) => 'reason' in event && event.reason.startsWith('internal'),
    );
    assert.deepEqual(internal, []);
  });
});

describe('silence', () => {
  it('before CONNECT is ended after the time for it', async () => {
    const broker = new BrokerInProcess({ connectTimeout: 5000 });
    const client = broker.open(5);
    broker.pass(4);
    assert.equal(broker.events.length, 0);
    broker.pass(1);
    assert.equal(await client.next(), undefined);
    assert.equal(broker.events[0]?.type, 'refused');
  });

  it('is not waited for from what does not begin with a CONNECT, such as an HTTP request', async () => {
    const broker = new BrokerInProcess();
    const client = broker.open(5);
    // "GET" promises a packet of 71 bytes.
    client.stream.write('GET / HTTP/1.1\r\nHost: broker\r\n\r\n');
    assert.equal(await client.next(), undefined);
    assert.match(JSON.stringify(broker.events), /"type":"refused".*the first packet is not CONNECT/);
  });

  it('for one and a half times the keep alive is ended with 0x8D; pings prevent that [MQTT-3.1.2-22] [MQTT-3.12.4-1]', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5, { keepAlive: 10 });
    for (let count = 0; count < 3; count++) {
      broker.pass(14);
      await client.expectNothing();
    }
    broker.pass(15);
    assert.equal((await client.expect('disconnect')).reasonCode, ReasonCode.keepAliveTimeout);
  });

  it('is fine without a keep alive', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5, { keepAlive: 0 });
    broker.pass(100_000);
    await client.expectNothing();
  });

  it('after the last packet of a client does not take its answers from it', async () => {
    const broker = new BrokerInProcess();
    const client = broker.open(4);
    const connect = {
      type: 'connect',
      protocolVersion: 4,
      clientId: '',
      cleanStart: true,
      keepAlive: 0,
    } as const;
    client.stream.end(
      Buffer.concat([encodePacket({ ...connect, properties: {} }, 4), encodePacket({ type: 'pingreq' }, 4)]),
    );
    await client.expect('connack');
    await client.expect('pingresp');
    assert.equal(await client.next(), undefined);
  });

  it('after the last word is ended two seconds later, so that a peer that does not close can read it', async () => {
    const broker = new BrokerInProcess();
    const [ours, theirs] = duplexPair();
    broker.accept(theirs);
    const client = new MqttPeer(ours, 5);
    await client.connect();
    ours.write(Buffer.from([0xff, 0]));
    assert.equal((await client.expect('disconnect')).reasonCode, malformedPacket);
    broker.pass(1.9);
    assert.equal(theirs.destroyed, false);
    broker.pass(0.1);
    assert.equal(theirs.destroyed, true);
    ours.destroy();
  });
});

describe('the limit of connections', () => {
  it('closes a further one at once and reports it', async () => {
    const broker = new BrokerInProcess({ connections: 1 });
    const first = await broker.client(4);
    const second = broker.open(4);
    await second.closed;
    assert.equal(broker.events.at(-1)?.type, 'refused');
    await first.vanish();
    await broker.client(4);
  });
});
