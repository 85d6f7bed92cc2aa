import assert from 'node:assert/strict';
import { connect } from 'node:net';
import type { ProtocolVersion } from '../../../src/broker/codec/packet-type';
import type { UpstreamRoute } from '../../../src/broker/upstream/upstream-route';
import { Mosquitto } from '../../client/mosquitto';
import { MqttPeer } from '../mqtt-peer';
import { everything, JoinedBroker, upstreamTo } from './joined-broker';

/** Either kind of broker above ours. */
interface Above {
  port: number;
  stop(): Promise<void>;
}

const kinds: Record<string, (test: Mocha.Context) => Promise<Above>> = {
  mosquitto: (test) => Mosquitto.start(test),
  'one of ours': () => JoinedBroker.start(),
};

async function clientOf({ port }: Above, version: ProtocolVersion = 5): Promise<MqttPeer> {
  const peer = new MqttPeer(connect(port, '127.0.0.1'), version);
  await peer.connect();
  return peer;
}

const route = (direction: UpstreamRoute['direction'], rest: Partial<UpstreamRoute> = {}): UpstreamRoute => ({
  ...everything,
  direction,
  ...rest,
});

for (const [kind, startAbove] of Object.entries(kinds)) {
  for (const protocolVersion of [4, 5] as const) {
    describe(`an upstream that is ${kind}, over MQTT ${protocolVersion === 5 ? '5' : '3.1.1'}`, function () {
      this.timeout(60_000);
      let above: Above;
      let broker: JoinedBroker | undefined;

      beforeEach(async function () {
        above = await startAbove(this as unknown as Mocha.Context);
      });
      afterEach(async () => {
        await broker?.stop();
        broker = undefined;
        await above?.stop();
      });

      async function join(routes: UpstreamRoute[]): Promise<JoinedBroker> {
        broker = await JoinedBroker.start([upstreamTo(above.port, { protocolVersion, routes })]);
        await broker.until('cloud', 'connected');
        return broker;
      }

      it('gets what is published here, and publishes here what it gets, once each', async () => {
        const { here, there } = await clientsOf(await join([everything]));
        await here.subscribe('shared/#');
        await there.subscribe('shared/#');
        here.publish('shared/a', 'from here');
        assert.equal((await there.expect('publish')).payload.toString(), 'from here');
        there.publish('shared/b', 'from there');
        assert.equal((await here.expect('publish')).payload.toString(), 'from here');
        assert.equal((await here.expect('publish')).payload.toString(), 'from there');
        assert.equal((await there.expect('publish')).payload.toString(), 'from there');
        await here.expectNothing();
        await there.expectNothing();
      });

      it('has its own names for topics', async () => {
        const { here, there } = await clientsOf(
          await join([
            route('out', { filter: 'temperature/#', localPrefix: 'plant', remotePrefix: 'site1/data' }),
            route('in', { filter: 'set/+', localPrefix: 'orders/', remotePrefix: 'site1' }),
          ]),
        );
        await there.subscribe('#');
        await here.subscribe('orders/#');
        here.publish('plant/temperature/oven', '200');
        here.publish('plant/temperature', 'all');
        assert.equal((await there.expect('publish')).topic, 'site1/data/temperature/oven');
        assert.equal((await there.expect('publish')).topic, 'site1/data/temperature');
        there.publish('site1/set/speed', '3');
        assert.equal((await there.expect('publish')).topic, 'site1/set/speed');
        assert.equal((await here.expect('publish')).topic, 'orders/set/speed');
      });

      it('gets what is retained here, keeps it, and retained messages of its own come', async () => {
        const retainedThere = await clientOf(above);
        retainedThere.publish('shared/there', 'kept there', { retain: true, qos: 1 });
        await retainedThere.expect('puback');
        broker = await JoinedBroker.start([upstreamTo(above.port, { protocolVersion, start: false })]);
        const retainedHere = await broker.client();
        retainedHere.publish('shared/here', 'kept here', { retain: true, qos: 1 });
        await retainedHere.expect('puback');
        const awaiting = await clientOf(above);
        await awaiting.subscribe('shared/here');
        broker.thread.startUpstream('cloud');
        await broker.until('cloud', 'connected');
        assert.equal((await awaiting.expect('publish')).payload.toString(), 'kept here');
        const late = await clientOf(above);
        await late.subscribe('shared/here');
        const published = await late.expect('publish');
        assert.deepEqual([published.payload.toString(), published.retain], ['kept here', true]);
        const arrived = await broker.client();
        await arrived.subscribe('shared/there');
        const came = await arrived.expect('publish');
        assert.equal(came.payload.toString(), 'kept there');
        const lateHere = await broker.client();
        await lateHere.subscribe('shared/there');
        assert.equal((await lateHere.expect('publish')).retain, true);
      });

      it('is parted from and joined at run time, and what went out meanwhile comes after', async () => {
        const joined = await join([everything]);
        const { here, there } = await clientsOf(joined);
        await there.subscribe('shared/#', { qos: 1 });
        await here.subscribe('$SYS/broker/connection/cloud/state');
        assert.equal((await here.expect('publish')).payload.toString(), '1');
        joined.thread.stopUpstream('cloud');
        assert.equal((await here.expect('publish')).payload.toString(), '0');
        here.publish('shared/a', 'waits', { qos: 1 });
        await here.expect('puback');
        joined.thread.startUpstream('cloud');
        assert.equal((await here.expect('publish')).payload.toString(), '1');
        assert.equal((await there.expect('publish')).payload.toString(), 'waits');
        assert.throws(() => joined.thread.stopUpstream('heaven'), /there is no upstream "heaven"/);
      });

      async function clientsOf(joined: JoinedBroker): Promise<{ here: MqttPeer; there: MqttPeer }> {
        return { here: await joined.client(), there: await clientOf(above) };
      }
    });
  }
}
