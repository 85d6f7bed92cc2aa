import { type BridgeEvent, NodeWatch } from './bridge-events';
import { bridgeNodeName } from './bridge-node';
import type { BridgeSettings } from './bridge-settings';
import type { RosBackend, RosDomain } from './ros-backend';
import type { DomainStatus } from './ros-worker-messages';

export interface BridgeDomainsParts {
  settings: BridgeSettings;
  backend: RosBackend;
  /** Participants, nodes or endpoints of a domain appeared or left. */
  graphChanged(domain: number): void;
  tell(event: BridgeEvent): void;
  /** What the user of the machine can repair, in words. */
  warn(message: string): void;
  report(problem: string): void;
}

/** The ROS domains of a bridge. One that cannot be opened is reported and leaves the others alone. */
export class BridgeDomains {
  readonly #parts: BridgeDomainsParts;
  readonly #opened = new Map<number, RosDomain>();
  readonly #problems = new Map<number, string>();
  readonly #nodes = new Map<number, NodeWatch>();

  constructor(parts: BridgeDomainsParts) {
    this.#parts = parts;
  }

  /** Those that are open, by their numbers. */
  get opened(): ReadonlyMap<number, RosDomain> {
    return this.#opened;
  }

  get status(): DomainStatus[] {
    return this.#parts.settings.domains.map((domain) => this.#statusOf(domain));
  }

  /** Why a domain is not open, in words. */
  problemOf(domain: number): string | undefined {
    return this.#problems.get(domain);
  }

  async open(): Promise<void> {
    await Promise.all(this.#parts.settings.domains.map((domain) => this.#open(domain)));
  }

  /** Resolves when what was published here is delivered, as far as that can be known. */
  async delivered(): Promise<void> {
    await Promise.all([...this.#opened.values()].map((domain) => domain.delivered()));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#opened.values()].map((domain) => domain.close()));
    this.#opened.clear();
  }

  /** Tells which nodes have come and gone. */
  lookForNodes(): void {
    for (const [domain, opened] of this.#opened) {
      this.#nodes.get(domain)?.look([...opened.nodes()].map(({ name }) => name));
    }
  }

  async #open(domain: number): Promise<void> {
    const { backend, settings, graphChanged, tell, warn, report } = this.#parts;
    const { range, interfaces, peers, advertisedAddress, maxSampleBytes, id } = settings;
    try {
      const opened = await backend.openDomain({
        domain,
        range,
        interfaces,
        peers,
        advertisedAddress,
        maxSampleBytes,
        nodeName: bridgeNodeName(id),
        bridgeId: id,
      });
      this.#opened.set(domain, opened);
      this.#nodes.set(domain, new NodeWatch(domain, tell));
      opened.onGraphChange(() => graphChanged(domain));
      opened.onWarning((warning) => warn(`domain ${domain}: ${warning}`));
    } catch (error) {
      const problem = `domain ${domain}: ${(error as Error).message}`;
      this.#problems.set(domain, problem);
      report(problem);
    }
  }

  #statusOf(domain: number): DomainStatus {
    const opened = this.#opened.get(domain);
    const lost = opened?.problem === undefined ? undefined : `domain ${domain}: ${opened.problem}`;
    const problem = this.#problems.get(domain) ?? lost;
    return {
      domain,
      participants: opened?.participants ?? 0,
      nodes: [...(opened?.nodes() ?? [])].length,
      ...(problem !== undefined && { problem }),
    };
  }
}
