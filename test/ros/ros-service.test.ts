import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import type { RosDomain, RosServiceOptions } from '../../src/ros/ros-backend';
import { RtpsBackend } from '../../src/ros/rtps-backend';
import { RtpsServiceClient } from '../../src/ros/rtps-service-client';
import { RtpsServiceServer } from '../../src/ros/rtps-service-server';
import { Cast } from '../rtps/fixture';
import { LossyTransport } from '../rtps/lossy-transport';
import { Watch } from './bridge-fixture';
import { Bridges } from './bridges';

const TYPE = 'example_interfaces/srv/AddTwoInts';
const library = InterfaceLibrary.bundled();
const request = MessageCodec.for(library, `${TYPE}_Request`);
const response = MessageCodec.for(library, `${TYPE}_Response`);
const service: RosServiceOptions = {
  rosName: '/robot1/add_two_ints',
  type: TYPE,
  requestHash: request.typeHash,
  responseHash: response.typeHash,
};
/** Long enough for discovery on a busy machine: none of these is waited for to its end. */
const PATIENCE = 15_000;

const add = async (cdr: Buffer): Promise<Buffer> => {
  const { a, b } = JSON.parse(request.decodeToJson(cdr));
  return response.encode({ sum: a + b });
};

describe('services of ROS 2', function () {
  this.timeout(60_000);
  const bridges = Bridges.forSuite();
  const watch = new Watch();
  let domain: number;
  beforeEach(() => {
    ({ domain } = bridges);
  });
  const open = async (backend = new RtpsBackend()): Promise<RosDomain> => {
    const user = await bridges.ros(domain, { backend });
    user.onGraphChange(() => watch.changed());
    return user;
  };
  const args = (more: Record<string, string | number>) => ({
    args: { service: service.rosName, domain, timeout: 20, ...more },
  });
  for (const vendor of ['cyclone', 'fast'] as const) {
    it(`are called on ${vendor}, one after the other and many at once`, async function () {
      bridges.vendor(vendor).peer(this, 'serve', args({ count: 0 }));
      const client = (await open()).createServiceClient(service, () => watch.changed());
      const call = async (a: number) =>
        JSON.parse(response.decodeToJson(await client.call(request.encode({ a, b: 100 }), PATIENCE))).sum;
      assert.equal(await call(1), 101);
      assert.equal(await call(2), 102);
      assert.equal(client.servers, 1);
      // Its history holds ten.
      const numbers = [3, 4, 5, 6, 7];
      assert.deepEqual(await Promise.all(numbers.map(call)), [103, 104, 105, 106, 107]);
    });

    it(`are served to ${vendor}`, async function () {
      (await open()).createServiceServer(service, add);
      const client = bridges.vendor(vendor).peer(this, 'call', args({ count: 3, a: 10, b: -4 }));
      assert.equal(await client.exited(), 0);
      assert.deepEqual(client.messages, [{ sum: 7 }, { sum: 8 }, { sum: 9 }]);
    });

    it(`end with what they waited for when the server on ${vendor} goes`, async function () {
      const server = bridges.vendor(vendor).peer(this, 'serve', args({ count: 1 }));
      const client = (await open()).createServiceClient(service, () => watch.changed());
      await client.call(request.encode({ a: 1, b: 2 }), PATIENCE);
      await server.exited();
      await watch.until(() => client.servers === 0);
      await assert.rejects(client.call(request.encode({ a: 1, b: 2 }), 50), {
        name: 'ServiceError',
        status: 'unavailable',
        message: 'service /robot1/add_two_ints: no server was found in time',
      });
    });
  }

  it('serve clients on both at the same time, each in its own way', async function () {
    (await open()).createServiceServer(service, add);
    const clients = (['cyclone', 'fast'] as const).map((vendor, index) =>
      bridges.vendor(vendor).peer(this, 'call', args({ count: 5, a: 100 * index, b: 0 })),
    );
    assert.deepEqual(await Promise.all(clients.map((client) => client.exited())), [0, 0]);
    assert.deepEqual(
      clients.map(({ messages }) => (messages as { sum: number }[]).map(({ sum }) => sum)),
      [
        [1, 2, 3, 4, 5],
        [101, 102, 103, 104, 105],
      ],
    );
  });

  it('are not called while two servers would take the request differently', async function () {
    for (const vendor of ['cyclone', 'fast'] as const)
      bridges.vendor(vendor).peer(this, 'serve', args({ count: 0 }));
    const user = await open();
    const client = user.createServiceClient(service, () => watch.changed());
    await watch.until(() => client.servers === 2);
    const servers = [...user.services()].filter(({ kind }) => kind === 'server');
    assert.deepEqual(servers.map(({ vendor }) => vendor).sort(), ['Cyclone DDS', 'Fast DDS']);
    await assert.rejects(client.call(request.encode({ a: 1, b: 2 }), PATIENCE), {
      status: 'unavailable',
      message: /servers on Cyclone DDS and on another DDS/,
    });
  });

  it('join two of our own', async () => {
    (await open()).createServiceServer(service, add);
    const client = (await open()).createServiceClient(service, () => watch.changed());
    const reply = await client.call(request.encode({ a: 20, b: 22 }), PATIENCE);
    assert.equal(response.decodeToJson(reply), '{"sum":42}');
  });

  it('join two users of one participant, and not the two ends of one user', async () => {
    const backend = new RtpsBackend();
    const [user, other] = [await open(backend), await open(backend)];
    const client = user.createServiceClient(service, () => watch.changed());
    const early = client.call(request.encode({ a: 1, b: 2 }), PATIENCE);
    const own = user.createServiceServer(service, async () => assert.fail('its own'));
    other.createServiceServer({ ...service, rosName: '/other' }, async () => assert.fail('another'));
    assert.equal(client.servers, 0);
    const server = other.createServiceServer(service, add);
    assert.equal(client.servers, 1);
    assert.equal(response.decodeToJson(await early), '{"sum":3}');
    const numbers = Array.from({ length: 100 }, (_, index) => index);
    const sums = await Promise.all(numbers.map((a) => client.call(request.encode({ a, b: 1 }), PATIENCE)));
    assert.deepEqual(
      sums.map((reply) => JSON.parse(response.decodeToJson(reply)).sum),
      numbers.map((a) => a + 1),
    );
    server.close();
    own.close();
    assert.equal(client.servers, 0);
  });

  it('end with what they waited for when another user of the participant goes, or fails to reply', async () => {
    const backend = new RtpsBackend();
    const [user, other] = [await open(backend), await open(backend)];
    const asked = new EventEmitter();
    other.createServiceServer(service, async () => {
      asked.emit('once');
      throw new Error('no');
    });
    const client = user.createServiceClient(service);
    await assert.rejects(client.call(request.encode({ a: 1, b: 2 }), 50), { status: 'timeout' });
    const again = once(asked, 'once');
    const call = client.call(request.encode({ a: 1, b: 2 }), PATIENCE);
    await again;
    await Promise.all([
      assert.rejects(call, { status: 'unavailable', message: /the server has left before it replied/ }),
      other.close(),
    ]);
  });

  it('do not reach another user of the participant that has left meanwhile', async () => {
    const backend = new RtpsBackend();
    const [user, other] = [await open(backend), await open(backend)];
    const server = other.createServiceServer(service, async () => assert.fail('it is closed'));
    const call = user.createServiceClient(service).call(request.encode({ a: 1, b: 2 }), PATIENCE);
    server.close();
    await assert.rejects(call, { status: 'unavailable' });
    let asked = false;
    const client = user.createServiceClient({ ...service, rosName: '/closed' });
    other.createServiceServer({ ...service, rosName: '/closed' }, async (cdr) => {
      asked = true;
      return add(cdr);
    });
    const given = client.call(request.encode({ a: 1, b: 2 }), PATIENCE);
    client.close();
    await assert.rejects(given, { status: 'unavailable' });
    await new Promise(setImmediate);
    assert.equal(asked, false);
  });

  for (const ends of ['close', 'withdraw'] as const)
    it(`get the last reply of a server that ${ends === 'close' ? 'is closed behind it' : 'is withdrawn before it'}, though it is lost at first`, async () => {
      const cast = bridges.keep(new Cast(), (own) => own.leave());
      let losses = 0;
      const serving = await cast.participant({ domain }, (...args) => {
        const transport = new LossyTransport(...args);
        transport.weather = () => (losses-- > 0 ? [] : [0]);
        return transport;
      });
      const server = new RtpsServiceServer(serving, service, async (cdr, settled) => {
        if (ends === 'withdraw') server.withdraw(() => server.close());
        else void settled.then(() => server.close());
        losses = 1;
        return add(cdr);
      });
      const calling = await cast.participant({ domain });
      const client = new RtpsServiceClient(calling, service, () => []);
      const reply = await client.call(request.encode({ a: 40, b: 2 }), PATIENCE);
      assert.equal(response.decodeToJson(reply), '{"sum":42}');
      assert.ok(losses < 0);
    });

  it('time out when the server does not reply, and take no reply that comes later for another', async () => {
    const held: Array<() => void> = [];
    (await open()).createServiceServer(service, async (cdr) => {
      if (held.length === 0) await new Promise<void>((resolve) => held.push(resolve));
      return add(cdr);
    });
    const client = (await open()).createServiceClient(service, () => watch.changed());
    await watch.until(() => client.servers === 1);
    await assert.rejects(client.call(request.encode({ a: 1, b: 1 }), 100), {
      name: 'ServiceError',
      status: 'timeout',
      message: 'service /robot1/add_two_ints: the server has not replied in time',
    });
    held[0]?.();
    const reply = await client.call(request.encode({ a: 2, b: 2 }), PATIENCE);
    assert.equal(response.decodeToJson(reply), '{"sum":4}');
  });

  it('get no reply when the handler fails, and go on', async () => {
    let calls = 0;
    (await open()).createServiceServer(service, async (cdr) => {
      if (++calls === 1) throw new Error('no');
      return add(cdr);
    });
    const client = (await open()).createServiceClient(service, () => watch.changed());
    await watch.until(() => client.servers === 1);
    await assert.rejects(client.call(request.encode({ a: 1, b: 1 }), 100), { status: 'timeout' });
    const reply = await client.call(request.encode({ a: 1, b: 1 }), PATIENCE);
    assert.equal(response.decodeToJson(reply), '{"sum":2}');
  });

  it('are known, with their types, as long as they are there', async () => {
    const user = await open();
    const known = () =>
      [...user.services()].map(({ kind, rosName, type }) => `${kind} ${rosName} ${type}`).sort();
    const other = await open();
    const server = other.createServiceServer(service, add);
    other.createServiceClient({ ...service, rosName: '/other' });
    await watch.until(() => known().length === 2);
    assert.deepEqual(known(), [`client /other ${TYPE}`, `server /robot1/add_two_ints ${TYPE}`]);
    server.close();
    await watch.until(() => known().length === 1);
  });

  it('end all calls when the client is closed', async () => {
    const client = (await open()).createServiceClient(service, () => watch.changed());
    const call = client.call(request.encode({ a: 1, b: 1 }), PATIENCE);
    client.close();
    await assert.rejects(call, { status: 'unavailable', message: /the client was closed/ });
    await assert.rejects(client.call(request.encode({ a: 1, b: 1 }), PATIENCE), { status: 'unavailable' });
  });
});
