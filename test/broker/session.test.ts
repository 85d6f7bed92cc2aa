import assert from 'node:assert/strict';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { BrokerInProcess } from './broker-in-process';
import { lasting } from './mqtt-peer';

describe('sessions', () => {
  it('go on after a reconnect: subscriptions, and QoS 1 and 2 messages that came meanwhile [MQTT-3.1.2-4 of 3.1.1] [MQTT-3.1.2-5 of 3.1.1] [MQTT-3.2.2-2 of 3.1.1] [MQTT-3.1.2-5] [MQTT-3.1.2-23] [MQTT-3.1.3-2] [MQTT-3.2.2-3] [MQTT-4.5.0-1]', async () => {
    for (const version of [4, 5] as const) {
      const broker = new BrokerInProcess();
      const first = broker.open(version);
      assert.equal((await first.connect(lasting)).sessionPresent, false);
      await first.subscribe('t', { qos: 2 });
      await first.vanish();
      const publisher = await broker.client(version);
      for (const qos of [0, 1, 2] as const) {
        publisher.publish('t', `qos ${qos}`, { qos, packetId: qos });
      }
      await publisher.expect('puback');
      await publisher.expect('pubrec');
      const again = broker.open(version);
      assert.equal((await again.connect(lasting)).sessionPresent, true);
      const seen = [await again.expect('publish'), await again.expect('publish')];
      assert.deepEqual(
        seen.map(({ payload, dup }) => [payload.toString(), dup]),
        [
          ['qos 1', false],
          ['qos 2', false],
        ],
      );
    }
  });

  it('take what has not expired in place of what has [MQTT-3.3.2-5]', async () => {
    const broker = new BrokerInProcess({ queuedMessages: 2 });
    const away = await broker.client(5, lasting);
    await away.subscribe('t', { qos: 1 });
    await away.vanish();
    const publisher = await broker.client(5);
    const publish = async (payload: string, messageExpiryInterval: number) => {
      publisher.publish('t', payload, { qos: 1, properties: { messageExpiryInterval } });
      await publisher.expect('puback');
    };
    await publish('for long', 60);
    await publish('for short', 5);
    await publish('too much', 60);
    assert.equal(broker.statistics.dropped, 1);
    broker.pass(20);
    await publish('fresh', 60);
    const again = await broker.client(5, lasting);
    assert.equal((await again.expect('publish')).payload.toString(), 'for long');
    assert.equal((await again.expect('publish')).payload.toString(), 'fresh');
    assert.equal(broker.statistics.dropped, 1);
  });

  it('send again what was not acknowledged, with DUP, the same identifiers and in order [MQTT-3.3.1-1] [MQTT-4.3.2-3] [MQTT-4.3.3-3] [MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT-4.4.0-1]', async () => {
    const broker = new BrokerInProcess();
    const first = await broker.client(5, lasting);
    await first.subscribe('t', { qos: 2 });
    const publisher = await broker.client(5);
    for (const [packetId, qos] of [
      [1, 1],
      [2, 2],
      [3, 2],
      [4, 1],
    ] as const) {
      publisher.publish('t', `message ${packetId}`, { qos, packetId });
    }
    const sent = [];
    for (let count = 0; count < 4; count++) sent.push(await first.expect('publish'));
    const ids = sent.map(({ packetId }) => packetId);
    first.acknowledge('puback', ids[0] as number);
    first.acknowledge('pubrec', ids[1] as number);
    await first.expect('pubrel');
    await first.vanish();

    const second = await broker.client(5, lasting);
    assert.equal((await second.expect('pubrel')).packetId, ids[1]);
    for (const index of [2, 3]) {
      const { packetId, dup, payload } = await second.expect('publish');
      assert.deepEqual([packetId, dup, payload.toString()], [ids[index], true, `message ${index + 1}`]);
    }
    for (const type of ['pubcomp', 'pubrec', 'puback'] as const) {
      second.acknowledge(type, ids[['pubcomp', 'pubrec', 'puback'].indexOf(type) + 1] as number);
    }
    await second.expect('pubrel');
    second.acknowledge('pubcomp', ids[2] as number);
    await second.expectNothing();
    await second.vanish();
    const third = await broker.client(5, lasting);
    await third.expectNothing();
  });

  it('deliver a QoS 2 message once, however often it is sent before its PUBREL, also over a reconnect [MQTT-4.3.3-10] [MQTT-4.3.3-11] [MQTT-4.3.3-12]', async () => {
    const broker = new BrokerInProcess();
    const subscriber = await broker.client(5);
    await subscriber.subscribe('t', { qos: 0 });
    const first = await broker.client(5, lasting);
    first.publish('t', 'once', { qos: 2, packetId: 5 });
    await first.expect('pubrec');
    first.publish('t', 'once', { qos: 2, packetId: 5, dup: true });
    await first.expect('pubrec');
    await first.vanish();
    const second = await broker.client(5, lasting);
    second.publish('t', 'once', { qos: 2, packetId: 5, dup: true });
    assert.equal((await second.expect('pubrec')).reasonCode, 0);
    second.acknowledge('pubrel', 5);
    assert.equal((await second.expect('pubcomp')).reasonCode, 0);
    second.acknowledge('pubrel', 5);
    assert.equal((await second.expect('pubcomp')).reasonCode, ReasonCode.packetIdentifierNotFound);
    second.publish('t', 'another', { qos: 2, packetId: 5 });
    await second.expect('pubrec');
    assert.equal((await subscriber.expect('publish')).payload.toString(), 'once');
    assert.equal((await subscriber.expect('publish')).payload.toString(), 'another');
    await subscriber.expectNothing();
  });

  it('end with a clean start, with the connection when they have no expiry, and when the expiry has passed [MQTT-3.1.2-4] [MQTT-3.1.2-6] [MQTT-3.1.4-4] [MQTT-3.2.2-2] [MQTT-4.1.0-2]', async () => {
    const broker = new BrokerInProcess();
    const reconnect = async (cleanStart: boolean, sessionExpiryInterval: number) => {
      const peer = broker.open(5);
      const { sessionPresent } = await peer.connect({
        clientId: 'c',
        cleanStart,
        properties: { sessionExpiryInterval },
      });
      await peer.subscribe('t');
      assert.equal(broker.statistics.subscriptions, 1);
      await peer.vanish();
      return sessionPresent;
    };
    assert.equal(await reconnect(false, 10), false);
    assert.equal(await reconnect(true, 10), false);
    assert.equal(await reconnect(false, 0), true);
    assert.equal(broker.statistics.subscriptions, 0);
    assert.equal(await reconnect(false, 10), false);
    broker.pass(9);
    assert.equal(await reconnect(false, 10), true);
    broker.pass(10);
    assert.equal(broker.statistics.subscriptions, 0);
    assert.equal(await reconnect(false, 10), false);
  });

  it('of MQTT 3.1.1 end with a clean one’s connection, and go on otherwise [MQTT-3.1.2-6 of 3.1.1] [MQTT-3.2.2-1 of 3.1.1] [MQTT-3.2.2-3 of 3.1.1]', async () => {
    const broker = new BrokerInProcess();
    for (const [cleanStart, present] of [
      [true, false],
      [false, false],
      [false, true],
      [true, false],
      [false, false],
    ] as const) {
      const peer = broker.open(4);
      assert.equal((await peer.connect({ clientId: 'c', cleanStart })).sessionPresent, present);
      await peer.vanish();
    }
  });

  it('get a new expiry from DISCONNECT, but not where CONNECT gave none', async () => {
    const broker = new BrokerInProcess();
    const first = await broker.client(5, lasting);
    first.send({ type: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } });
    assert.equal(await first.next(), undefined);
    const second = broker.open(5);
    assert.equal((await second.connect({ ...lasting, properties: {} })).sessionPresent, false);
    second.send({ type: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 5 } });
    assert.equal((await second.expect('disconnect')).reasonCode, ReasonCode.protocolError);
  });

  it('are granted at most the longest expiry, and the client is told', async () => {
    const broker = new BrokerInProcess({ sessionExpiry: 60 });
    const peer = broker.open(5);
    const { properties } = await peer.connect(lasting);
    assert.equal(properties.sessionExpiryInterval, 60);
    await peer.vanish();
    broker.pass(60);
    assert.equal((await broker.open(5).connect(lasting)).sessionPresent, false);
  });

  it('drop what comes beyond the queue’s limits, and count it', async () => {
    for (const limits of [{ queuedMessages: 2 }, { queuedBytes: 2 * 130 }]) {
      const broker = new BrokerInProcess(limits);
      const away = await broker.client(5, lasting);
      await away.subscribe('t', { qos: 1 });
      await away.vanish();
      const publisher = await broker.client(5);
      for (let packetId = 1; packetId <= 5; packetId++) {
        publisher.publish('t', String(packetId), { qos: 1, packetId });
        await publisher.expect('puback');
      }
      assert.equal(broker.statistics.dropped, 3);
      const back = await broker.client(5, lasting);
      assert.equal((await back.expect('publish')).payload.toString(), '1');
      assert.equal((await back.expect('publish')).payload.toString(), '2');
      await back.expectNothing();
    }
  });

  it('beyond the limit push out the one whose client has been away longest', async () => {
    const broker = new BrokerInProcess({ offlineSessions: 2 });
    for (const clientId of ['a', 'b', 'c']) await (await broker.client(5, { ...lasting, clientId })).vanish();
    for (const [clientId, present] of [
      ['a', false],
      ['b', true],
      ['c', true],
    ] as const) {
      assert.equal(
        (await broker.open(5).connect({ ...lasting, clientId })).sessionPresent,
        present,
        clientId,
      );
    }
  });

  it('do not deliver a message that expired in the queue, and count down one that did not [MQTT-3.3.2-5]', async () => {
    const broker = new BrokerInProcess();
    const away = await broker.client(5, lasting);
    await away.subscribe('t', { qos: 1 });
    await away.vanish();
    const publisher = await broker.client(5);
    publisher.publish('t', 'short', { qos: 1, packetId: 1, properties: { messageExpiryInterval: 5 } });
    publisher.publish('t', 'long', { qos: 1, packetId: 2, properties: { messageExpiryInterval: 50 } });
    await publisher.expect('puback');
    await publisher.expect('puback');
    broker.pass(6);
    const back = await broker.client(5, lasting);
    const message = await back.expect('publish');
    assert.deepEqual([message.payload.toString(), message.properties.messageExpiryInterval], ['long', 44]);
    assert.equal(broker.statistics.expired, 1);
    await back.expectNothing();
  });

  it('never have more in flight than the client’s Receive Maximum, also when sending again', async () => {
    const broker = new BrokerInProcess();
    const first = await broker.client(5, lasting);
    await first.subscribe('t', { qos: 2 });
    const publisher = await broker.client(5);
    for (let packetId = 1; packetId <= 6; packetId++) publisher.publish('t', 'x', { qos: 1, packetId });
    for (let count = 0; count < 6; count++) await first.expect('publish');
    await first.vanish();

    const properties = { sessionExpiryInterval: 100, receiveMaximum: 2 };
    const second = await broker.client(5, { ...lasting, properties });
    const window = [await second.expect('publish'), await second.expect('publish')];
    for (let count = 2; count < 6; count++) {
      await second.expectNothing();
      second.acknowledge('puback', window.shift()?.packetId as number);
      window.push(await second.expect('publish'));
    }
    assert.ok(window.every(({ dup }) => dup));
    publisher.publish('t', 'new', { qos: 1, packetId: 9 });
    await second.expectNothing();
    second.acknowledge('puback', window.shift()?.packetId as number);
    assert.equal((await second.expect('publish')).payload.toString(), 'new');
  });

  it('count a QoS 2 message as in flight until PUBCOMP, or until the client refuses it [MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2] [MQTT-4.4.0-2]', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5, { properties: { receiveMaximum: 1 } });
    await client.subscribe('t', { qos: 2 });
    const publisher = await broker.client(5);
    for (let packetId = 1; packetId <= 3; packetId++) publisher.publish('t', 'x', { qos: 2, packetId });
    const first = await client.expect('publish');
    client.acknowledge('pubrec', first.packetId);
    await client.expect('pubrel');
    await client.expectNothing();
    client.acknowledge('pubcomp', first.packetId);
    const second = await client.expect('publish');
    const reasonCode = ReasonCode.quotaExceeded;
    client.send({ type: 'pubrec', packetId: second.packetId, reasonCode, properties: {} });
    await client.expect('publish');
  });
});

describe('session takeover', () => {
  it('ends no session of another client, also when no more may be away', async () => {
    const broker = new BrokerInProcess({ offlineSessions: 1 });
    const away = { ...lasting, clientId: 'away' };
    await (await broker.client(5, away)).vanish();
    await broker.client(5, lasting);
    assert.equal((await broker.open(5).connect(lasting)).sessionPresent, true);
    assert.equal((await broker.open(5).connect(away)).sessionPresent, true);
  });

  it('ends the older connection with 0x8E and hands over its session [MQTT-3.1.4-3]', async () => {
    const broker = new BrokerInProcess();
    const older = await broker.client(5, lasting);
    await older.subscribe('t', { qos: 1 });
    const newer = broker.open(5);
    assert.equal((await newer.connect(lasting)).sessionPresent, true);
    assert.equal((await older.expect('disconnect')).reasonCode, ReasonCode.sessionTakenOver);
    assert.equal(await older.next(), undefined);
    newer.publish('t', 'x', { qos: 1, packetId: 1 });
    await newer.expect('publish');
    assert.equal(broker.statistics.clients, 1);
  });

  it('just closes an older connection of MQTT 3.1.1 [MQTT-3.1.4-2 of 3.1.1]', async () => {
    const broker = new BrokerInProcess();
    const older = await broker.client(4, { clientId: 'same' });
    await broker.client(4, { clientId: 'same' });
    assert.equal(await older.next(), undefined);
    assert.equal(broker.statistics.clients, 1);
  });
});
