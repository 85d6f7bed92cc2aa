import type { RosDomainOptions, RosEndpointOptions, RosQos } from './ros-backend';

/** With the policies that reach the library. */
export function usedQos(options: RosEndpointOptions): RosEndpointOptions {
  const { reliability, durability, depth } = options.qos;
  return { ...options, qos: { reliability, durability, depth } };
}

/** What subscriptions would have of a publisher, and the library cannot set. */
export function unusedPolicies({ deadline, lifespan, livelinessLease, ownership }: RosQos): string[] {
  const spans = { deadline, lifespan, 'liveliness lease': livelinessLease };
  const unused = Object.entries(spans).filter(([, span = Number.POSITIVE_INFINITY]) => Number.isFinite(span));
  return [...unused.map(([name]) => name), ...(ownership === 'exclusive' ? ['exclusive ownership'] : [])];
}

/** What the library has no words for, and the user of the machine sets elsewhere. */
export function unusedSettings({ interfaces, peers, advertisedAddress }: RosDomainOptions): string[] {
  const warnings: string[] = [];
  if (interfaces.length > 0 || advertisedAddress !== undefined) {
    warnings.push('with rclnodejs the addresses of this machine are set in the RMW implementation alone');
  }
  const port = peers.find((peer) => peer.includes(':'));
  if (port !== undefined) warnings.push(`with rclnodejs a peer has no port: that of ${port} is not used`);
  return warnings;
}
