import type { RosTopic } from '../topic/ros-topic';
import type { BridgeSubscriptionListener, IncomingMessage, RouteConnection } from './bridge-connection';
import type { BridgeEvent } from './bridge-events';
import type { BridgeRoute, RouteDescription } from './bridge-route';
import { type RouteSettings, typeFault } from './bridge-settings';
import type { RouteTopics } from './bridge-topics';
import { EarlyMessages, type HeldMemory } from './early-messages';
import type { LearnedTypes } from './learned-types';
import { UnknownTypeError } from './message-codec';
import type { MessageDefinition } from './message-definition';
import type { RosDomain } from './ros-backend';
import type { FlowFacts, RouteName, RouteStatus } from './ros-worker-messages';
import { addCounts, countDrop, type RouteCounts } from './route-counts';
import { nameInGraph } from './route-peers';
import { KeptStatus, type RouteFacts, routeProblem } from './route-status';
import type { Turn } from './route-turn';
import { TypeInquiry } from './type-inquiry';
import { TypeSearch } from './type-search';
import type { TypeTable } from './type-table';

/** How long a message waits for the type of its route, in ms. */
const PATIENCE = 10_000;
/** How long a route that is removed goes on at most until other bridges know that they are to carry, in ms. */
const PARTING = 3000;

const NOT_IN_ROS = 'its type is not known: nobody has it in ROS';
const NO_TYPE =
  'its type is not known: nobody has it in ROS, and neither a message (ros-type), @meta nor the type table tells it';

/** Where a route is. */
export interface RoutePlace {
  readonly domain: RosDomain;
  readonly topics: RouteTopics;
}

/** What an entry has of its table. */
export interface RouteEntryParts {
  bridgeId: string;
  connection: RouteConnection | undefined;
  /** All open domains of the bridge, by their numbers. */
  domains: ReadonlyMap<number, RosDomain>;
  typeTable: TypeTable;
  learned: LearnedTypes;
  memory: HeldMemory;
  /** How long a message waits for the type of its route, in ms. */
  patience: number | undefined;
  /** Where the route is in ROS and in MQTT. Throws with the reason why it cannot work. */
  place(): RoutePlace;
  /** Makes what carries the messages. Throws UnknownTypeError where nobody here knows the type. */
  make(settings: RouteSettings, place: RoutePlace, connection: RouteConnection | undefined): BridgeRoute;
  /** Makes what stands in its place while its type is not known; `why` tells that in words. */
  makeUntyped(
    settings: RouteSettings,
    place: RoutePlace,
    connection: RouteConnection | undefined,
    why: () => string,
  ): BridgeRoute;
  /** Adds what a robot has told of a type. Throws an Error that names the fault. */
  learn(definitions: MessageDefinition[]): void;
  /** The route carries messages from now on. */
  opened(name: RouteName): void;
  report(problem: string): void;
  /** Something that happened. */
  tell(event: BridgeEvent): void;
  changed(): void;
}

/**
 * One route of a bridge from when it is asked for: while its type is looked for or asked from a robot, while it carries,
 * or refused.
 */
export class RouteEntry {
  readonly key: number;
  readonly settings: RouteSettings;
  readonly #label: string;
  readonly #parts: RouteEntryParts;
  readonly #status = new KeptStatus();
  #stopFollowing: Array<() => void> = [];
  /** None of a route that cannot work. */
  #place: RoutePlace | undefined;
  /** The settings with the type that was found last. */
  #typed: RouteSettings;
  /** Of a route whose settings leave the type open. */
  #search: TypeSearch | undefined;
  #early: EarlyMessages | undefined;
  #route: BridgeRoute | undefined;
  /** What the route has subscribed with, by the filters. */
  #mqtt: ReadonlyMap<string, BridgeSubscriptionListener> = new Map();
  /** Why there is no route. */
  #refusal: string | undefined;
  #inquiry: TypeInquiry | undefined;
  /** See `RouteFacts`. */
  #searchedSince: number | undefined;
  #closed = false;

  /** @param label by which users know it, for example `route 2` */
  constructor(key: number, settings: RouteSettings, label: string, parts: RouteEntryParts) {
    this.key = key;
    this.settings = settings;
    this.#typed = settings;
    this.#label = `${label} (${settings.rosName})`;
    this.#parts = parts;
  }

  /** What was carried and dropped; none of a refused route. */
  get counts(): RouteCounts | undefined {
    return this.#route?.counts ?? this.#early?.counts;
  }

  /** Its names in MQTT; `undefined` of a route that cannot work. */
  get topics(): RouteTopics | undefined {
    return this.#place?.topics;
  }

  /** See `BridgeRoute.description`; none while there is no route. */
  get description(): RouteDescription | undefined {
    return this.#route?.description;
  }

  /** See `BridgeRoute.turns`; none while there is no route. */
  get turns(): BridgeRoute['turns'] {
    return this.#route?.turns ?? {};
  }

  /** See `BridgeRoute.isBusy`. */
  get isBusy(): boolean {
    return this.#route?.isBusy === true;
  }

  /** See `BridgeRoute.leaveToOthers`. */
  leaveToOthers(yes: boolean): void {
    this.#route?.leaveToOthers?.(yes);
  }

  /** Messages that were carried, either way. */
  get carried(): number {
    return this.counts === undefined ? 0 : this.counts.rosReceived + this.counts.rosPublished;
  }

  /** A route that cannot be opened is reported. */
  open(): void {
    try {
      this.#place = this.#parts.place();
    } catch (error) {
      this.#refuse((error as Error).message);
      return;
    }
    const name = nameInGraph(this.settings);
    for (const domain of this.#parts.domains.values())
      this.#stopFollowing.push(domain.onGraphChange(() => this.touch(), name));
    const { type } = this.settings;
    if (type !== '' || this.settings.kind === 'parameters') {
      this.#openAs(type, this.#place);
      return;
    }
    const { connection, typeTable, report } = this.#parts;
    this.#search = new TypeSearch(this.settings, this.#place, {
      connection,
      typeTable,
      fault: (before, reason) => this.#changed(before, reason),
      report: ({ message }) => report(`${this.#label}: ${message}`),
      changed: () => this.look(),
    });
    this.#searchedSince = performance.now();
    this.look();
    if (this.#route === undefined) this.#wait();
    this.#search.followMeta();
  }

  /**
   * Carries until others know that they are to, where they wait for that; `left` is called then, or when that takes long,
   * perhaps more than once.
   */
  leave(left: () => void): void {
    const turns = new Set(Object.values(this.turns));
    const timer = setTimeout(left, PARTING);
    const leaveOne = (turn: Turn): void => {
      let isAtOnce = true;
      turn.leave(() => {
        turns.delete(turn);
        // A publisher that is closed may take with it what it has just said.
        if (isAtOnce || turns.size > 0) return;
        clearTimeout(timer);
        void this.#place?.domain.delivered().then(left);
      });
      isAtOnce = false;
    };
    for (const turn of [...turns]) leaveOne(turn);
    if (turns.size > 0) return;
    clearTimeout(timer);
    left();
  }

  close(): void {
    this.#closed = true;
    for (const stop of this.#stopFollowing) stop();
    this.#inquiry = undefined;
    this.#search?.close();
    this.#early?.close('the route was closed');
    this.#route?.close();
    this.#route = undefined;
  }

  /** The ROS graph has changed: what tells the type may be there now, or a robot that knows it. */
  look(): void {
    if (this.#closed || this.#place === undefined) return;
    if (this.#search === undefined) {
      this.#inquiry?.look(this.settings.rosName, this.settings.type);
      return;
    }
    const type = this.#search.look();
    if (type === undefined) return;
    if (type === this.#typed.type) this.#inquiry?.look(this.settings.rosName, type);
    else this.#openAs(type, this.#place);
  }

  /**
   * See `BridgeRoute.publish`. Throws why there is no route; while its type is looked for, the message waits, unless it
   * says it.
   */
  publish(
    topic: RosTopic,
    payload: unknown,
    { rosRequest, rosType, rosName = topic.rosName }: FlowFacts,
  ): Promise<string | undefined> | undefined {
    const said = rosName === topic.rosName ? rosType : undefined;
    const fault = said && typeFault(this.settings.kind, said);
    if (fault) throw new Error(`${topic.rosName}: rosType: ${fault}`);
    const publishOn = (route: BridgeRoute) => {
      const { type } = this.#typed;
      if (said && type !== '' && said !== type)
        throw new Error(
          `${topic.rosName}: a message is of the type ${said} by its rosType, expected ${type}`,
        );
      return route.publish(topic, payload, rosRequest);
    };
    if (this.#route !== undefined) return publishOn(this.#route);
    if (this.#early === undefined) throw new Error(this.#whyNone);
    const taken = this.#early.hold(publishOn).catch((error: Error) => {
      throw new Error(`${this.#whyNone}; ${error.message}`);
    });
    if (said) this.#search?.say(said);
    return taken;
  }

  /** See `RouteContext.passOn`. */
  passOn(filter: string, message: IncomingMessage): boolean {
    const listener = this.#closed ? undefined : this.#mqtt.get(filter);
    listener?.message(message);
    return listener !== undefined;
  }

  /** Why there is no route, in words. */
  get #whyNone(): string {
    const { kind = 'topic' } = this.settings;
    return (
      this.#refusal ?? this.#search?.ambiguity ?? `${this.#label}: ${kind === 'topic' ? NO_TYPE : NOT_IN_ROS}`
    );
  }

  /** A message that was given to the flow did not reach it. */
  droppedFlowSample(): void {
    if (this.#route === undefined) return;
    this.#route.counts.flowPublished--;
    countDrop(this.#route.counts, 'flow');
  }

  /** See `routeProblem`. */
  get problem(): string | undefined {
    return routeProblem(this.#facts);
  }

  /** How it fares, as of now; the same object as before where it says the same. To be asked for about once a second. */
  get status(): RouteStatus {
    return this.#status.look(this.#facts);
  }

  /** See `KeptStatus.touch`. */
  touch(): void {
    this.#status.touch();
  }

  get #facts(): RouteFacts {
    return {
      settings: this.settings,
      typed: this.#typed,
      place: this.#place,
      domains: this.#parts.domains,
      route: this.#route,
      early: this.#early,
      refusal: this.#refusal,
      ambiguity: this.#search?.ambiguity,
      searchedSince: this.#searchedSince,
    };
  }

  /** Opens the route with a type, in place of one that it had before. */
  #openAs(type: string, place: RoutePlace): void {
    this.#typed = { ...this.settings, type };
    this.#inquiry = undefined;
    try {
      this.#openRoute(place);
    } catch (error) {
      const { message } = error as Error;
      this.#replace(undefined);
      // Nodes are asked by the hash of a type, which discovery does not tell of a service or an action.
      if (error instanceof UnknownTypeError && (this.settings.kind ?? 'topic') === 'topic') {
        this.#inquire(type, place);
        // It was learned before.
        if (this.#inquiry === undefined) return;
        this.#refuse(`${message}; a robot that has it will be asked (ROS 2 Iron or later)`);
        const { domain: id, rosName } = this.settings;
        this.#parts.tell({ event: 'type-unknown', domain: id, rosName, rosType: type, reason: message });
      } else this.#refuse(message);
    }
  }

  #openRoute(place: RoutePlace): void {
    const route = this.#parts.make(this.#typed, place, this.#connection());
    route.open();
    this.#replace(route);
    this.#refusal = undefined;
    const { domain: id, rosName, type } = this.#typed;
    this.#parts.opened({ key: this.key, topic: route.topic, domain: id, rosName, type });
    this.#parts.changed();
  }

  /** Puts a route, or the wait for one, in the place of what there was. It has subscribed by now: nothing is missed. */
  #replace(route: BridgeRoute | undefined): void {
    const { counts } = this;
    const before = this.#route;
    const early = this.#early;
    this.#route = route;
    if (route === undefined) {
      if (this.#search !== undefined) this.#wait();
    } else {
      this.#early = undefined;
      early?.deliver(route, this.#mqtt.get(route.topic));
      early?.close('the route was opened');
    }
    before?.close();
    if (counts !== undefined && this.counts !== undefined && counts !== this.counts)
      addCounts(this.counts, counts);
  }

  /** The connection, which notes what a new route takes its messages with: what was held is given to that. */
  #connection(): RouteConnection | undefined {
    const { connection } = this.#parts;
    // A route whose type is given has none before it, and none after it.
    if (connection === undefined || this.#search === undefined) return connection;
    const listeners = new Map<string, BridgeSubscriptionListener>();
    this.#mqtt = listeners;
    return {
      get connected() {
        return connection.connected;
      },
      onStatus: (listener) => connection.onStatus(listener),
      stored: (topic, others) => connection.stored(topic, others),
      publish: (message, settled) => connection.publish(message, settled),
      subscribe: (filter, listener, options) => {
        listeners.set(filter, listener);
        return connection.subscribe(filter, listener, options);
      },
    };
  }

  /** Looks at what comes for the route: a message is held, who asks is told that there is no answer. */
  #wait(): void {
    if ((this.settings.kind ?? 'topic') === 'topic') this.#holdEarly();
    else if (this.settings.direction === 'mqtt-to-ros' && this.#place !== undefined) {
      const connection = this.#connection();
      this.#route = this.#parts.makeUntyped(this.settings, this.#place, connection, () => this.#whyNone);
      this.#route.open();
    }
  }

  #holdEarly(): void {
    if (this.#early !== undefined) return;
    const { bridgeId, connection, memory, patience = PATIENCE } = this.#parts;
    const topic = this.#takesFromMqtt ? this.topics?.name : undefined;
    this.#early = new EarlyMessages(
      { topic, connection, bridgeId, memory, patience },
      {
        said: (type) => this.#search?.say(type),
        dropped: () => {
          if (this.#refusal === undefined && this.#search?.ambiguity === undefined) this.#refuse(NO_TYPE);
          this.#parts.changed();
        },
        refused: ({ message }) => this.#refuse(message),
        changed: () => this.#parts.changed(),
      },
    );
    this.#early.open();
  }

  get #takesFromMqtt(): boolean {
    return this.settings.direction !== 'ros-to-mqtt';
  }

  #refuse(reason: string): void {
    this.#refusal = this.#changed(this.#refusal, reason);
  }

  /** The text of a fault, which is reported when it is another than before. */
  #changed(before: string | undefined, reason: string | undefined): string | undefined {
    const text = reason && `${this.#label}: ${reason}`;
    if (text !== undefined && text !== before) this.#parts.report(text);
    return text;
  }

  /** Has the nodes of the robot asked for a type, now and when they appear. */
  #inquire(type: string, place: RoutePlace): void {
    const inquiry = new TypeInquiry(place.domain, this.#parts.learned, {
      found: (definitions) => {
        if (this.#closed || this.#inquiry !== inquiry) return;
        this.#inquiry = undefined;
        try {
          this.#parts.learn(definitions);
          this.#openRoute(place);
        } catch (error) {
          this.#refuse((error as Error).message);
        }
        this.#parts.changed();
      },
      failed: (reason) => {
        if (this.#closed || this.#inquiry !== inquiry) return;
        this.#refuse(`its type ${type} was asked from the robot: ${reason}`);
      },
    });
    this.#inquiry = inquiry;
    inquiry.look(this.settings.rosName, type);
  }
}
