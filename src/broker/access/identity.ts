/** Who a client turned out to be. */
export interface Identity {
  /** Absent for an anonymous client. */
  username?: string;
  groups: readonly string[];
  /** Whether the client is part of this process. */
  inProcess: boolean;
  /** Milliseconds until the proof of it ends, and with it the connection. */
  validFor?: number;
}
