import { shown } from '../topic/topic-name';

/** There is no connection to the broker, and the message says why. */
export class NotConnectedError extends Error {
  override name = 'NotConnectedError';

  constructor(reason: string | undefined) {
    super(reason === undefined ? 'not connected to the broker' : `not connected to the broker: ${reason}`);
  }
}

/** A message was not published, and the message says why. */
export class PublishError extends Error {
  override name = 'PublishError';

  /** `code` is the broker's reason code where it gave one. */
  constructor(
    topic: string,
    reason: string,
    readonly code?: number,
  ) {
    super(`topic "${shown(topic)}" not published: ${reason}`);
  }
}

/** A subscription does not exist, and the message says why. */
export class SubscribeError extends Error {
  override name = 'SubscribeError';

  /** `code` is the broker's reason code where it gave one. */
  constructor(
    filter: string,
    reason: string,
    readonly code?: number,
  ) {
    super(`not subscribed to "${shown(filter)}": ${reason}`);
  }
}
