import { MAX_TIMER_MS } from './deadline';
import { EntityId, guidOf } from './guid';
import type { MessageReceiver } from './message-receiver';
import type { Outbox } from './outbox';
import { BuiltinEndpoint } from './participant-data';
import type { FoundParticipant } from './participant-discovery';
import { LivelinessKind } from './qos';
import { StatefulReader } from './stateful-reader';
import { StatefulWriter } from './stateful-writer';
import { Statistics } from './statistics';

/** Only the last word of each kind counts. */
const PROTOCOL = {
  reliable: true,
  transientLocal: true,
  history: { depth: 2, bytes: Number.POSITIVE_INFINITY },
};
/** ParticipantMessageData::kind (RTPS 9.6.2.1). */
const AUTOMATIC_UPDATE = 1;
const MANUAL_UPDATE = 2;
/** Behind the encapsulation header: a GUID prefix, the kind in four octets, and octets without a meaning here. */
const PREFIX_AT = 4;
const KIND_AT = 16;
const MESSAGE_BYTES = 24;
/** A word that is lost, or late because the machine is busy, does not cost the lease. */
const WORDS_PER_LEASE = 3;

/**
 * The Writer Liveliness Protocol (RTPS 8.4.13): says as often as the shortest lease of our writers needs it that this
 * participant is alive, and hears what others say of theirs.
 */
export class LivelinessProtocol {
  readonly #prefix: string;
  readonly #receiver: MessageReceiver;
  readonly #asserted: (prefix: string, kind: number) => void;
  readonly #writer: StatefulWriter;
  readonly #reader: StatefulReader;
  /** How many of our writers have a lease, by leases. */
  readonly #leases = new Map<number, number>();
  /** Of the leases, while there is any. */
  #shortest: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param asserted called with a participant's prefix and the `LivelinessKind` of those of its writers that live */
  constructor(
    prefix: string,
    outbox: Outbox,
    receiver: MessageReceiver,
    asserted: (prefix: string, kind: number) => void,
  ) {
    this.#prefix = prefix;
    this.#receiver = receiver;
    this.#asserted = asserted;
    // Counted apart: a participant's statistics are about its user's samples.
    const statistics = new Statistics();
    this.#writer = new StatefulWriter(EntityId.participantMessageWriter, PROTOCOL, outbox, statistics);
    this.#reader = new StatefulReader(
      EntityId.participantMessageReader,
      PROTOCOL,
      outbox,
      statistics,
      ({ payload }) => this.#receive(payload),
    );
    receiver.addWriter(this.#writer);
  }

  connect({ data: { prefix, builtinEndpoints }, locator }: FoundParticipant): void {
    const target = { prefix, locator, reliable: true, transientLocal: true };
    if ((builtinEndpoints & BuiltinEndpoint.participantMessageReader) !== 0)
      this.#writer.matchReader({ ...target, entityId: this.#reader.entityId });
    if ((builtinEndpoints & BuiltinEndpoint.participantMessageWriter) !== 0)
      this.#receiver.connect(this.#reader, { ...target, entityId: this.#writer.entityId }).open();
  }

  disconnect(prefix: string): void {
    this.#writer.unmatchReader(guidOf(prefix, this.#reader.entityId));
    this.#receiver.disconnect(this.#reader, guidOf(prefix, this.#writer.entityId));
  }

  /** A writer of ours offers that lease, in milliseconds, automatically. */
  offer(lease: number): void {
    if (lease === Number.POSITIVE_INFINITY) return;
    this.#leases.set(lease, (this.#leases.get(lease) ?? 0) + 1);
    this.#assertRegularly();
  }

  /** A writer with that lease is gone. */
  withdraw(lease: number): void {
    const count = this.#leases.get(lease);
    if (count === undefined) return;
    if (count > 1) this.#leases.set(lease, count - 1);
    else this.#leases.delete(lease);
    this.#assertRegularly();
  }

  /** Says once that those of our writers are alive whose user has to say so for all of the participant's. */
  assertManually(): void {
    this.#writer.write(this.#message(MANUAL_UPDATE));
  }

  close(): void {
    clearInterval(this.#timer);
    this.#writer.close();
    this.#reader.close();
  }

  #assertRegularly(): void {
    const lease = this.#leases.size === 0 ? undefined : Math.min(...this.#leases.keys());
    if (lease === this.#shortest) return;
    this.#shortest = lease;
    clearInterval(this.#timer);
    if (lease === undefined) return;
    const message = this.#message(AUTOMATIC_UPDATE);
    this.#writer.write(message);
    const period = Math.min(lease / WORDS_PER_LEASE, MAX_TIMER_MS);
    this.#timer = setInterval(() => this.#writer.write(message), period);
  }

  #message(kind: number): Buffer {
    const message = Buffer.alloc(MESSAGE_BYTES);
    message[1] = 1; // CDR, little endian
    message.write(this.#prefix, PREFIX_AT, 'hex');
    message.writeUInt32BE(kind, KIND_AT);
    return message;
  }

  #receive(message: Buffer): void {
    if (message.length < KIND_AT + 4) return;
    const prefix = message.toString('hex', PREFIX_AT, KIND_AT);
    const kind = message.readUInt32BE(KIND_AT);
    if (kind === AUTOMATIC_UPDATE) this.#asserted(prefix, LivelinessKind.automatic);
    else if (kind === MANUAL_UPDATE) this.#asserted(prefix, LivelinessKind.manualByParticipant);
  }
}
