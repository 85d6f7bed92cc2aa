import { shown } from '../topic/topic-name';
import type { InterfaceLibrary } from './interface-library';
import {
  kindOf,
  type ParameterKind,
  type ParameterValue,
  parameterValue,
  plainValue,
} from './parameter-value';
import type { RosDomain, RosServiceClient } from './ros-backend';
import { ServiceError } from './ros-service';
import { ServiceCodec } from './service-codec';

/** What `set` answers of each parameter. */
export interface SetResult {
  successful: boolean;
  /** The node's words where it was not. */
  reason: string;
}

/** One service of a node, with JSON values. */
class NodeService {
  readonly #codec: ServiceCodec;
  readonly #client: RosServiceClient;

  constructor(domain: RosDomain, codec: ServiceCodec, onServersChange?: () => void) {
    this.#codec = codec;
    this.#client = domain.createServiceClient(codec.service, onServersChange);
  }

  get servers(): number {
    return this.#client.servers;
  }

  async call(request: unknown, timeout: number): Promise<unknown> {
    const response = await this.#client.call(this.#codec.encodeRequest(request), timeout);
    return JSON.parse(this.#codec.decodeResponse(response));
  }

  close(): void {
    this.#client.close();
  }
}

/** The parameters of one node, by its services. Source: rcl_interfaces. All reject with ServiceError. */
export class ParameterClient {
  readonly #node: string;
  readonly #list: NodeService;
  readonly #get: NodeService;
  readonly #set: NodeService;

  /** @param onNodesChange called after `nodes` may have changed */
  constructor(domain: RosDomain, library: InterfaceLibrary, node: string, onNodesChange: () => void) {
    const codec = (name: string, type: string) =>
      new ServiceCodec(library, `${node}/${name}`, `rcl_interfaces/srv/${type}`);
    this.#node = node;
    this.#set = new NodeService(domain, codec('set_parameters', 'SetParameters'));
    this.#list = new NodeService(domain, codec('list_parameters', 'ListParameters'));
    this.#get = new NodeService(domain, codec('get_parameters', 'GetParameters'), onNodesChange);
  }

  /** How many nodes of the name there are that have parameters. */
  get nodes(): number {
    return this.#get.servers;
  }

  /** The node's answer to `{"prefixes": [], "depth": 0}`: `names` and `prefixes`. */
  async list(request: unknown, timeout: number): Promise<{ names: string[]; prefixes: string[] }> {
    const { result } = (await this.#list.call(request, timeout)) as {
      result: { names: string[]; prefixes: string[] };
    };
    return result;
  }

  /** All parameters, or those with the names, that the node has, with their values. */
  async values(timeout: number, names?: readonly string[]): Promise<Map<string, ParameterValue>> {
    const wanted = names ?? (await this.list({}, timeout)).names;
    const { values } = (await this.#get.call({ names: wanted }, timeout)) as { values: ParameterValue[] };
    // A node that does not know one of the names may tell nothing of the others.
    if (values.length < wanted.length && names !== undefined) {
      const all = await this.values(timeout);
      return new Map([...all].filter(([name]) => names.includes(name)));
    }
    // Whatever a node answers beyond what it was asked for has no name.
    return new Map(values.slice(0, wanted.length).map((value, index) => [wanted[index] as string, value]));
  }

  /** Sets parameters to plain values (see `parameterValue`); `kinds` are those that they have now. */
  async set(
    plain: ReadonlyMap<string, unknown>,
    kinds: ReadonlyMap<string, ParameterKind>,
    timeout: number,
  ): Promise<Record<string, SetResult>> {
    const parameters = [...plain].map(([name, value]) => {
      try {
        return { name, value: parameterValue(value, kinds.get(name)) };
      } catch (error) {
        const reason = `${shown(name)}: ${(error as Error).message}`;
        throw new ServiceError(`${this.#node}/set_parameters`, 'bad-request', reason);
      }
    });
    const { results } = (await this.#set.call({ parameters }, timeout)) as { results: SetResult[] };
    return Object.fromEntries(
      parameters.map(({ name }, index) => [
        name,
        results[index] ?? { successful: false, reason: 'the node has not said what came of it' },
      ]),
    );
  }

  close(): void {
    for (const service of [this.#list, this.#get, this.#set]) service.close();
  }
}

/** Plain values by name. */
export function plainValues(values: Iterable<readonly [string, ParameterValue]>): Record<string, unknown> {
  return Object.fromEntries([...values].map(([name, value]) => [name, plainValue(value)]));
}

export function kindsOf(values: Iterable<readonly [string, ParameterValue]>): Map<string, ParameterKind> {
  return new Map([...values].map(([name, value]) => [name, kindOf(value)]));
}
