import assert from 'node:assert/strict';
import { once } from 'node:events';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { BrokerInProcess } from './broker-in-process';
import { encodePacket } from './codec/any-packet';
import { lasting, type MqttPeer } from './mqtt-peer';

function answer(peer: MqttPeer, type: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp', packetId: number): void {
  peer.send({ type, packetId, reasonCode: 0, properties: {} });
}

/** The bytes that a subscriber of level 5 gets for a PUBLISH of level 4. */
async function bytesOf(publish: Parameters<MqttPeer['publish']>, qos: 0 | 1 | 2): Promise<number[]> {
  const broker = new BrokerInProcess();
  const subscriber = await broker.client(5);
  await subscriber.subscribe('#', { qos });
  const publisher = await broker.client(4);
  const chunk = once(subscriber.stream, 'data');
  publisher.publish(...publish);
  return [...((await chunk)[0] as Buffer)];
}

describe('PUBLISH of the broker', () => {
  it('has no identifier at QoS 0, a property length always, and no DUP [MQTT-2.2.1-2] [MQTT-2.2.2-1] [MQTT-4.3.1-1]', async () => {
    assert.deepEqual(await bytesOf(['a', 'x'], 0), [0x30, 5, 0, 1, 97, 0, 120]);
  });

  it('has DUP 0 the first time, whatever the publisher had [MQTT-3.3.1-3] [MQTT-4.3.2-2] [MQTT-4.3.3-2]', async () => {
    assert.deepEqual(await bytesOf(['a', 'x', { qos: 1, dup: true }], 2), [0x32, 7, 0, 1, 97, 0, 1, 0, 120]);
    assert.deepEqual(await bytesOf(['a', 'x', { qos: 2, dup: true }], 2), [0x34, 7, 0, 1, 97, 0, 1, 0, 120]);
    assert.deepEqual(await bytesOf(['a', 'x', { qos: 1, dup: true }], 0), [0x30, 5, 0, 1, 97, 0, 120]);
  });

  it('has the topic as it was, which matches the filter, byte for byte [MQTT-1.5.4-3] [MQTT-3.3.2-3] [MQTT-4.7.3-4]', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5);
    // A byte order mark stays; letters that only look alike are not the same.
    for (const filter of ['\ufefftopic/+', 'caf\u00e9', 'Straße', 'a//b', '/']) {
      assert.deepEqual((await client.subscribe(filter)).reasonCodes, [0]);
    }
    const hits = ['\ufefftopic/x', 'caf\u00e9', 'Straße', 'a//b', '/'];
    for (const topic of ['topic/x', 'cafe\u0301', 'STRASSE', 'Strasse', 'a/b', 'a/', '//', ...hits]) {
      client.publish(topic, 'x');
    }
    for (const topic of hits) assert.equal((await client.expect('publish')).topic, topic);
    await client.expectNothing();
  });

  it('is sent again at QoS 2 though the message has expired since [MQTT-4.3.3-7]', async () => {
    const broker = new BrokerInProcess();
    const first = await broker.client(5, lasting);
    await first.subscribe('t', { qos: 2 });
    const publisher = await broker.client(5);
    publisher.publish('t', 'x', { qos: 2, properties: { messageExpiryInterval: 5 } });
    const { packetId } = await first.expect('publish');
    await first.vanish();
    broker.pass(6);
    const again = await (await broker.client(5, lasting)).expect('publish');
    assert.deepEqual([again.packetId, again.dup], [packetId, true]);
  });

  it('waits for its quota, and nothing else does [MQTT-3.3.4-10] [MQTT-4.9.0-3]', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5, { properties: { receiveMaximum: 1 } });
    await client.subscribe('t', { qos: 1 });
    for (const packetId of [1, 2]) client.publish('t', 'x', { qos: 1, packetId });
    const seen = [await client.next(), await client.next(), await client.next()];
    assert.deepEqual(seen.map((packet) => packet?.type).sort(), ['puback', 'puback', 'publish']);
    await client.subscribe('u');
    client.publish('u', 'at QoS 0');
    assert.equal((await client.expect('publish')).topic, 'u');
    client.send({ type: 'unsubscribe', packetId: 9, filters: ['u'], properties: {} });
    await client.expect('unsuback');
    await client.expectNothing();
  });
});

describe('PUBLISH of a client', () => {
  it('at QoS 1 is a new message each time, whatever its identifier and DUP [MQTT-4.3.2-5]', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5);
    await client.subscribe('t');
    for (const dup of [false, true, true]) {
      client.publish('t', 'x', { qos: 1, packetId: 7, dup });
      const packets = [await client.next(), await client.next()];
      assert.deepEqual(packets.map((packet) => packet?.type).sort(), ['puback', 'publish']);
    }
  });

  it('at QoS 2 goes through all its steps though it has expired meanwhile [MQTT-4.3.3-13]', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5);
    client.publish('t', 'x', { qos: 2, packetId: 3, properties: { messageExpiryInterval: 1 } });
    assert.equal((await client.expect('pubrec')).packetId, 3);
    broker.pass(5);
    answer(client, 'pubrel', 3);
    assert.deepEqual((await client.expect('pubcomp')).reasonCode, 0);
  });

  it('without retain leaves what is retained as it is [MQTT-3.3.1-8]', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5);
    client.publish('t', 'kept', { retain: true });
    client.publish('t', 'other');
    client.publish('t', '');
    client.publish('u', 'other');
    await client.subscribe('#');
    assert.equal((await client.expect('publish')).payload.toString(), 'kept');
    await client.expectNothing();
  });

  it('may use each topic alias up to the maximum, anew on each connection [MQTT-3.3.2-12] [MQTT-3.3.2-7]', async () => {
    const broker = new BrokerInProcess({ topicAliases: 3 });
    for (let round = 0; round < 2; round++) {
      const client = await broker.client(5, lasting);
      await client.subscribe('#');
      for (let topicAlias = 1; topicAlias <= 3; topicAlias++) {
        client.publish(`t/${topicAlias}`, 'x', { properties: { topicAlias } });
        client.publish('', 'x', { properties: { topicAlias } });
        assert.equal((await client.expect('publish')).topic, `t/${topicAlias}`);
        assert.equal((await client.expect('publish')).topic, `t/${topicAlias}`);
      }
      await client.vanish();
    }
    const client = await broker.client(5, lasting);
    client.publish('', 'x', { properties: { topicAlias: 1 } });
    assert.equal((await client.expect('disconnect')).reasonCode, ReasonCode.protocolError);
  });
});

describe('the answers of the broker', () => {
  it('have the identifier of what they answer [MQTT-2.2.1-5] [MQTT-2.2.1-6] [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.10.4-4] [MQTT-3.10.4-5]', async () => {
    for (const version of [4, 5] as const) {
      const client = await new BrokerInProcess().client(version);
      const id = 0xabcd;
      client.publish('t', 'x', { qos: 1, packetId: id });
      assert.equal((await client.expect('puback')).packetId, id);
      client.publish('t', 'x', { qos: 2, packetId: id });
      assert.equal((await client.expect('pubrec')).packetId, id);
      answer(client, 'pubrel', id);
      assert.equal((await client.expect('pubcomp')).packetId, id);
      const options = { qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
      const subscriptions = [{ filter: 'a', ...options }];
      client.send({ type: 'subscribe', packetId: id, subscriptions, properties: {} });
      assert.equal((await client.expect('suback')).packetId, id);
      client.send({ type: 'unsubscribe', packetId: id, filters: ['nothing'], properties: {} });
      assert.equal((await client.expect('unsuback')).packetId, id);
    }
  });

  it('have reason codes of their own and no properties, so that none makes them too large, nor is one sent unasked [MQTT-3.1.2-29] [MQTT-3.4.2-1] [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-1] [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-1] [MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-1] [MQTT-3.7.2-2] [MQTT-3.7.2-3] [MQTT-3.9.2-1] [MQTT-3.9.2-2] [MQTT-3.11.2-1] [MQTT-3.11.2-2]', async () => {
    const broker = new BrokerInProcess({ checkPayloadFormat: true });
    const properties = { requestProblemInformation: 0, maximumPacketSize: 20 };
    const client = await broker.client(5, { clientId: 'c', properties });
    const invalid = {
      payload: Buffer.from([0xff]),
      properties: { payloadFormatIndicator: 1 },
    };
    client.publish('t', '', { qos: 1, packetId: 1, ...invalid });
    const puback = await client.expect('puback');
    assert.deepEqual([puback.reasonCode, puback.properties], [ReasonCode.payloadFormatInvalid, {}]);
    client.publish('t', '', { qos: 2, packetId: 1, ...invalid });
    const pubrec = await client.expect('pubrec');
    assert.deepEqual([pubrec.reasonCode, pubrec.properties], [ReasonCode.payloadFormatInvalid, {}]);
    answer(client, 'pubrec', 5);
    const pubrel = await client.expect('pubrel');
    assert.deepEqual([pubrel.reasonCode, pubrel.properties], [ReasonCode.packetIdentifierNotFound, {}]);
    answer(client, 'pubrel', 5);
    const pubcomp = await client.expect('pubcomp');
    assert.deepEqual([pubcomp.reasonCode, pubcomp.properties], [ReasonCode.packetIdentifierNotFound, {}]);
    const suback = await client.subscribe('a/#/b');
    assert.deepEqual([suback.reasonCodes, suback.properties], [[ReasonCode.topicFilterInvalid], {}]);
    client.send({ type: 'unsubscribe', packetId: 1, filters: ['a'], properties: {} });
    const unsuback = await client.expect('unsuback');
    assert.deepEqual([unsuback.reasonCodes, unsuback.properties], [[ReasonCode.noSubscriptionExisted], {}]);
  });
});

describe('SUBSCRIBE', () => {
  it('is told in words what is wrong with a filter, where the client wants that and it fits [MQTT-3.1.2-29] [MQTT-3.9.2-1]', async () => {
    const broker = new BrokerInProcess();
    for (const [properties, told] of [
      [{}, true],
      [{ requestProblemInformation: 1, maximumPacketSize: 100 }, true],
      [{ requestProblemInformation: 0 }, false],
      [{ maximumPacketSize: 20 }, false],
    ] as const) {
      const client = await broker.client(5, { clientId: 'c', properties });
      const { properties: answer } = await client.subscribe('a/#/b');
      assert.equal(answer.reasonString?.includes('# must be alone in the last level') ?? false, told);
      assert.deepEqual((await client.subscribe('a')).properties, {});
    }
    const older = await broker.client(4);
    assert.deepEqual((await older.subscribe('a/#/b')).reasonCodes, [0x80]);
  });

  it('again sends what is retained again and loses nothing [MQTT-3.8.4-4]', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5, { properties: { receiveMaximum: 1 } });
    const publisher = await broker.client(5);
    publisher.publish('t', 'kept', { retain: true });
    await client.subscribe('t', { qos: 1 });
    assert.equal((await client.expect('publish')).retain, true);
    for (const packetId of [1, 2]) publisher.publish('t', `message ${packetId}`, { qos: 1, packetId });
    const first = await client.expect('publish');
    await client.subscribe('t', { qos: 1 });
    publisher.publish('t', 'message 3', { qos: 1, packetId: 3 });
    answer(client, 'puback', first.packetId);
    const seen = [];
    for (let count = 0; count < 3; count++) {
      const { payload, qos, packetId } = await client.expect('publish');
      seen.push(payload.toString());
      if (qos === 1) answer(client, 'puback', packetId);
    }
    assert.deepEqual(seen.sort(), ['kept', 'message 2', 'message 3']);
    await client.expectNothing();
  });

  it('takes + in any whole level and nowhere else [MQTT-4.7.1-2]', async () => {
    const client = await new BrokerInProcess().client(5);
    for (const [filter, reason] of [
      ['+', 0],
      ['+/a', 0],
      ['a/+/b', 0],
      ['a/+', 0],
      ['a+', ReasonCode.topicFilterInvalid],
      ['a/b+/c', ReasonCode.topicFilterInvalid],
      ['', ReasonCode.topicFilterInvalid],
    ] as const) {
      assert.deepEqual((await client.subscribe(filter)).reasonCodes, [reason], filter);
    }
  });

  it('of MQTT 3.1.1 has no bits but those of QoS [MQTT-3.8.3-4 of 3.1.1]', async () => {
    const client = await new BrokerInProcess().client(4);
    client.stream.write(Buffer.from([0x82, 6, 0, 1, 0, 1, 97, 4]));
    assert.equal(await client.next(), undefined);
  });
});

describe('UNSUBSCRIBE', () => {
  it('ends the filter that is the same character by character, and no other [MQTT-3.10.4-1]', async () => {
    const client = await new BrokerInProcess().client(5);
    for (const filter of ['a/+', 'a/b', 'a/#']) await client.subscribe(filter);
    const filters = ['a/b', 'A/+', 'a/c', '#'];
    client.send({ type: 'unsubscribe', packetId: 1, filters, properties: {} });
    const { reasonCodes } = await client.expect('unsuback');
    const none = ReasonCode.noSubscriptionExisted;
    assert.deepEqual(reasonCodes, [ReasonCode.success, none, none, none]);
    client.publish('a/b', 'x');
    await client.expect('publish');
    await client.expectNothing();
  });

  it('leaves deliveries that have begun to be completed [MQTT-3.10.4-3]', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5, lasting);
    await client.subscribe('t', { qos: 2 });
    const publisher = await broker.client(5);
    publisher.publish('t', 'one', { qos: 1, packetId: 1 });
    publisher.publish('t', 'two', { qos: 2, packetId: 2 });
    const sent = [await client.expect('publish'), await client.expect('publish')];
    client.send({ type: 'unsubscribe', packetId: 1, filters: ['t'], properties: {} });
    await client.expect('unsuback');
    await client.vanish();
    const again = await broker.client(5, lasting);
    for (const { packetId } of sent) assert.equal((await again.expect('publish')).packetId, packetId);
    answer(again, 'puback', sent[0]?.packetId as number);
    answer(again, 'pubrec', sent[1]?.packetId as number);
    await again.expect('pubrel');
  });
});

describe('a topic name or filter', () => {
  it('may have as many bytes as MQTT can carry [MQTT-4.7.3-3]', async () => {
    const client = await new BrokerInProcess({ topicLength: 65_535 }).client(5);
    const topic = 'x'.repeat(65_535);
    assert.deepEqual((await client.subscribe(topic)).reasonCodes, [0]);
    client.publish(topic, '');
    assert.equal((await client.expect('publish')).topic, topic);
    const filters = [`${topic}x`];
    assert.throws(
      () => encodePacket({ type: 'unsubscribe', packetId: 1, filters, properties: {} }, 5),
      RangeError,
    );
  });
});
