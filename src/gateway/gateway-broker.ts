import type { Connection, ConnectionStatus } from '../client/connection';
import { ApiError } from './api-error';
import type { BrokerLink } from './broker-link';
import type { ShownSettings } from './broker-settings';
import type { FeedLink } from './feed-link';

/** Who has made a broker: a caller, the configuration file, a flow, or this process, in which it runs. */
type BrokerOrigin = 'api' | 'file' | 'node' | 'embedded';

/** A broker as callers see it. */
export interface GatewayBroker {
  readonly id: string;
  readonly name: string;
  readonly origin: BrokerOrigin;
  readonly link: BrokerLink;
  readonly shown: ShownSettings;
  /** See `brokerPlace`. */
  readonly place: string | undefined;
  readonly status: ConnectionStatus;
  /** Connects now, and keeps connected; resolves when the first attempt has come to something, which the status tells. */
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  /**
   * What live messages are to be read by.
   * @param dropped hears how many messages more the broker has dropped, as the link was paused
   */
  openFeed(dropped: (count: number) => void): FeedLink;
  /** @throws ApiError it cannot be changed here, or not so */
  change(patch: Record<string, unknown>): Promise<void>;
  close(): Promise<void>;
}

/** How long a call to connect waits for what comes of the first attempt, ms. */
const CONNECT_TIMEOUT = 20_000;

/** What waits for its next attempt does not wait any longer. */
export async function connectNow(connection: Connection): Promise<void> {
  if (connection.wanted && connection.status.state === 'connected') return;
  if (connection.wanted) await connection.disconnect();
  connection.open();
  let remove: (() => void) | undefined;
  let timer: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CONNECT_TIMEOUT);
    let begun = false;
    remove = connection.onStatus(({ state }) => {
      if (state === 'connecting') begun = true;
      else if (state !== 'disconnected' || begun) resolve();
    });
  });
  remove?.();
  clearTimeout(timer);
}

/** @param where a broker can be changed, that cannot be here */
export function readOnly(name: string, where: string): ApiError {
  return new ApiError('read_only', `broker "${name}" is of ${where}, and can only be changed there`);
}
