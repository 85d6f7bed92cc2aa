import { prefixOf } from '../rtps/guid';
import type { Participant, RemoteParticipant } from '../rtps/participant';
import type { EndpointQos } from '../rtps/qos';
import type { Sample } from '../rtps/reader';
import type { Writer } from '../rtps/writer';
import {
  DISCOVERY_INFO_HASH,
  DISCOVERY_INFO_TOPIC,
  DISCOVERY_INFO_TYPE,
  decodeDiscoveryInfo,
  encodeDiscoveryInfo,
  type GidSize,
  type NodeEntities,
} from './discovery-info';
import { encodeUserData } from './endpoint-user-data';
import { ddsTypeName } from './names';
import { Paced } from './paced';
import { decodeBridgeIds, encodeBridgeIds } from './via';

/** What rmw implementations put into a participant's user data, from which ROS 2 tools read the security enclave. */
const ENCLAVE = Buffer.from('enclave=/;');
/** As rmw implementations have it: who comes late gets the last state of each participant. */
const QOS: EndpointQos = { reliability: 'reliable', durability: 'transient-local', depth: 1 };
/** A participant with a thousand nodes of a hundred endpoints each takes 2 MB; what is larger is not believed. */
const MAX_BYTES = 4 * 1024 * 1024;

/** A participant's user data: with the ids of its bridges, by which participants like this one know each other. */
export function participantUserData(bridgeIds: Iterable<string>): Buffer {
  return Buffer.concat([ENCLAVE, encodeBridgeIds(bridgeIds)]);
}

/** The ids of a participant's bridges; `undefined` of a participant that is not like this one. */
export function bridgeIdsOf({ userData }: Pick<RemoteParticipant, 'userData'>): string[] | undefined {
  return userData && decodeBridgeIds(userData);
}

/** A node of another process. */
export interface RemoteNode extends NodeEntities {
  /** First 24 digits of its participant's GUID. */
  prefix: string;
}

interface LocalEndpoint {
  readonly kind: 'reader' | 'writer';
  readonly guid: string;
}

interface LocalEntities {
  readonly namespace: string;
  readonly name: string;
  readonly readers: Set<string>;
  readonly writers: Set<string>;
}

/** A node of ours: the endpoints that are added to it are told to others as its own. */
export interface LocalNode {
  add(endpoint: LocalEndpoint): void;
  remove(endpoint: LocalEndpoint): void;
  close(): void;
}

/**
 * Which endpoints belong to which nodes, ours and others', over `ros_discovery_info`: what `ros2 node list` and
 * `ros2 topic info -v` show. Source: rmw_dds_common.
 */
export class RosGraph {
  readonly #participant: Participant;
  readonly #changed: (prefix: string) => void;
  readonly #local = new Set<LocalEntities>();
  /** By the participant's prefix. */
  readonly #remote = new Map<string, { gidSize: GidSize; nodes: RemoteNode[] }>();
  #writer: Writer | undefined;
  /** The size of gid that was published last. */
  #published: GidSize | undefined;
  /** Many endpoints come and go in one turn. */
  readonly #telling = new Paced(() => this.#tell());

  /** @param changed called after nodes of another participant appeared, changed or left, with the prefix of its GUID */
  constructor(participant: Participant, changed: (prefix: string) => void) {
    this.#participant = participant;
    this.#changed = changed;
  }

  /** Begins to listen and to tell. */
  open(): void {
    const participant = this.#participant;
    const dds = {
      topic: DISCOVERY_INFO_TOPIC,
      type: ddsTypeName(DISCOVERY_INFO_TYPE),
      qos: QOS,
      userData: encodeUserData({ typehash: DISCOVERY_INFO_HASH }),
    };
    this.#writer = participant.createWriter(dds);
    participant.createReader(dds, (sample) => this.#receive(sample));
    participant.on('participant', () => this.#checkGidSize());
    participant.on('participant-lost', ({ guid }) => {
      const prefix = prefixOf(guid);
      if (!this.#remote.delete(prefix)) return;
      this.#checkGidSize();
      this.#changed(prefix);
    });
  }

  /** Ends before its participant. */
  close(): void {
    this.#telling.close();
    this.#writer = undefined;
  }

  /** The nodes of others; of one participant where the prefix of its GUID is given. */
  *nodes(prefix?: string): Iterable<RemoteNode> {
    if (prefix !== undefined) yield* this.#remote.get(prefix)?.nodes ?? [];
    else for (const { nodes } of this.#remote.values()) yield* nodes;
  }

  /** @param name a valid node name, for example `mqtt_ros_bridge` */
  createNode(namespace: string, name: string): LocalNode {
    const node: LocalEntities = { namespace, name, readers: new Set(), writers: new Set() };
    const setOf = (kind: LocalEndpoint['kind']) => (kind === 'reader' ? node.readers : node.writers);
    this.#local.add(node);
    this.#telling.schedule();
    return {
      add: ({ kind, guid }) => {
        setOf(kind).add(guid);
        this.#telling.schedule();
      },
      remove: ({ kind, guid }) => {
        setOf(kind).delete(guid);
        this.#telling.schedule();
      },
      close: () => {
        if (this.#local.delete(node)) this.#telling.schedule();
      },
    };
  }

  #receive({ payload, writerGuid }: Sample): void {
    const prefix = prefixOf(writerGuid);
    const decoded = payload.length <= MAX_BYTES ? decodeDiscoveryInfo(payload, prefix) : undefined;
    if (decoded === undefined) return;
    const { gidSize, info } = decoded;
    this.#remote.set(prefix, { gidSize, nodes: info.nodes.map((node) => ({ ...node, prefix })) });
    this.#checkGidSize();
    this.#changed(prefix);
  }

  #checkGidSize(): void {
    const size = this.#gidSize;
    if (size !== undefined && size !== this.#published) this.#telling.schedule();
  }

  /**
   * The size that the others read. One writer cannot serve both, so where releases are mixed the newer ones get theirs;
   * participants like this one read both. `undefined` while nothing tells what is read.
   */
  get #gidSize(): GidSize | undefined {
    const { participants } = this.#participant;
    const alike = participants.filter((participant) => bridgeIdsOf(participant) !== undefined);
    const sizes = new Map([...this.#remote].map(([prefix, { gidSize }]) => [prefix, gidSize]));
    for (const { guid } of alike) sizes.delete(prefixOf(guid));
    if (sizes.size > 0) return [...sizes.values()].includes(16) ? 16 : 24;
    return alike.length > 0 ? 16 : undefined;
  }

  #tell(): void {
    const size = this.#gidSize ?? this.#published;
    if (size === undefined || this.#writer === undefined) return;
    const nodes = [...this.#local].map(({ readers, writers, ...name }) => ({
      ...name,
      readers: [...readers],
      writers: [...writers],
    }));
    this.#writer.write(encodeDiscoveryInfo({ guid: this.#participant.guid, nodes }, size));
    this.#published = size;
  }
}
