import { rosNameFault } from './ros-name';
import { topicNameFault } from './topic-name';

/** Which levels the names of a ROS namespace have in MQTT topics. */
export interface Namespace {
  domain: number;
  /** For example `/robot1`, or a whole name; empty or `/`: all names. */
  ros: string;
  /** In its place, for example `fleet/robot1`; empty: nothing. */
  mqtt: string;
}

interface Pair {
  readonly ros: string;
  /** As `ros`: each level with a slash before it. */
  readonly mqtt: string;
}

/**
 * The namespaces of one domain, which are exchanged for topic levels and back: of several the longest that matches. A
 * name whose levels would be those of another one has none, and levels whose name has others stand for none.
 */
export class NamespaceMapping {
  readonly #pairs: Pair[] = [];

  /** Throws an Error that names the fault. */
  add({ ros, mqtt }: Pick<Namespace, 'ros' | 'mqtt'>): void {
    const pair = { ros: ros === '/' ? '' : ros, mqtt: mqtt === '' ? '' : `/${mqtt}` };
    const fault = namespaceFault(pair) ?? this.#overlap(pair);
    if (fault !== undefined) throw new Error(`namespace "${ros}": ${fault}`);
    this.#pairs.push(pair);
  }

  /** The levels of a valid ROS name, each with a slash before it. Throws an Error where it has none. */
  toLevels(rosName: string): string {
    const levels = this.#exchange(rosName, 'ros', 'mqtt');
    if (levels === '') throw new Error(`${rosName} has no topic level by the namespaces`);
    const other = this.#exchange(levels, 'mqtt', 'ros');
    if (other !== rosName) {
      throw new Error(
        `${rosName} would have the topic levels "${levels.slice(1)}", which are those of ${other}`,
      );
    }
    return levels;
  }

  /** The name of levels, each with a slash before it, which need not be a valid one; or a fault in words. */
  toRosName(levels: string): string | { fault: string } {
    const rosName = this.#exchange(levels, 'mqtt', 'ros');
    const own = this.#exchange(rosName, 'ros', 'mqtt');
    if (rosName === '') return { fault: 'no name has these levels: they are those of a namespace' };
    if (own === levels) return rosName;
    return { fault: `no name has these levels: ${rosName} has "${own.slice(1)}" by the namespaces` };
  }

  #exchange(name: string, from: keyof Pair, to: keyof Pair): string {
    let best: Pair | undefined;
    for (const pair of this.#pairs) {
      const isBetter = best === undefined || pair[from].length > best[from].length;
      if (isBetter && isWithin(name, pair[from])) best = pair;
    }
    return best === undefined ? name : best[to] + name.slice(best[from].length);
  }

  #overlap({ ros, mqtt }: Pair): string | undefined {
    if (this.#pairs.some((other) => other.ros === ros)) return 'its topic levels are given twice';
    const other = this.#pairs.find((pair) => pair.mqtt === mqtt);
    return other && `its topic levels are already those of "${other.ros}"`;
  }
}

function isWithin(name: string, namespace: string): boolean {
  return name.startsWith(namespace) && (name.length === namespace.length || name[namespace.length] === '/');
}

function namespaceFault({ ros, mqtt }: Pair): string | undefined {
  const fault = ros === '' ? undefined : rosNameFault(ros);
  if (fault !== undefined || mqtt === '') return fault;
  const levels = mqtt.slice(1);
  if (levels.split('/').includes('')) return `topic levels "${levels}" have an empty one`;
  if (/\/@/.test(mqtt)) return `topic levels "${levels}": one begins with @, which are the bridge's own`;
  return topicNameFault(levels);
}
