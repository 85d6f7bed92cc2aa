import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { ConnackPacket } from '../../../src/broker/codec/connack-packet';
import type { ConnectPacket } from '../../../src/broker/codec/connect-packet';
import type { UpstreamSettings } from '../../../src/broker/upstream/upstream-settings';
import { CertificateAuthority } from '../../certificates';
import { Mosquitto } from '../../client/mosquitto';
import { counterpart, freePort } from '../../counterparts';
import { endingAfterEach } from '../../ending-after-each';
import { MqttPeer } from '../mqtt-peer';
import { everything, JoinedBroker, upstreamTo } from './joined-broker';

/** An upstream broker of which the test writes every answer. */
class ScriptedUpstream {
  readonly #server: Server = createServer((socket) => {
    const peer = new MqttPeer(socket, this.version);
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#peers.push(peer);
    else waiting(peer);
  });
  readonly #peers: MqttPeer[] = [];
  readonly #waiting: ((peer: MqttPeer) => void)[] = [];
  version: 4 | 5 = 5;

  async open(version: 4 | 5): Promise<number> {
    this.version = version;
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  /** The next connection, with its CONNECT. */
  async accept(): Promise<{ peer: MqttPeer; packet: ConnectPacket }> {
    const peer =
      this.#peers.shift() ?? (await new Promise<MqttPeer>((resolve) => this.#waiting.push(resolve)));
    return { peer, packet: await peer.expect('connect') };
  }

  close(): void {
    this.#server.close();
  }
}

describe('a broker that joins another one', function () {
  this.timeout(60_000);
  const keep = endingAfterEach();

  async function meet(
    version: 4 | 5,
    settings: Partial<UpstreamSettings> = {},
  ): Promise<{ upstream: ScriptedUpstream; broker: JoinedBroker }> {
    const upstream = keep(new ScriptedUpstream());
    const port = await upstream.open(version);
    const broker = keep(
      await JoinedBroker.start([upstreamTo(port, { protocolVersion: version, ...settings })]),
    );
    return { upstream, broker };
  }

  const connack = (packet: Partial<ConnackPacket> = {}): ConnackPacket => ({
    type: 'connack',
    sessionPresent: false,
    reasonCode: 0,
    properties: {},
    ...packet,
  });

  async function grant(peer: MqttPeer): Promise<void> {
    const { packetId } = await peer.expect('subscribe');
    peer.send({ type: 'suback', packetId, reasonCodes: [2], properties: {} });
  }

  it('says who it is, keeps its session there and takes nothing of its own back', async () => {
    const { upstream, broker } = await meet(5, { username: 'site', password: 'secret' });
    const { peer, packet } = await upstream.accept();
    assert.equal(packet.clientId, 'site-cloud');
    assert.equal(packet.cleanStart, false);
    assert.equal(packet.properties.sessionExpiryInterval, 7 * 24 * 3600);
    assert.equal(packet.username, 'site');
    assert.equal(packet.password?.toString(), 'secret');
    assert.equal(packet.bridge, undefined);
    peer.send(connack());
    const { packetId, subscriptions } = await peer.expect('subscribe');
    assert.deepEqual(subscriptions, [
      { filter: 'shared/#', qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 1 },
    ]);
    peer.send({ type: 'suback', packetId, reasonCodes: [2], properties: {} });
    await broker.until('cloud', 'connected');
    assert.doesNotMatch(JSON.stringify(broker.events), /secret/);
  });

  it('passes properties on both ways, the time that is left, and by which link a message came', async () => {
    const { upstream, broker } = await meet(5);
    const { peer } = await upstream.accept();
    peer.send(connack());
    await grant(peer);
    const here = await broker.client();
    await here.subscribe('shared/#', { noLocal: true });
    const properties = {
      payloadFormatIndicator: 1,
      contentType: 'text/plain',
      responseTopic: 'answers',
      correlationData: Buffer.from([1, 2]),
      messageExpiryInterval: 600,
      userProperties: [['a', '1']] as [string, string][],
    };
    here.publish('shared/out', 'there', { properties });
    const sent = await peer.expect('publish');
    assert.ok((sent.properties.messageExpiryInterval as number) <= 600);
    assert.deepEqual(
      { ...sent.properties, messageExpiryInterval: 600 },
      { ...properties, userProperties: [...properties.userProperties, ['mqtt-via', 'out:site-cloud']] },
    );
    peer.publish('shared/in', 'here', { properties });
    const received = await here.expect('publish');
    assert.deepEqual(received.properties.userProperties, [
      ['a', '1'],
      ['mqtt-via', 'in:site-cloud'],
    ]);
    assert.equal(received.properties.contentType, 'text/plain');
  });

  it('acknowledges there only after here, and here only after there', async () => {
    const { upstream, broker } = await meet(5);
    const { peer } = await upstream.accept();
    peer.send(connack());
    await grant(peer);
    const here = await broker.client();
    here.publish('shared/a', 'x', { qos: 1 });
    await here.expect('puback');
    const first = await peer.expect('publish');
    await peer.vanish();
    const again = await upstream.accept();
    again.peer.send(connack({ sessionPresent: true }));
    const second = await again.peer.expect('publish');
    assert.deepEqual([second.packetId, second.dup], [first.packetId, true]);
    again.peer.send({ type: 'puback', packetId: second.packetId, reasonCode: 0x97, properties: {} });
    await grant(again.peer);
    // The same QoS 2 message over two connections is one.
    await here.subscribe('shared/#');
    again.peer.publish('shared/in', 'once', { qos: 2, packetId: 7 });
    assert.equal((await again.peer.expect('pubrec')).packetId, 7);
    await again.peer.vanish();
    const third = await upstream.accept();
    third.peer.send(connack({ sessionPresent: true }));
    await grant(third.peer);
    third.peer.publish('shared/in', 'once', { qos: 2, packetId: 7, dup: true });
    await third.peer.expect('pubrec');
    assert.equal((await here.expect('publish')).payload.toString(), 'once');
    await here.expectNothing();
    for (;;) {
      const [{ upstreams }] = await once(broker.thread, 'statistics');
      const [{ sent, received, refused, queued } = { sent: 0 }] = upstreams;
      if (received === 1 && sent === 2) {
        assert.deepEqual({ refused, queued }, { refused: 1, queued: 0 });
        return;
      }
    }
  });

  it('takes new QoS 2 messages under old identifiers from a broker that has lost the session', async () => {
    const { upstream, broker } = await meet(5);
    const first = await upstream.accept();
    first.peer.send(connack());
    await grant(first.peer);
    const here = await broker.client();
    await here.subscribe('shared/#');
    first.peer.publish('shared/a', 'old', { qos: 2, packetId: 7 });
    await first.peer.expect('pubrec');
    await first.peer.vanish();
    const second = await upstream.accept();
    second.peer.send(connack({ sessionPresent: false }));
    await grant(second.peer);
    second.peer.publish('shared/a', 'new', { qos: 2, packetId: 7 });
    assert.equal((await here.expect('publish')).payload.toString(), 'old');
    assert.equal((await here.expect('publish')).payload.toString(), 'new');
  });

  it('heeds what the broker there takes', async () => {
    const { upstream, broker } = await meet(5, { routes: [{ ...everything, direction: 'out', qos: 1 }] });
    const { peer } = await upstream.accept();
    const properties = { maximumQos: 1, retainAvailable: 0, maximumPacketSize: 100, receiveMaximum: 1 };
    peer.send(connack({ properties }));
    await broker.until('cloud', 'connected');
    const here = await broker.client();
    here.publish('shared/large', 'x'.repeat(200), { qos: 1 });
    here.publish('shared/a', '1', { qos: 1, retain: true, packetId: 2 });
    here.publish('shared/b', '2', { qos: 1, packetId: 3 });
    const { topic, retain, packetId } = await peer.expect('publish');
    assert.deepEqual([topic, retain], ['shared/a', false]);
    peer.send({ type: 'pingresp' });
    await here.expect('puback');
    peer.send({ type: 'puback', packetId, reasonCode: 0, properties: {} });
    assert.equal((await peer.expect('publish')).topic, 'shared/b');
  });

  it('says why it cannot be joined', async () => {
    for (const [answer, reason] of [
      [
        connack({ reasonCode: 0x87, properties: { reasonString: 'not here' } }),
        /not authorized \(0x87\): not here/,
      ],
      [connack({ properties: { maximumQos: 1 } }), /takes at most QoS 1, and "shared\/#" has QoS 2/],
    ] as const) {
      const { upstream, broker } = await meet(5);
      const { peer } = await upstream.accept();
      peer.send(answer);
      assert.match((await broker.until('cloud', 'error')) ?? '', reason);
    }
    const odd = await meet(5, { url: 'ws://127.0.0.1:1/#part' });
    assert.match((await odd.broker.until('cloud', 'error')) ?? '', /fragment/);
    const { upstream, broker } = await meet(5);
    const { peer } = await upstream.accept();
    peer.send(connack());
    const { packetId } = await peer.expect('subscribe');
    peer.send({ type: 'suback', packetId, reasonCodes: [0x87], properties: {} });
    assert.match(
      (await broker.until('cloud', 'error')) ?? '',
      /not subscribed to "shared\/#": not authorized/,
    );
  });

  it('ends a connection on which the protocol is broken, and tries again', async () => {
    const { upstream, broker } = await meet(5);
    const { peer } = await upstream.accept();
    peer.send({ type: 'pingresp' });
    assert.equal((await peer.expect('disconnect')).reasonCode, 0x82);
    assert.match((await broker.until('cloud', 'reconnecting')) ?? '', /the first packet is not CONNACK/);
    await upstream.accept();
  });

  describe('over MQTT 3.1.1 that does not know bridges', () => {
    const silent = { refusal: undefined, of: 'closes without a word' };
    const refusing = { refusal: connack({ reasonCode: 1 }), of: 'refuses the protocol level' };
    for (const { refusal, of } of [silent, refusing]) {
      it(`comes as a client when that ${of}`, async () => {
        const routes = [
          { ...everything, direction: 'out' as const, remotePrefix: 'a' },
          { ...everything, direction: 'in' as const, remotePrefix: 'b' },
        ];
        const { upstream, broker } = await meet(4, { routes });
        const first = await upstream.accept();
        assert.equal(first.packet.bridge, true);
        if (refusal !== undefined) first.peer.send(refusal);
        first.peer.stream.end();
        const second = await upstream.accept();
        assert.equal(second.packet.bridge, undefined);
        second.peer.send(connack());
        await grant(second.peer);
        await broker.until('cloud', 'connected');
      });
    }

    it('does not send what would come in again', async () => {
      const { upstream, broker } = await meet(4);
      const first = await upstream.accept();
      first.peer.send(connack({ reasonCode: 1 }));
      const second = await upstream.accept();
      second.peer.send(connack());
      while (!/does not know bridges/.test((await broker.until('cloud', 'error')) ?? '')) {
        await once(broker.thread, 'event');
      }
      assert.equal(await second.peer.next(), undefined);
    });
  });

  it('does not let a client in under the identifier of its own session', async () => {
    const { broker } = await meet(5);
    const thief = new MqttPeer(broker.thread.openStream(), 5);
    assert.equal((await thief.connect({ clientId: '$upstream/cloud', cleanStart: false })).reasonCode, 0x85);
  });

  it('reaches a mosquitto over TLS, WebSocket and with a password, and says what is wrong with them', async function () {
    const authority = keep(new CertificateAuthority(counterpart(this, 'openssl')), (made) => made.remove());
    const { certificate, key } = authority.issue('server');
    const [wsPort, tlsPort] = [await freePort(), await freePort()];
    const mosquitto = keep(
      await Mosquitto.start(
        this,
        [
          `listener ${wsPort} 127.0.0.1`,
          'protocol websockets',
          `listener ${tlsPort} 127.0.0.1`,
          `certfile ${certificate}`,
          `keyfile ${key}`,
        ],
        { site: 'secret' },
      ),
    );
    const user = { username: 'site', password: 'secret' };
    const tried = async (settings: Partial<UpstreamSettings>, state: string) => {
      const broker = keep(await JoinedBroker.start([upstreamTo(mosquitto.port, settings)]));
      return (await broker.until('cloud', state)) ?? '';
    };
    await tried({ url: `ws://127.0.0.1:${wsPort}/mqtt`, ...user }, 'connected');
    await tried(
      { url: `mqtts://127.0.0.1:${tlsPort}`, tls: { ca: readFileSync(authority.certificate) }, ...user },
      'connected',
    );
    assert.match(await tried({ username: 'site', password: 'wrong' }, 'error'), /not authorized/);
    assert.match(
      await tried({ url: `mqtts://127.0.0.1:${tlsPort}`, ...user }, 'reconnecting'),
      /certificate/,
    );
  });
});
