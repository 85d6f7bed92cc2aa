import type { BridgeRoute, RouteContext } from './bridge-route';
import type { RouteSettings } from './bridge-settings';
import { ServiceError } from './ros-service';
import type { RouteDetails } from './ros-worker-messages';
import { CountWatch, SILENT_AFTER } from './route-silence';
import { type ServerFacts, serverSilenceOf, serversFor, serverWords } from './server-silence';

/** Watches whether what a route calls has a server, and finds out why calls come to nothing. */
export class ServerWatch {
  readonly #settings: RouteSettings;
  readonly #context: RouteContext;
  readonly #reached: CountWatch;
  #unanswered = false;

  /** @param now in ms of any steady clock */
  constructor(settings: RouteSettings, context: RouteContext, now: number) {
    this.#settings = settings;
    this.#context = context;
    this.#reached = new CountWatch(now);
  }

  /**
   * Looked at about once a second.
   * @param reached servers that can be called
   */
  look(
    { subscribed, turns }: Pick<BridgeRoute, 'subscribed' | 'turns'>,
    reached: number,
    now = performance.now(),
  ): RouteDetails {
    const unchangedFor = this.#reached.unchangedFor(reached, now);
    // Another bridge carries the route.
    if (Object.values(turns).some(({ active }) => !active)) return {};
    const silence = serverSilenceOf(this.#facts({ subscribed, reached }));
    if (silence === undefined) return {};
    return silence.reason === 'no-answer' || unchangedFor >= SILENT_AFTER ? { silence } : {};
  }

  answered(): void {
    this.#unanswered = false;
  }

  /** What a call has failed with, and what is known of the servers besides. */
  explained<Failure extends Error>(failure: Failure, reached: number): Failure | ServiceError {
    if (!(failure instanceof ServiceError)) return failure;
    const { status } = failure;
    if (status !== 'timeout' && status !== 'unavailable') return failure;
    this.#unanswered = status === 'timeout';
    const words = serverWords(status, this.#facts({ subscribed: undefined, reached }));
    return words === undefined ? failure : failure.with(words);
  }

  #facts({ subscribed, reached }: Pick<ServerFacts, 'subscribed' | 'reached'>): ServerFacts {
    const { connection, domain, domains } = this.#context;
    const settings = this.#settings;
    return {
      settings,
      mqttConnected: connection?.connected,
      subscribed,
      reached,
      found: serversFor(settings, domain),
      domainsOfServers: () =>
        [...domains]
          .filter(([id, other]) => id !== settings.domain && serversFor(settings, other).length > 0)
          .map(([id]) => id),
      unanswered: this.#unanswered,
    };
  }
}
