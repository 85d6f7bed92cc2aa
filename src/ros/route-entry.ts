import type { RosTopic } from '../topic/ros-topic';
import type { BridgeRoute } from './bridge-route';
import type { RouteSettings } from './bridge-settings';
import { UnknownTypeError } from './message-codec';
import type { MessageDefinition } from './message-definition';
import type { RosDomain } from './ros-backend';
import type { RouteName, RouteStatus } from './ros-worker-messages';
import { countDrop } from './route-counts';
import { TypeInquiry } from './type-inquiry';

/** What an entry has of its table. */
export interface RouteEntryParts {
  /** The domain of the route. Throws with the reason why the route cannot work. */
  domain(): RosDomain;
  /** Makes what carries the messages. Throws UnknownTypeError where nobody here knows the type. */
  make(domain: RosDomain): BridgeRoute;
  /** Adds what a robot has told of a type. Throws an Error that names the fault. */
  learn(definitions: MessageDefinition[]): void;
  /** The route carries messages from now on. */
  opened(name: RouteName): void;
  report(problem: string): void;
  changed(): void;
}

/** One route of a bridge from when it is asked for: while its type is asked from a robot, while it carries, or refused. */
export class RouteEntry {
  readonly key: number;
  readonly settings: RouteSettings;
  readonly #label: string;
  readonly #parts: RouteEntryParts;
  #domain: RosDomain | undefined;
  #route: BridgeRoute | undefined;
  /** Why there is no route. */
  #refusal: string | undefined;
  #inquiry: TypeInquiry | undefined;
  #closed = false;

  /** @param label by which users know it, for example `route 2` */
  constructor(key: number, settings: RouteSettings, label: string, parts: RouteEntryParts) {
    this.key = key;
    this.settings = settings;
    this.#label = `${label} (${settings.rosName})`;
    this.#parts = parts;
  }

  /** What carries the messages, while there is one. */
  get route(): BridgeRoute | undefined {
    return this.#route;
  }

  /** A route that cannot be opened is reported. */
  open(): void {
    try {
      this.#domain = this.#parts.domain();
      this.#openRoute(this.#domain);
    } catch (error) {
      const { message } = error as Error;
      if (error instanceof UnknownTypeError && this.#domain !== undefined) {
        this.#refuse(`${message}; a robot that has it will be asked (ROS 2 Iron or later)`);
        this.#inquire(this.#domain);
      } else this.#refuse(message);
    }
  }

  close(): void {
    this.#closed = true;
    this.#inquiry = undefined;
    this.#route?.close();
    this.#route = undefined;
  }

  /** The ROS graph has changed: a robot that knows the type may be there now. */
  look(): void {
    this.#inquiry?.look(this.settings.rosName, this.settings.type);
  }

  /** See `BridgeRoute.publish`. Throws why there is no route. */
  publish(topic: RosTopic, payload: unknown): void {
    if (this.#route === undefined) throw new Error(this.#refusal);
    this.#route.publish(topic, payload);
  }

  /** A message that was given to the flow did not reach it. */
  droppedFlowSample(): void {
    if (this.#route === undefined) return;
    this.#route.counts.flowPublished--;
    countDrop(this.#route.counts, 'flow');
  }

  get status(): RouteStatus {
    const { rosName, type } = this.settings;
    const route = this.#route;
    const problem = route === undefined ? this.#refusal : route.problem;
    const others = [...(this.#domain?.endpoints() ?? [])].filter(
      (other) => other.rosName === rosName && other.type === type,
    );
    return {
      ...this.settings,
      publishers: others.filter(({ kind }) => kind === 'publisher').length,
      subscriptions: others.filter(({ kind }) => kind === 'subscription').length,
      ...(problem !== undefined && { problem }),
      ...(route !== undefined && { counts: route.counts }),
      ...(route?.subscribed !== undefined && { subscribed: route.subscribed }),
    };
  }

  #openRoute(domain: RosDomain): void {
    const route = this.#parts.make(domain);
    route.open();
    this.#route = route;
    this.#refusal = undefined;
    const { domain: id, rosName, type } = this.settings;
    this.#parts.opened({ key: this.key, topic: route.topic, domain: id, rosName, type });
  }

  #refuse(reason: string): void {
    this.#refusal = `${this.#label}: ${reason}`;
    this.#parts.report(this.#refusal);
  }

  /** Has the nodes of the robot asked for the route's type, now and when they appear. */
  #inquire(domain: RosDomain): void {
    this.#inquiry = new TypeInquiry(domain, {
      found: (definitions) => {
        if (this.#closed || this.#inquiry === undefined) return;
        this.#inquiry = undefined;
        try {
          this.#parts.learn(definitions);
          this.#openRoute(domain);
        } catch (error) {
          this.#refuse((error as Error).message);
        }
        this.#parts.changed();
      },
      failed: (reason) => {
        if (!this.#closed) this.#refuse(`its type ${this.settings.type} was asked from the robot: ${reason}`);
      },
    });
    this.look();
  }
}
