import type { RosTopic } from '../topic/ros-topic';
import type { BridgeRoute, RouteContext } from './bridge-route';
import type { RouteSettings } from './bridge-settings';
import { failedReply, MqttRequests } from './mqtt-requests';
import type { Way } from './name-patterns';
import { ServiceError } from './ros-service';
import { countDrop, newRouteCounts } from './route-counts';
import type { Turn } from './route-turn';
import { DROP_REASON } from './service-codec';

/**
 * A service or action of ROS while its type is not known, because nobody serves it: who calls it is told so at once. It
 * stands in the place of the route that calls, with its topics and its turn.
 */
export class UntypedCallRoute implements BridgeRoute {
  readonly settings: RouteSettings;
  readonly topic: string;
  readonly counts = newRouteCounts();
  readonly turns: Partial<Record<Way, Turn>> = {};
  readonly #context: RouteContext;
  readonly #requests: readonly MqttRequests[];
  #problem: string | undefined;

  readonly #why: () => string;

  /** @param why it has no type, in words */
  constructor(settings: RouteSettings, context: RouteContext, why: () => string) {
    const { topics } = context;
    this.#why = why;
    this.settings = settings;
    this.#context = context;
    this.topic = topics.below(settings.kind === 'service' ? 'req' : 'action');
    const places =
      settings.kind === 'service'
        ? [[this.topic, `${topics.below('rep')}/`]]
        : ['goal', 'cancel'].map((part) => [`${this.topic}/${part}`, `${this.topic}/status`]);
    this.#requests = places.map(([topic = '', replyPrefix = '']) => {
      const fail = (fault: string) => this.#fail(`${settings.rosName}: ${fault}`);
      const options = { context, counts: this.counts, topic, replyPrefix, type: '', fail };
      return new MqttRequests(options, ({ reply }) => {
        const { status, message } = this.#refuse();
        reply(status, failedReply(status, message));
        this.#context.report(message);
      });
    });
  }

  /** The last fault of this route. */
  get problem(): string | undefined {
    return this.#problem;
  }

  get subscribed(): boolean | undefined {
    const granted = this.#requests.map(({ subscribed }) => subscribed);
    return granted.includes(undefined) ? undefined : !granted.includes(false);
  }

  open(): void {
    const turn = this.#context.join('mqtt-to-ros', this.topic);
    this.turns['mqtt-to-ros'] = turn;
    for (const requests of this.#requests) requests.open(turn);
  }

  close(): void {
    for (const turn of Object.values(this.turns)) turn.close();
    for (const requests of this.#requests) requests.close();
  }

  publish(_topic: RosTopic): Promise<string> {
    return Promise.reject(this.#refuse());
  }

  #refuse(): ServiceError {
    const error = new ServiceError(this.settings.rosName, 'unavailable', this.#why());
    countDrop(this.counts, DROP_REASON[error.status]);
    this.#problem = error.message;
    this.#context.changed();
    return error;
  }

  #fail(problem: string): void {
    this.#problem = problem;
    this.#context.report(problem);
  }
}
