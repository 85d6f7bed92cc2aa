import { decodeString } from '../../rtps/string-sample';
import { type Context, deliver, type Endpoint, type Publisher, type QoS, type Sample } from './bus';
import { command, names } from './commands';
import { fault, mustBearTheLoop } from './faults';
import { classOf, contentOf, type Filled, filled } from './messages';

/** The name of somebody else's node tells what the environment of the process is, unless it is told another. */
const theirName = () => names.their ?? `peer_${process.env.ROS_AUTOMATIC_DISCOVERY_RANGE}`;

export class Node {
  spinning = false;
  isTriggered = false;
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
    for (const { _handle, handle } of this._events) if (_handle !== handle) throw new Error('no handle');
    this.spinning = true;
    this.wake();
  }

  stop(): void {
    mustBearTheLoop();
    if (!this.isTriggered) throw new Error('stopping blocks until the wait is over');
    this.isTriggered = false;
    this.spinning = false;
  }

  createGuardCondition() {
    this.mustNotSpin();
    const trigger = () => {
      this.isTriggered = true;
    };
    return { trigger };
  }

  destroy(): void {
    if (this.spinning) this.stop();
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
    for (const { queue, callback } of ready) callback?.((queue.shift() as Sample).cdr);
  }

  createPublisher(type: string, topic: string, { qos }: { qos: QoS }) {
    classOf(type);
    const { bus } = this.context;
    const made: Publisher = { node: this, topic, qos, type, queue: [], kept: [] };
    bus.publishers.add(made);
    return {
      made,
      publish: (cdr: Buffer) => {
        if (cdr.length < 4) process.abort();
        if (topic === '/stand_in') command(this.context, decodeString(cdr));
        const sample = deliver(bus, topic, cdr);
        if (qos.durability === 1) made.kept.push(sample);
      },
    };
  }

  createSubscription(
    type: string,
    topic: string,
    { qos, isRaw }: { qos: QoS; isRaw: boolean },
    callback: (received: Buffer) => void,
  ) {
    this.mustNotSpin();
    classOf(type);
    if (!isRaw) throw new Error('objects of JavaScript are not wanted');
    const { bus } = this.context;
    const made: Endpoint = { node: this, topic, qos, type, callback, queue: [] };
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

  destroyPublisher({ made }: { made: Publisher }): void {
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
