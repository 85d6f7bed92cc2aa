import assert from 'node:assert/strict';
import { connect } from 'node:net';
import type { UpstreamSettings } from '../../../src/broker/upstream/upstream-settings';
import { Mosquitto } from '../../client/mosquitto';
import { freePort } from '../../counterparts';
import { endingAfterEach } from '../../ending-after-each';
import { MqttPeer } from '../mqtt-peer';
import { JoinedBroker, upstreamTo } from './joined-broker';

/** How often each broker may get a message at most; a loop would be without end. */
interface Member {
  port: number;
  count: number;
  peer: MqttPeer;
}

describe('messages that could go round', function () {
  this.timeout(60_000);
  const keep = endingAfterEach();

  async function listening(port: number): Promise<JoinedBroker> {
    const broker = keep(await JoinedBroker.start([], { listeners: [{ host: '127.0.0.1', port }] }));
    return broker;
  }
  async function joinedAt(port: number, upstreams: UpstreamSettings[]): Promise<JoinedBroker> {
    const broker = keep(await JoinedBroker.start(upstreams, { listeners: [{ host: '127.0.0.1', port }] }));
    return broker;
  }

  /** A client of each broker that counts what it gets below `shared`. */
  async function watch(ports: number[]): Promise<Member[]> {
    return Promise.all(
      ports.map(async (port) => {
        const peer = keep(new MqttPeer(connect(port, '127.0.0.1'), 5), (made) => made.vanish());
        await peer.connect();
        await peer.subscribe('shared/#', { qos: 1 });
        return { port, count: 0, peer };
      }),
    );
  }

  /** Publishes one message at each broker, and returns how often each has come to each when all is quiet. */
  async function countRounds(members: Member[]): Promise<number[][]> {
    const counts = members.map(() => members.map(() => 0));
    for (const [at, { peer }] of members.entries()) {
      void (async () => {
        for (let packet = await peer.next(); packet !== undefined; packet = await peer.next()) {
          if (packet.type !== 'publish') continue;
          const row = counts[Number(packet.payload.toString())] as number[];
          row[at] = (row[at] as number) + 1;
          if (packet.qos === 1) {
            peer.send({ type: 'puback', packetId: packet.packetId, reasonCode: 0, properties: {} });
          }
        }
      })();
    }
    for (const [at, { peer }] of members.entries()) {
      peer.publish('shared/x', String(at), { qos: 1, packetId: 9 });
    }
    let before = '';
    // A loop never becomes quiet. Each message comes to each, however long that takes on a busy machine; what comes
    // once more comes soon after.
    for (let quiet = 0; quiet < 3 || counts.flat().includes(0); ) {
      await new Promise((resolve) => setTimeout(resolve, 150));
      const now = JSON.stringify(counts);
      assert.ok(
        counts.flat().every((count) => count <= 8),
        `it goes round: ${now}`,
      );
      quiet = now === before ? quiet + 1 : 0;
      before = now;
    }
    return counts;
  }

  it('come once to each of two brokers joined over MQTT 5 and over 3.1.1', async () => {
    for (const protocolVersion of [5, 4] as const) {
      const above = await listening(0);
      const site = await joinedAt(0, [upstreamTo(above.port, { protocolVersion })]);
      await site.until('cloud', 'connected');
      const counts = await countRounds(await watch([above.port, site.port]));
      assert.deepEqual(counts, [
        [1, 1],
        [1, 1],
      ]);
    }
  });

  it('end where two of ours are joined to each other', async () => {
    const [a, b] = [await freePort(), await freePort()];
    const first = await joinedAt(a, [upstreamTo(b, { clientId: 'a-to-b' })]);
    const second = await joinedAt(b, [upstreamTo(a, { clientId: 'b-to-a' })]);
    await first.until('cloud', 'connected');
    await second.until('cloud', 'connected');
    const counts = await countRounds(await watch([a, b]));
    for (const row of counts)
      assert.ok(
        row.every((count) => count === 1 || count === 2),
        JSON.stringify(counts),
      );
  });

  it('end in a ring of three of ours, and come from each to each', async () => {
    const ports = [await freePort(), await freePort(), await freePort()];
    const ring = [];
    for (const [at, port] of ports.entries()) {
      const next = ports[(at + 1) % 3] as number;
      ring.push(await joinedAt(port, [upstreamTo(next, { clientId: `ring-${at}` })]));
    }
    for (const broker of ring) await broker.until('cloud', 'connected');
    const counts = await countRounds(await watch(ports));
    for (const row of counts) {
      assert.ok(
        row.every((count) => count >= 1 && count <= 3),
        JSON.stringify(counts),
      );
    }
  });

  it('come once to each in a ring of three of ours that goes one way', async () => {
    const ports = [await freePort(), await freePort(), await freePort()];
    const ring = [];
    for (const [at, port] of ports.entries()) {
      const next = ports[(at + 1) % 3] as number;
      const routes = upstreamTo(next).routes.map((route) => ({ ...route, direction: 'out' as const }));
      ring.push(await joinedAt(port, [upstreamTo(next, { clientId: `ring-${at}`, routes })]));
    }
    for (const broker of ring) await broker.until('cloud', 'connected');
    const counts = await countRounds(await watch(ports));
    assert.deepEqual(counts, [
      [1, 1, 1],
      [1, 1, 1],
      [1, 1, 1],
    ]);
  });

  it('end where one of ours and mosquitto are joined to each other over MQTT 5', async function () {
    const port = await freePort();
    const mosquitto = keep(
      await Mosquitto.start(this, [
        'connection down',
        `address 127.0.0.1:${port}`,
        'bridge_protocol_version mqttv50',
        'restart_timeout 1',
        'notifications false',
        'topic shared/# both 1',
      ]),
    );
    const broker = await joinedAt(port, [upstreamTo(mosquitto.port)]);
    await broker.until('cloud', 'connected');
    while (!broker.events.some((event) => event.type === 'connected' && event.clientId.includes('down'))) {
      await new Promise((resolve) => broker.thread.once('event', resolve));
    }
    const counts = await countRounds(await watch([mosquitto.port, port]));
    for (const row of counts)
      assert.ok(
        row.every((count) => count >= 1 && count <= 3),
        JSON.stringify(counts),
      );
  });

  it('end in a ring of two of ours and a mosquitto', async function () {
    const mosquitto = keep(await Mosquitto.start(this));
    const [a, b] = [await freePort(), await freePort()];
    const first = await joinedAt(a, [
      upstreamTo(mosquitto.port, { clientId: 'a-to-m' }),
      upstreamTo(b, { name: 'neighbour', clientId: 'a-to-b' }),
    ]);
    const second = await joinedAt(b, [upstreamTo(mosquitto.port, { clientId: 'b-to-m' })]);
    await second.until('cloud', 'connected');
    await first.until('cloud', 'connected');
    await first.until('neighbour', 'connected');
    const counts = await countRounds(await watch([mosquitto.port, a, b]));
    for (const row of counts)
      assert.ok(
        row.every((count) => count >= 1 && count <= 4),
        JSON.stringify(counts),
      );
  });

  for (const version of ['mqttv311', 'mqttv50']) {
    it(`come once to each where mosquitto is joined to ours over ${version}`, async function () {
      const broker = await listening(0);
      const mosquitto = keep(
        await Mosquitto.start(this, [
          'connection up',
          `address 127.0.0.1:${broker.port}`,
          `bridge_protocol_version ${version}`,
          'notifications false',
          'topic shared/# both 1',
        ]),
      );
      const members = await watch([mosquitto.port, broker.port]);
      while (!broker.events.some((event) => event.type === 'connected' && event.clientId.includes('up'))) {
        await new Promise((resolve) => broker.thread.once('event', resolve));
      }
      await mosquitto.logged(/Received SUBACK/);
      assert.deepEqual(await countRounds(members), [
        [1, 1],
        [1, 1],
      ]);
    });
  }
});
