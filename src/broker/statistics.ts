/** What the broker counts. Totals since it started, except where it says "now". */
export interface BrokerStatistics {
  /** Connected clients now. */
  clients: number;
  /** PUBLISH packets received. */
  messagesReceived: number;
  /** PUBLISH packets sent. */
  messagesSent: number;
  bytesReceived: number;
  bytesSent: number;
  /** Retained messages now. */
  retained: number;
  /** Subscriptions of all sessions now. */
  subscriptions: number;
  /** Messages that a limit kept from a subscriber or from being retained. */
  dropped: number;
  /** Connections that ended before they could speak MQTT: for a limit, or for what came instead. */
  connectionsRefused: number;
}

export function newStatistics(): BrokerStatistics {
  return {
    clients: 0,
    messagesReceived: 0,
    messagesSent: 0,
    bytesReceived: 0,
    bytesSent: 0,
    retained: 0,
    subscriptions: 0,
    dropped: 0,
    connectionsRefused: 0,
  };
}
