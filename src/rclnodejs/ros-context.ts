import type { RclContext, RclLibrary } from './library';
import { LocalSamples } from './local-samples';
import type { NodeOptions } from './process-messages';

/** A participant in a domain, which the nodes with the same discovery share. */
export interface RosContext {
  readonly context: RclContext;
  readonly samples: LocalSamples;
  /** The full names of its nodes. */
  readonly nodes: Set<string>;
}

/** Releases without discovery ranges; all others take `ROS_AUTOMATIC_DISCOVERY_RANGE` and `ROS_STATIC_PEERS`. */
const WITHOUT_RANGES = ['foxy', 'galactic', 'humble'];

/** The contexts of this process, by domain and discovery: made for their first node, shut down after their last. */
export class RosContexts {
  readonly #library: RclLibrary;
  readonly #contexts = new Map<string, { made: Promise<RosContext>; users: number }>();
  /** One at a time: what the library reads for a new one stands in the environment. */
  #making: Promise<unknown> = Promise.resolve();

  constructor(library: RclLibrary) {
    this.#library = library;
  }

  /** Calls back with the context as long as `use` runs; its result ends the use. */
  async acquire(options: NodeOptions): Promise<{ context: RosContext; release: () => void }> {
    const key = JSON.stringify([options.domain, options.range, options.peers]);
    let entry = this.#contexts.get(key);
    if (entry === undefined) {
      const made = this.#making.then(() => this.#make(options));
      this.#making = made.catch(() => {});
      entry = { made, users: 0 };
      this.#contexts.set(key, entry);
    }
    const shared = entry;
    shared.users++;
    const release = () => {
      shared.users--;
      if (shared.users > 0) return;
      this.#contexts.delete(key);
      shared.made.then(
        ({ context }) => context.shutdown(),
        () => {},
      );
    };
    try {
      return { context: await shared.made, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  async #make({ domain, range, peers }: NodeOptions): Promise<RosContext> {
    if (WITHOUT_RANGES.includes(process.env.ROS_DISTRO ?? '')) {
      process.env.ROS_LOCALHOST_ONLY = range === 'subnet' ? '0' : '1';
    } else {
      // It would take precedence.
      delete process.env.ROS_LOCALHOST_ONLY;
      process.env.ROS_AUTOMATIC_DISCOVERY_RANGE = range.toUpperCase();
      process.env.ROS_STATIC_PEERS = peers.join(';');
    }
    // A number is taken for no domain at all.
    const context = new this.#library.Context(BigInt(domain));
    await this.#library.init(context, []);
    return { context, samples: new LocalSamples(), nodes: new Set() };
  }
}
