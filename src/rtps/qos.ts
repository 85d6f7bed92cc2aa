/** The QoS of an endpoint, as far as it decides with whom it matches and what it keeps. */
export interface EndpointQos {
  readonly reliability: 'reliable' | 'best-effort';
  /** Of a remote endpoint `transient-local` stands for transient and persistent, too. */
  readonly durability: 'volatile' | 'transient-local';
  /** Samples kept (KEEP_LAST). Of a remote endpoint 0 where it is not known or unlimited. */
  readonly depth: number;
}

/** The wire values of PID_DURABILITY, in the order of what they promise. */
export const DurabilityKind = { volatile: 0, transientLocal: 1, transient: 2, persistent: 3 } as const;

/** What a writer offers or a reader requests. */
export interface MatchedPolicies {
  readonly reliable: boolean;
  /** A `DurabilityKind`. */
  readonly durabilityKind: number;
}

/** A QoS setting that cannot be used. */
export class QosError extends Error {
  override name = 'QosError';
}

/** @throws QosError naming the field */
export function checkQos(qos: EndpointQos): void {
  if (!Number.isInteger(qos.depth) || qos.depth < 1)
    throw new QosError(`qos.depth: expected an integer of at least 1, got ${qos.depth}`);
}

export function policiesOf(qos: EndpointQos): MatchedPolicies {
  return {
    reliable: qos.reliability === 'reliable',
    durabilityKind:
      qos.durability === 'transient-local' ? DurabilityKind.transientLocal : DurabilityKind.volatile,
  };
}

/** The first policy in which the writer offers less than the reader requests (DDS 1.4, 2.2.3); else `undefined`. */
export function incompatiblePolicy(offered: MatchedPolicies, requested: MatchedPolicies): string | undefined {
  if (requested.reliable && !offered.reliable) return 'reliability';
  if (requested.durabilityKind > offered.durabilityKind) return 'durability';
  return undefined;
}
