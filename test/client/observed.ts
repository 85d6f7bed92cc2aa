import type {
  Connection,
  ConnectionSettings,
  ConnectionStatus,
  QoS,
  ReceivedMessage,
  SubscribeOptions,
} from '../../src/client/connection';

export const settingsFor = (
  url: string,
  protocolVersion: 4 | 5 = 5,
  more: Partial<ConnectionSettings> = {},
): ConnectionSettings => ({
  endpoint: { url },
  protocolVersion,
  clientId: `test-${Math.random().toString(36).slice(2, 10)}`,
  keepAlive: 60,
  cleanStart: true,
  ...more,
});

/** Resolves with the first status that passes. */
export function statusOf(
  connection: Connection,
  passes: (status: ConnectionStatus) => boolean,
): Promise<ConnectionStatus> {
  return new Promise((resolve) => {
    let remove: (() => void) | undefined;
    let found = false;
    remove = connection.onStatus((status) => {
      if (found || !passes(status)) return;
      found = true;
      remove?.();
      resolve(status);
    });
    if (found) remove();
  });
}

export const connected = (connection: Connection) =>
  statusOf(connection, ({ state }) => state === 'connected');

/** A listener that keeps what it hears and lets a test wait for it. */
export class Inbox {
  readonly messages: ReceivedMessage[] = [];
  readonly results: (Error | undefined)[] = [];
  #wake: (() => void)[] = [];

  message(message: ReceivedMessage): void {
    this.messages.push(message);
    this.#changed();
  }

  result(error?: Error): void {
    this.results.push(error);
    this.#changed();
  }

  get texts(): string[] {
    return this.messages.map(({ topic, payload }) => `${topic}=${payload}`);
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  async until(passes: (inbox: this) => boolean): Promise<this> {
    while (!passes(this)) await new Promise<void>((resolve) => this.#wake.push(resolve));
    return this;
  }

  /** Subscribes and waits for SUBACK. */
  static async on(
    connection: Connection,
    filter: string,
    qos: QoS = 1,
    options: Partial<SubscribeOptions> = {},
  ): Promise<Inbox & { close(): void }> {
    const inbox = new Inbox();
    const subscription = connection.subscribe(filter, { qos, ...options }, inbox);
    await inbox.until(({ results }) => results.length > 0);
    return Object.assign(inbox, { close: () => subscription.close() });
  }
}
