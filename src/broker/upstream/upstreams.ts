import type { UpstreamStatistics } from '../statistics';
import { passageStamp } from './passage-stamp';
import { Upstream, type UpstreamSurroundings } from './upstream';
import { isUpstreamSession, sessionId, type UpstreamSettings } from './upstream-settings';

/** The upstream brokers of a broker, by name. */
export class Upstreams {
  readonly #upstreams: Map<string, Upstream>;
  readonly #surroundings: UpstreamSurroundings;
  readonly #settings: readonly UpstreamSettings[];

  /** @param settings found usable, with names and client identifiers that differ */
  constructor(settings: readonly UpstreamSettings[], surroundings: UpstreamSurroundings) {
    this.#settings = settings;
    this.#surroundings = surroundings;
    this.#upstreams = new Map(settings.map((one) => [one.name, new Upstream(one, surroundings)]));
  }

  get statistics(): UpstreamStatistics[] {
    return [...this.#upstreams.values()].map(({ statistics }) => statistics);
  }

  /** Joins those that are to be joined at once, and lets go of what was kept for those that there are no more. */
  start(): void {
    const { broker, clock } = this.#surroundings;
    const known = new Set(this.#settings.map(({ name }) => sessionId(name)));
    for (const { clientId } of [...broker.sessionsAway()]) {
      if (isUpstreamSession(clientId) && !known.has(clientId)) broker.endSession(clientId, clock());
    }
    broker.router.leavingStamps = this.#settings.map(({ clientId }) => passageStamp('out', clientId));
    for (const { name, start } of this.#settings) if (start) this.#upstreams.get(name)?.start();
  }

  /** Joins one or parts from it. */
  run(name: string, on: boolean): void {
    if (on) this.#upstreams.get(name)?.start();
    else this.#upstreams.get(name)?.stop();
  }

  stop(): void {
    for (const upstream of this.#upstreams.values()) upstream.stop();
  }
}
