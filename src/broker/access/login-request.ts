import type { Peer } from '../peer';

/** What a client says of itself in CONNECT, and what the network says of it. */
export interface LoginRequest {
  readonly clientId: string;
  readonly peer: Peer;
  readonly username: string | undefined;
  readonly password: Buffer | undefined;
  /** Aborted when the client goes before it is answered. */
  readonly signal: AbortSignal;
}
