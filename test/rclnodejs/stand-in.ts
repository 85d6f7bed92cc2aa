import { execSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Stands in for the library rclnodejs, which needs a ROS 2 installation, where only the process around it is tested:
 * its starting, framing, backpressure and ends. It carries messages within one process, with one node of somebody else
 * in each domain, and is as unforgiving as the library: a throw out of a callback aborts the process, and so does
 * CDR under 4 bytes. What it does with messages proves nothing about ROS 2; the contract suite does that.
 */

/** Faults by `STAND_IN`, here while it loads. */
const fault = process.env.STAND_IN;
const refusal = join(process.env.AMENT_PREFIX_PATH as string, 'refuse');
switch (fault) {
  case 'abort':
    process.abort();
    break;
  case 'rebuild':
    execSync('npm run rebuild');
    break;
  case 'rmw':
    console.error('Expected RMW implementation identifier of one, but found another, exiting with 102.');
    process.exit(102);
    break;
  case 'throw':
    throw new Error('the stand-in does not load');
}

interface Endpoint {
  node: Node;
  topic: string;
  qos: QoS;
  type: string;
  /** Given the CDR, or a message of a class and what is told beside it. */
  callback?: (received: unknown, info?: object) => void;
  messageClass?: new () => Filled;
  queue: Sample[];
}

interface Sample {
  cdr: Buffer;
  stamp: bigint;
}

interface Bus {
  publishers: Set<Endpoint & { kept: Sample[] }>;
  subscriptions: Set<Endpoint>;
  nodes: Set<Node>;
  services: Map<string, (request: Buffer) => Promise<Buffer>>;
}

const buses = new Map<bigint, Bus>();

class QoS {
  constructor(
    readonly history: number,
    readonly depth: number,
    readonly reliability: number,
    readonly durability: number,
  ) {}
}

class Context {
  readonly bus: Bus;

  constructor(readonly domain: bigint) {
    if (existsSync(refusal)) throw new Error('no place in the domain');
    if (typeof domain !== 'bigint') throw new TypeError('the domain is not a BigInt');
    const bus = { publishers: new Set(), subscriptions: new Set(), nodes: new Set(), services: new Map() };
    this.bus = buses.get(domain) ?? (bus as Bus);
    buses.set(domain, this.bus);
  }

  shutdown(): void {
    buses.delete(this.domain);
  }
}

class Node {
  spinning = false;
  readonly _events: Array<{ _handle: object; handle: object; takeData(): void }> = [];
  readonly endpoints = new Set<Endpoint>();

  constructor(
    readonly name: string,
    readonly namespace: string,
    readonly context: Context,
    options: Record<string, boolean>,
  ) {
    if (fault === 'abort-at-node') process.abort();
    for (const name of ['startParameterServices', 'enableRosout', 'startTypeDescriptionService']) {
      if (options[name] !== false) throw new Error(`${name} is not switched off`);
    }
    context.bus.nodes.add(this);
  }

  spin(): void {
    this.spinning = true;
    this.wake();
  }

  stop(): void {
    mustBearTheLoop();
    this.spinning = false;
  }

  destroy(): void {
    this.stop();
    this.context.bus.nodes.delete(this);
  }

  wake(): void {
    setImmediate(() => {
      if (!this.spinning) return;
      const ready = [...this.endpoints].filter(({ queue }) => queue.length > 0);
      if (ready.length === 0) return;
      try {
        this.execute(ready);
      } catch (error) {
        console.error(error);
        process.abort();
      }
      this.wake();
    });
  }

  execute(ready: Endpoint[]): void {
    for (const { queue, callback, messageClass } of ready) {
      const { cdr, stamp } = queue.shift() as Sample;
      if (textOf(cdr) === 'throw') throw new Error('taking failed');
      if (messageClass === undefined) callback?.(cdr);
      else {
        // The middleware counts nothing, and tells a number of its own of the publisher.
        const info = {
          sourceTimestamp: stamp,
          publicationSequenceNumber: -1n,
          publisherGid: Buffer.alloc(16, 9),
        };
        callback?.(filled(messageClass, cdr), info);
      }
    }
  }

  syncHandles(): void {
    this.mustNotSpin();
    for (const { _handle, handle } of this._events) if (_handle !== handle) throw new Error('no handle');
  }

  createPublisher(type: string, topic: string, { qos }: { qos: QoS }) {
    classOf(type);
    const { bus } = this.context;
    const made = { node: this, topic, qos, type, queue: [], kept: [] as Sample[] };
    bus.publishers.add(made);
    return {
      made,
      publish: (cdr: Buffer) => {
        if (cdr.length < 4) process.abort();
        if (topic === '/stand_in') command(this.context, textOf(cdr));
        const sample = deliver(bus, topic, cdr);
        if (qos.durability === 1) made.kept.push(sample);
      },
    };
  }

  createSubscription(
    type: string | (new () => Filled),
    topic: string,
    { qos, isRaw }: { qos: QoS; isRaw: boolean },
    callback: (received: unknown, info?: object) => void,
  ) {
    this.mustNotSpin();
    if (typeof type === 'string') classOf(type);
    if (isRaw === callback.length > 1)
      throw new Error('a raw subscription is told nothing beside its messages');
    const { bus } = this.context;
    const made: Endpoint = { node: this, topic, qos, type: String(type), callback, queue: [] };
    if (typeof type !== 'string') made.messageClass = type;
    this.endpoints.add(made);
    bus.subscriptions.add(made);
    if (qos.durability === 1) {
      for (const publisher of bus.publishers)
        if (publisher.topic === topic) made.queue.push(...publisher.kept);
    }
    const subscription = { made, handle: made, events: [] };
    return subscription;
  }

  createClient(type: { Response: new () => Filled }, service: string) {
    this.mustNotSpin();
    const { services } = this.context.bus;
    return {
      isServiceServerAvailable: () => services.has(service),
      sendRequestAsync: async (request: { serialize(): Buffer }, { signal }: { signal: AbortSignal }) => {
        const answer = services.get(service)?.(contentOf(request.serialize()));
        const aborted = new Promise<never>((_, reject) => {
          signal.addEventListener('abort', () => reject(new Error('aborted')));
        });
        return filled(type.Response, await Promise.race([answer as Promise<Buffer>, aborted]));
      },
    };
  }

  createService(
    type: { Request: new () => Filled; Response: new (content: unknown) => { serialize(): Buffer } },
    service: string,
    _options: object,
    callback: (request: unknown, response: { send(content: unknown): void }) => void,
  ) {
    this.mustNotSpin();
    this.context.bus.services.set(
      service,
      (request) =>
        new Promise((resolve) => {
          const send = (content: unknown) => resolve(contentOf(new type.Response(content).serialize()));
          callback(filled(type.Request, request), { send });
        }),
    );
    return { service };
  }

  destroyPublisher({ made }: { made: Endpoint & { kept: Sample[] } }): void {
    this.context.bus.publishers.delete(made);
  }

  destroySubscription({ made, events }: { made: Endpoint; events: Node['_events'] }): void {
    this.mustNotSpin();
    for (const event of events) this._events.splice(this._events.indexOf(event), 1);
    this.endpoints.delete(made);
    this.context.bus.subscriptions.delete(made);
  }

  destroyClient(): void {
    this.mustNotSpin();
  }

  destroyService({ service }: { service: string }): void {
    this.mustNotSpin();
    this.context.bus.services.delete(service);
  }

  getTopicNamesAndTypes() {
    const { publishers, subscriptions } = this.context.bus;
    const names = new Set([...publishers, ...subscriptions].map(({ topic }) => topic));
    return [...names, '/found'].map((name) => ({ name, types: ['std_msgs/msg/String'] }));
  }

  getPublishersInfoByTopic(topic: string) {
    const none = { seconds: 9_223_372_036n, nanoseconds: 854_775_807 };
    const qos_profile = {
      ...{ depth: 1, reliability: 2, durability: 2, liveliness: 1 },
      ...{ lifespan: none, deadline: { seconds: 0n, nanoseconds: 5e8 }, liveliness_lease_duration: none },
    };
    const found = { node_name: theirName(), node_namespace: '/', topic_type: 'std_msgs/msg/String' };
    return topic === '/found' ? [{ ...found, endpoint_gid: Array(16).fill(7), qos_profile }] : [];
  }

  getSubscriptionsInfoByTopic() {
    return [];
  }

  getNodeNamesAndNamespaces() {
    const ours = [...this.context.bus.nodes].map(({ name }) => ({ name, namespace: '/' }));
    return [...ours, { name: theirName(), namespace: '/' }];
  }

  getServiceNamesAndTypesByNode(name: string) {
    const service = { name: '/double', types: ['example_interfaces/srv/AddTwoInts'] };
    return name === theirName() ? [service] : [];
  }

  getClientNamesAndTypesByNode() {
    return [];
  }

  /** Of somebody who tells of no node. */
  getServiceNamesAndTypes() {
    return [{ name: '/nameless', types: ['example_interfaces/srv/AddTwoInts'] }];
  }

  countServices() {
    return 1;
  }

  countClients() {
    return 0;
  }

  /** With the library it would block the event loop. */
  mustNotSpin(): void {
    if (this.spinning) throw new Error('the node spins');
  }
}

/** The name of somebody else's node tells what the environment of the process is. */
const theirName = () => `peer_${process.env.ROS_AUTOMATIC_DISCOVERY_RANGE}`;

function deliver(bus: Bus, topic: string, cdr: Buffer): Sample {
  const sample = { cdr: Buffer.from(cdr), stamp: process.hrtime.bigint() };
  for (const subscription of bus.subscriptions) {
    if (subscription.topic !== topic) continue;
    subscription.queue.push(sample);
    subscription.node.wake();
  }
  return sample;
}

/** What a test makes it do, by publishing on `/stand_in`. */
function command({ bus }: Context, text: string): void {
  const [verb, ...words] = text.split(' ');
  switch (verb) {
    case 'abort':
      process.abort();
      break;
    case 'wait-for-file':
      while (!existsSync(words[0] as string)) wait();
      break;
    // Somebody else publishes.
    case 'publish':
      deliver(bus, words[0] as string, stringCdr(words.slice(1).join(' ')));
      break;
    case 'publish-many':
      for (let index = 0; index < Number(words[1]); index++)
        deliver(bus, words[0] as string, stringCdr(String(index)));
      break;
    case 'flood': {
      const cdr = Buffer.alloc(Number(words[2]));
      for (let count = Number(words[1]); count > 0; count--) {
        for (const { topic, callback } of bus.subscriptions) if (topic === words[0]) callback?.(cdr);
      }
      break;
    }
    // Somebody else has a publisher that keeps its messages.
    case 'keep': {
      const [topic = '', ...said] = words;
      const sample = deliver(bus, topic, stringCdr(said.join(' ')));
      bus.publishers.add({ topic, kept: [sample], queue: [] } as unknown as Endpoint & { kept: Sample[] });
      break;
    }
    // The middleware has lost messages.
    case 'lose':
      for (const { _events } of bus.nodes)
        for (const { handle, takeData } of _events) {
          const { subscription, lost } = handle as LossEvent;
          lost.push(Number(words[1]));
          if (subscription.topic === words[0]) takeData();
        }
      break;
    case 'serve':
      bus.services.set('/double', async (request) => Buffer.concat([request, request.subarray(4)]));
  }
}

/** The library runs the event loop here, and Node.js ends where it comes to immediates inside of one. */
function mustBearTheLoop(): void {
  Error.stackTraceLimit = Number.POSITIVE_INFINITY;
  if (new Error().stack?.includes('processImmediate')) process.abort();
}

/** Blocks the process for a moment. */
function wait(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
}

/** CDR of `std_msgs/msg/String`. */
function stringCdr(text: string): Buffer {
  const bytes = Buffer.from(`${text}\0`);
  const cdr = Buffer.alloc(8 + bytes.length);
  cdr[1] = 1;
  cdr.writeUInt32LE(bytes.length, 4);
  bytes.copy(cdr, 8);
  return cdr;
}

function textOf(cdr: Buffer): string {
  return cdr.toString('utf8', 8, cdr.length - 1);
}

// A message's C structure is a pointer, a Buffer here, to its content.

interface Filled {
  toRawROS(): Buffer;
  readonly refObject: { ref(): Buffer };
  deserialize(filled: { ref(): Buffer }): void;
  toPlainObject(): unknown;
}

const contents = new WeakMap<Buffer, Buffer>();
const contentOf = (structure: Buffer) => contents.get(structure) as Buffer;

/** As the library takes what it has received. */
function filled(Class: new () => Filled, content: Buffer): unknown {
  const message = new Class();
  contents.set(message.toRawROS(), content);
  const result = new Class();
  result.deserialize(message.refObject);
  (Class as unknown as { destroyRawROS(message: Filled): void }).destroyRawROS(message);
  return result.toPlainObject();
}

class Message {
  readonly #structure = Buffer.alloc(1);
  readonly refObject = { ref: () => this.#structure };

  static type(): object {
    return {};
  }

  static destroyRawROS({ refObject }: Message): void {
    if (!contents.delete(refObject.ref())) throw new Error('a structure was freed twice');
  }

  toRawROS(): Buffer {
    return this.#structure;
  }

  serialize(): Buffer {
    throw new Error('a message went through an object of JavaScript');
  }
}

const Service = { Request: Message, Response: Message, type: () => ({}) };
const Action = {
  impl: {
    SendGoalService: Service,
    CancelGoal: Service,
    GetResultService: Service,
    FeedbackMessage: Message,
    GoalStatusArray: Message,
  },
  type: () => ({}),
};

function classOf(type: string): object {
  if (type.startsWith('acme_')) throw Object.assign(new Error('no such type'), { code: 'MESSAGE_NOT_FOUND' });
  if (type.includes('/srv/')) return Service;
  return type.endsWith('/action/Fibonacci') ? Action : Message;
}

const PARTS = {
  send_goal: ['SendGoalService', 'processGoalResponse', 'processGoalRequest'],
  cancel_goal: ['CancelGoal', 'processCancelResponse', 'processCancelRequest'],
  get_result: ['GetResultService', 'processResultResponse', 'processResultRequest'],
} as const;
type Part = keyof typeof PARTS;
type ActionType = { impl: Record<string, { Request: new () => Filled; Response: new () => Filled }> };

const partName = (action: string, part: string) => `${action}/_action/${part}`;

class ActionEnd {
  readonly handle = this;
  [process: string]: unknown;

  constructor(
    readonly node: Node,
    readonly type: ActionType,
    readonly action: string,
  ) {
    node.mustNotSpin();
  }

  destroy(): void {
    this.node.mustNotSpin();
  }

  /** As the library does it with what it has received. */
  process(name: string, ...received: unknown[]): void {
    (this[name] as (...all: unknown[]) => void)(...received);
  }
}

class ActionClient extends ActionEnd {
  #sequence = 0;

  isActionServerAvailable(): boolean {
    const { services } = this.node.context.bus;
    return Object.keys(PARTS).every((part) => services.has(partName(this.action, part)));
  }

  send(part: Part, request: Buffer): number {
    const sequence = ++this.#sequence;
    const [classes, process] = PARTS[part];
    const { Response } = this.type.impl[classes] as { Response: new () => Filled };
    void this.node.context.bus.services
      .get(partName(this.action, part))?.(request)
      .then((response) => this.process(process, sequence, filled(Response, response)));
    return sequence;
  }
}

class ActionServer extends ActionEnd {
  constructor(node: Node, type: ActionType, action: string) {
    super(node, type, action);
    for (const [part, [classes, , process]] of Object.entries(PARTS)) {
      const { Request } = type.impl[classes] as { Request: new () => Filled };
      node.context.bus.services.set(
        partName(action, part),
        (request) => new Promise((resolve) => this.process(process, resolve, filled(Request, request))),
      );
    }
  }

  override destroy(): void {
    super.destroy();
    for (const part of Object.keys(PARTS)) this.node.context.bus.services.delete(partName(this.action, part));
  }
}

const request = (part: Part) => (client: ActionClient, structure: Buffer) =>
  client.send(part, contentOf(structure));
const respond = (_server: ActionServer, resolve: (response: Buffer) => void, structure: Buffer) =>
  resolve(contentOf(structure));

interface LossEvent {
  subscription: Endpoint;
  lost: number[];
}

/** Loads as the library's addon. */
require.extensions['.node'] = (addon) => {
  addon.exports = {
    rclTakeRaw: ({ queue }: Endpoint) => queue.shift()?.cdr,
    createSubscriptionEventHandle: (subscription: Endpoint): LossEvent => ({ subscription, lost: [] }),
    takeEvent: ({ lost }: LossEvent) => ({ total_count_change: lost.shift() }),
    actionSendGoalRequest: request('send_goal'),
    actionSendCancelRequest: request('cancel_goal'),
    actionSendResultRequest: request('get_result'),
    actionSendGoalResponse: respond,
    actionSendCancelResponse: respond,
    actionSendResultResponse: respond,
  };
};

module.exports = {
  Context,
  Node,
  QoS,
  ActionClient,
  ActionServer,
  init: async () => {
    if (fault === 'abort-at-init') process.abort();
  },
  require: classOf,
  serializeMessage: (message: { serialize(): Buffer }, Class: unknown) => {
    if (!(message instanceof (Class as new () => object))) throw new Error('not of the class');
    return contentOf(message.serialize());
  },
  deserializeMessage: (cdr: Buffer, Class: new () => Message) => {
    if (cdr.length < 4) process.abort();
    const message = new Class();
    contents.set(message.toRawROS(), cdr);
    return message;
  },
  removeSignalHandlers: () => {},
  shutdownAll: () => {
    mustBearTheLoop();
    while (fault === 'hang-at-end') wait();
  },
};
