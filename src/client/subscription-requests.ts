import type { MqttClient } from 'mqtt';
import type { SubscribeOptions } from './connection-settings';
import { NotConnectedError, SubscribeError } from './errors';
import { errorText, refusal } from './reason';

/** How long SUBACK may take, in ms. */
const SUBACK_MS = 30_000;

/** SUBSCRIBE and UNSUBSCRIBE on one network connection, and what the broker answers. */
export class SubscriptionRequests {
  readonly #client: MqttClient;
  readonly #version5: boolean;
  readonly #paused: () => boolean;
  /** Of those that are not answered. */
  readonly #timers = new Set<NodeJS.Timeout>();

  /** @param paused whether nothing is read now, so that an answer may be there */
  constructor(client: MqttClient, version5: boolean, paused: () => boolean) {
    this.#client = client;
    this.#version5 = version5;
    this.#paused = paused;
  }

  /**
   * Resolves after SUBACK; rejects with SubscribeError when the broker refuses or does not answer, NotConnectedError when
   * the connection ends.
   */
  subscribe(filter: string, options: SubscribeOptions, identifier: number | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = new SubscribeError(filter, `the broker has not answered within ${SUBACK_MS / 1000} s`);
      const timer = setInterval(() => {
        if (this.#paused()) return;
        this.#answered(timer);
        reject(late);
      }, SUBACK_MS);
      this.#timers.add(timer);
      this.#client.subscribe(
        filter,
        {
          qos: options.qos,
          ...(this.#version5 && {
            nl: options.noLocal ?? false,
            rap: options.retainAsPublished ?? false,
            rh: options.retainHandling ?? 0,
          }),
          ...(identifier !== undefined && { properties: { subscriptionIdentifier: identifier } }),
        },
        (error, _granted, suback) => {
          this.#answered(timer);
          const code = suback?.granted.map(Number).find((granted) => granted >= 0x80);
          if (error === null) resolve();
          else if (code === undefined && suback === undefined)
            reject(new NotConnectedError(errorText(error)));
          else if (code === undefined) reject(new SubscribeError(filter, errorText(error)));
          else reject(new SubscribeError(filter, refusal(code, suback?.properties), code));
        },
      );
    });
  }

  /** Resolves with `true` after UNSUBACK, with `false` when the connection ends first. */
  unsubscribe(filter: string): Promise<boolean> {
    return new Promise((resolve) => {
      this.#client.unsubscribe(filter, (error) => resolve(!error));
    });
  }

  /** The connection has ended. */
  close(): void {
    for (const timer of [...this.#timers]) this.#answered(timer);
  }

  #answered(timer: NodeJS.Timeout): void {
    clearInterval(timer);
    this.#timers.delete(timer);
  }
}
