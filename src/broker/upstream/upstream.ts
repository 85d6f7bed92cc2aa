import type { Duplex } from 'node:stream';
import { Backoff } from '../../client/backoff';
import type { ConnectionState } from '../../client/connection-settings';
import { Permissions } from '../access/permissions';
import type { Broker, ConnectedClient } from '../broker';
import type { BrokerEvent } from '../broker-event';
import type { ConnackPacket } from '../codec/connack-packet';
import type { QoS } from '../codec/packet-type';
import { ProtocolError } from '../codec/protocol-error';
import type { PublishView } from '../codec/publish-packet';
import { type ReasonCode, reasonWords } from '../codec/reason-code';
import type { SubscriptionRequest } from '../codec/subscribe-packet';
import type { ConnectionOutput } from '../connection-output';
import type { FlushSchedule } from '../flush-schedule';
import { messageOf } from '../message';
import type { Session } from '../session/session';
import type { UpstreamStatistics } from '../statistics';
import { dial } from './dial';
import { bears, passageStamp } from './passage-stamp';
import { TopicMapping } from './topic-mapping';
import { UpstreamConnection, type UpstreamEnd } from './upstream-connection';
import { UpstreamOutput } from './upstream-output';
import { echoingRoutes, routesOf } from './upstream-route';
import { sessionId, type UpstreamSettings } from './upstream-settings';

/** A connection that lasted this long was a good one, ms: the next outage starts with short delays again. */
const STABLE_TIME = 10_000;

/**
 * QoS 1 and 2 messages in flight: over MQTT 5 more than towards a client, as a link is long and all of a site shares it,
 * unless the broker says that it takes less. An older one cannot say so; mosquitto ends a link that has more than 20.
 */
const IN_FLIGHT = { 4: 20, 5: 200 } as const;

/** What an upstream needs of its surroundings. */
export interface UpstreamSurroundings {
  broker: Broker;
  schedule: FlushSchedule;
  /** Milliseconds of a clock that does not jump. */
  clock: () => number;
  report: (event: BrokerEvent) => void;
}

/**
 * One upstream broker that this broker is joined to: the session that keeps what goes there, the connection while there
 * is one, and what comes from there. While the link is down QoS 1 and 2 messages wait in the session within the limits
 * of every session, over restarts where the broker keeps sessions on disk.
 */
export class Upstream implements ConnectedClient {
  /** It came without a CONNECT. */
  readonly order = 0;
  readonly #settings: UpstreamSettings;
  readonly #surroundings: UpstreamSurroundings;
  readonly #backoff = new Backoff();
  readonly #outgoing: TopicMapping;
  readonly #incoming: TopicMapping;
  readonly #inStamp: Buffer;
  #session: Session | undefined;
  #connection: UpstreamConnection | undefined;
  #output: UpstreamOutput | undefined;
  #retry: NodeJS.Timeout | undefined;
  #connectedAt = Number.POSITIVE_INFINITY;
  /** Whether CONNECT says that this is a bridge: only MQTT 3.1.1 needs that, and not every broker takes it. */
  #bridge: boolean;
  /** The upstream broker has the subscriptions, as long as it has the session. */
  #subscribed = false;
  #state: ConnectionState = 'disconnected';
  #reason: string | undefined;
  #reported = '';
  #announced = '';
  #sent = 0;
  #received = 0;
  #refused = 0;
  #looped = 0;

  /** @param settings found usable */
  constructor(settings: UpstreamSettings, surroundings: UpstreamSurroundings) {
    this.#settings = settings;
    this.#surroundings = surroundings;
    this.#bridge = settings.protocolVersion === 4;
    this.#outgoing = new TopicMapping(
      routesOf(settings.routes, 'out').map(({ local, localPrefix, remotePrefix }) => ({
        filter: local,
        prefix: localPrefix,
        newPrefix: remotePrefix,
      })),
    );
    this.#incoming = new TopicMapping(
      routesOf(settings.routes, 'in').map(({ remote, localPrefix, remotePrefix }) => ({
        filter: remote,
        prefix: remotePrefix,
        newPrefix: localPrefix,
      })),
    );
    this.#inStamp = passageStamp('in', settings.clientId);
  }

  get name(): string {
    return this.#settings.name;
  }

  get session(): Session | undefined {
    return this.#session;
  }

  get statistics(): UpstreamStatistics {
    return {
      name: this.name,
      state: this.#state,
      ...(this.#reason !== undefined && { reason: this.#reason }),
      sent: this.#sent + (this.#output?.sent ?? 0),
      received: this.#received,
      queued: this.#session?.queued ?? 0,
      refused: this.#refused,
      looped: this.#looped,
    };
  }

  /** Joins the upstream broker and stays joined until `stop`. What matches the routes is taken from now on. */
  start(): void {
    if (this.#session !== undefined) return;
    const { broker, clock } = this.#surroundings;
    const session = broker.connect(
      sessionId(this.name),
      '',
      Permissions.unrestricted,
      false,
      this,
      clock(),
    ).session;
    this.#session = session;
    session.keep(broker.limits.sessionExpiry, undefined);
    this.#attempt();
  }

  /** Parts from the upstream broker. The session goes on waiting, as that of a client that is away. */
  stop(): void {
    const session = this.#session;
    if (session === undefined) return;
    const { broker, clock } = this.#surroundings;
    clearTimeout(this.#retry);
    this.#connection?.close();
    this.#unlink(session);
    this.#session = undefined;
    broker.disconnect(session, broker.limits.sessionExpiry, undefined, clock());
    this.#set('disconnected', undefined);
  }

  /** The broker wants the connection to end; it is made again. */
  end(_reasonCode: ReasonCode, reason: string): void {
    this.#connection?.end(reason);
  }

  /**
   * Makes the session's subscriptions those of the routes, or says why that cannot be.
   * @param retained also sends what is retained for them
   */
  #subscribeHere(session: Session, retained: boolean): string | undefined {
    const { broker } = this.#surroundings;
    const wanted = new Map<string, QoS>();
    for (const { local, qos } of routesOf(this.#settings.routes, 'out')) {
      wanted.set(local, Math.max(qos, wanted.get(local) ?? 0) as QoS);
    }
    for (const filter of [...session.subscriptions.keys()]) {
      if (!wanted.has(filter)) broker.unsubscribe(session, filter);
    }
    for (const [filter, qos] of wanted) {
      if (!retained && session.subscriptions.get(filter)?.qos === qos) continue;
      const retainHandling = retained ? 0 : 2;
      const request = { filter, qos, noLocal: true, retainAsPublished: true, retainHandling } as const;
      const { reasonCode, reason } = broker.subscribe(session, request, 0, true);
      if (reasonCode >= 0x80) return `"${filter}" is not taken here: ${reason ?? reasonWords(reasonCode)}`;
    }
    return undefined;
  }

  #attempt(): void {
    const session = this.#session as Session;
    if (this.#state === 'disconnected') this.#set('connecting', undefined);
    const fault = this.#subscribeHere(session, false) ?? this.#connect(session);
    if (fault !== undefined) this.#onEnded(session, { reason: fault, refused: true, versionUnknown: false });
  }

  /** Starts a connection, or says why there can be none. */
  #connect(session: Session): string | undefined {
    const settings = this.#settings;
    const { broker, schedule, clock } = this.#surroundings;
    let stream: Duplex;
    try {
      stream = dial(settings.url, settings.tls, broker.limits.packetSize);
    } catch (error) {
      return (error as Error).message;
    }
    this.#connection = new UpstreamConnection(stream, {
      settings,
      bridge: this.#bridge,
      broker,
      schedule,
      session,
      clock,
      connected: (connack, output) => this.#onConnected(session, connack, output),
      subscribed: () => {
        this.#subscribed = true;
        this.#set('connected', undefined);
      },
      refused: () => {
        this.#refused++;
      },
      message: (view) => this.#onMessage(session, view),
      ended: (end) => this.#onEnded(session, end),
    });
    this.#connection.open();
    return undefined;
  }

  #onConnected(
    session: Session,
    { sessionPresent, properties }: ConnackPacket,
    output: ConnectionOutput,
  ): SubscriptionRequest[] | string {
    const { broker, clock } = this.#surroundings;
    const { protocolVersion, routes, clientId } = this.#settings;
    const echo = protocolVersion === 4 && !this.#bridge ? echoingRoutes(routes) : undefined;
    if (echo !== undefined) {
      return (
        `the broker does not know bridges over MQTT 3.1.1, so "${echo.out}", which goes out, would come in again ` +
        `by "${echo.in}": use MQTT 5, or filters that do not overlap`
      );
    }
    const maximumQos = properties.maximumQos ?? 2;
    const tooHigh = routesOf(routes, 'out').find(({ qos }) => qos > maximumQos);
    if (tooHigh !== undefined) {
      return `the broker takes at most QoS ${maximumQos}, and "${tooHigh.remote}" has QoS ${tooHigh.qos}`;
    }
    this.#connectedAt = clock();
    if (!sessionPresent) {
      // Identifiers of a session that the broker has forgotten now stand for other messages [MQTT-3.2.2-5].
      session.received.clear();
      this.#subscribed = false;
    }
    this.#output = new UpstreamOutput(output, this.#outgoing, passageStamp('out', clientId), {
      maximumQos,
      retainAvailable: properties.retainAvailable !== 0,
    });
    session.attach(this.#output, properties.receiveMaximum ?? 65_535, clock(), IN_FLIGHT[protocolVersion]);
    if (!sessionPresent) {
      // It may have lost what is retained as well.
      this.#subscribeHere(session, true);
      broker.retention.replay();
    }
    // MQTT 3.1.1 would send what is retained again at each SUBSCRIBE.
    if (protocolVersion === 4 && this.#subscribed) return [];
    return routesOf(routes, 'in').map(({ remote, qos }) => ({
      filter: remote,
      qos,
      noLocal: true,
      retainAsPublished: true,
      retainHandling: 1,
    }));
  }

  #onMessage(session: Session, view: PublishView): void {
    const { broker, clock } = this.#surroundings;
    if (bears(view, this.#inStamp) || broker.router.hasLeft(view)) {
      this.#looped++;
      return;
    }
    const topic = this.#incoming.map(view.bytes, view.topicStart, view.topicEnd);
    try {
      if (topic === undefined) {
        broker.statistics.dropped++;
        return;
      }
      const now = clock();
      const message = messageOf(
        view,
        topic.toString(),
        topic,
        session.clientId,
        now,
        broker.router.slabs,
        this.#inStamp,
      );
      broker.router.publishMessage(message, session, now);
      this.#received++;
    } catch (error) {
      // A topic name that this broker's limits do not allow.
      if (!(error instanceof ProtocolError)) throw error;
      broker.statistics.dropped++;
    }
  }

  #onEnded(session: Session, { reason, refused, versionUnknown }: UpstreamEnd): void {
    if (this.#surroundings.clock() - this.#connectedAt > STABLE_TIME) this.#backoff.reset();
    this.#unlink(session);
    // A broker that does not know bridges is asked as by a client, and the other way round again if that fails alike.
    if (versionUnknown && this.#settings.protocolVersion === 4) this.#bridge = !this.#bridge;
    this.#set(refused ? 'error' : 'reconnecting', reason);
    this.#retry = setTimeout(() => this.#attempt(), this.#backoff.next());
  }

  #unlink(session: Session): void {
    session.detach();
    this.#sent += this.#output?.sent ?? 0;
    this.#output = undefined;
    this.#connection = undefined;
    this.#connectedAt = Number.POSITIVE_INFINITY;
  }

  #set(state: ConnectionState, reason: string | undefined): void {
    this.#state = state;
    this.#reason = reason;
    const { broker, report, clock } = this.#surroundings;
    // Each attempt of a long outage ends alike: once is enough.
    if (this.#reported === `${state} ${reason}`) return;
    this.#reported = `${state} ${reason}`;
    report({ type: 'upstream', name: this.name, state, ...(reason !== undefined && { reason }) });
    const announced = state === 'connected' ? '1' : '0';
    if (announced === this.#announced) return;
    this.#announced = announced;
    broker.announce(`connection/${this.name}/state`, announced, clock());
  }
}
