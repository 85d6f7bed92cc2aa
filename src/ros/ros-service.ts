import type { RosQos } from './ros-backend';

/** ROS 2's default for services. */
export const SERVICE_QOS: RosQos = { reliability: 'reliable', durability: 'volatile', depth: 10 };

/** A call of a service that did not come to its reply. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly status: 'unavailable' | 'timeout';

  constructor(rosName: string, status: ServiceError['status'], reason: string) {
    super(`service ${rosName}: ${reason}`);
    this.status = status;
  }
}
