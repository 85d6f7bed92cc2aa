import { randomUUID } from 'node:crypto';
import { ConnectionPool } from '../client/connection-pool';
import { AddedBroker } from './added-broker';
import { ApiError } from './api-error';
import type { BrokerInput } from './broker-settings';
import { EmbeddedBroker } from './embedded-broker';
import type { GatewayBroker } from './gateway-broker';
import type { GatewaySources } from './gateway-settings';
import { NodeBroker } from './node-broker';

/** All brokers that callers can use: those that they have added, and those that there are beside them. */
export class Brokers {
  readonly #sources: GatewaySources;
  readonly #most: number;
  readonly #pool = new ConnectionPool();
  readonly #added = new Map<string, AddedBroker>();
  /** Those of the sources that somebody has looked at. */
  readonly #known = new Map<string, EmbeddedBroker | NodeBroker>();

  /** @param most brokers that callers may add */
  constructor(sources: GatewaySources, most: number) {
    this.#sources = sources;
    this.#most = most;
  }

  *all(): Generator<GatewayBroker> {
    yield* this.#added.values();
    this.#look();
    yield* this.#known.values();
  }

  /** @throws ApiError there is none */
  get(id: string, field?: string): GatewayBroker {
    if (!this.#added.has(id)) this.#look();
    const broker = this.#added.get(id) ?? this.#known.get(id);
    if (broker !== undefined) return broker;
    const named = field === undefined ? {} : { field };
    throw new ApiError('not_found', `there is no broker "${id.slice(0, 60)}"`, named);
  }

  /**
   * Adds what a caller has described.
   * @throws ApiError it can be no broker, or there are too many
   */
  add(input: BrokerInput): GatewayBroker {
    if (this.#added.size >= this.#most) {
      throw new ApiError('limit_reached', `there are ${this.#most} brokers already`);
    }
    const broker = new AddedBroker(randomUUID(), 'api', input, this.#pool);
    this.#added.set(broker.id, broker);
    broker.begin();
    return broker;
  }

  /**
   * Adds those of the configuration file.
   * @throws ApiError one can be no broker, and then none of them is connected
   */
  addOfFile(inputs: readonly (BrokerInput & { id: string })[]): void {
    if (inputs.length > 0) this.#look();
    for (const { id, ...input } of inputs) {
      if (this.#added.has(id) || this.#known.has(id)) {
        throw new ApiError('invalid_field', `broker "${id}" is there twice`, { field: 'id' });
      }
      this.#added.set(id, new AddedBroker(id, 'file', input, this.#pool));
    }
    for (const broker of this.#added.values()) broker.begin();
  }

  /**
   * Takes one away, which is still to be closed.
   * @throws ApiError there is none, or it is not of a caller
   */
  async remove(id: string): Promise<GatewayBroker> {
    const broker = this.get(id);
    // Says why it cannot be.
    if (broker.origin !== 'api') await broker.change({});
    this.#added.delete(id);
    return broker;
  }

  /** The sources have changed: those that are in use take the connections that there are now. */
  renew(): void {
    this.#look();
    for (const broker of this.#known.values()) broker.renew();
  }

  async close(): Promise<void> {
    const all = [...this.#added.values(), ...this.#known.values()];
    this.#added.clear();
    this.#known.clear();
    await Promise.all(all.map((broker) => broker.close()));
  }

  /** Takes note of those of the sources that have come; those that have gone stay where they are in use. */
  #look(): void {
    const { embeddedBrokers, connections } = this.#sources;
    const present = new Set<string>();
    for (const { id } of embeddedBrokers?.() ?? []) {
      present.add(id);
      if (this.#known.has(id)) continue;
      const find = () => first(embeddedBrokers?.() ?? [], id);
      this.#known.set(id, new EmbeddedBroker(id, find, this.#pool));
    }
    for (const { id } of connections?.() ?? []) {
      present.add(id);
      if (this.#known.has(id)) continue;
      this.#known.set(id, new NodeBroker(id, () => first(connections?.() ?? [], id)));
    }
    for (const [id, broker] of this.#known) {
      if (present.has(id) || broker.isUsed) continue;
      this.#known.delete(id);
      void broker.close();
    }
  }
}

function first<Known extends { id: string }>(all: Iterable<Known>, id: string): Known | undefined {
  for (const each of all) if (each.id === id) return each;
  return undefined;
}
