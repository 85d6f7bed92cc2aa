import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { metatrafficMulticastPort } from '../../src/rtps/port-mapping';
import { route } from './bridge-fixture';
import { Bridges } from './bridges';

describe('what a bridge says of its network', function () {
  this.timeout(60_000);
  const bridges = Bridges.forSuite();
  let domain: number;
  beforeEach(() => {
    ({ domain } = bridges);
  });

  it('is a warning where a message is larger than it takes, and it refuses to send such a one', async () => {
    const bridge = await bridges.open({ routes: [route(domain)], maxSampleBytes: 100_000 });
    const peer = await bridges.peer();
    const { publish } = await peer.publisher('/chatter');
    publish({ data: 'x'.repeat(200_000) });
    publish({ data: 'small' });
    await bridge.until(() => bridge.warnings.length > 0);
    assert.deepEqual(
      bridge.warnings.filter((warning) => !warning.includes('receive buffer')),
      [`domain ${domain}: samples of more than 100000 bytes, the largest taken, are not received`],
    );
    assert.deepEqual(
      bridge.messages.map(({ payload }) => payload),
      [{ data: 'small' }],
    );
    await assert.rejects(
      bridge.handle.publish(`ros/${domain}/chatter`, { data: 'x'.repeat(200_000) }),
      /a sample of 2\d+ bytes, at most 100000 are sent/,
    );
  });

  it('is a warning where a subscription does not keep up, for its topic alone', async function () {
    const cast = bridges.vendor('cyclone');
    const bridge = await bridges.open({ routes: [route(domain)] });
    const stuck = cast.peer(this, 'sub', { args: { domain, topic: 'rt/chatter', count: 0, timeout: 30 } });
    await bridge.ready({ subscriptions: 1 });
    await stuck.until(({ matched }) => matched === 1);
    stuck.pause();
    const topic = `ros/${domain}/chatter`;
    // More than is kept for it.
    const messages = Array.from({ length: 1100 }, (_, number) => ({ data: String(number) }));
    await Promise.all(messages.map((message) => bridge.handle.publish(topic, message)));
    const expected = `domain ${domain}: topic /chatter: a subscription does not keep up, and misses messages`;
    await bridge.until(() => bridge.warnings.includes(expected));
    stuck.resume();
  });

  it('is told at the address that it is given', async () => {
    const listener = bridges.keep(createSocket({ type: 'udp4', reuseAddr: true }), (socket) =>
      promisify(socket.close).call(socket),
    );
    listener.bind(metatrafficMulticastPort(domain));
    await once(listener, 'listening');
    listener.addMembership('239.255.0.1', '127.0.0.1');
    const announcement = once(listener, 'message');
    await bridges.open({ routes: [route(domain)], advertisedAddress: '192.0.2.77' });
    const [datagram] = (await announcement) as [Buffer];
    assert.ok(datagram.includes(Buffer.from([192, 0, 2, 77])));
  });
});
