import assert from 'node:assert/strict';
import type { ProtocolVersion, QoS } from '../../src/broker/codec/packet-type';
import type { PublishPacket } from '../../src/broker/codec/publish-packet';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { BrokerInProcess } from './broker-in-process';
import type { MqttPeer } from './mqtt-peer';

/** Receives one message, answering what its QoS asks for. */
async function receive(peer: MqttPeer) {
  const message = await peer.expect('publish');
  const { packetId } = message;
  if (message.qos === 1) peer.send({ type: 'puback', packetId, reasonCode: 0, properties: {} });
  if (message.qos === 2) {
    peer.send({ type: 'pubrec', packetId, reasonCode: 0, properties: {} });
    await peer.expect('pubrel');
    peer.send({ type: 'pubcomp', packetId, reasonCode: 0, properties: {} });
  }
  return message;
}

/** Publishes one message and goes through what its QoS asks for. */
async function publish(peer: MqttPeer, topic: string, payload: string, qos: QoS, retain = false) {
  peer.publish(topic, payload, { qos, retain, packetId: qos > 0 ? 77 : 0 });
  if (qos === 1) await peer.expect('puback');
  if (qos === 2) {
    await peer.expect('pubrec');
    peer.send({ type: 'pubrel', packetId: 77, reasonCode: 0, properties: {} });
    await peer.expect('pubcomp');
  }
}

describe('routing', () => {
  const versions: ProtocolVersion[] = [4, 5];
  for (const from of versions) {
    for (const to of versions) {
      for (const published of [0, 1, 2] as const) {
        for (const subscribed of [0, 1, 2] as const) {
          it(`brings QoS ${published} of level ${from} to a subscription of QoS ${subscribed} of level ${to} [MQTT-3.3.4-1] [MQTT-3.8.4-8] [MQTT-4.3.2-4] [MQTT-4.3.3-4] [MQTT-4.3.3-8]`, async () => {
            const broker = new BrokerInProcess();
            const subscriber = await broker.client(to);
            const publisher = await broker.client(from);
            assert.deepEqual((await subscriber.subscribe('a/+', { qos: subscribed })).reasonCodes, [
              subscribed,
            ]);
            await publish(publisher, 'a/b', 'hello', published);
            const message = await receive(subscriber);
            assert.equal(message.topic, 'a/b');
            assert.equal(message.payload.toString(), 'hello');
            assert.equal(message.qos, Math.min(published, subscribed));
            assert.equal(message.retain, false);
            await subscriber.expectNothing();
          });
        }
      }
    }
  }

  it('delivers once for overlapping filters, with the highest QoS and all subscription identifiers [MQTT-3.3.4-2] [MQTT-3.3.4-3] [MQTT-3.3.4-4]', async () => {
    const broker = new BrokerInProcess();
    const subscriber = await broker.client(5);
    await subscriber.subscribe('#', { qos: 0, properties: { subscriptionIdentifiers: [7] } });
    await subscriber.subscribe('a/+', { qos: 2, properties: { subscriptionIdentifiers: [300] } });
    await subscriber.subscribe('a/b', { qos: 1 });
    const publisher = await broker.client(5);
    await publish(publisher, 'a/b', 'x', 2);
    const message = await receive(subscriber);
    assert.equal(message.qos, 2);
    assert.deepEqual(message.properties.subscriptionIdentifiers, [7, 300]);
    await subscriber.expectNothing();
    assert.equal(broker.statistics.messagesSent, 1);
  });

  it('keeps the order of a publisher over all QoS 1 messages [MQTT-4.6.0-5]', async () => {
    const broker = new BrokerInProcess({ inFlight: 3 });
    const subscriber = await broker.client(5);
    await subscriber.subscribe('t', { qos: 1 });
    const publisher = await broker.client(5);
    for (let count = 0; count < 50; count++) {
      publisher.publish('t', String(count), { qos: 1, packetId: count + 1 });
    }
    for (let count = 0; count < 50; count++) {
      assert.equal((await receive(subscriber)).payload.toString(), String(count));
    }
  });

  it('keeps the order also where some messages are forwarded as they came and others are not [MQTT-4.6.0-6]', async () => {
    for (const size of [10, 5000]) {
      const broker = new BrokerInProcess();
      const subscriber = await broker.client(4);
      await subscriber.subscribe('t', { qos: 1 });
      const publisher = await broker.client(4);
      const sent = Array.from({ length: 40 }, (_, index): PublishPacket => {
        const qos = index % 3 === 2 ? 1 : 0;
        const payload = Buffer.from(String(index).padEnd(size));
        return {
          type: 'publish',
          topic: 't',
          payload,
          qos,
          dup: false,
          retain: false,
          packetId: qos,
          properties: {},
        };
      });
      publisher.send(...sent);
      for (const { payload } of sent) {
        assert.equal((await receive(subscriber)).payload.toString(), payload.toString());
      }
    }
  });

  it('replaces a subscription, and ends it [MQTT-3.8.4-3 of 3.1.1] [MQTT-3.8.4-3] [MQTT-3.10.4-2] [MQTT-3.10.4-6] [MQTT-3.11.3-1] [MQTT-3.11.3-2]', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5);
    await client.subscribe('a', { qos: 0 });
    await client.subscribe('a', { qos: 1 });
    assert.equal(broker.statistics.subscriptions, 1);
    await publish(await broker.client(4), 'a', 'x', 1);
    assert.equal((await receive(client)).qos, 1);
    client.send({ type: 'unsubscribe', packetId: 3, filters: ['a', 'never'], properties: {} });
    const { reasonCodes } = await client.expect('unsuback');
    assert.deepEqual(reasonCodes, [ReasonCode.success, ReasonCode.noSubscriptionExisted]);
    await publish(await broker.client(4), 'a', 'y', 1);
    await client.expectNothing();
    assert.equal(broker.statistics.subscriptions, 0);
  });

  it('does not send No Local subscribers what they published themselves [MQTT-3.8.3-3]', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5, { clientId: 'me' });
    await client.subscribe('a/#', { noLocal: true, qos: 2 });
    client.publish('a/b', 'mine');
    await client.expectNothing();
    await publish(await broker.client(5), 'a/b', 'theirs', 0);
    assert.equal((await receive(client)).payload.toString(), 'theirs');
    // Another filter of the same client without No Local wants it.
    await client.subscribe('a/b', { qos: 1 });
    await publish(client, 'a/b', 'mine again', 0);
    assert.equal((await receive(client)).payload.toString(), 'mine again');
    await client.expectNothing();
  });

  it('hides topics that begin with $ from leading wildcards [MQTT-4.7.2-1]', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5);
    await client.subscribe('#');
    await client.subscribe('+/x');
    const publisher = await broker.client(5);
    publisher.publish('$other/x', '1');
    await publisher.expectNothing();
    await client.expectNothing();
    await client.subscribe('$other/#');
    publisher.publish('$other/x', '2');
    assert.equal((await receive(client)).payload.toString(), '2');
  });

  it('says which filters it does not grant and grants the others [MQTT-3.9.3-2 of 3.1.1] [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] [MQTT-3.9.3-2] [MQTT-4.7.1-1]', async () => {
    const broker = new BrokerInProcess({ subscriptions: 1, topicLevels: 3 });
    const request = { qos: 1 as const, noLocal: false, retainAsPublished: false, retainHandling: 0 as const };
    const filters = ['a/#/b', 'ok', '$share/g/', 'a/b/c/d', 'one-more'];
    const subscriptions = filters.map((filter) => ({ filter, ...request }));
    const client5 = await broker.client(5);
    client5.send({ type: 'subscribe', packetId: 9, subscriptions, properties: {} });
    assert.deepEqual((await client5.expect('suback')).reasonCodes, [
      ReasonCode.topicFilterInvalid,
      ReasonCode.grantedQos1,
      ReasonCode.topicFilterInvalid,
      ReasonCode.topicFilterInvalid,
      ReasonCode.quotaExceeded,
    ]);
    const client4 = await broker.client(4);
    client4.send({ type: 'subscribe', packetId: 9, subscriptions, properties: {} });
    assert.deepEqual((await client4.expect('suback')).reasonCodes, [0x80, 1, 0x80, 0x80, 0x80]);
    await publish(await broker.client(4), 'ok', 'still here', 1);
    assert.equal((await receive(client4)).payload.toString(), 'still here');
  });

  describe('MQTT 5 properties', () => {
    const forwarded = {
      payloadFormatIndicator: 1,
      contentType: 'text/plain',
      responseTopic: 'answer',
      correlationData: Buffer.from([0, 1]),
      userProperties: [
        ['b', '1'],
        ['a', '2'],
        ['b', '3'],
      ] as Array<[string, string]>,
    };

    for (const qos of [0, 1] as const) {
      it(`pass through in order at QoS ${qos}, with and without topic alias and expiry [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] [MQTT-3.3.2-20]`, async () => {
        const broker = new BrokerInProcess();
        const subscriber = await broker.client(5);
        await subscriber.subscribe('t', { qos });
        const publisher = await broker.client(5);
        publisher.publish('t', 'plain', { qos, packetId: qos, properties: forwarded });
        assert.deepEqual((await receive(subscriber)).properties, forwarded);
        const aliased = { ...forwarded, topicAlias: 3, messageExpiryInterval: 60 };
        publisher.publish('t', 'sets the alias', { qos, packetId: qos, properties: aliased });
        assert.deepEqual((await receive(subscriber)).properties, { ...forwarded, messageExpiryInterval: 60 });
        publisher.publish('', 'uses it', { qos, packetId: qos, properties: { topicAlias: 3 } });
        const message = await receive(subscriber);
        assert.deepEqual([message.topic, message.properties], ['t', {}]);
      });
    }

    it('are left out for MQTT 3.1.1', async () => {
      const broker = new BrokerInProcess();
      const subscriber = await broker.client(4);
      await subscriber.subscribe('t', { qos: 1 });
      const publisher = await broker.client(5);
      for (const qos of [0, 1] as const) {
        publisher.publish('t', 'x', { qos, packetId: qos, properties: forwarded });
        assert.equal((await receive(subscriber)).payload.toString(), 'x');
      }
    });

    it('of a message beyond the subscriber’s maximum packet size keep it from that subscriber only [MQTT-3.1.2-25]', async () => {
      const broker = new BrokerInProcess();
      const small = await broker.client(5, {
        clientId: 'small',
        properties: { maximumPacketSize: 40 },
      });
      const large = await broker.client(5);
      for (const peer of [small, large]) await peer.subscribe('t', { qos: 1 });
      const publisher = await broker.client(5);
      for (const qos of [0, 1] as const) {
        publisher.publish('t', 'x'.repeat(50), { qos, packetId: qos });
        assert.equal((await receive(large)).payload.length, 50);
      }
      publisher.publish('t', 'short', { qos: 1, packetId: 2 });
      assert.equal((await receive(small)).payload.toString(), 'short');
      assert.equal(broker.statistics.dropped, 2);
    });
  });

  describe('retained messages', () => {
    it('are sent to new subscriptions, replaced and removed [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-7]', async () => {
      const broker = new BrokerInProcess();
      const publisher = await broker.client(4);
      await publish(publisher, 'a/b', 'old', 1, true);
      await publish(publisher, 'a/b', 'new', 1, true);
      await publish(publisher, 'a', 'parent', 0, true);
      await publish(publisher, '$x/b', 'hidden', 0, true);
      const expected = [
        ['a/#', 'a,a/b'],
        ['+/b', 'a/b'],
        ['#', 'a,a/b'],
        ['a/b', 'a/b'],
        ['$x/+', '$x/b'],
        ['b', ''],
        ['+/+/+', ''],
      ];
      for (const [filter, topics] of expected) {
        const client = await broker.client(5);
        await client.subscribe(filter as string, { qos: 1 });
        const seen: string[] = [];
        for (const _ of (topics as string).split(',').filter(Boolean)) {
          const message = await receive(client);
          assert.equal(message.retain, true);
          seen.push(message.topic);
        }
        assert.equal(seen.sort().join(), topics, filter);
        await client.expectNothing();
      }
      assert.equal(broker.statistics.retained, 3);
      await publish(publisher, 'a/b', '', 1, true);
      assert.equal(broker.statistics.retained, 2);
      const client = await broker.client(4);
      await client.subscribe('a/b');
      await client.expectNothing();
    });

    it('follow retain handling and retain as published [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] [MQTT-3.3.1-12] [MQTT-3.3.1-13]', async () => {
      const broker = new BrokerInProcess();
      const publisher = await broker.client(5);
      await publish(publisher, 't', 'kept', 0, true);
      const client = await broker.client(5);
      await client.subscribe('t', { retainHandling: 2 });
      await client.expectNothing();
      await client.subscribe('t', { retainHandling: 1 });
      await client.expectNothing();
      await client.subscribe('t', { retainHandling: 0 });
      assert.equal((await receive(client)).retain, true);
      await publish(publisher, 't', 'live', 0, true);
      assert.equal((await receive(client)).retain, false);
      await client.subscribe('t', { retainHandling: 2, retainAsPublished: true });
      await publish(publisher, 't', 'live', 0, true);
      assert.equal((await receive(client)).retain, true);
      const other = await broker.client(5);
      await other.subscribe('t', { retainHandling: 1 });
      assert.equal((await receive(other)).payload.toString(), 'live');
    });

    it('expire, and count down on the way [MQTT-3.3.2-6]', async () => {
      const broker = new BrokerInProcess();
      const publisher = await broker.client(5);
      publisher.publish('t', 'x', { retain: true, properties: { messageExpiryInterval: 10 } });
      await publisher.expectNothing();
      broker.pass(4);
      const early = await broker.client(5);
      await early.subscribe('t');
      assert.equal((await receive(early)).properties.messageExpiryInterval, 6);
      broker.pass(7);
      const late = await broker.client(5);
      await late.subscribe('t');
      await late.expectNothing();
      assert.equal(broker.statistics.retained, 0);
      assert.equal(broker.statistics.expired, 1);
    });

    it('beyond the limit are delivered but not kept, and counted', async () => {
      const broker = new BrokerInProcess({ retainedMessages: 1 });
      const client = await broker.client(5);
      await client.subscribe('#');
      await publish(client, 'a', '1', 0, true);
      await publish(client, 'b', '2', 0, true);
      assert.equal((await receive(client)).topic, 'a');
      assert.equal((await receive(client)).topic, 'b');
      assert.equal(broker.statistics.retained, 1);
      assert.equal(broker.statistics.dropped, 1);
    });

    it('count with the levels of their topics, which take more memory than they do', async () => {
      const broker = new BrokerInProcess({ retainedBytes: 100_000 });
      const client = await broker.client(5);
      const deep = (number: number) => `${number}${'/x'.repeat(100)}`;
      for (let number = 0; number < 10; number++) client.publish(deep(number), 'x', { retain: true });
      await client.expectNothing();
      assert.equal(broker.statistics.retained, 3);
      // What is removed makes room again, and topics that share levels take them once.
      for (let number = 0; number < 3; number++) client.publish(deep(number), '', { retain: true });
      for (let number = 0; number < 10; number++) {
        client.publish(`a${'/x'.repeat(100)}/${number}`, 'x', { retain: true });
      }
      await client.expectNothing();
      assert.equal(broker.statistics.retained, 10);
    });

    it('of the own client are not sent to a No Local subscription', async () => {
      const broker = new BrokerInProcess();
      const client = await broker.client(5, { clientId: 'me' });
      await publish(client, 't', 'mine', 0, true);
      await client.subscribe('t', { noLocal: true });
      await client.expectNothing();
    });
  });
});
