import type { ConnectionState } from '../client/connection-settings';
import type { ProtocolVersion, QoS } from './codec/packet-type';

/** Entries of one event; more are not told. */
export const EVENT_ENTRIES = 100;

/** What happens at the broker, and to its clients. */
export type BrokerEvent =
  | {
      type: 'connected';
      clientId: string;
      /** Absent for an anonymous client. */
      username?: string;
      /** `host:port` of the peer, or `in-process`. */
      address: string;
      protocolVersion: ProtocolVersion;
      sessionPresent: boolean;
    }
  | {
      type: 'disconnected';
      clientId: string;
      address: string;
      /** In words; of the broker where it ended the connection, else of the client or the network. */
      reason: string;
      /** MQTT 5.0 section 2.4; absent when the network ended the connection. */
      reasonCode?: number;
    }
  | {
      /** A connection that never became a client's. */
      type: 'refused';
      /** Empty when no CONNECT said it. */
      clientId: string;
      address: string;
      reason: string;
      reasonCode: number;
    }
  | {
      /** What a SUBSCRIBE asked for. */
      type: 'subscribed';
      clientId: string;
      /** Each with the granted QoS, or with the reason why it was refused (MQTT 5.0 section 2.4); the first 100. */
      subscriptions: Array<{ filter: string; qos: QoS } | { filter: string; reasonCode: number }>;
    }
  | {
      /** What an UNSUBSCRIBE has ended. */
      type: 'unsubscribed';
      clientId: string;
      /** The first 100. */
      filters: string[];
    }
  | {
      /** A client has sent more than its rate allows and is read more slowly: told once for each connection. */
      type: 'throttled';
      clientId: string;
      address: string;
    }
  | {
      /** `short`: messages are dropped for slow readers; `refusing`: what would have to be held is refused. */
      type: 'memory';
      state: 'enough' | 'short' | 'refusing';
      /** Held for clients. */
      bytes: number;
      limit: number;
    }
  | {
      /** Messages that a limit has kept from a client since it was last told. */
      type: 'dropped';
      clientId: string;
      count: number;
    }
  | {
      /** So many messages were published faster than the application took what it watches. */
      type: 'overrun';
      count: number;
      /** Of the last one. */
      topic: string;
    }
  | {
      /** The files of a TLS listener have changed. */
      type: 'credentials';
      /** Such as `listener tls://127.0.0.1:8883`. */
      listener: string;
      /** Why the new ones cannot be used, so that the old ones still are; absent when the new ones are used. */
      failure?: string;
    }
  | {
      /** What is kept on disk: a part was found damaged; nothing can be written; writing goes on. */
      type: 'storage';
      state: 'damaged' | 'failed' | 'recovered';
      /** In words. */
      reason: string;
    }
  | {
      /** The link to a broker that this one is joined to. */
      type: 'upstream';
      name: string;
      state: ConnectionState;
      /** Why it is not connected, in words. */
      reason?: string;
    }
  | {
      /** So many events came faster than they could be told one by one. */
      type: 'omitted';
      count: number;
    };
