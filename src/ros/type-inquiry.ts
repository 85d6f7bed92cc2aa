import { prefixOf } from '../rtps/guid';
import { shown } from '../topic/topic-name';
import { describedTypes } from './described-types';
import { InterfaceLibrary } from './interface-library';
import type { LearnedTypes } from './learned-types';
import { MessageCodec } from './message-codec';
import type { MessageDefinition } from './message-definition';
import type { RosDomain, RosEndpoint, RosServiceClient } from './ros-backend';

const SERVICE = 'get_type_description';
const SERVICE_TYPE = 'type_description_interfaces/srv/GetTypeDescription';
/** How long a node has to answer, in ms. */
const PATIENCE = 10_000;

export interface TypeInquiryListener {
  /** The definitions of the type and of all that it contains, with the hash that discovery told. */
  found(definitions: MessageDefinition[]): void;
  /** In words; the node is not asked again. */
  failed(reason: string): void;
}

/**
 * Asks the nodes of a robot for the definitions of types that nobody installed here: since Iron each node describes the
 * types of its endpoints. What was learned before is not asked again. Source: REP-2016, `~/get_type_description`.
 */
export class TypeInquiry {
  readonly #domain: RosDomain;
  readonly #learned: LearnedTypes;
  readonly #listener: TypeInquiryListener;
  /** GUIDs of the endpoints whose nodes were asked. */
  readonly #asked = new Set<string>();

  constructor(domain: RosDomain, learned: LearnedTypes, listener: TypeInquiryListener) {
    this.#domain = domain;
    this.#learned = learned;
    this.#listener = listener;
  }

  /**
   * Looks for endpoints of that name and type: one whose type was learned is told as found at once, otherwise the node
   * of one is asked, if there is one that can be asked and was not.
   */
  look(rosName: string, type: string): void {
    const guids = new Set<string>();
    for (const endpoint of this.#domain.endpoints(rosName)) {
      const { guid, typeHash } = endpoint;
      guids.add(guid);
      if (endpoint.type !== type || typeHash === undefined) continue;
      const known = this.#learned.get(type, typeHash);
      if (known !== undefined) {
        this.#listener.found(known);
        return;
      }
      const service = this.#asked.has(guid) ? undefined : this.#serviceFor(endpoint);
      if (service === undefined) continue;
      this.#asked.add(guid);
      void this.#ask(service, type, typeHash);
      return;
    }
    for (const guid of this.#asked) if (!guids.has(guid)) this.#asked.delete(guid);
  }

  /** The service of the endpoint's node, or of another of the same process where it is not told whose the endpoint is. */
  #serviceFor({ guid }: RosEndpoint): string | undefined {
    const servers = [...this.#domain.services()].filter(
      ({ kind, type }) => kind === 'server' && type === SERVICE_TYPE,
    );
    const node = [...this.#domain.nodes()].find(({ endpoints }) => endpoints.includes(guid));
    const own = servers.find(({ rosName }) => node !== undefined && rosName === `${node.name}/${SERVICE}`);
    return (own ?? servers.find((server) => prefixOf(server.guid) === prefixOf(guid)))?.rosName;
  }

  async #ask(rosName: string, type: string, hash: string): Promise<void> {
    const library = InterfaceLibrary.bundled();
    const request = MessageCodec.for(library, `${SERVICE_TYPE}_Request`);
    const response = MessageCodec.for(library, `${SERVICE_TYPE}_Response`);
    const hashes = { requestHash: request.typeHash, responseHash: response.typeHash };
    let client: RosServiceClient | undefined;
    try {
      client = this.#domain.createServiceClient({ rosName, type: SERVICE_TYPE, ...hashes });
      const question = request.encode({ type_name: type, type_hash: hash, include_type_sources: false });
      const answer = JSON.parse(response.decodeToJson(await client.call(question, PATIENCE)));
      if (answer.successful !== true) throw new Error(`service ${rosName}: ${shown(answer.failure_reason)}`);
      const definitions = describedTypes(answer.type_description, hash);
      this.#learned.add({ type, hash, definitions });
      this.#listener.found(definitions);
    } catch (error) {
      this.#listener.failed((error as Error).message);
    } finally {
      client?.close();
    }
  }
}
