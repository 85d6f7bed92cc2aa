import type { RemoteAdministration } from '../broker/remote-administration';
import { parseRosTopic, type RosTopicParts } from '../topic/parse-ros-topic';

/** Topics asked for at once. */
const PAGE = 1000;

/** Finds the topics of ROS among those that a broker's clients publish to, each once in a run of the broker. */
export class RosTopics {
  readonly #administration: Pick<RemoteAdministration, 'topics'>;
  readonly #prefix: string;
  readonly #found: (topic: string, parts: RosTopicParts) => void;
  #read = 0;
  #reading = false;
  #count = 0;

  /** @param found told of each topic of ROS; what belongs to a bridge itself is none */
  constructor(
    administration: Pick<RemoteAdministration, 'topics'>,
    prefix: string,
    found: (topic: string, parts: RosTopicParts) => void,
  ) {
    this.#administration = administration;
    this.#prefix = prefix;
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
    const parts = parseRosTopic(topic, this.#prefix);
    if (parts === undefined || parts.kind !== undefined) return;
    this.#count++;
    this.#found(topic, parts);
  }
}
