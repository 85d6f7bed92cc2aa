import { type HeldMemory, LEVEL_BYTES } from './held-memory';
import type { Message } from './message';

interface RetainedNode {
  children: Map<string, RetainedNode> | undefined;
  message: Message | undefined;
}

const newNode = (): RetainedNode => ({ children: undefined, message: undefined });

/** The last retained message of each topic, found by topic filter. Bounded in number and bytes. */
export class RetainedMessages {
  readonly #root = newNode();
  readonly #maximumCount: number;
  readonly #maximumBytes: number;
  readonly #memory: HeldMemory;
  readonly #expiring = new Set<Message>();
  #count = 0;
  #bytes = 0;
  #visited = 0;

  constructor(maximumCount: number, maximumBytes: number, memory: HeldMemory) {
    this.#memory = memory;
    this.#maximumCount = maximumCount;
    this.#maximumBytes = maximumBytes;
  }

  get count(): number {
    return this.#count;
  }

  /** What they take, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Levels of topics that `match` has looked at since the beginning. */
  get visited(): number {
    return this.#visited;
  }

  /**
   * Keeps a message with a payload in place of its topic's last one.
   * @returns false when the limits leave no room: nothing is then retained for the topic, as the last one is outdated
   */
  set(message: Message): boolean {
    const levels = message.topic.split('/');
    this.#remove(levels);
    let node = this.#root;
    let depth = 0;
    for (; depth < levels.length; depth++) {
      const child = node.children?.get(levels[depth] as string);
      if (child === undefined) break;
      node = child;
    }
    const bytes = message.size + LEVEL_BYTES * (levels.length - depth);
    if (this.#count >= this.#maximumCount || this.#bytes + bytes > this.#maximumBytes) return false;
    for (; depth < levels.length; depth++) {
      const child = newNode();
      node.children ??= new Map();
      node.children.set(levels[depth] as string, child);
      node = child;
    }
    node.message = message;
    if (message.expiresAt !== Number.POSITIVE_INFINITY) this.#expiring.add(message);
    this.#count++;
    this.#bytes += bytes;
    this.#memory.hold(message);
    this.#memory.add(bytes - message.size);
    return true;
  }

  /** The messages whose topic matches a valid filter and that have not expired; at most so many, in a steady order. */
  match(filter: string, now: number, most = Number.POSITIVE_INFINITY): Message[] {
    const levels = filter.split('/');
    let nodes = [this.#root];
    for (const [index, level] of levels.entries()) {
      if (level === '#') {
        // "sport/#" also matches "sport" itself [MQTT-4.7.1-2].
        const found = index === 0 ? visibleChildren(this.#root) : nodes;
        return this.#collectBelow(found, now, most);
      }
      const next: RetainedNode[] = [];
      for (const node of nodes) {
        if (level === '+') {
          for (const child of index === 0 ? visibleChildren(node) : childrenOf(node)) next.push(child);
        } else {
          const child = node.children?.get(level);
          if (child !== undefined) next.push(child);
        }
      }
      nodes = next;
      this.#visited += nodes.length;
    }
    const found = nodes.flatMap(({ message }) =>
      message !== undefined && message.expiresAt > now ? [message] : [],
    );
    return found.slice(0, most);
  }

  /** Leaves nothing retained for a topic. */
  remove(topic: string): void {
    this.#remove(topic.split('/'));
  }

  /** Removes what has expired and returns its topics. */
  expire(now: number): string[] {
    const expired: string[] = [];
    for (const { expiresAt, topic } of this.#expiring) {
      if (expiresAt > now) continue;
      this.#remove(topic.split('/'));
      expired.push(topic);
    }
    return expired;
  }

  #remove(levels: readonly string[]): void {
    const path = [this.#root];
    for (const level of levels) {
      const child = path[path.length - 1]?.children?.get(level);
      if (child === undefined) return;
      path.push(child);
    }
    const leaf = path[levels.length] as RetainedNode;
    if (leaf.message === undefined) return;
    this.#count--;
    this.#bytes -= leaf.message.size;
    this.#memory.release(leaf.message);
    this.#expiring.delete(leaf.message);
    leaf.message = undefined;
    for (let depth = levels.length; depth > 0; depth--) {
      const node = path[depth] as RetainedNode;
      if (node.message !== undefined || (node.children?.size ?? 0) > 0) break;
      path[depth - 1]?.children?.delete(levels[depth - 1] as string);
      this.#bytes -= LEVEL_BYTES;
      this.#memory.remove(LEVEL_BYTES);
    }
  }

  // Recursive: the levels of a topic are bounded.
  #collectBelow(nodes: Iterable<RetainedNode>, now: number, most: number, found: Message[] = []): Message[] {
    for (const node of nodes) {
      if (found.length >= most) break;
      this.#visited++;
      const { message } = node;
      if (message !== undefined && message.expiresAt > now) found.push(message);
      this.#collectBelow(childrenOf(node), now, most, found);
    }
    return found;
  }
}

const childrenOf = ({ children }: RetainedNode): Iterable<RetainedNode> => children?.values() ?? [];

// A leading wildcard does not match topics that begin with $ [MQTT-4.7.2-1].
function visibleChildren(root: RetainedNode): RetainedNode[] {
  return [...(root.children ?? [])].flatMap(([level, child]) => (level.startsWith('$') ? [] : [child]));
}
