import type { RosDomain, RosEndpoint, RosEndpointOptions, RosQos } from './ros-backend';

/**
 * Finds endpoints of others that an endpoint of ours does not match, for a backend that is not told: by comparing what
 * both ask and offer (DDS 1.4, 2.2.3). Each is reported once.
 */
export class QosComparison {
  readonly #kind: RosEndpoint['kind'];
  readonly #options: RosEndpointOptions;
  readonly #domain: Pick<RosDomain, 'endpoints'>;
  /** Policies by GUID. */
  #reported = new Map<string, string>();

  constructor(kind: RosEndpoint['kind'], options: RosEndpointOptions, domain: Pick<RosDomain, 'endpoints'>) {
    this.#kind = kind;
    this.#options = options;
    this.#domain = domain;
  }

  /** Compares with all there are now, and reports those that are new. */
  run(): void {
    const reported = new Map<string, string>();
    for (const remote of this.#domain.endpoints(this.#options.rosName)) {
      if (remote.kind === this.#kind) continue;
      const policy = this.#policy(remote);
      if (policy === undefined) continue;
      reported.set(remote.guid, policy);
      if (this.#reported.get(remote.guid) !== policy) this.#options.onIncompatible({ remote, policy });
    }
    this.#reported = reported;
  }

  #policy(remote: RosEndpoint): string | undefined {
    const { type, typeHash, qos } = this.#options;
    if (remote.type !== type) return 'type';
    const [offered, requested] = this.#kind === 'publisher' ? [qos, remote.qos] : [remote.qos, qos];
    if (requested.reliability === 'reliable' && offered.reliability !== 'reliable') return 'reliability';
    if (requested.durability === 'transient-local' && offered.durability !== 'transient-local') {
      return 'durability';
    }
    if (spanOf(offered.deadline) > spanOf(requested.deadline)) return 'deadline';
    const manual = (qos: RosQos) => qos.liveliness === 'manual-by-topic';
    const lasts = spanOf(offered.livelinessLease) <= spanOf(requested.livelinessLease);
    if ((manual(requested) && !manual(offered)) || !lasts) return 'liveliness';
    return remote.typeHash !== undefined && remote.typeHash !== typeHash ? 'type hash' : undefined;
  }
}

function spanOf(span: number | undefined): number {
  return span ?? Number.POSITIVE_INFINITY;
}
