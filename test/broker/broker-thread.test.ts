import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, type Worker } from 'node:worker_threads';
import { connect, type IClientOptions, MqttClient } from 'mqtt';
import type { BrokerEvent } from '../../src/broker/broker-event';
import { type BrokerSettings, BrokerThread, type BrokerThreadStatus } from '../../src/broker/broker-thread';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { PortStream } from '../../src/client/port-stream';
import { counterpart, freePort } from '../counterparts';
import { MqttPeer } from './mqtt-peer';

const loopback = { host: '127.0.0.1', port: 0 };

describe('the broker in its thread', () => {
  let broker: BrokerThread;
  let clients: MqttClient[];

  async function start(settings: Partial<BrokerSettings> = {}): Promise<void> {
    broker = new BrokerThread({ listeners: [loopback], ...settings });
    await broker.start();
  }

  const port = () => (broker.status.listeners[0] as { port: number }).port;

  /** A raw connection over TCP. */
  async function socket(): Promise<Socket> {
    const opened = connectTcp(port(), '127.0.0.1');
    await once(opened, 'connect');
    return opened;
  }

  function nextStatus(state: BrokerThreadStatus['state']): Promise<BrokerThreadStatus> {
    return new Promise((resolve) => {
      const listener = (status: BrokerThreadStatus) => {
        if (status.state !== state) return;
        broker.off('status', listener);
        resolve(status);
      };
      broker.on('status', listener);
    });
  }

  function nextEvent(type: BrokerEvent['type']): Promise<BrokerEvent> {
    return new Promise((resolve) => {
      const listener = (event: BrokerEvent) => {
        if (event.type !== type) return;
        broker.off('event', listener);
        resolve(event);
      };
      broker.on('event', listener);
    });
  }

  async function mqttJs(make: () => MqttClient): Promise<MqttClient> {
    const client = make();
    clients.push(client);
    await new Promise<void>((resolve, reject) => {
      client.once('connect', () => resolve());
      client.once('error', reject);
    });
    return client;
  }
  const overTcp = (options: IClientOptions) =>
    mqttJs(() => connect(`mqtt://127.0.0.1:${port()}`, { reconnectPeriod: 0, ...options }));
  const inProcess = (options: IClientOptions) =>
    mqttJs(() => new MqttClient(() => broker.openStream(), { reconnectPeriod: 0, ...options }));

  beforeEach(() => {
    clients = [];
  });
  afterEach(async () => {
    for (const client of clients) await client.endAsync(true);
    await broker.stop();
  });

  describe('with mosquitto_pub and mosquitto_sub', () => {
    for (const version of ['mqttv31', 'mqttv311', 'mqttv5']) {
      for (const qos of ['0', '1', '2']) {
        it(`carries QoS ${qos} over ${version} [MQTT-4.2.0-1]`, async function () {
          const pub = counterpart(this, 'mosquitto_pub');
          const sub = counterpart(this, 'mosquitto_sub');
          await start();
          const common = ['-V', version, '-p', String(port()), '-q', qos];
          const retained = spawn(pub, [...common, '-t', 'm/r', '-m', 'kept', '-r']);
          assert.deepEqual(await once(retained, 'exit'), [0, null]);
          const subscriber = spawn(sub, [...common, '-t', 'm/#', '-C', '3', '-W', '10', '-F', '%t %q %r %p']);
          let output = '';
          subscriber.stdout.on('data', (chunk) => {
            output += chunk;
          });
          const exited = once(subscriber, 'close');
          // The retained message says that the subscription is there.
          await once(subscriber.stdout, 'data');
          const publisher = spawn(pub, [...common, '-t', 'm/a', '-l']);
          publisher.stdin.end('one\ntwo\n');
          assert.deepEqual(await once(publisher, 'exit'), [0, null]);
          assert.deepEqual(await exited, [0, null], output);
          assert.equal(output, `m/r ${qos} 1 kept\nm/a ${qos} 0 one\nm/a ${qos} 0 two\n`);
        });
      }
    }

    it('passes MQTT 5 properties on', async function () {
      const pub = counterpart(this, 'mosquitto_pub');
      const sub = counterpart(this, 'mosquitto_sub');
      await start();
      const common = ['-V', 'mqttv5', '-p', String(port()), '-t', 't'];
      const properties = [
        ['content-type', 'text/plain'],
        ['response-topic', 'answer'],
        ['correlation-data', '42'],
        ['message-expiry-interval', '60'],
      ].flatMap((property) => ['-D', 'publish', ...property]);
      const user = ['-D', 'publish', 'user-property', 'name', 'value'];
      const publisher = spawn(pub, [...common, ...properties, ...user, '-m', 'x', '-r']);
      assert.deepEqual(await once(publisher, 'exit'), [0, null]);
      const subscriber = spawn(sub, [...common, '-C', '1', '-W', '10', '-F', '%C|%R|%D|%P|%p']);
      const [output] = await once(subscriber.stdout, 'data');
      assert.equal(String(output), 'text/plain|answer|42|name:value|x\n');
    });

    it('shares a subscription among two', async function () {
      this.timeout(60_000);
      const pub = counterpart(this, 'mosquitto_pub');
      const sub = counterpart(this, 'mosquitto_sub');
      await start();
      const common = ['-V', 'mqttv5', '-p', String(port()), '-q', '1'];
      const subscribed = new Promise<void>((resolve) => {
        broker.on('statistics', ({ subscriptions }) => {
          if (subscriptions === 2) resolve();
        });
      });
      const members = [1, 2].map(async () => {
        const format = ['-C', '2', '-W', '10', '-F', '%t %p'];
        const member = spawn(sub, [...common, '-t', '$share/g/#', ...format]);
        let output = '';
        member.stdout.on('data', (chunk) => {
          output += chunk;
        });
        await once(member, 'close');
        return output.split('\n').filter(Boolean);
      });
      await subscribed;
      const publisher = spawn(pub, [...common, '-t', 'm/a', '-l']);
      publisher.stdin.end('1\n2\n3\n4\n');
      const seen = await Promise.all(members);
      assert.deepEqual(
        seen.map(({ length }) => length),
        [2, 2],
      );
      assert.deepEqual(seen.flat().sort(), ['m/a 1', 'm/a 2', 'm/a 3', 'm/a 4']);
    });

    it('tells of itself below $SYS', async function () {
      const sub = counterpart(this, 'mosquitto_sub');
      await start();
      const uptime = ['-p', String(port()), '-t', '$SYS/broker/uptime', '-C', '1', '-W', '10'];
      const subscriber = spawn(sub, uptime);
      const [output] = await once(subscriber.stdout, 'data');
      assert.match(String(output), /^\d+ seconds\n$/);
      assert.deepEqual(await once(subscriber, 'exit'), [0, null]);
    });
  });

  describe('with MQTT.js', () => {
    it('says topics by aliases to who takes them', async () => {
      await start();
      const client = await overTcp({ protocolVersion: 5, properties: { topicAliasMaximum: 1 } });
      await client.subscribeAsync('#');
      const seen: string[] = [];
      const done = new Promise<void>((resolve) => {
        client.on('message', (topic, payload, { properties }) => {
          seen.push(`${topic} ${payload} ${properties?.topicAlias}`);
          if (seen.length === 4) resolve();
        });
      });
      for (const topic of ['a', 'b', 'a', 'b']) client.publish(topic, 'x');
      await done;
      assert.deepEqual(seen, ['a x 1', 'b x undefined', 'a x 1', 'b x undefined']);
    });

    for (const [name, open] of [
      ['over TCP', overTcp],
      ['through openStream', inProcess],
    ] as const) {
      for (const protocolVersion of [4, 5] as const) {
        it(`carries many messages of every QoS in order ${name}, protocol level ${protocolVersion}`, async () => {
          await start({ listeners: name === 'over TCP' ? [loopback] : [] });
          const subscriber = await open({ protocolVersion });
          const publisher = await open({ protocolVersion });
          await subscriber.subscribeAsync('t/#', { qos: 2 });
          const seen: string[][] = [[], [], []];
          const done = new Promise<void>((resolve) => {
            subscriber.on('message', (_topic, payload, { qos }) => {
              seen[qos]?.push(payload.toString());
              if (seen.flat().length === 900) resolve();
            });
          });
          const expected = Array.from({ length: 300 }, (_, index) => `${index} ${'x'.repeat(index * 10)}`);
          for (const qos of [0, 1, 2] as const) {
            await Promise.all(
              expected.map((payload) => publisher.publishAsync(`t/${qos}`, payload, { qos })),
            );
          }
          await done;
          assert.deepEqual(seen, [expected, expected, expected]);
        });
      }
    }

    it('carries messages of many sizes unchanged between TCP and a port', async () => {
      await start();
      const subscriber = await inProcess({ protocolVersion: 5 });
      const publisher = await overTcp({ protocolVersion: 4 });
      await subscriber.subscribeAsync('t', { qos: 1 });
      for (const size of [0, 127, 128, 16_383, 16_384, 65_536, 1_000_000, 5_000_000]) {
        const payload = Buffer.alloc(size, `${size}-`);
        const received = new Promise<Buffer>((resolve) => {
          subscriber.once('message', (_topic, message) => resolve(message));
        });
        await publisher.publishAsync('t', payload, { qos: size % 2 === 0 ? 0 : 1 });
        assert.ok(payload.equals(await received), `${size} bytes`);
      }
    });

    it('loses and doubles nothing at QoS 2 when connections are cut in the middle', async () => {
      await start();
      const options = { protocolVersion: 4 as const, clean: false, reconnectPeriod: 1 };
      const subscriber = await overTcp({ ...options, clientId: 'subscriber' });
      const publisher = await overTcp({ ...options, clientId: 'publisher' });
      await subscriber.subscribeAsync('t', { qos: 2 });
      const seen: number[] = [];
      const total = 500;
      const done = new Promise<void>((resolve) => {
        subscriber.on('message', (_topic, payload) => {
          if (seen.push(Number(payload.toString())) === total) resolve();
          if (seen.length % 50 === 25) (seen.length % 100 === 25 ? subscriber : publisher).stream.destroy();
        });
      });
      const sent = Array.from({ length: total }, (_, index) =>
        publisher.publishAsync('t', String(index), { qos: 2 }),
      );
      await Promise.all(sent);
      await done;
      assert.deepEqual(
        seen.toSorted((a, b) => a - b),
        sent.map((_, index) => index),
      );
    });
  });

  it('serves a port made by somebody else', async () => {
    await start({ listeners: [] });
    const { port1, port2 } = new MessageChannel();
    broker.acceptPort(port2);
    const peer = new MqttPeer(new PortStream(port1), 5);
    assert.equal((await peer.connect()).reasonCode, 0);
    await peer.vanish();
  });

  it('reports clients that come and go, and figures that change', async () => {
    await start({ listeners: [] });
    const connected = nextEvent('connected');
    // The first may come while the client is connected to and has not said who it is.
    const counted = new Promise<void>((resolve) => {
      broker.on('statistics', ({ clients }) => {
        if (clients === 1) resolve();
      });
    });
    const peer = new MqttPeer(broker.openStream(), 5);
    await peer.connect({ clientId: 'visitor' });
    const address = 'in-process';
    assert.deepEqual(await connected, {
      type: 'connected',
      clientId: 'visitor',
      address,
      protocolVersion: 5,
      sessionPresent: false,
    });
    await counted;
    const disconnected = nextEvent('disconnected');
    peer.send({ type: 'disconnect', reasonCode: 0, properties: {} });
    const { type, ...rest } = await disconnected;
    assert.deepEqual(rest, {
      clientId: 'visitor',
      address,
      reason: 'disconnected by the client',
      reasonCode: 0,
    });
    await peer.closed;
  });

  it('refuses who does not speak MQTT, reports it and goes on', async () => {
    await start();
    const refused = nextEvent('refused');
    const stranger = await socket();
    stranger.end(`GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: ${'x'.repeat(100)}\r\n\r\n`);
    stranger.resume();
    await once(stranger, 'close');
    assert.equal((await refused).type, 'refused');
    await overTcp({ protocolVersion: 5 });
  });

  it('reads on after its last word, so that a peer that is still writing gets to it', async () => {
    await start();
    const peer = new MqttPeer(await socket(), 5);
    await peer.connect();
    peer.stream.pause();
    // Closing at once would reset the connection in the middle of this.
    await new Promise<void>((resolve, reject) => {
      const megabytes = Buffer.alloc(8_000_000);
      peer.stream.write(megabytes, (error) => (error ? reject(error) : resolve()));
    });
    peer.stream.resume();
    assert.equal((await peer.expect('disconnect')).reasonCode, ReasonCode.malformedPacket);
    await peer.closed;
  });

  it('says goodbye to its clients when it stops', async () => {
    await start();
    const five = new MqttPeer(await socket(), 5);
    const inside = new MqttPeer(broker.openStream(), 5);
    await five.connect();
    await inside.connect();
    await broker.stop();
    for (const peer of [five, inside]) {
      assert.equal((await peer.expect('disconnect')).reasonCode, ReasonCode.serverShuttingDown);
      await peer.closed;
    }
    assert.equal(broker.status.state, 'stopped');
  });

  it('starts again after a stop, on the same port', async () => {
    const listener = { host: '127.0.0.1', port: await freePort() };
    await start({ listeners: [listener] });
    await overTcp({ protocolVersion: 4 });
    void broker.stop();
    await broker.start();
    assert.deepEqual(broker.status, { state: 'running', listeners: [{ kind: 'tcp', ...listener }] });
    await overTcp({ protocolVersion: 4 });
  });

  it('serves a stream that was opened while it starts', async () => {
    broker = new BrokerThread({ listeners: [] });
    const starting = broker.start();
    const peer = new MqttPeer(broker.openStream(), 5);
    assert.equal((await peer.connect()).reasonCode, 0);
    await starting;
    await peer.vanish();
  });

  it('can be stopped while it starts', async () => {
    broker = new BrokerThread({ listeners: [loopback] });
    const starting = broker.start();
    await Promise.all([broker.stop(), broker.stop()]);
    await assert.rejects(starting, /stopped before it ran/);
    assert.equal(broker.status.state, 'stopped');
  });

  it('gives streams that fail with the reason while it does not run', async () => {
    broker = new BrokerThread({ listeners: [] });
    const [error] = await once(broker.openStream(), 'error').catch((thrown) => [thrown]);
    assert.match(error.message, /embedded broker is stopped/);
    const { port1, port2 } = new MessageChannel();
    broker.acceptPort(port2);
    await once(port1, 'close');
  });

  describe('refuses to listen', () => {
    const rejected = async (settings: BrokerSettings, message: RegExp) => {
      broker = new BrokerThread(settings);
      await assert.rejects(broker.start(), message);
      assert.equal(broker.status.state, 'error');
      assert.match(broker.status.reason as string, message);
    };

    it('beyond loopback, unless that is chosen', async () => {
      await rejected(
        { listeners: [{ host: '0.0.0.0', port: 0 }] },
        /0\.0\.0\.0:0: it would be open to other machines/,
      );
      await rejected({ listeners: [{ host: '::', port: 0 }] }, /open to other machines/);
      await rejected({ listeners: [{ host: '', port: 0 }] }, /host is empty/);
    });

    it('on a port that is taken', async () => {
      await start();
      const first = broker;
      await rejected({ listeners: [{ host: '127.0.0.1', port: port() }] }, /EADDRINUSE/);
      await first.stop();
    });

    it('on what is no address or port', async () => {
      await rejected({ listeners: [{ host: 'no-such-host.invalid', port: 0 }] }, /no-such-host\.invalid:0/);
      await rejected({ listeners: [{ host: '127.0.0.1', port: 70_000 }] }, /port is not a whole number/);
      await rejected({ listeners: [], limits: { packetSize: -1 } }, /packetSize is -1/);
    });
  });

  it('is reported and restarted when its thread dies, and found again by its clients', async () => {
    const created = new Promise<Worker>((resolve) => process.once('worker', resolve));
    await start();
    const client = await overTcp({ protocolVersion: 5, reconnectPeriod: 20 });
    const before = port();
    const restarting = nextStatus('restarting');
    const running = nextStatus('running');
    client.on('error', () => {});
    const back = new Promise<void>((resolve) => {
      client.once('connect', () => resolve());
    });
    await (await created).terminate();
    assert.match((await restarting).reason as string, /ended with code/);
    const [error] = await once(broker.openStream(), 'error').catch((thrown) => [thrown]);
    assert.match(error.message, /embedded broker is restarting: broker thread ended/);
    assert.equal((await running).listeners[0]?.port, before);
    await back;
  });

  it('finds what it has stored when its thread dies, and shares its storage with no other broker', async function () {
    this.timeout(60_000);
    const directory = mkdtempSync(join(tmpdir(), 'thread-'));
    try {
      const storage = { directory, durability: 'write' } as const;
      const created = new Promise<Worker>((resolve) => process.once('worker', resolve));
      await start({ storage });
      const other = new BrokerThread({ listeners: [], storage });
      await assert.rejects(other.start(), /storage directory .* is in use: each broker/);
      const publisher = new MqttPeer(broker.openStream(), 5);
      await publisher.connect();
      publisher.publish('kept', 'x', { qos: 1, retain: true });
      await publisher.expect('puback');
      const running = nextStatus('running');
      await (await created).terminate();
      await running;
      const subscriber = new MqttPeer(broker.openStream(), 5);
      await subscriber.connect();
      await subscriber.subscribe('kept');
      assert.equal((await subscriber.expect('publish')).payload.toString(), 'x');
      await broker.stop();
      await other.start();
      await other.stop();
    } finally {
      await broker.stop();
      rmSync(directory, { recursive: true });
    }
  });
});
