import { type ParameterList, type ParameterListWriter, Pid } from './parameter-list';
import {
  DataRepresentation,
  DestinationOrderKind,
  DurabilityKind,
  LivelinessKind,
  MAX_PARTITION_LENGTH,
  MAX_PARTITIONS,
  type Policies,
} from './qos';
import { durationOf } from './time';

const BEST_EFFORT = 1;
const RELIABLE = 2;
const KEEP_LAST = 0;
const KEEP_ALL = 1;
const SHARED = 0;
const EXCLUSIVE = 1;
/** The rest of PID_RELIABILITY: the default of DDS, which decides nothing between peers. */
const MAX_BLOCKING = durationOf(100);
/** What one endpoint may list. */
const MAX_REPRESENTATIONS = 16;

/** Adds an endpoint's QoS to what it announces; what has its default may be left out (RTPS 9.6.3.2). */
export function encodeQos(
  list: ParameterListWriter,
  kind: 'writer' | 'reader',
  policies: Policies,
  depth: number,
): void {
  const { livelinessKind, livelinessLease, representations } = policies;
  list
    .uint32(
      Pid.reliability,
      policies.reliable ? RELIABLE : BEST_EFFORT,
      MAX_BLOCKING.seconds,
      MAX_BLOCKING.fraction,
    )
    .uint32(Pid.durability, policies.durabilityKind)
    .uint32(Pid.history, ...(Number.isFinite(depth) ? [KEEP_LAST, depth] : [KEEP_ALL, 0]))
    .uint32(Pid.destinationOrder, policies.destinationOrderKind);
  if (Number.isFinite(policies.deadline)) list.duration(Pid.deadline, policies.deadline);
  if (livelinessKind !== LivelinessKind.automatic || Number.isFinite(livelinessLease)) {
    const { seconds, fraction } = durationOf(livelinessLease);
    list.uint32(Pid.liveliness, livelinessKind, seconds, fraction);
  }
  if (policies.exclusive) list.uint32(Pid.ownership, EXCLUSIVE);
  if (policies.partitions.length > 0) list.strings(Pid.partition, policies.partitions);
  if (representations.length > 1) list.uint16s(Pid.dataRepresentation, representations);
  if (kind === 'reader') return;
  if (policies.exclusive) list.uint32(Pid.ownershipStrength, policies.ownershipStrength >>> 0);
  if (Number.isFinite(policies.lifespan)) list.duration(Pid.lifespan, policies.lifespan);
}

/** What an endpoint announces of its QoS, with the defaults of DDS for what it leaves out. @throws MalformedError */
export function decodeQos(
  list: ParameterList,
  kind: 'writer' | 'reader',
): { readonly policies: Policies; readonly depth: number } {
  // Left out, a writer is reliable and a reader is best effort.
  const reliability = list.uint32(Pid.reliability) ?? (kind === 'writer' ? RELIABLE : BEST_EFFORT);
  const representations = list.uint16s(Pid.dataRepresentation, MAX_REPRESENTATIONS) ?? [];
  const presentation = list.bytes(Pid.presentation, 6);
  const policies = {
    reliable: reliability === RELIABLE,
    durabilityKind: list.uint32(Pid.durability) ?? DurabilityKind.volatile,
    deadline: list.duration(Pid.deadline) ?? Number.POSITIVE_INFINITY,
    latencyBudget: list.duration(Pid.latencyBudget) ?? 0,
    livelinessKind: list.uint32(Pid.liveliness) ?? LivelinessKind.automatic,
    livelinessLease: list.duration(Pid.liveliness, 1) ?? Number.POSITIVE_INFINITY,
    exclusive: (list.uint32(Pid.ownership) ?? SHARED) === EXCLUSIVE,
    ownershipStrength: (list.uint32(Pid.ownershipStrength) ?? 0) | 0,
    destinationOrderKind: list.uint32(Pid.destinationOrder) ?? DestinationOrderKind.byReception,
    presentation: {
      scope: list.uint32(Pid.presentation) ?? 0,
      coherent: presentation?.[4] === 1,
      ordered: presentation?.[5] === 1,
    },
    partitions: list.strings(Pid.partition, MAX_PARTITIONS, MAX_PARTITION_LENGTH) ?? [],
    representations: representations.length === 0 ? [DataRepresentation.xcdr1] : representations,
    lifespan: list.duration(Pid.lifespan) ?? Number.POSITIVE_INFINITY,
    // XTypes 1.3, 7.6.3.4: behind the kind, which has two octets, the last of five booleans.
    validatesTypes: list.bytes(Pid.typeConsistency, 2)?.[6] === 1,
  };
  return {
    policies,
    depth: list.uint32(Pid.history) === KEEP_LAST ? (list.uint32(Pid.history, 1) ?? 0) : 0,
  };
}
