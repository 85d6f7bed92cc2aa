import type { RemoteAdministration } from '../broker/remote-administration';
import type { BridgeHandle } from '../ros/bridge-handle';
import { parseRosTopic, type RosTopicParts, rosNameParts } from '../topic/parse-ros-topic';

/** Topics asked for at once. */
const PAGE = 1000;

/** By which topics are told: the bridge knows namespaces, and topics that routes have of their own. */
export interface RosTopicNames {
  prefix: string;
  bridge?: Pick<BridgeHandle, 'rosOf'> | undefined;
}

type FoundParts = Pick<RosTopicParts, 'domain' | 'node' | 'messageType'>;

/** Finds the topics of ROS among those that a broker's clients publish to, each once in a run of the broker. */
export class RosTopics {
  readonly #administration: Pick<RemoteAdministration, 'topics'>;
  readonly #names: RosTopicNames;
  readonly #found: (topic: string, parts: FoundParts) => void;
  #read = 0;
  #reading = false;
  #count = 0;

  /** @param found told of each topic of ROS; what belongs to a bridge itself is none */
  constructor(
    administration: Pick<RemoteAdministration, 'topics'>,
    names: RosTopicNames,
    found: (topic: string, parts: FoundParts) => void,
  ) {
    this.#administration = administration;
    this.#names = names;
    this.#found = found;
  }

  /** How many were found. */
  get count(): number {
    return this.#count;
  }

  /** Reads the topics that are new. @param topics how many the broker has counted */
  async look(topics: number): Promise<void> {
    // The broker has started again, and counts anew.
    if (topics < this.#read) {
      this.#read = 0;
      this.#count = 0;
    }
    if (this.#reading || topics === this.#read) return;
    this.#reading = true;
    try {
      for (let next: number | undefined = this.#read; next !== undefined; ) {
        const page = await this.#administration.topics({ offset: next, limit: PAGE });
        for (const { topic } of page.entries) this.#note(topic);
        this.#read = next + page.entries.length;
        next = page.next;
      }
    } catch {
      // It stops, or starts again: then there will be another look.
    } finally {
      this.#reading = false;
    }
  }

  #note(topic: string): void {
    const { prefix, bridge } = this.#names;
    const parsed = parseRosTopic(topic, prefix);
    const bridged = bridge?.rosOf(topic) ?? parsed;
    if (bridged === undefined || bridged.kind !== undefined) return;
    this.#count++;
    const domain = parsed?.domain ?? String(bridged.domain);
    this.#found(topic, { domain, ...rosNameParts(bridged.rosName) });
  }
}
