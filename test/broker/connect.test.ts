import assert from 'node:assert/strict';
import type { ProtocolVersion } from '../../src/broker/codec/packet-type';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { BrokerInProcess } from './broker-in-process';
import { encodePacket, type Packet } from './codec/any-packet';
import type { MqttPeer } from './mqtt-peer';

/** CONNECT of MQTT 5 with these flags and this payload, the properties being none. */
function connect(flags: number, ...payload: Array<string | number>): Buffer {
  return connectOf('MQTT', 5, flags, [0], payload);
}

function connectOf(
  name: string,
  level: number,
  flags: number,
  properties: number[],
  payload: Array<string | number>,
): Buffer {
  const body = Buffer.concat([
    Buffer.from([0, name.length, ...Buffer.from(name), level, flags, 0, 0, ...properties]),
    ...payload.map((part) => (typeof part === 'number' ? Buffer.from([part]) : text(part))),
  ]);
  return Buffer.concat([Buffer.from([0x10, body.length]), body]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([Buffer.from([0, bytes.length]), bytes]);
}

/** Sends bytes as the first of a connection and returns CONNACK, if there is one, once the broker has closed. */
async function refusal(broker: BrokerInProcess, bytes: Buffer, version: ProtocolVersion = 5) {
  const peer = broker.open(version);
  peer.stream.write(bytes);
  const packet = await peer.next();
  assert.equal(packet && (await peer.next()), undefined);
  return packet?.type === 'connack' ? packet : undefined;
}

describe('CONNECT', () => {
  const { malformedPacket } = ReasonCode;
  const malformed: Array<[name: string, bytes: Buffer]> = [
    ['the reserved flag [MQTT-3.1.2-3]', connect(3, 'c')],
    ['a will QoS without a will [MQTT-3.1.2-11]', connect(2 | 8, 'c')],
    ['will QoS 3 [MQTT-3.1.2-12]', connect(2 | 4 | 24, 'c', 0, 't', 'p')],
    ['will retain without a will [MQTT-3.1.2-13]', connect(2 | 32, 'c')],
    ['a will that is not there [MQTT-3.1.2-9]', connect(2 | 4, 'c')],
    ['a will topic that is not UTF-8 [MQTT-3.1.3-11]', connect(2 | 4, 'c', 0, '\xc3\x28', 'p')],
    ['a user name without its flag [MQTT-3.1.2-16]', connect(2, 'c', 'u')],
    ['a user name that is not there [MQTT-3.1.2-17]', connect(2 | 0x80, 'c')],
    ['a user name that is not UTF-8 [MQTT-3.1.3-12]', connect(2 | 0x80, 'c', '\xff')],
    ['a password without its flag [MQTT-3.1.2-18]', connect(2 | 0x80, 'c', 'u', 'p')],
    ['a password that is not there [MQTT-3.1.2-19]', connect(2 | 0xc0, 'c', 'u')],
    ['no client identifier [MQTT-3.1.3-3]', connect(2)],
    ['a client identifier that is not UTF-8 [MQTT-3.1.3-4]', connect(2, '\xc3\x28')],
  ];
  for (const [name, bytes] of malformed) {
    it(`is refused with ${name}, and the connection closed [MQTT-3.2.2-7] [MQTT-4.13.2-1]`, async () => {
      const broker = new BrokerInProcess();
      assert.equal((await refusal(broker, bytes))?.reasonCode, malformedPacket);
      assert.equal(broker.statistics.clients, 0);
    });
  }

  it('of another protocol or level is refused, and the connection closed [MQTT-3.1.2-1] [MQTT-3.1.2-2] [MQTT-3.1.2-1 of 3.1.1]', async () => {
    const broker = new BrokerInProcess();
    for (const [name, level] of [
      ['MQTX', 5],
      ['MQTT', 6],
      ['MQTT', 3],
      ['MQIsdp', 4],
    ] as const) {
      // What it would understand is not known, so that it gets the return code of MQTT 3.1.1.
      assert.equal((await refusal(broker, connectOf(name, level, 2, [0], ['c']), 4))?.reasonCode, 1);
    }
  });

  it('of MQTT 3.1.1 with a password and no user name is refused [MQTT-3.1.2-22 of 3.1.1]', async () => {
    const bytes = connectOf('MQTT', 4, 2 | 0x40, [], ['c', 'p']);
    assert.ok(await refusal(new BrokerInProcess(), bytes, 4));
  });

  it('has its fields in the order of the specification [MQTT-3.1.3-1]', async () => {
    const broker = new BrokerInProcess();
    const watcher = await broker.client(5);
    await watcher.subscribe('#');
    const peer = broker.open(5);
    peer.stream.write(connect(2 | 4 | 0xc0, 'client', 0, 'topic', 'payload', 'user', 'password'));
    assert.equal((await peer.expect('connack')).reasonCode, 0);
    await peer.vanish();
    const { topic, payload } = await watcher.expect('publish');
    assert.deepEqual([topic, payload.toString()], ['topic', 'payload']);
  });

  it('may use any client identifier of letters and digits of 1 to 23 bytes, and longer ones [MQTT-3.1.3-5]', async () => {
    const broker = new BrokerInProcess();
    for (const clientId of [
      '0',
      '0123456789abcdefghijklm',
      'nopqrstuvwxyzABCDEFGHIJ',
      'KLMNOPQRSTUVWXYZ',
      'x'.repeat(60_000),
    ]) {
      for (const version of [3, 4, 5] as const) await broker.client(version, { clientId });
    }
  });

  it('without a client identifier gets a new one of its own [MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16] [MQTT-3.1.3-6 of 3.1.1]', async () => {
    const broker = new BrokerInProcess();
    const assigned = new Set<string>();
    for (let count = 0; count < 3; count++) {
      const peer = broker.open(5);
      const { properties } = await peer.connect({ properties: { sessionExpiryInterval: 10 } });
      assigned.add(properties.assignedClientIdentifier ?? '');
      await peer.subscribe('t', { qos: 1 });
      await peer.vanish();
    }
    assert.equal(assigned.size, 3);
    for (const clientId of assigned) {
      const back = broker.open(5);
      assert.equal((await back.connect({ clientId, cleanStart: false })).sessionPresent, true);
    }
    const older = await broker.client(4, { clientId: '' });
    await older.expectNothing();
  });

  it('is answered by CONNACK before anything else, once [MQTT-3.1.4-5] [MQTT-3.2.0-1] [MQTT-3.2.0-2] [MQTT-3.2.2-1]', async () => {
    const broker = new BrokerInProcess();
    const options = { clientId: 'c', cleanStart: false, properties: { sessionExpiryInterval: 10 } };
    const first = await broker.client(5, options);
    await first.subscribe('t', { qos: 1 });
    await first.vanish();
    const publisher = await broker.client(5);
    publisher.publish('t', 'waiting', { qos: 1 });
    await publisher.expect('puback');
    const stream = broker.openStream();
    const again: Packet = { type: 'connect', protocolVersion: 5, keepAlive: 0, ...options };
    stream.write(Buffer.concat([encodePacket(again, 5), encodePacket(again, 5)]));
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    const types: number[] = [];
    for (let at = 0; at < bytes.length; at += 2 + (bytes[at + 1] as number))
      types.push((bytes[at] as number) >> 4);
    assert.deepEqual(types, [2, 3, 14]);
    // Session present alone.
    assert.equal(bytes[2], 1);
  });

  it('that is refused takes what follows it with it [MQTT-3.1.4-6]', async () => {
    const broker = new BrokerInProcess();
    const watcher = await broker.client(5);
    await watcher.subscribe('#');
    const publish = Buffer.from([0x30, 4, 0, 1, 0x61, 0]);
    await refusal(broker, Buffer.concat([connect(3, 'c'), publish]));
    await watcher.expectNothing();
  });

  it('that is refused does not say that there is a session, though there is [MQTT-3.2.2-6] [MQTT-3.2.2-4 of 3.1.1]', async () => {
    const broker = new BrokerInProcess();
    const options = { clientId: 'c', cleanStart: false, properties: { sessionExpiryInterval: 10 } };
    await (await broker.client(5, options)).vanish();
    const will = { topic: '#', payload: Buffer.alloc(0), qos: 0 as const, retain: false, properties: {} };
    for (const version of [4, 5] as const) {
      const { sessionPresent, reasonCode } = await broker.open(version).connect({ ...options, will });
      assert.equal(sessionPresent, false);
      assert.notEqual(reasonCode, 0);
    }
    assert.equal((await broker.open(5).connect(options)).sessionPresent, true);
  });

  it('is refused with a reason code of CONNACK, without a reason that would be too long for the client [MQTT-3.2.2-8] [MQTT-3.2.2-19] [MQTT-3.2.2-20]', async () => {
    const will = { topic: '#', payload: Buffer.alloc(0), qos: 0 as const, retain: false, properties: {} };
    for (const [maximumPacketSize, told] of [
      [1000, true],
      [20, false],
    ] as const) {
      const peer = new BrokerInProcess().open(5);
      const { reasonCode, properties } = await peer.connect({ will, properties: { maximumPacketSize } });
      assert.equal(reasonCode, ReasonCode.topicNameInvalid);
      assert.equal(properties.reasonString !== undefined, told);
      assert.equal(properties.userProperties, undefined);
    }
  });

  it('without an authentication method is answered without one, and by no AUTH [MQTT-4.12.0-6]', async () => {
    const peer = new BrokerInProcess().open(5);
    const { properties } = await peer.connect({ username: 'u', password: Buffer.from('p') });
    assert.equal(properties.authenticationMethod, undefined);
    await peer.expectNothing();
  });
});

describe('a session', () => {
  it('outlives its expiry while the client is connected [MQTT-4.1.0-1]', async () => {
    const broker = new BrokerInProcess();
    const client = await broker.client(5, { clientId: 'c', properties: { sessionExpiryInterval: 1 } });
    await client.subscribe('t');
    broker.pass(100);
    client.publish('t', 'x');
    await client.expect('publish');
  });
});

describe('a will', () => {
  it('without retain is not retained [MQTT-3.1.2-14]', async () => {
    const broker = new BrokerInProcess();
    const watcher = await broker.client(5);
    await watcher.subscribe('#', { retainAsPublished: true });
    const will = { topic: 't', payload: Buffer.from('x'), qos: 0 as const, retain: false, properties: {} };
    await (await broker.client(5, { will })).vanish();
    assert.equal((await watcher.expect('publish')).retain, false);
    assert.equal(broker.statistics.retained, 0);
  });
});

describe('DISCONNECT of the broker', () => {
  async function ended(end: (client: MqttPeer) => void): Promise<Packet> {
    const client = await new BrokerInProcess().client(5, { properties: { sessionExpiryInterval: 10 } });
    end(client);
    const packet = await client.expect('disconnect');
    assert.equal(await client.next(), undefined);
    await client.closed;
    return packet;
  }

  it('is its last packet and has a reason code of its own [MQTT-3.14.2-1] [MQTT-3.14.2-2] [MQTT-3.14.4-1] [MQTT-3.14.4-2]', async () => {
    const packet = await ended((client) => {
      client.stream.write(Buffer.from([0xff, 0]));
      client.send({ type: 'pingreq' });
    });
    assert.equal(packet.type === 'disconnect' && packet.reasonCode, ReasonCode.malformedPacket);
    assert.deepEqual(packet.type === 'disconnect' && Object.keys(packet.properties), ['reasonString']);
  });
});
