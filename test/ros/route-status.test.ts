import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { BrokerThread } from '../../src/broker/broker-thread';
import { Connection } from '../../src/client/connection';
import { Bridge } from '../../src/ros/bridge';
import { encodePresence, topicKey } from '../../src/ros/bridge-presence';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { LearnedTypes } from '../../src/ros/learned-types';
import { MessageCodec } from '../../src/ros/message-codec';
import type { RosDomain, RosEndpointOptions } from '../../src/ros/ros-backend';
import type { BridgeStatus, RouteStatus } from '../../src/ros/ros-worker-messages';
import { countDrop, countsMark, newRouteCounts } from '../../src/ros/route-counts';
import { RtpsBackend } from '../../src/ros/rtps-backend';
import { connected, settingsFor } from '../client/observed';
import { endingAfterEach } from '../ending-after-each';
import { Random } from '../random';
import { freshDomain } from '../rtps/test-domain';
import { ACTION, SERVICE } from '../soak/fleet-routes';
import { BEST_EFFORT, RELIABLE, STRING, Watch } from './bridge-fixture';
import { CountingBackend } from './counting-backend';

const NUMBER = 'std_msgs/msg/Int32';
const LATCHED = { ...RELIABLE, durability: 'transient-local' } as const;
const ROUTES = [
  { kind: 'topic', rosName: '/typed', type: STRING, direction: 'both' },
  { kind: 'topic', rosName: '/untyped', type: '', direction: 'both' },
  {
    kind: 'topic',
    rosName: '/slow',
    type: STRING,
    direction: 'ros-to-mqtt',
    rate: { perSecond: 5, policy: 'latest' },
    qos: { reliability: 'reliable', durability: 'transient-local', depth: 1 },
  },
  { kind: 'service', rosName: '/called', type: SERVICE, direction: 'mqtt-to-ros' },
  { kind: 'service', rosName: '/served', type: SERVICE, direction: 'ros-to-mqtt' },
  { kind: 'service', rosName: '/untyped_service', type: '', direction: 'mqtt-to-ros' },
  { kind: 'action', rosName: '/acting', type: ACTION, direction: 'mqtt-to-ros' },
  { kind: 'action', rosName: '/acted', type: ACTION, direction: 'ros-to-mqtt' },
  { kind: 'parameters', rosName: '/node', type: '', direction: 'both' },
  { kind: 'topic', rosName: '/refused', type: 'none_msgs/msg/None', direction: 'both' },
] as const;
/** What others may have, beside topics. */
const SERVICES = [
  { rosName: '/called', type: SERVICE },
  { rosName: '/served', type: SERVICE },
  { rosName: '/untyped_service', type: SERVICE },
  { rosName: '/acting/_action/send_goal', type: `${ACTION}_SendGoal` },
  { rosName: '/acted/_action/send_goal', type: `${ACTION}_SendGoal` },
  { rosName: '/node/get_parameters', type: 'rcl_interfaces/srv/GetParameters' },
];
const STEPS = 150;
const nothing = () => {};
const noAnswer = () => new Promise<Buffer>(() => {});
const library = InterfaceLibrary.bundled();
const TOPICS = ['/typed', '/untyped', '/slow', '/found'];

/** Lets time pass, and stand still, for all that counts by `performance.now()`. */
class Clock {
  readonly #now = performance.now.bind(performance);
  #ahead = 0;
  #stopped: number | undefined;

  start(): void {
    performance.now = () => this.#stopped ?? this.#now() + this.#ahead;
  }

  pass(ms: number): void {
    this.#ahead += ms;
  }

  stopped<Result>(action: () => Result): Result {
    this.#stopped = performance.now();
    try {
      return action();
    } finally {
      this.#stopped = undefined;
    }
  }

  end(): void {
    performance.now = this.#now;
  }
}

/** A bridge with routes of all kinds, a broker, and another bridge in ROS, all in this thread but the broker. */
class Stage extends Watch {
  readonly clock = new Clock();
  readonly domain = freshDomain();
  readonly #backend = new CountingBackend();
  readonly #broker = new BrokerThread({ listeners: [{ host: '127.0.0.1', port: 0 }] });
  #bridge: Bridge | undefined;
  #other: RosDomain | undefined;
  #client: Connection | undefined;
  status: BridgeStatus | undefined;
  told = 0;
  readonly #endings: Array<() => void> = [];
  readonly #publishers = new Set<() => void>();

  async start(): Promise<void> {
    await this.#broker.start();
    const url = `mqtt://127.0.0.1:${this.#broker.status.listeners[0]?.port}`;
    const { domain } = this;
    const place = { domain, range: 'localhost' as const, interfaces: ['127.0.0.1'], peers: [] };
    this.#other = await this.#backend.openDomain({ ...place, nodeName: 'other', bridgeId: 'a' });
    this.#bridge = new Bridge(
      {
        ...{ id: 'b', prefix: 'ros', aliases: {}, ...place, domains: [domain], statusInterval: 50 },
        routes: ROUTES.map((route) => ({ ...route, domain })),
        patterns: [{ action: 'allow', pattern: '/found', direction: 'both' }],
        // The clock is no machine that stands still.
        mqtt: { target: { url }, protocolVersion: 5, clientId: 'b', keepAlive: 0 },
      },
      {
        backend: this.#backend,
        library,
        learned: new LearnedTypes(),
        openBrokerStream: () => assert.fail('not asked for'),
        askPassword: () => assert.fail('not asked for'),
        onSample: () => {},
        onRouteOpened: () => {},
        onRouteClosed: () => {},
        onEvent: () => {},
        onStatus: (status) => {
          this.status = status;
          this.told++;
          this.changed();
        },
        onWarning: () => {},
        onProblem: () => {},
      },
    );
    await this.#bridge.open();
    this.#client = new Connection(settingsFor(url));
    this.#client.open();
    await connected(this.#client);
    await this.until(() => {
      const { routes } = this.status ?? {};
      return (
        routes?.every(({ subscribed, standby }) => subscribed !== false && standby === undefined) === true
      );
    });
    this.clock.start();
  }

  async close(): Promise<void> {
    this.clock.end();
    await this.#bridge?.close();
    await this.#other?.close();
    await this.#client?.close();
    await this.#broker.stop();
  }

  list(): RouteStatus[] {
    return this.#bridge?.changeRoutes({ action: 'list' }) as RouteStatus[];
  }

  /** Has all statuses made anew when they are looked at the next time. */
  forget(): void {
    (this.#bridge as Bridge).flowOutput = false;
  }

  /** How often it is looked at what others have in ROS, to say how all routes fare. */
  looksFor(action: () => unknown): number {
    const before = this.#backend.all + this.#backend.named;
    action();
    return this.#backend.all + this.#backend.named - before;
  }

  /** By now nothing is of the time before. */
  rest(times = [130_000, 6000]): void {
    for (const ms of times) {
      this.list();
      this.clock.pass(ms);
    }
    this.list();
  }

  /** Lets one thing happen that is left to chance. */
  async act(random: Random): Promise<void> {
    const topic = `ros/${this.domain}${random.pick(TOPICS)}`;
    const acts: Array<() => unknown> = [
      () => this.#addEndpoint(random),
      () => this.#addEndpoint(random),
      () => this.#addService(random),
      () => this.#addService(random),
      () => this.#endings.splice(random.below(this.#endings.length), 1)[0]?.(),
      () => this.#endings.splice(random.below(this.#endings.length), 1)[0]?.(),
      () => this.say(topic, random.pick(['{"data":"x"}', '{"data":5}', 'none'])),
      () => this.say(topic, '{"data":"x"}', ['b', 'z']),
      () => this.say(`ros/${this.domain}/called/@req`, '{"a":1,"b":2}'),
      () => random.pick([...this.#publishers, nothing])(),
      () => random.pick([...this.#publishers, nothing])(),
      () => this.#tell(random),
      () => this.#change('remove', random),
      () => this.#change('add', random),
      () => this.#broker.administration.disconnect({ clientId: 'b', reason: 'test', endSession: true }),
      () => this.clock.pass(random.pick([1000, 6000, 70_000])),
    ];
    await random.pick(acts)();
  }

  async stopBroker(): Promise<void> {
    await this.#broker.stop();
    await this.until(() => this.status?.mqtt?.state !== 'connected');
  }

  say(topic: string, payload: string, via: string[] = []): Promise<unknown> | undefined {
    const properties = { userProperties: { 'ros-via': via } };
    const named = via.length > 0 ? { properties } : {};
    return this.#client?.publish(topic, payload, { qos: 1, retain: false, ...named });
  }

  #addEndpoint(random: Random): void {
    const type = random.pick([STRING, STRING, NUMBER]);
    const qos = random.pick([RELIABLE, BEST_EFFORT, LATCHED]);
    const options = { ...topicOptions(random.pick(TOPICS), type), qos };
    if (random.below(2) === 0) this.subscribe(options);
    else this.advertise(options);
  }

  /** Gives the other bridge a subscription. */
  subscribe(options: RosEndpointOptions): void {
    const subscription = this.#other?.createSubscription(options, () => {});
    this.#endings.push(() => subscription?.close());
  }

  /** Gives the other bridge a publisher. */
  advertise(options: RosEndpointOptions): void {
    const publisher = this.#other?.createPublisher(options);
    const { type } = options;
    const publish = () => publisher?.publish(MessageCodec.for(library, type).encode({}), []);
    this.#publishers.add(publish);
    this.#endings.push(() => {
      this.#publishers.delete(publish);
      publisher?.close();
    });
  }

  #addService(random: Random): void {
    const options = { ...random.pick(SERVICES), requestHash: '', responseHash: '' };
    const made =
      random.below(2) === 0
        ? this.#other?.createServiceServer(options, noAnswer)
        : this.#other?.createServiceClient(options);
    this.#endings.push(() => made?.close());
  }

  #tell(random: Random): Promise<unknown> | undefined {
    const names = ['typed', 'slow', 'called/@req'].filter(() => random.below(2) === 0);
    return this.tell(random.pick(['online', 'online', 'offline'] as const), names);
  }

  /** The other bridge says that it has some of the routes, or that it leaves. */
  tell(state: 'online' | 'offline', names: readonly string[]): Promise<unknown> | undefined {
    const keys = new Set(names.map((name) => topicKey(`ros/${this.domain}/${name}`)));
    const carried = new Map([[this.domain, keys]]);
    const presence = encodePresence({
      ...{ state, domains: [this.domain], protocolVersion: 5 },
      carried: { 'ros-to-mqtt': carried, 'mqtt-to-ros': new Map() },
    });
    return this.#client?.publish(`ros/${this.domain}/@bridge/a`, presence, { qos: 1, retain: true });
  }

  #change(action: 'add' | 'remove', random: Random): void {
    try {
      this.#bridge?.changeRoutes({ action, route: { ...random.pick(ROUTES), domain: this.domain } });
    } catch {
      // It is there already, or is not.
    }
  }
}

const topicOptions = (rosName: string, type: string) => {
  const { typeHash } = MessageCodec.for(library, type);
  return { rosName, type, typeHash, onIncompatible: () => {} };
};

describe('the status of routes', function () {
  this.timeout(60_000);
  const keep = endingAfterEach();
  const start = async () => {
    const stage = keep(new Stage());
    await stage.start();
    return stage;
  };
  const agree = (stage: Stage, step: string) =>
    stage.clock.stopped(() => {
      let kept: RouteStatus[] = [];
      const looks = stage.looksFor(() => {
        kept = stage.list();
      });
      stage.forget();
      const all = stage.looksFor(() => assert.deepEqual(stage.list(), kept, step));
      return looks < all;
    });

  it('is kept where nothing has changed, and is what it would be if it were made anew', async () => {
    const stage = await start();
    const random = new Random(7);
    let kept = 0;
    for (let step = 0; step < STEPS; step++) {
      stage.rest();
      await stage.act(random);
      // Neighbours in a thread tell each other in the next turn.
      await turn();
      if (agree(stage, `step ${step}`)) kept++;
      await turn();
      agree(stage, `after step ${step}`);
      stage.rest([6000, 6000]);
      stage.clock.pass(130_000);
      agree(stage, `long after step ${step}`);
    }
    assert.ok(kept > STEPS / 2, `${kept} of ${STEPS}`);
    stage.rest();
    await stage.stopBroker();
    agree(stage, 'without the broker');
  });

  it('follows what comes and goes in ROS, in another process as here', async () => {
    const stage = await start();
    const place = { domain: stage.domain, range: 'localhost' as const, interfaces: ['127.0.0.1'], peers: [] };
    const robot = keep(await new RtpsBackend().openDomain({ ...place, nodeName: 'robot', bridgeId: 'r' }));
    await stage.until(() => stage.status?.domains[0]?.participants === 1);
    // By now a bridge that is not at the broker is of no concern, which all routes are told.
    stage.rest();
    robot.createSubscription({ ...topicOptions('/typed', STRING), qos: RELIABLE }, () => {});
    await stage.until(() => stage.status?.routes[0]?.subscriptions === 1);
    stage.rest();
    const servers = SERVICES.map((service) =>
      robot.createServiceServer({ ...service, requestHash: '', responseHash: '' }, noAnswer),
    );
    const count = () => stage.status?.routes.filter((route) => route.servers === 1).length;
    await stage.until(() => count() === SERVICES.length);
    stage.rest();
    for (const server of servers) server.close();
    await stage.until(() => count() === 0);
  });

  it('follows whose publishers are of no concern', async () => {
    const stage = await start();
    const look = () => stage.subscribe({ ...topicOptions('/elsewhere', STRING), qos: RELIABLE });
    const note = () => stage.status?.routes.find(({ rosName }) => rosName === '/slow')?.note;
    const latched = { ...topicOptions('/slow', STRING), qos: LATCHED };
    stage.advertise(latched);
    stage.advertise(latched);
    await stage.until(() => stage.status?.routes.some(({ publishers }) => publishers === 2) === true);
    stage.rest();
    look();
    await stage.until(() => note() !== undefined);
    stage.rest();
    await stage.tell('online', []);
    await stage.until(() => note() === undefined);
  });

  it('is made of nothing again, and told to nobody, while nothing happens', async () => {
    const stage = await start();
    const isTold = () => JSON.stringify(stage.status?.routes) === JSON.stringify(stage.list());
    stage.rest();
    await stage.until(isTold);
    stage.rest();
    const { told, status } = stage;
    assert.equal(
      stage.looksFor(() => stage.list()),
      0,
    );
    stage.say(`ros/${stage.domain}/typed`, '{"data":"x"}');
    await stage.until(() => stage.status?.routes[0]?.counts?.rosPublished === 1);
    assert.ok(stage.told > told);
    const others = stage.status?.routes.filter((route, index) => route !== status?.routes[index]);
    assert.deepEqual(
      others?.map(({ rosName }) => rosName),
      ['/typed'],
    );
  });
});

describe('the mark of counts', () => {
  it('is larger after each change', () => {
    const counts = newRouteCounts();
    const marks = [countsMark(counts)];
    const note = () => marks.push(countsMark(counts));
    for (const name of Object.keys(counts) as (keyof typeof counts)[]) {
      if (name !== 'dropped') counts[name]++;
      else countDrop(counts, 'rate');
      note();
    }
    counts.flowPublished--;
    countDrop(counts, 'flow');
    note();
    assert.ok(marks.every((mark, index) => index === 0 || mark > (marks[index - 1] as number)));
  });
});
