import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Node } from './node';

const refusal = join(process.env.AMENT_PREFIX_PATH as string, 'refuse');

export interface Endpoint {
  node: Node;
  topic: string;
  qos: QoS;
  type: string;
  callback?: (cdr: Buffer) => void;
  queue: Sample[];
}

export interface Publisher extends Endpoint {
  kept: Sample[];
}

export interface Sample {
  cdr: Buffer;
  stamp: bigint;
}

/** What the nodes of a domain share. */
export interface Bus {
  publishers: Set<Publisher>;
  subscriptions: Set<Endpoint>;
  nodes: Set<Node>;
  services: Map<string, (request: Buffer) => Promise<Buffer>>;
}

const buses = new Map<bigint, Bus>();

export class QoS {
  constructor(
    readonly history: number,
    readonly depth: number,
    readonly reliability: number,
    readonly durability: number,
  ) {}
}

export class Context {
  readonly bus: Bus;

  constructor(readonly domain: bigint) {
    if (existsSync(refusal)) throw new Error('no place in the domain');
    if (typeof domain !== 'bigint') throw new TypeError('the domain is not a BigInt');
    const bus = { publishers: new Set(), subscriptions: new Set(), nodes: new Set(), services: new Map() };
    this.bus = buses.get(domain) ?? (bus as Bus);
    buses.set(domain, this.bus);
  }

  shutdown(): void {
    buses.delete(this.domain);
  }
}

/** Nanoseconds since the epoch, as precise as clocks of publishers are. */
function now(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}

/** To all that subscribe in the domain, of whichever node. */
export function deliver(bus: Bus, topic: string, cdr: Buffer): Sample {
  const sample = { cdr: Buffer.from(cdr), stamp: now() };
  for (const subscription of bus.subscriptions) {
    if (subscription.topic !== topic) continue;
    subscription.queue.push(sample);
    subscription.node.wake();
  }
  return sample;
}
