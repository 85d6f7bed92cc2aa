import assert from 'node:assert/strict';
import { BrokerThread } from '../../src/broker/broker-thread';
import type { MessageParts } from '../../src/broker/codec/publish-packet';
import { messagesIn, type PublishedMessage } from '../../src/broker/message-batch';
import { MessageWatch } from '../../src/broker/message-watch';
import { MqttPeer } from './mqtt-peer';

describe('the watch of what is published', () => {
  describe('in a broker', () => {
    let broker: BrokerThread;
    let messages: PublishedMessage[];
    let wake = () => {};

    beforeEach(async () => {
      broker = new BrokerThread({ listeners: [], watch: 'w/#' });
      messages = [];
      broker.on('message', (message) => {
        messages.push(message);
        wake();
      });
      await broker.start();
    });
    afterEach(() => broker.stop());

    const until = async (count: number): Promise<PublishedMessage[]> => {
      while (messages.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return messages;
    };

    it('shows what matches, whoever publishes and whoever subscribes, with the publisher', async () => {
      const [old, five] = [new MqttPeer(broker.openStream(), 4), new MqttPeer(broker.openStream(), 5)];
      const will = {
        topic: 'w/will',
        payload: Buffer.from('gone'),
        qos: 2,
        retain: false,
        properties: {},
      } as const;
      await old.connect({ clientId: 'old', will });
      await five.connect({ clientId: 'five' });
      old.publish('w/old', 'x', { qos: 1, retain: true });
      await old.expect('puback');
      old.publish('other', 'x');
      const user: [string, string][] = [
        ['a', '1'],
        ['a', '2'],
      ];
      const properties = { contentType: 'text/plain', messageExpiryInterval: 60, userProperties: user };
      five.publish('w/five', 'y', { properties: { ...properties, topicAlias: 1 } });
      five.publish('', 'z', { qos: 1, properties: { topicAlias: 1 } });
      await five.expect('puback');
      await until(3);
      await old.vanish();
      await until(4);
      const own = {
        topic: 'w/own',
        payload: Buffer.from('o'),
        qos: 0,
        retain: false,
        properties: {},
      } as const;
      await broker.administration.publish(own);
      await until(5);
      const told = messages.map(({ payload, ...message }) => ({ ...message, payload: payload.toString() }));
      const message = { qos: 0, retain: false, properties: {} };
      assert.deepEqual(told, [
        { ...message, topic: 'w/old', payload: 'x', qos: 1, retain: true, clientId: 'old' },
        { ...message, topic: 'w/five', payload: 'y', properties, clientId: 'five' },
        { ...message, topic: 'w/five', payload: 'z', qos: 1, clientId: 'five' },
        { ...message, topic: 'w/will', payload: 'gone', qos: 2, clientId: 'old' },
        { ...message, topic: 'w/own', payload: 'o', clientId: '' },
      ]);
    });

    it('shows a burst whole and in order', async () => {
      const peer = new MqttPeer(broker.openStream(), 5);
      await peer.connect();
      for (let index = 0; index < 5000; index++) peer.publish('w/burst', String(index));
      await until(5000);
      assert.deepEqual(
        messages.map(({ payload }) => Number(payload.toString())),
        Array.from({ length: 5000 }, (_, index) => index),
      );
    });
  });

  describe('by an application that does not take it', function () {
    this.timeout(60_000);
    const partsOf = (topic: string, payload: Buffer): MessageParts => {
      const bytes = Buffer.concat([Buffer.from(topic), payload]);
      const topicEnd = bytes.length - payload.length;
      return {
        bytes,
        topicStart: 0,
        topicEnd,
        propertiesStart: topicEnd,
        propertiesEnd: topicEnd,
        payloadStart: topicEnd,
        payloadEnd: bytes.length,
      };
    };
    const nextTurn = () => new Promise(setImmediate);

    it('holds back what a turn of it cannot be given, and drops what there is no room for', async () => {
      const batches: ArrayBuffer[] = [];
      const watch = new MessageWatch('#', (batch) => batches.push(batch));
      const parts = partsOf('t', Buffer.from('x'));
      for (let index = 0; index < 100_010; index++) watch.published(parts, `t/${index}`, 0, false, -1, 'c');
      await nextTurn();
      assert.deepEqual(
        batches.map((batch) => [...messagesIn(batch)].length),
        [64, 64, 64, 64],
      );
      assert.deepEqual(watch.takeOverrun(), { count: 10, topic: 't/100009' });
      assert.equal(watch.takeOverrun(), undefined);
      watch.taken();
      assert.equal(batches.length, 5);
      while (batches.length < Math.ceil(100_000 / 64)) watch.taken();
      assert.equal(batches.flatMap((batch) => [...messagesIn(batch)]).length, 100_000);
    });

    it('bounds the bytes that wait and those under way', async () => {
      const batches: ArrayBuffer[] = [];
      const watch = new MessageWatch('#', (batch) => batches.push(batch));
      const parts = partsOf('t', Buffer.alloc(3 * 1024 * 1024));
      for (let index = 0; index < 12; index++) watch.published(parts, 't', 0, false, -1, 'c');
      await nextTurn();
      assert.deepEqual([batches.length, watch.takeOverrun()], [1, { count: 2, topic: 't' }]);
      while (batches.length < 10) watch.taken();
      watch.taken();
      watch.published(partsOf('t', Buffer.alloc(33 * 1024 * 1024)), 'large', 0, false, -1, 'c');
      assert.deepEqual(watch.takeOverrun(), { count: 1, topic: 'large' });
      watch.published(parts, 't', 0, false, -1, 'c');
      await nextTurn();
      assert.equal(batches.length, 11);
    });
  });

  it('matches topics as subscriptions do, and refuses what is no filter', () => {
    const watch = new MessageWatch('#', () => {});
    assert.deepEqual([watch.matches('a/b'), watch.matches('$SYS/broker/uptime')], [true, false]);
    assert.throws(() => new MessageWatch('a/#/b', () => {}), /topic filter "a\/#\/b"/);
    assert.throws(() => new MessageWatch('$share/g/a', () => {}), /"\$share\/g\/a" is a shared subscription/);
  });
});
