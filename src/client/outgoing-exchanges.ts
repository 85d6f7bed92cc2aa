import type { Packet } from 'mqtt';
import {
  type Announcement,
  type ConnectionSettings,
  isLasting,
  type PublishOptions,
  type PublishReceipt,
  type QueueSettings,
  type SessionStatistics,
} from './connection-settings';
import { NotConnectedError, PublishError } from './errors';
import type { NetworkConnection } from './network-connection';
import { OutgoingMessage } from './outgoing-message';
import { OutgoingQueue } from './outgoing-queue';
import { PacketIdentifiers } from './packet-identifiers';
import { publishFault } from './publish-fault';
import { MAX_IN_FLIGHT, PublishWindow } from './publish-window';
import { errorText, refusal } from './reason';
import type { StoredSession } from './stored-session';

/** How long finish() waits for acknowledgements, in ms; then they are given up. */
const DRAIN_MS = 3000;
/** The same where nothing is rejected, as it goes on in the next run: a round trip, so that little is sent twice. */
const SAFE_DRAIN_MS = 500;
/** How long a message waits where the settings say nothing of a queue, in s: a reconnect is bridged, an outage is reported. */
const DEFAULT_QUEUE: QueueSettings = { expiry: 10 };
/** MQTT 5.0 section 2.4. */
const PACKET_IDENTIFIER_NOT_FOUND = 0x92;

/**
 * The sending side of a session (MQTT 5.0 section 4.3): which messages wait, which were sent and are not acknowledged,
 * and under which packet identifiers. It outlives network connections as the session does, and gives every message its
 * outcome exactly once.
 */
export class OutgoingExchanges {
  readonly #settings: ConnectionSettings;
  readonly #stored: StoredSession | undefined;
  readonly #queue: OutgoingQueue;
  readonly #window: PublishWindow;
  /** Packet identifiers of messages that were given up: a broker that has the session may still know them. */
  readonly #retired = new Set<number>();
  /** The present one, from CONNACK on. */
  #connection: NetworkConnection | undefined;
  /** Those of messages, and of SUBSCRIBE and UNSUBSCRIBE. */
  readonly identifiers = new PacketIdentifiers();

  /** @param stored the queue on disk, where there is one */
  constructor(settings: ConnectionSettings, stored: StoredSession | undefined) {
    this.#settings = settings;
    this.#stored = stored;
    this.#queue = new OutgoingQueue(settings.queue ?? DEFAULT_QUEUE);
    this.#window = new PublishWindow(this.#queue, (message) => this.#send(message));
  }

  get statistics(): Pick<SessionStatistics, 'waiting' | 'waitingBytes' | 'inFlight' | 'dropped' | 'expired'> {
    return {
      waiting: this.#queue.size,
      waitingBytes: this.#queue.bytes,
      inFlight: this.#window.unacknowledged.length,
      dropped: this.#queue.dropped,
      expired: this.#queue.expired,
    };
  }

  /** Takes up messages of an earlier run, in order. */
  restore(messages: readonly OutgoingMessage[]): void {
    this.#window.restore(messages);
  }

  /**
   * Sends a message, now or when its turn comes; `reason` says why it has to wait for a connection. Resolves and rejects
   * as MqttSession.publish() does.
   */
  publish(
    topic: string,
    payload: Buffer | string,
    options: PublishOptions,
    reason: string | undefined,
  ): Promise<PublishReceipt> {
    const message = new OutgoingMessage(topic, payload, options);
    const fault = reason === undefined ? this.#fault(message) : undefined;
    if (fault !== undefined) message.end(new PublishError(topic, fault));
    else {
      if (options.qos > 0) this.#stored?.keep(message);
      this.#window.push(message, reason);
    }
    return message.result;
  }

  /** A connection is made; the broker still has the session, or not. */
  connected(connection: NetworkConnection, resumed: boolean): void {
    this.#connection = connection;
    if (!resumed) {
      this.#window.forget();
      this.#retired.clear();
    }
    const taken = this.#window.unacknowledged.map(({ packetId }) => packetId);
    this.identifiers.reset([...taken.filter((id) => id !== undefined), ...this.#retired]);
  }

  /** Sends from here on, the birth message first. */
  open(): void {
    const { birth, maxInFlight = MAX_IN_FLIGHT } = this.#settings;
    if (birth !== undefined) this.#announce(birth);
    this.#window.open(
      Math.min(this.#connection?.brokerProperties.receiveMaximum ?? maxInFlight, maxInFlight),
    );
  }

  /** PUBREC: from here on the message itself is not sent again, only PUBREL, which `send` lets go out. */
  taken(packetId: number, send: () => void): void {
    const message = this.#window.unacknowledged.find((sent) => sent.packetId === packetId);
    if (message !== undefined) message.released = true;
    if (message !== undefined && this.#stored !== undefined) this.#stored.taken(message, send);
    else send();
  }

  /**
   * Publishes the closing message after what is under way, and waits a bounded time for both. Not an async function: who
   * subscribes meanwhile must not come between the last acknowledgement and DISCONNECT.
   */
  finish(): Promise<unknown> {
    const { closing } = this.#settings;
    const isStored = this.#stored !== undefined && this.#stored.fault === undefined;
    // Then what is in flight comes to its end also after this process: the disk has it, and the broker keeps the session.
    const patience = isStored && isLasting(this.#settings) ? SAFE_DRAIN_MS : DRAIN_MS;
    // What is on the disk can wait for the next connection.
    if (isStored) this.#window.hold();
    const drained = this.#window.drained(patience);
    if (closing === undefined) return drained;
    return drained.then((answers) => {
      this.#announce(closing);
      // A broker that has answered nothing so far will not answer this either.
      return answers && this.#window.drained(patience);
    });
  }

  /** Sends nothing more until open(). */
  pause(): void {
    this.#window.pause();
  }

  /**
   * The connection has ended: what is not acknowledged waits for the next, unless it is not to be published again.
   * @param overPacket it was the broker who ended it, perhaps over what was in flight
   */
  lost(reason: string, overPacket: boolean): void {
    this.#connection = undefined;
    this.#retire(this.#window.lost(reason, overPacket));
    if (this.#settings.publishAgain?.() !== false) return;
    this.#window.abandon(reason);
    this.refuseWaiting(reason);
  }

  /** Rejects all that waits and was never sent. */
  refuseWaiting(reason: string): void {
    this.#queue.refuseAll(() => new NotConnectedError(reason));
  }

  /** Rejects all: the session is at its end. */
  end(): void {
    this.refuseWaiting('the connection was closed');
    this.#window.abandon('the connection was closed before the broker acknowledged it');
  }

  /** Who wanted it to be published hears nothing of it: the next connection brings another. */
  #announce({ topic, payload, ...options }: Announcement): void {
    const message = new OutgoingMessage(topic, payload, options);
    message.result.catch(() => {});
    this.#window.pushFirst(message);
  }

  #retire(message: OutgoingMessage | undefined): void {
    if (message?.packetId !== undefined) this.#retired.add(message.packetId);
  }

  #fault(message: OutgoingMessage): string | undefined {
    const { brokerProperties = {} } = this.#connection ?? {};
    return publishFault(message, brokerProperties, this.#settings.protocolVersion);
  }

  #send(message: OutgoingMessage): void {
    // What is left of a message that the broker has taken is PUBREL.
    const fault = message.released ? undefined : this.#fault(message);
    if (fault !== undefined) {
      this.#retire(message);
      this.#window.settle(message, new PublishError(message.topic, fault));
      return;
    }
    const connection = this.#connection;
    const send = (): void => {
      if (connection !== this.#connection) return;
      connection?.publish(message, (error, packet) => this.#onOutcome(message, error, packet));
    };
    if (message.options.qos > 0) {
      message.packetId ??= this.identifiers.allocate() ?? undefined;
      // The window is smaller than their number, but SUBSCRIBE and UNSUBSCRIBE have one each until they are answered.
      if (message.packetId === undefined) {
        const text = 'all packet identifiers are taken by what the broker has not answered';
        this.#window.settle(message, new PublishError(message.topic, text));
        return;
      }
    }
    if (message.options.qos === 0 || this.#stored === undefined) send();
    else this.#stored.sending(message, send);
  }

  #onOutcome(
    message: OutgoingMessage,
    error: (Error & { code?: number }) | undefined,
    packet: Packet | undefined,
  ): void {
    const { packetId, topic } = message;
    // An answer to PUBREL that was sent again: the broker had already completed the exchange.
    const completed = packet?.cmd === 'pubcomp' && error?.code === PACKET_IDENTIFIER_NOT_FOUND;
    if (error === undefined || completed) {
      const reasonCode = packet?.cmd === 'puback' ? packet.reasonCode : undefined;
      this.#window.settle(message, {
        ...(packetId !== undefined && { packetId }),
        ...(reasonCode && { reasonCode }),
      });
    } else this.#window.settle(message, new PublishError(topic, publishRefusal(error, packet), error.code));
  }
}

/** The reason in a PUBACK, PUBREC or PUBCOMP. */
function publishRefusal(error: Error & { code?: number }, packet: Packet | undefined): string {
  const properties = packet !== undefined && 'properties' in packet ? packet.properties : undefined;
  const words = properties !== undefined && 'reasonString' in properties ? properties : undefined;
  return error.code === undefined ? errorText(error) : refusal(error.code, words);
}
