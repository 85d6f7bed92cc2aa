import type { SampleIdentity } from './sample-identity';

/** What comes with a sample. */
export interface SampleInfo {
  /** Nanoseconds since the epoch. */
  readonly timestamp: bigint | undefined;
  /** The status (RTPS 9.6.4.9): 1 disposed, 2 unregistered, 0 alive. */
  readonly status: number;
  /** The 32 hexadecimal digits of the instance's key hash, where the sample has one. */
  readonly keyHash: string | undefined;
  /** The request that this one answers, say. */
  readonly related: SampleIdentity | undefined;
  readonly annotation: Buffer | undefined;
}

/** A sample as it came from the wire. */
export interface ReceivedChange extends SampleInfo {
  readonly sequence: number;
  /** A view into the datagram, or the sample's own where it came in fragments. */
  readonly payload: Buffer;
  /** Whether nobody else uses the payload's memory. */
  readonly ownsMemory: boolean;
}
