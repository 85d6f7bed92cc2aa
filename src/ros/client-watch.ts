import type { BridgeRoute, RouteContext } from './bridge-route';
import type { RouteSettings } from './bridge-settings';
import { clientSilenceOf, clientsFor } from './client-silence';
import type { RouteDetails } from './ros-worker-messages';
import { CountWatch, SILENT_AFTER } from './route-silence';

/** Watches whether what a route has for ROS is called and answered, and finds out why it is not. */
export class ClientWatch {
  readonly #settings: RouteSettings;
  readonly #context: RouteContext;
  readonly #found: CountWatch;
  #unanswered = false;

  /** @param now in ms of any steady clock */
  constructor(settings: RouteSettings, context: RouteContext, now: number) {
    this.#settings = settings;
    this.#context = context;
    this.#found = new CountWatch(now);
  }

  /** Looked at about once a second. */
  look(
    { subscribed, turns, counts }: Pick<BridgeRoute, 'subscribed' | 'turns' | 'counts'>,
    now = performance.now(),
  ): RouteDetails {
    const { connection, flowOutput, domain, domains } = this.#context;
    const settings = this.#settings;
    const found = clientsFor(settings, domain);
    const unchangedFor = this.#found.unchangedFor(found.length, now);
    // Another bridge carries the route.
    if (Object.values(turns).some(({ active }) => !active)) return {};
    const silence = clientSilenceOf({
      settings,
      mqttConnected: connection?.connected,
      subscribed,
      heard: connection !== undefined || flowOutput,
      everAsked: counts.rosReceived > 0,
      unanswered: this.#unanswered,
      found,
      domainsOfClients: () =>
        [...domains]
          .filter(([id, other]) => id !== settings.domain && clientsFor(settings, other).length > 0)
          .map(([id]) => id),
    });
    if (silence === undefined) return {};
    return silence.reason === 'no-answer' || unchangedFor >= SILENT_AFTER ? { silence } : {};
  }

  answered(): void {
    this.#unanswered = false;
  }

  /** Nobody has answered in time what was asked. */
  unanswered(): void {
    this.#unanswered = true;
  }
}
