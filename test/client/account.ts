import assert from 'node:assert/strict';
import type { Connection, ConnectionSettings, QoS } from '../../src/client/connection';
import { settingsFor } from './observed';

/** Numbers the messages of each QoS, and accounts for what has come of them. */
export class Account {
  readonly #came: Record<1 | 2, number[]> = { 1: [], 2: [] };
  readonly #receiver: Connection;
  readonly #waiting: (() => void)[] = [];
  readonly #messages: number;

  /** @param messages of each QoS */
  constructor(receiver: Connection, messages: number) {
    this.#receiver = receiver;
    this.#messages = messages;
  }

  /** Subscribes, and waits until the broker has acknowledged. */
  async open(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#receiver.subscribe(
        'account/+',
        { qos: 2 },
        {
          message: ({ topic, payload }) => {
            this.#came[topic.endsWith('1') ? 1 : 2].push(Number(payload));
            for (const wake of this.#waiting.splice(0)) wake();
          },
          result: (error) => (error === undefined ? resolve() : reject(error)),
        },
      );
    });
  }

  get received(): number {
    return this.#came[1].length + this.#came[2].length;
  }

  #another(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async until(received: number): Promise<void> {
    while (this.received < received) await this.#another();
  }

  /**
   * Waits until each message has come: at QoS 2 once and in order, at QoS 1 the first time in order.
   * @param uncertain numbers of which it does not matter whether they come
   */
  async close({
    uncertain = { 1: new Set(), 2: new Set() },
    ordered = true,
  }: {
    uncertain?: Record<1 | 2, ReadonlySet<number>>;
    ordered?: boolean;
  } = {}): Promise<void> {
    const numbers = Array.from({ length: this.#messages }, (_, n) => n);
    const certain = (qos: 1 | 2, all: readonly number[]) => all.filter((n) => !uncertain[qos].has(n));
    for (const qos of [2, 1] as const) {
      const expected = certain(qos, numbers);
      const came = this.#came[qos];
      while (certain(qos, [...new Set(came)]).length < expected.length) {
        await this.#another();
      }
      const once = qos === 1 ? [...new Set(came)] : [...came];
      const sorted = [...once].sort((a, b) => a - b);
      assert.deepEqual(certain(qos, sorted), expected, `QoS ${qos}`);
      assert.deepEqual(sorted, [...new Set(sorted)], `QoS ${qos}`);
      if (ordered) assert.deepEqual(once, sorted, `QoS ${qos}`);
    }
  }
}

/** Settings of a client whose session the broker keeps. */
export const lasting = (url: string, clientId: string, more: Partial<ConnectionSettings> = {}) =>
  settingsFor(url, 5, {
    clientId,
    cleanStart: false,
    sessionExpiry: 3600,
    reconnect: { first: 5, longest: 100 },
    queue: {},
    ...more,
  });

/**
 * Publishes the messages of both QoS in turn. Resolves when all are acknowledged.
 * @param may called with what has been published so far; waits until there may be more
 */
export async function publishAll(
  sender: Connection,
  messages: number,
  may?: (published: number) => Promise<void>,
): Promise<void> {
  const published: Promise<unknown>[] = [];
  for (let n = 0; n < messages; n++) {
    for (const qos of [1, 2] as QoS[]) {
      published.push(sender.publish(`account/${qos}`, String(n), { qos, retain: false }));
    }
    // Some wait while others are under way, as they come from a flow.
    if (n % 50 === 0) await new Promise(setImmediate);
    await may?.(published.length);
  }
  await Promise.all(published);
}
