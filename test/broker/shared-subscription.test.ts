import assert from 'node:assert/strict';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { BrokerInProcess } from './broker-in-process';
import type { MqttPeer } from './mqtt-peer';

const FILTER = '$share/workers/jobs/+';

/** Members of one shared subscription, each with a session that outlives its connection. */
async function members(broker: BrokerInProcess, names: string[], qos: 0 | 1 | 2): Promise<MqttPeer[]> {
  const peers: MqttPeer[] = [];
  for (const name of names) {
    const peer = await member(broker, name);
    await peer.subscribe(FILTER, { qos });
    peers.push(peer);
  }
  return peers;
}

function member(broker: BrokerInProcess, clientId: string): Promise<MqttPeer> {
  const properties = { sessionExpiryInterval: 100 };
  return broker.client(5, { clientId, cleanStart: false, properties });
}

/** Publishes so many messages, numbered from 1, and waits until the broker has them. */
async function publish(broker: BrokerInProcess, count: number, qos: 1 | 2 = 1): Promise<void> {
  const publisher = await broker.client(5);
  for (let packetId = 1; packetId <= count; packetId++) {
    publisher.publish('jobs/x', String(packetId), { qos, packetId });
    await publisher.expect(qos === 1 ? 'puback' : 'pubrec');
  }
}

/** The payloads of all that has come. */
async function payloads(peer: MqttPeer): Promise<string[]> {
  peer.send({ type: 'pingreq' });
  const seen: string[] = [];
  for (let packet = await peer.next(); packet?.type !== 'pingresp'; packet = await peer.next()) {
    assert.equal(packet?.type, 'publish');
    if (packet?.type === 'publish') seen.push(packet.payload.toString());
  }
  return seen;
}

describe('a shared subscription', () => {
  it('gives each message to one of its members, in turns, and to others as usual', async () => {
    const broker = new BrokerInProcess();
    for (const qos of [0, 1] as const) {
      const [a, b, c] = (await members(broker, ['a', 'b', 'c'], qos)) as [MqttPeer, MqttPeer, MqttPeer];
      const single = await broker.client(5);
      await single.subscribe('jobs/#', { qos });
      await publish(broker, 6);
      const seen = [await payloads(a), await payloads(b), await payloads(c)];
      assert.deepEqual(seen.flat().sort(), ['1', '2', '3', '4', '5', '6']);
      for (const some of seen) assert.equal(some.length, 2);
      assert.equal((await payloads(single)).length, 6);
      for (const peer of [a, b, c, single]) await peer.vanish();
    }
  });

  it('is apart from one of another group, and from an ordinary one of the same client [MQTT-3.3.4-5]', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5);
    await client.subscribe('$share/one/t', { properties: { subscriptionIdentifiers: [1] } });
    await client.subscribe('$share/two/t', { properties: { subscriptionIdentifiers: [2] } });
    await client.subscribe('t', { properties: { subscriptionIdentifiers: [3] } });
    assert.equal(broker.statistics.subscriptions, 3);
    client.publish('t', 'x');
    const identifiers = [];
    for (let count = 0; count < 3; count++) {
      identifiers.push(...((await client.expect('publish')).properties.subscriptionIdentifiers ?? []));
    }
    assert.deepEqual(identifiers.sort(), [1, 2, 3]);
    client.send({
      type: 'unsubscribe',
      packetId: 1,
      filters: ['$share/one/t', '$share/three/t'],
      properties: {},
    });
    const { reasonCodes } = await client.expect('unsuback');
    assert.deepEqual(reasonCodes, [ReasonCode.success, ReasonCode.noSubscriptionExisted]);
    client.publish('t', 'x');
    await client.expect('publish');
    await client.expect('publish');
    await client.expectNothing();
    await client.vanish();
    assert.equal(broker.statistics.subscriptions, 0);
  });

  it('gets no retained messages when it is made', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5);
    client.publish('jobs/x', 'kept', { retain: true });
    await client.subscribe(FILTER);
    await client.expectNothing();
  });

  it('respects the granted QoS of the member that it chooses [MQTT-4.8.2-3]', async () => {
    const broker = new BrokerInProcess();
    const [low] = (await members(broker, ['low'], 0)) as [MqttPeer];
    const [high] = (await members(broker, ['high'], 2)) as [MqttPeer];
    await publish(broker, 2);
    assert.equal((await low.expect('publish')).qos, 0);
    assert.equal((await high.expect('publish')).qos, 1);
  });

  it('needs a group name and a filter after it [MQTT-4.8.2-1] [MQTT-4.8.2-2]', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5);
    for (const filter of ['$share/', '$share/g', '$share/g/', '$share//t', '$share/+/t', '$share/g#/t']) {
      assert.deepEqual((await client.subscribe(filter)).reasonCodes, [ReasonCode.topicFilterInvalid], filter);
    }
  });

  it('prefers members that take messages at once', async () => {
    const broker = new BrokerInProcess({ inFlight: 2 });
    const [busy, idle] = (await members(broker, ['busy', 'idle'], 1)) as [MqttPeer, MqttPeer];
    const publisher = await broker.client(5);
    let taken = 0;
    for (let packetId = 1; packetId <= 8; packetId++) {
      publisher.publish('jobs/x', String(packetId), { qos: 1, packetId });
      await publisher.expect('puback');
      if (packetId % 2 === 1 && packetId <= 3) {
        await busy.expect('publish');
      } else {
        const { packetId: id } = await idle.expect('publish');
        idle.send({ type: 'puback', packetId: id, reasonCode: 0, properties: {} });
        await idle.expectNothing();
        taken++;
      }
    }
    assert.equal(taken, 6);
    await busy.expectNothing();
  });

  it('finds a member that takes messages at once also among many that do not', async () => {
    const broker = new BrokerInProcess({ inFlight: 1 });
    const names = Array.from({ length: 150 }, (_, index) => `worker-${index}`);
    const peers = await members(broker, names, 1);
    // One for each that it does not acknowledge, and as many again that have to wait.
    await publish(broker, 300);
    const seen = await Promise.all(peers.map((peer) => payloads(peer)));
    assert.deepEqual(
      seen.map(({ length }) => length),
      names.map(() => 1),
    );
    const ready = peers[100] as MqttPeer;
    let packetId = 1;
    let taken = 0;
    const takeAll = async () => {
      for (let more = 1; more > 0; taken += more) {
        ready.send({ type: 'puback', packetId, reasonCode: 0, properties: {} });
        more = (await payloads(ready)).length;
        packetId += more;
      }
    };
    await takeAll();
    assert.equal(taken, 1);
    for (let count = 0; count < 320; count++) {
      await publish(broker, 1);
      await takeAll();
    }
    assert.ok(taken >= 170, `${taken}`);
  });

  it('passes what a member that is gone has not acknowledged at QoS 1 to another', async () => {
    const broker = new BrokerInProcess({ inFlight: 2 });
    const [leaves, stays] = (await members(broker, ['leaves', 'stays'], 1)) as [MqttPeer, MqttPeer];
    await publish(broker, 4);
    const first = await leaves.expect('publish');
    leaves.send({ type: 'puback', packetId: first.packetId, reasonCode: 0, properties: {} });
    await leaves.expect('publish');
    const seen = [await stays.expect('publish'), await stays.expect('publish')];
    await leaves.vanish();
    await stays.expectNothing();
    for (const { packetId } of seen) {
      stays.send({ type: 'puback', packetId, reasonCode: 0, properties: {} });
    }
    const moved = await stays.expect('publish');
    assert.deepEqual([moved.payload.toString(), moved.dup], ['3', false]);
    await stays.expectNothing();
    await (await member(broker, 'leaves')).expectNothing();
  });

  it('passes on also what its only member got before it subscribed anew', async () => {
    const broker = new BrokerInProcess();
    const a = await member(broker, 'a');
    await a.subscribe(FILTER, { qos: 1 });
    await publish(broker, 2);
    assert.deepEqual(await payloads(a), ['1', '2']);
    await a.subscribe(FILTER, { qos: 1, retainAsPublished: true });
    const [b] = (await members(broker, ['b'], 1)) as [MqttPeer];
    await a.vanish();
    assert.deepEqual(await payloads(b), ['1', '2']);
  });

  it('keeps messages for absent members, and passes them on when their session ends', async () => {
    const broker = new BrokerInProcess();
    const [a, b] = (await members(broker, ['a', 'b'], 1)) as [MqttPeer, MqttPeer];
    await b.vanish();
    await a.vanish();
    await publish(broker, 4);
    const again = await member(broker, 'a');
    assert.deepEqual((await payloads(again)).length, 2);
    broker.pass(50);
    await again.expectNothing();
    broker.pass(51);
    const late = await payloads(again);
    assert.equal(late.length, 2);
  });

  it('completes a QoS 2 delivery with the member that it began with [MQTT-4.8.2-4]', async () => {
    const broker = new BrokerInProcess();
    const [chosen, other] = (await members(broker, ['chosen', 'other'], 2)) as [MqttPeer, MqttPeer];
    await publish(broker, 1, 2);
    const sent = await chosen.expect('publish');
    await chosen.vanish();
    await other.expectNothing();
    const again = await member(broker, 'chosen');
    const repeated = await again.expect('publish');
    assert.deepEqual([repeated.packetId, repeated.dup], [sent.packetId, true]);
    again.send({ type: 'pubrec', packetId: sent.packetId, reasonCode: 0, properties: {} });
    await again.expect('pubrel');
    await again.vanish();
    await other.expectNothing();
    const third = await member(broker, 'chosen');
    assert.equal((await third.expect('pubrel')).packetId, sent.packetId);
  });

  it('gives a QoS 2 delivery that began to nobody else when the session ends [MQTT-4.8.2-5]', async () => {
    const broker = new BrokerInProcess();
    const [chosen, other] = (await members(broker, ['chosen', 'other'], 2)) as [MqttPeer, MqttPeer];
    await publish(broker, 1, 2);
    await chosen.expect('publish');
    await chosen.vanish();
    broker.pass(101);
    await other.expectNothing();
  });

  it('gives what a member refuses to nobody else [MQTT-4.8.2-6]', async () => {
    const broker = new BrokerInProcess();
    const [chosen, other] = (await members(broker, ['chosen', 'other'], 2)) as [MqttPeer, MqttPeer];
    for (const [type, qos] of [
      ['puback', 1],
      ['pubrec', 2],
    ] as const) {
      await publish(broker, 2, qos);
      const { packetId } = await chosen.expect('publish');
      await other.expect('publish');
      chosen.send({ type, packetId, reasonCode: ReasonCode.quotaExceeded, properties: {} });
      await chosen.expectNothing();
      await other.expectNothing();
    }
    await chosen.vanish();
    await other.expectNothing();
  });

  it('delivers wills to one member', async () => {
    const broker = new BrokerInProcess();
    const [a, b] = (await members(broker, ['a', 'b'], 1)) as [MqttPeer, MqttPeer];
    const will = {
      topic: 'jobs/w',
      payload: Buffer.from('bye'),
      qos: 1 as const,
      retain: false,
      properties: {},
    };
    await (await broker.client(5, { will })).vanish();
    assert.deepEqual([...(await payloads(a)), ...(await payloads(b))], ['bye']);
  });
});
