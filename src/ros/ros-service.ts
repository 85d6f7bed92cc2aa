import type { RosQos } from './ros-backend';

/** ROS 2's default for services. */
export const SERVICE_QOS: RosQos = { reliability: 'reliable', durability: 'volatile', depth: 10 };

/** Why a call has no reply; `bad-request` and `error` say that the request or the reply is not of the service's type. */
export type ServiceFailure = 'unavailable' | 'timeout' | 'bad-request' | 'error';

/** A call of a service that did not come to its reply. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly status: ServiceFailure;
  readonly #rosName: string;
  readonly #reason: string;

  constructor(rosName: string, status: ServiceError['status'], reason: string) {
    super(`service ${rosName}: ${reason}`);
    this.status = status;
    this.#rosName = rosName;
    this.#reason = reason;
  }

  /** The same with more words. */
  with(words: string): ServiceError {
    return new ServiceError(this.#rosName, this.status, `${this.#reason}; ${words}`);
  }
}
