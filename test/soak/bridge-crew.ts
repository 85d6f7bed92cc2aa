import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '../../src/client/connection';
import { connected, Inbox, settingsFor } from '../client/observed';
import { route } from '../ros/bridge-fixture';
import { BridgeProcess } from '../ros/bridge-process';
import { carries, seesOthers, standsBy } from '../ros/several-bridges';

const IDS = ['a', 'b', 'c'] as const;
/** s: short, so that a broker notices a bridge that stands still. */
const KEEP_ALIVE = 2;
/** The state must be right for so long, and within so long, ms. */
const STEADY = 3000;
const PATIENCE = 90_000;
const LOOK = 100;

export type BridgeId = (typeof IDS)[number];

/** Three bridges of one route in processes of their own. */
export class BridgeCrew {
  readonly #url: string;
  readonly #domain: number;
  readonly #processes = new Map<BridgeId, BridgeProcess>();
  /** What the broker is to say of each. */
  readonly #presence = new Map<BridgeId, 'online' | 'offline' | 'broken'>();

  constructor(url: string, domain: number) {
    this.#url = url;
    this.#domain = domain;
  }

  /** Of those that run and those that are away. */
  get size(): number {
    return IDS.length;
  }

  get running(): BridgeId[] {
    return [...this.#processes.keys()].sort();
  }

  /** Starts those that do not run. */
  startAll(): void {
    for (const id of IDS) {
      if (this.#processes.has(id)) continue;
      const bridge = new BridgeProcess({
        id,
        domains: [this.#domain],
        routes: [route(this.#domain)],
        mqtt: {
          target: { url: this.#url },
          protocolVersion: 5,
          clientId: `bridge-${id}`,
          keepAlive: KEEP_ALIVE,
        },
      });
      this.#processes.set(id, bridge);
      this.#presence.set(id, 'online');
    }
  }

  /** Resolves so many ms after a bridge was killed or ended; one that is suspended goes on then. */
  async strike(blow: 'kill' | 'end' | 'suspend', id: BridgeId, duration: number): Promise<void> {
    const bridge = this.#processes.get(id) as BridgeProcess;
    if (blow === 'suspend') await bridge.stop();
    else {
      await bridge.end(blow === 'kill' ? 'SIGKILL' : 'SIGTERM');
      this.#processes.delete(id);
      this.#presence.set(id, blow === 'kill' ? 'broken' : 'offline');
    }
    await sleep(duration);
    if (blow === 'suspend') bridge.continue();
  }

  /** The broker has forgotten what it had of those that do not run. */
  forgotten(): void {
    for (const id of IDS) if (!this.#processes.has(id)) this.#presence.delete(id);
  }

  /** Resolves when the lowest id has carried for a while, and the others have stood by for it; all see all, and it. */
  async inOrder(others: () => boolean): Promise<void> {
    const isRight = () => {
      const [lowest = 'a', ...more] = this.running;
      return (
        others() &&
        carries(this.#processes.get(lowest) as BridgeProcess) &&
        more.every((id) => standsBy(this.#processes.get(id) as BridgeProcess, lowest)) &&
        [...this.#processes.values()].every((bridge) => seesOthers(bridge, this.#processes.size))
      );
    };
    const end = performance.now() + PATIENCE;
    for (let since = performance.now(); performance.now() - since < STEADY; await sleep(LOOK)) {
      if (!isRight()) since = performance.now();
      if (performance.now() > end) throw new Error(`not in order after ${PATIENCE} ms: ${this.#describe()}`);
    }
  }

  /** Rejects where the broker does not say of each bridge what is true. */
  async checkPresence(): Promise<void> {
    const client = new Connection(settingsFor(this.#url));
    client.open();
    await connected(client);
    const prefix = `ros/${this.#domain}/@bridge/`;
    const inbox = await Inbox.on(client, `${prefix}+`, 1, { retainHandling: 0 });
    // What the broker has stored comes before its answer.
    await client.ping();
    await client.close();
    const said = inbox.messages.map(({ topic, payload }) => [
      topic.slice(prefix.length),
      JSON.parse(String(payload)).state,
    ]);
    const [found, expected] = [said, [...this.#presence]].map((list) => JSON.stringify(list.sort()));
    if (found !== expected) throw new Error(`presence: expected ${expected}, got ${found}`);
  }

  async close(): Promise<void> {
    for (const bridge of this.#processes.values()) await bridge.end('SIGKILL');
  }

  #describe(): string {
    return JSON.stringify(
      this.running.map((id) => {
        const bridge = this.#processes.get(id);
        return { id, mqtt: bridge?.status?.mqtt, route: bridge?.route(), problems: bridge?.problems };
      }),
    );
  }
}
