import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { BrokerThread } from '../../src/broker/broker-thread';
import type { BridgeMqttSettings, BridgeSettings } from '../../src/ros/bridge-settings';
import { type CreateBridgeOptions, RosThread } from '../../src/ros/ros-thread';
import { Mosquitto } from '../client/mosquitto';
import { counterpart } from '../counterparts';
import { endingAfterEach } from '../ending-after-each';
import { DdsPeer, type DdsPeerOptions } from '../peers/dds/dds-peer';
import { freshDomain } from '../rtps/test-domain';
import { route, TestBridge, Watch } from './bridge-fixture';

const TYPES = {
  string: 'std_msgs/msg/String',
  float64: 'std_msgs/msg/Float64',
  twist: 'geometry_msgs/msg/Twist',
  pose: 'geometry_msgs/msg/PoseStamped',
  imu: 'sensor_msgs/msg/Imu',
};

/** A stored message that tells mosquitto_sub's reader that it has subscribed. */
const READY = 'test/ready';

/** mosquitto_sub, line by line: `topic payload`. */
class MosquittoSub extends Watch {
  readonly messages: string[] = [];
  #subscribed = false;
  readonly #process: ChildProcess;

  constructor(program: string, port: number, filter: string) {
    super();
    const args = ['-h', '127.0.0.1', '-p', String(port), '-v', '-t', filter, '-t', READY];
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith(READY)) this.#subscribed = true;
      else this.messages.push(line);
      this.changed();
    });
    this.#process = child;
  }

  subscribed(): Promise<void> {
    return this.until(() => this.#subscribed);
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.kill();
    await ended;
  }
}

/** The broker that the bridge and mosquitto's clients meet at. */
interface Meeting {
  port: number;
  mqtt: BridgeMqttSettings;
  options: CreateBridgeOptions;
  stop(): Promise<void>;
}

const meetings: Record<string, (test: Mocha.Context) => Promise<Meeting>> = {
  'the embedded broker': async () => {
    const broker = new BrokerThread({ listeners: [{ host: '127.0.0.1', port: 0 }] });
    await broker.start();
    const port = broker.status.listeners[0]?.port ?? 0;
    return {
      port,
      mqtt: { target: 'embedded', protocolVersion: 5, clientId: 'bridge', keepAlive: 60 },
      options: { brokerPort: (end) => broker.acceptPort(end) },
      stop: () => broker.stop(),
    };
  },
  mosquitto: async (test) => {
    const mosquitto = await Mosquitto.start(test);
    const target = { url: mosquitto.url };
    return {
      port: mosquitto.port,
      mqtt: { target, protocolVersion: 5, clientId: 'bridge', keepAlive: 60 },
      options: {},
      stop: () => mosquitto.stop(),
    };
  },
};

for (const [name, meet] of Object.entries(meetings)) {
  describe(`bridge between Cyclone DDS and ${name}`, function () {
    this.timeout(60_000);
    const thread = new RosThread();
    const keep = endingAfterEach();
    let meeting: Meeting;
    let program: string;
    let mosquittoPub: string;
    let mosquittoSub: string;

    before(async function () {
      program = counterpart(this, 'dds-peer');
      mosquittoPub = counterpart(this, 'mosquitto_pub');
      mosquittoSub = counterpart(this, 'mosquitto_sub');
      meeting = await meet(this);
      await say(READY, 'yes', '-r');
    });
    after(() => meeting?.stop());
    let domain: number;
    beforeEach(() => {
      domain = freshDomain();
    });

    const open = async (settings: Partial<BridgeSettings> & Pick<BridgeSettings, 'domains' | 'routes'>) => {
      return keep(await TestBridge.open(thread, { mqtt: meeting.mqtt, ...settings }, meeting.options));
    };
    const peer = (role: 'pub' | 'sub', args: DdsPeerOptions['args']) =>
      keep(new DdsPeer(program, role, { args: { timeout: 20, idle: 20, ...args } }));
    const listen = async (filter: string) => {
      const made = keep(new MosquittoSub(mosquittoSub, meeting.port, filter));
      await made.subscribed();
      return made;
    };
    /** A text goes to mosquitto_pub's command line, what may be long to its standard input. */
    const say = async (topic: string, payload: string | Buffer, ...more: string[]) => {
      const isText = typeof payload === 'string';
      const message = isText ? ['-m', payload] : ['-s'];
      const args = ['-h', '127.0.0.1', '-p', String(meeting.port), '-t', topic, ...message, ...more];
      const child = spawn(mosquittoPub, args, { stdio: [isText ? 'ignore' : 'pipe', 'inherit', 'inherit'] });
      child.stdin?.end(payload);
      assert.deepEqual(await once(child, 'exit'), [0, null]);
    };

    it('lets a Cyclone listener hear what mosquitto_pub says', async () => {
      const bridge = await open({ domains: [domain], routes: [route(domain)] });
      const listener = peer('sub', { domain, count: 0 });
      await listener.until(({ matched }) => matched === 1);
      await bridge.ready({ subscriptions: 1 });
      await say(`ros/${domain}/chatter`, '{"data":"hello"}');
      await listener.until(({ messages }) => messages.length === 1);
      assert.deepEqual(listener.messages, [{ data: 'hello' }]);
    });

    it('lets mosquitto_sub print what a Cyclone talker says', async () => {
      const bridge = await open({ domains: [domain], routes: [route(domain)] });
      const subscriber = await listen(`ros/${domain}/#`);
      await bridge.ready();
      const talker = peer('pub', { domain, count: 20, rate: 50, depth: 20, text: 'hello ' });
      const last = `ros/${domain}/chatter {"data":"hello 20"}`;
      await subscriber.until(() => subscriber.messages.includes(last));
      const said = subscriber.messages.filter((line) => line.startsWith(`ros/${domain}/chatter `));
      // The first may be said before the talker's match is known here; none is lost, doubled or out of order after it.
      const first = 21 - said.length;
      assert.deepEqual(
        said,
        Array.from(said, (_, index) => `ros/${domain}/chatter {"data":"hello ${first + index}"}`),
      );
      await talker.stop();
    });

    for (const [short, type] of Object.entries(TYPES)) {
      it(`carries ${type} there and back unchanged`, async () => {
        const there = route(domain, { rosName: '/there', type, direction: 'ros-to-mqtt' });
        const back = route(domain, { rosName: '/back', type, direction: 'mqtt-to-ros' });
        const bridge = await open({ domains: [domain], routes: [there, back] });
        const listener = peer('sub', { domain, type: short, topic: 'rt/back', count: 0 });
        const subscriber = await listen(`ros/${domain}/there`);
        await listener.until(({ matched }) => matched === 1);
        await bridge.ready({ subscriptions: 1 }, 1);
        peer('pub', { domain, type: short, topic: 'rt/there', count: 0, rate: 20 });
        await subscriber.until(() => subscriber.messages.length > 0);
        const json = (subscriber.messages[0] ?? '').slice(`ros/${domain}/there `.length);
        await say(`ros/${domain}/back`, json);
        await listener.until(({ messages }) => messages.length === 1);
        assert.deepEqual(listener.messages[0], JSON.parse(json));
      });
    }

    it('carries images of a megabyte there and back', async () => {
      const type = 'sensor_msgs/msg/Image';
      const there = route(domain, { rosName: '/there', type, direction: 'ros-to-mqtt' });
      const back = route(domain, { rosName: '/back', type, direction: 'mqtt-to-ros' });
      const bridge = await open({ domains: [domain], routes: [there, back] });
      const listener = peer('sub', { domain, type: 'image', topic: 'rt/back', count: 0 });
      const subscriber = await listen(`ros/${domain}/there`);
      await listener.until(({ matched }) => matched === 1);
      await bridge.ready({ subscriptions: 1 }, 1);
      const talker = { domain, type: 'image', size: 1_000_000, topic: 'rt/there', count: 0, rate: 5 };
      peer('pub', talker);
      await subscriber.until(() => subscriber.messages.length > 0);
      const json = (subscriber.messages[0] ?? '').slice(`ros/${domain}/there `.length);
      await say(`ros/${domain}/back`, Buffer.from(json));
      await listener.until(({ messages }) => messages.length === 1);
      assert.deepEqual(listener.messages[0], {
        header: JSON.parse(json).header,
        data: { bytes: 1_000_000, intact: true },
      });
    });

    it('keeps two domains apart, one of them under its alias', async () => {
      const other = freshDomain();
      const bridge = await open({
        domains: [domain, other],
        aliases: { car: other },
        routes: [route(domain), route(other)],
      });
      const listeners = [domain, other].map((id) => peer('sub', { domain: id, count: 0 }));
      for (const [index, listener] of listeners.entries()) {
        await listener.until(({ matched }) => matched === 1);
        await bridge.ready({ subscriptions: 1 }, index);
      }
      const subscriber = await listen('ros/#');
      await say(`ros/${domain}/chatter`, '{"data":"to the number"}');
      await say('ros/car/chatter', '{"data":"to the car"}');
      for (const listener of listeners) await listener.until(({ messages }) => messages.length === 1);
      assert.deepEqual(
        listeners.map(({ messages }) => messages),
        [[{ data: 'to the number' }], [{ data: 'to the car' }]],
      );
      peer('pub', { domain: other, count: 0, rate: 20, text: 'car' });
      await subscriber.until(() =>
        subscriber.messages.some((line) => line.startsWith('ros/car/chatter {"data":"car')),
      );
      assert.equal(
        subscriber.messages.some((line) => line.startsWith(`ros/${domain}/chatter {"data":"car`)),
        false,
      );
    });

    it('counts what is lost on the way to it', async () => {
      const bridge = await open({ domains: [domain], routes: [route(domain)] });
      const talker = keep(
        new DdsPeer(program, 'pub', {
          args: { domain, rel: 'b', count: 100, rate: 500, idle: 0, timeout: 20 },
          loss: 30,
        }),
      );
      assert.equal(await talker.exited(), 0);
      await bridge.until(() => {
        const first = bridge.messages[0]?.sequence ?? 0;
        const last = bridge.messages.at(-1)?.sequence ?? 0;
        const { rosReceived = 0, rosLost = 0 } = bridge.route()?.counts ?? {};
        return (
          rosLost > 0 && rosReceived === bridge.messages.length && rosReceived + rosLost === last - first + 1
        );
      });
    });

    it('hears a talker that was killed and started again', async () => {
      await open({ domains: [domain], routes: [route(domain)] });
      const subscriber = await listen(`ros/${domain}/chatter`);
      const first = peer('pub', { domain, count: 0, rate: 20, text: 'first' });
      await subscriber.until(() => subscriber.messages.length > 0);
      await first.stop('SIGKILL');
      peer('pub', { domain, count: 0, rate: 20, text: 'second' });
      await subscriber.until(() => subscriber.messages.some((line) => line.includes('second')));
    });
  });
}
