import { sharePartition } from './partition';

export type Liveliness = 'automatic' | 'manual-by-participant' | 'manual-by-topic';

/**
 * The QoS of an endpoint, as far as it decides with whom it matches and what is kept and delivered (DDS 1.4, 2.2.3).
 * Spans are milliseconds; what is left out, and `Infinity`, means no limit.
 */
export interface EndpointQos {
  readonly reliability: 'reliable' | 'best-effort';
  /** Of a remote endpoint `transient-local` stands for transient and persistent, too. */
  readonly durability: 'volatile' | 'transient-local';
  /**
   * Samples kept (KEEP_LAST). `Infinity`: as many as a writer's bound in bytes holds (KEEP_ALL). Of a remote endpoint 0
   * where it is not known or unlimited.
   */
  readonly depth: number;
  /** A sample is written, or expected, at least this often. */
  readonly deadline?: number;
  /** How a writer shows that it is alive; default `automatic`. */
  readonly liveliness?: Liveliness;
  /** A writer that did not show it for this long is not alive. */
  readonly livelinessLease?: number;
  /** Of a writer: its samples are worth nothing when they are older than this. */
  readonly lifespan?: number;
  /** `exclusive`: of several writers only the strongest one alive is heard; default `shared`. */
  readonly ownership?: 'shared' | 'exclusive';
  /** Of a writer with exclusive ownership; default 0. */
  readonly ownershipStrength?: number;
  /** Names or fnmatch patterns, of which a writer and a reader must have one in common; default: one without a name. */
  readonly partitions?: readonly string[];
}

/** The wire values of the policies' kinds (RTPS 9.6.3), each in the order of what it promises. */
export const DurabilityKind = { volatile: 0, transientLocal: 1, transient: 2, persistent: 3 } as const;
export const LivelinessKind = { automatic: 0, manualByParticipant: 1, manualByTopic: 2 } as const;
export const DestinationOrderKind = { byReception: 0, bySource: 1 } as const;
/** XTypes 1.3, 7.6.3.1.1. */
export const DataRepresentation = { xcdr1: 0, xml: 1, xcdr2: 2 } as const;

/** What a writer offers or a reader requests. Spans in milliseconds. */
export interface Policies {
  readonly reliable: boolean;
  /** A `DurabilityKind`. */
  readonly durabilityKind: number;
  readonly deadline: number;
  readonly latencyBudget: number;
  /** A `LivelinessKind`. */
  readonly livelinessKind: number;
  readonly livelinessLease: number;
  readonly exclusive: boolean;
  readonly ownershipStrength: number;
  /** A `DestinationOrderKind`. */
  readonly destinationOrderKind: number;
  readonly presentation: Presentation;
  readonly partitions: readonly string[];
  /** Of a writer the one it writes; of a reader those it reads. Never empty. */
  readonly representations: readonly number[];
  readonly lifespan: number;
  /** Of a reader: that it matches only writers that announce their type's structure, which ours do not. */
  readonly validatesTypes: boolean;
}

export interface Presentation {
  /** 0 instance, 1 topic, 2 group. */
  readonly scope: number;
  readonly coherent: boolean;
  readonly ordered: boolean;
}

/** The policies in which an endpoint can ask for what another does not offer. */
export type PolicyName =
  | 'reliability'
  | 'durability'
  | 'deadline'
  | 'latency budget'
  | 'liveliness'
  | 'ownership'
  | 'destination order'
  | 'presentation'
  | 'partition'
  | 'data representation'
  | 'type consistency';

/** A QoS setting that cannot be used. */
export class QosError extends Error {
  override name = 'QosError';
}

/** What an endpoint may have of partitions, ours and others. */
export const MAX_PARTITIONS = 64;
export const MAX_PARTITION_LENGTH = 256;
const LIVELINESS: readonly Liveliness[] = ['automatic', 'manual-by-participant', 'manual-by-topic'];

/** @throws QosError naming the field */
export function checkQos(qos: EndpointQos): void {
  if (!(Number.isInteger(qos.depth) || qos.depth === Number.POSITIVE_INFINITY) || qos.depth < 1)
    throw new QosError(`qos.depth: expected an integer of at least 1 or Infinity, got ${qos.depth}`);
  for (const field of ['deadline', 'livelinessLease', 'lifespan'] as const) {
    const span = qos[field];
    if (span !== undefined && !(span >= 1))
      throw new QosError(`qos.${field}: expected at least 1 ms, got ${span}`);
  }
  const { ownershipStrength: strength = 0, partitions = [] } = qos;
  if ((strength | 0) !== strength)
    throw new QosError(`qos.ownershipStrength: expected an integer of 32 bits, got ${strength}`);
  if (partitions.length > MAX_PARTITIONS)
    throw new QosError(`qos.partitions: expected at most ${MAX_PARTITIONS}, got ${partitions.length}`);
  for (const partition of partitions)
    if (Buffer.byteLength(partition) > MAX_PARTITION_LENGTH || partition.includes('\0'))
      throw new QosError(
        `qos.partitions: expected at most ${MAX_PARTITION_LENGTH} octets without NUL, got ${JSON.stringify(partition)}`,
      );
}

/** What an endpoint of ours offers or requests. */
export function policiesOf(kind: 'writer' | 'reader', qos: EndpointQos): Policies {
  const { xcdr1, xcdr2 } = DataRepresentation;
  return {
    reliable: qos.reliability === 'reliable',
    durabilityKind:
      qos.durability === 'transient-local' ? DurabilityKind.transientLocal : DurabilityKind.volatile,
    deadline: qos.deadline ?? Number.POSITIVE_INFINITY,
    latencyBudget: 0,
    livelinessKind: LIVELINESS.indexOf(qos.liveliness ?? 'automatic'),
    livelinessLease: qos.livelinessLease ?? Number.POSITIVE_INFINITY,
    exclusive: qos.ownership === 'exclusive',
    ownershipStrength: qos.ownershipStrength ?? 0,
    // All samples of ours bear the time at which they were written: that is what readers may ask for.
    destinationOrderKind:
      kind === 'writer' ? DestinationOrderKind.bySource : DestinationOrderKind.byReception,
    presentation: { scope: 0, coherent: false, ordered: false },
    partitions: qos.partitions ?? [],
    representations: kind === 'writer' ? [xcdr1] : [xcdr1, xcdr2],
    lifespan: (kind === 'writer' ? qos.lifespan : undefined) ?? Number.POSITIVE_INFINITY,
    validatesTypes: false,
  };
}

/** What the policies of an endpoint mean to its users. */
export function qosOf(policies: Policies, depth: number): EndpointQos {
  return {
    reliability: policies.reliable ? 'reliable' : 'best-effort',
    durability: policies.durabilityKind >= DurabilityKind.transientLocal ? 'transient-local' : 'volatile',
    depth,
    deadline: policies.deadline,
    liveliness: LIVELINESS[policies.livelinessKind] ?? 'automatic',
    livelinessLease: policies.livelinessLease,
    lifespan: policies.lifespan,
    ownership: policies.exclusive ? 'exclusive' : 'shared',
    ownershipStrength: policies.ownershipStrength,
    partitions: policies.partitions,
  };
}

/** Whether the two suit each other in one policy: the table of DDS 1.4, 2.2.3, and XTypes 1.3, 7.6.3.1. */
const COMPATIBLE: Record<PolicyName, (offered: Policies, requested: Policies) => boolean> = {
  reliability: (offered, requested) => offered.reliable || !requested.reliable,
  durability: (offered, requested) => offered.durabilityKind >= requested.durabilityKind,
  deadline: (offered, requested) => offered.deadline <= requested.deadline,
  'latency budget': (offered, requested) => offered.latencyBudget <= requested.latencyBudget,
  liveliness: (offered, requested) =>
    offered.livelinessKind >= requested.livelinessKind &&
    offered.livelinessLease <= requested.livelinessLease,
  ownership: (offered, requested) => offered.exclusive === requested.exclusive,
  'destination order': (offered, requested) => offered.destinationOrderKind >= requested.destinationOrderKind,
  presentation: ({ presentation: offered }, { presentation: requested }) =>
    offered.scope >= requested.scope &&
    (offered.coherent || !requested.coherent) &&
    (offered.ordered || !requested.ordered),
  partition: (offered, requested) => sharePartition(offered.partitions, requested.partitions),
  'data representation': (offered, requested) =>
    requested.representations.includes(offered.representations[0] as number),
  'type consistency': (_offered, requested) => !requested.validatesTypes,
};

/**
 * The first policy in which the writer offers less than the reader requests; else `undefined`. DDS does not speak of
 * incompatibility where partitions differ; for users of ours it is as good a reason as the others.
 */
export function incompatiblePolicy(offered: Policies, requested: Policies): PolicyName | undefined {
  const names = Object.keys(COMPATIBLE) as PolicyName[];
  return names.find((name) => !COMPATIBLE[name](offered, requested));
}
