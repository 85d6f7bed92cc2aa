import assert from 'node:assert/strict';
import { capabilitiesOf } from '../../src/broker/capabilities';
import type { ConnectPacket } from '../../src/broker/codec/connect-packet';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { BrokerInProcess } from './broker-in-process';

describe('what the broker does not offer', () => {
  it('is announced in CONNACK, and nothing is by default [MQTT-3.2.2-9]', async () => {
    const full = await new BrokerInProcess().open(5).connect({ clientId: 'c' });
    assert.deepEqual(full.properties, { maximumPacketSize: 16 * 1024 * 1024, topicAliasMaximum: 32 });
    const reduced = await new BrokerInProcess({
      maximumQos: 1,
      retain: false,
      wildcardSubscriptions: false,
      sharedSubscriptions: false,
      subscriptionIdentifiers: false,
    })
      .open(5)
      .connect({ clientId: 'c' });
    assert.deepEqual(reduced.properties, {
      ...full.properties,
      maximumQos: 1,
      retainAvailable: 0,
      wildcardSubscriptionAvailable: 0,
      sharedSubscriptionAvailable: 0,
      subscriptionIdentifiersAvailable: 0,
    });
  });

  it('ends an MQTT 5 client that publishes it, with the reason', async () => {
    const broker = new BrokerInProcess({ maximumQos: 1, retain: false });
    for (const [options, reason] of [
      [{ qos: 2 }, ReasonCode.qosNotSupported],
      [{ retain: true }, ReasonCode.retainNotSupported],
    ] as const) {
      const client = await broker.client(5);
      client.publish('t', 'x', options);
      assert.equal((await client.expect('disconnect')).reasonCode, reason);
    }
  });

  it('refuses a will that needs it [MQTT-3.2.2-12] [MQTT-3.2.2-13]', async () => {
    const broker = new BrokerInProcess({ maximumQos: 0, retain: false });
    const will = { topic: 't', payload: Buffer.alloc(0), qos: 0 as const, retain: false, properties: {} };
    const refusals: Array<[Partial<ConnectPacket>, number]> = [
      [{ will: { ...will, qos: 1 } }, ReasonCode.qosNotSupported],
      [{ will: { ...will, retain: true } }, ReasonCode.retainNotSupported],
      [{ will: { ...will, topic: '$SYS/broker/uptime' } }, ReasonCode.notAuthorized],
    ];
    for (const [options, reason] of refusals) {
      const client = broker.open(5);
      assert.equal((await client.connect(options)).reasonCode, reason);
      assert.equal(await client.next(), undefined);
    }
  });

  it('grants a subscription the QoS that there is [MQTT-3.2.2-10]', async () => {
    const client = await new BrokerInProcess({ maximumQos: 0 }).client(5);
    assert.deepEqual((await client.subscribe('t', { qos: 2 })).reasonCodes, [0]);
  });

  it('ends an MQTT 5 client that subscribes so, and just refuses an older one', async () => {
    const broker = new BrokerInProcess({
      wildcardSubscriptions: false,
      sharedSubscriptions: false,
      subscriptionIdentifiers: false,
    });
    for (const [filter, properties, reason] of [
      ['a/+', {}, ReasonCode.wildcardSubscriptionsNotSupported],
      ['$share/g/a', {}, ReasonCode.sharedSubscriptionsNotSupported],
      ['a', { subscriptionIdentifiers: [1] }, ReasonCode.subscriptionIdentifiersNotSupported],
    ] as const) {
      const client = await broker.client(5);
      client.send({
        type: 'subscribe',
        packetId: 1,
        subscriptions: [{ filter, qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 }],
        properties: 'subscriptionIdentifiers' in properties ? { subscriptionIdentifiers: [1] } : {},
      });
      assert.equal((await client.expect('disconnect')).reasonCode, reason, filter);
    }
    const older = await broker.client(4);
    for (const filter of ['a/+', '$share/g/a']) {
      assert.deepEqual((await older.subscribe(filter)).reasonCodes, [0x80]);
    }
    assert.deepEqual((await older.subscribe('a')).reasonCodes, [0]);
  });

  it('is a mistake of the one who sets it up when its numbers make no sense', () => {
    assert.throws(() => capabilitiesOf({ serverKeepAlive: 65_536 }), /serverKeepAlive is 65536/);
    assert.throws(() => capabilitiesOf({ maximumQos: 3 as 2 }), /maximumQos is 3/);
  });
});

describe('the server keep alive', () => {
  it('stands in for a longer one or none, and the client is told and held to it [MQTT-3.2.2-22]', async () => {
    const broker = new BrokerInProcess({ serverKeepAlive: 60 });
    for (const [keepAlive, told, silence] of [
      [120, 60, 90],
      [0, 60, 90],
      [10, undefined, 15],
    ] as const) {
      const client = broker.open(5);
      const { properties } = await client.connect({ keepAlive });
      assert.equal(properties.serverKeepAlive, told);
      broker.pass(silence - 1);
      await client.expectNothing();
      broker.pass(silence);
      assert.equal((await client.expect('disconnect')).reasonCode, ReasonCode.keepAliveTimeout);
    }
  });

  it('is not for clients before MQTT 5, which could not be told', async () => {
    const broker = new BrokerInProcess({ serverKeepAlive: 60 });
    const client = await broker.client(4, { keepAlive: 120 });
    broker.pass(150);
    await client.expectNothing();
  });
});

describe('response information', () => {
  it('is given to who asks for it, and to nobody else [MQTT-3.1.2-28]', async () => {
    for (const [responseInformation, requestResponseInformation, told] of [
      ['replies/', 1, 'replies/'],
      ['replies/', 0, undefined],
      ['', 1, undefined],
    ] as const) {
      const broker = new BrokerInProcess({ responseInformation });
      const { properties } = await broker.open(5).connect({ properties: { requestResponseInformation } });
      assert.equal(properties.responseInformation, told);
    }
  });
});

describe('the payload format', () => {
  const invalid = Buffer.from([0xc3, 0x28]);
  const properties = { payloadFormatIndicator: 1 };

  it('is checked on request: a payload that is not UTF-8 is refused [MQTT-4.3.3-9]', async () => {
    const broker = new BrokerInProcess({ checkPayloadFormat: true });
    const watcher = await broker.client(5);
    await watcher.subscribe('#', { qos: 2 });
    const client = await broker.client(5);
    client.publish('t', '', { qos: 1, packetId: 1, payload: invalid, properties });
    assert.equal((await client.expect('puback')).reasonCode, ReasonCode.payloadFormatInvalid);
    client.publish('t', '', { qos: 2, packetId: 2, payload: invalid, properties });
    assert.equal((await client.expect('pubrec')).reasonCode, ReasonCode.payloadFormatInvalid);
    // The identifier is free again.
    client.publish('t', 'héllo', { qos: 2, packetId: 2, properties });
    assert.equal((await client.expect('pubrec')).reasonCode, 0);
    client.publish('t', '', { payload: invalid });
    await client.expectNothing();
    client.publish('t', '', { payload: invalid, properties });
    assert.equal((await client.expect('disconnect')).reasonCode, ReasonCode.payloadFormatInvalid);
    assert.equal((await watcher.expect('publish')).payload.toString(), 'héllo');
    assert.deepEqual((await watcher.expect('publish')).payload, invalid);
    await watcher.expectNothing();
    const will = { topic: 't', payload: invalid, qos: 0 as const, retain: false, properties };
    assert.equal((await broker.open(5).connect({ will })).reasonCode, ReasonCode.payloadFormatInvalid);
  });

  it('is not checked otherwise', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5);
    client.publish('t', '', { qos: 1, payload: invalid, properties });
    assert.equal((await client.expect('puback')).reasonCode, 0);
  });
});

describe('topics below $SYS', () => {
  it('are for the broker alone: what a client publishes there is refused [MQTT-3.3.5-2 of 3.1.1]', async () => {
    const broker = new BrokerInProcess();
    const watcher = await broker.client(5);
    await watcher.subscribe('$SYS/x');
    for (const version of [4, 5] as const) {
      const client = await broker.client(version);
      client.publish('$SYS/x', 'forged', { qos: 1, retain: true });
      const refused = version === 5 ? ReasonCode.notAuthorized : 0;
      assert.equal((await client.expect('puback')).reasonCode, refused);
      client.publish('$SYS/x', 'forged', { qos: 2, packetId: 1 });
      assert.equal((await client.expect('pubrec')).reasonCode, refused);
      client.publish('$SYS/x', 'forged');
      await client.expectNothing();
    }
    await watcher.expectNothing();
    assert.equal(broker.statistics.retained, 0);
    assert.equal(broker.statistics.dropped, 6);
  });
});

describe('a client that accepts small packets only', () => {
  it('is refused when CONNACK does not fit, and gets nothing that is larger [MQTT-3.1.2-24]', async () => {
    const broker = new BrokerInProcess();
    for (const [maximumPacketSize, answer] of [
      [12, ReasonCode.packetTooLarge],
      [4, undefined],
    ] as const) {
      const client = broker.open(5);
      client.send({
        type: 'connect',
        protocolVersion: 5,
        clientId: 'c',
        cleanStart: true,
        keepAlive: 0,
        properties: { maximumPacketSize },
      });
      const packet = await client.next();
      assert.equal(packet?.type === 'connack' ? packet.reasonCode : undefined, answer);
      assert.equal(broker.statistics.clients, 0);
    }
    assert.equal(
      (await broker.open(5).connect({ properties: { maximumPacketSize: 13 }, clientId: 'c' })).reasonCode,
      0,
    );
  });

  it('is ended with a reason when SUBACK does not fit [MQTT-3.14.2-3] [MQTT-3.14.2-4]', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5, { clientId: 'c', properties: { maximumPacketSize: 20 } });
    const options = { qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;
    const subscriptions = Array.from({ length: 20 }, (_, index) => ({ filter: `${index}`, ...options }));
    client.send({ type: 'subscribe', packetId: 1, subscriptions, properties: {} });
    const { reasonCode, properties } = await client.expect('disconnect');
    assert.equal(reasonCode, ReasonCode.packetTooLarge);
    assert.deepEqual(properties, {});
  });
});
