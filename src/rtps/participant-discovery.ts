// The global of that name is a getter, which costs each message as much again as reading the clock.
import { performance } from 'node:perf_hooks';
import { EntityId, guidOf, prefixOf } from './guid';
import type { Locator } from './locator';
import { MalformedError } from './malformed-error';
import { type Change, dataBytes, MessageWriter } from './message-writer';
import { Pid } from './parameter-list';
import {
  ALL_BUILTIN_ENDPOINTS,
  decodeDisposal,
  decodeParticipantData,
  encodeDisposal,
  encodeParticipantData,
  type ParticipantData,
} from './participant-data';
import type { ReceivedChange } from './received-change';
import type { Statistics } from './statistics';
import { MESSAGE_HEADER_BYTES } from './submessage';
import { now } from './time';
import type { UdpTransport } from './udp-transport';

/** What this participant says of itself; its locators come from the transport. */
export type OwnParticipant = Pick<
  ParticipantData,
  'prefix' | 'vendorId' | 'leaseDuration' | 'name' | 'userData'
> & {
  readonly domain: number;
};

/** A participant that was found, and is alive as far as is known. */
export interface FoundParticipant {
  readonly data: ParticipantData;
  /** Where its discovery traffic goes. */
  readonly locator: Locator;
}

export interface ParticipantDiscoveryListener {
  participantFound(participant: FoundParticipant): void;
  /** It announces other user data than before. */
  participantChanged(participant: FoundParticipant): void;
  participantLost(participant: FoundParticipant): void;
}

/** The first announcements follow each other quickly: one that is lost must not cost a whole period. */
const FIRST_PERIOD_MS = 50;
const LAST_PERIOD_MS = 3000;
const LEASE_CHECK_MS = 250;
const MAX_PARTICIPANTS = 256;
/** One whose lease has no end gives way to another after so long without a sign of it: it may have died. */
const SILENCE_MS = 100_000;
/**
 * The Simple Participant Discovery Protocol (RTPS 8.5.3): announces this participant, finds others, and loses them
 * when they say so or when their lease runs out.
 */
export class ParticipantDiscovery {
  #own: OwnParticipant;
  readonly #transport: UdpTransport;
  readonly #statistics: Statistics;
  readonly #listener: ParticipantDiscoveryListener;
  readonly #found = new Map<
    string,
    FoundParticipant & { data: ParticipantData; sequence: number; lastSeen: number; readonly movedAt: number }
  >();
  #announceTimer: NodeJS.Timeout | undefined;
  #leaseTimer: NodeJS.Timeout | undefined;
  #period = FIRST_PERIOD_MS;
  /** Of what is announced: another one when that changes. */
  #sequence = 1;

  constructor(
    own: OwnParticipant,
    transport: UdpTransport,
    statistics: Statistics,
    listener: ParticipantDiscoveryListener,
  ) {
    this.#own = own;
    this.#transport = transport;
    this.#statistics = statistics;
    this.#listener = listener;
  }

  start(): void {
    this.#announce();
    this.#leaseTimer = setInterval(() => this.#expire(), LEASE_CHECK_MS);
  }

  /** Tells the others that this participant is gone. */
  stop(): void {
    clearTimeout(this.#announceTimer);
    this.#announceTimer = undefined;
    clearInterval(this.#leaseTimer);
    const { key, inlineQos } = encodeDisposal(
      Pid.participantGuid,
      guidOf(this.#own.prefix, EntityId.participant),
    );
    const sequence = this.#sequence + 1;
    const disposal: Change = { sequence, timestamp: now(), payload: key, keyOnly: true, inlineQos };
    this.#transport.announce(this.#message(disposal));
    for (const participant of this.#found.values()) this.#sendTo(participant, disposal);
    this.#found.clear();
  }

  /** Announces other user data from now on. */
  setUserData(userData: Buffer): void {
    this.#own = { ...this.#own, userData };
    if (this.#announceTimer === undefined) return;
    this.#sequence++;
    clearTimeout(this.#announceTimer);
    this.#period = FIRST_PERIOD_MS;
    this.#announce();
    for (const participant of this.#found.values()) this.#sendTo(participant, this.#announcement());
  }

  get participants(): FoundParticipant[] {
    return [...this.#found.values()];
  }

  get(prefix: string): FoundParticipant | undefined {
    return this.#found.get(prefix);
  }

  /** When anything last came from the participant, on the clock of `performance.now()`; 0 when it is not known. */
  lastSeen(prefix: string): number {
    return this.#found.get(prefix)?.lastSeen ?? 0;
  }

  /** Anything that a participant sends renews its lease. */
  alive(prefix: string): void {
    const found = this.#found.get(prefix);
    if (found !== undefined) found.lastSeen = performance.now();
  }

  /**
   * Gives a participant up for another one of its name, which is found when it announces itself again. Never one of this
   * implementation: their names are random, and one that has lost us and found us again begins as if it had written
   * nothing.
   */
  replaced(prefix: string): void {
    if (this.#found.get(prefix)?.data.vendorId !== this.#own.vendorId) this.#lose(prefix);
  }

  /** Takes an announcement or a disposal. */
  receive(change: ReceivedChange): void {
    try {
      this.#receive(change);
    } catch (error) {
      // Not thrown on: the message around it is sound.
      if (!(error instanceof MalformedError)) throw error;
      this.#statistics.announcementsRefused++;
    }
  }

  #receive(change: ReceivedChange): void {
    if (change.status !== 0) {
      this.#lose(prefixOf(decodeDisposal(Pid.participantGuid, change.payload, change.keyHash)));
      return;
    }
    const data = decodeParticipantData(change.payload);
    const { prefix } = data;
    if (prefix === this.#own.prefix || (data.domain ?? this.#own.domain) !== this.#own.domain) return;
    const locator = this.#transport.choose(data.metatrafficLocators);
    const known = this.#found.get(prefix);
    if (known !== undefined) {
      if (known.locator.key === locator?.key) {
        // The multicast one may overtake that to us alone, and the other way about.
        if (change.sequence < known.sequence || isSame(data.userData, known.data.userData)) return;
        known.sequence = change.sequence;
        known.data = { ...known.data, userData: data.userData };
        this.#listener.participantChanged(known);
        return;
      }
      // Two that use the same GUID prefix would else take turns for ever.
      if (performance.now() - known.movedAt < known.data.leaseDuration) {
        this.#statistics.announcementsRefused++;
        return;
      }
      // It moved to another address: what was matched there is matched anew.
      this.#lose(prefix);
    }
    if (this.#found.size >= MAX_PARTICIPANTS) this.#loseSilent();
    if (locator === undefined || this.#found.size >= MAX_PARTICIPANTS) {
      this.#statistics.announcementsRefused++;
      return;
    }
    this.#transport.refreshInterfaces();
    if (!this.#transport.canAnswer(locator)) {
      // Told only our loopback addresses it would keep them: Fast DDS does so for good. It announces itself again.
      this.#statistics.announcementsRefused++;
      return;
    }
    const moment = performance.now();
    const movedAt = known === undefined ? Number.NEGATIVE_INFINITY : moment;
    const found = { data, locator, sequence: change.sequence, lastSeen: moment, movedAt };
    this.#found.set(prefix, found);
    // It may have started after our last announcement, and must know us before it takes our endpoints.
    this.#sendTo(found, this.#announcement());
    this.#listener.participantFound(found);
  }

  #announce(): void {
    this.#transport.announce(this.#message(this.#announcement()));
    this.#announceTimer = setTimeout(() => this.#announce(), this.#period);
    this.#period = Math.min(2 * this.#period, LAST_PERIOD_MS, this.#own.leaseDuration / 3);
  }

  #announcement(): Change {
    // Told while an interface was down, an address that is not to be reached would stay with others for good.
    this.#transport.refreshInterfaces();
    const payload = encodeParticipantData({
      ...this.#own,
      builtinEndpoints: ALL_BUILTIN_ENDPOINTS,
      metatrafficLocators: this.#transport.metatrafficLocators,
      userLocators: this.#transport.userLocators,
    });
    return { sequence: this.#sequence, timestamp: now(), payload, keyOnly: false, inlineQos: undefined };
  }

  #sendTo({ data, locator }: FoundParticipant, change: Change): void {
    this.#transport.send(this.#message(change, data.prefix), locator, () => {});
  }

  #message(change: Change, destinationPrefix?: string): Buffer {
    const writer = new MessageWriter(
      this.#own.prefix,
      Buffer.allocUnsafe(MESSAGE_HEADER_BYTES + dataBytes(change)),
    );
    if (destinationPrefix !== undefined) writer.destination(destinationPrefix);
    const readerId = destinationPrefix === undefined ? EntityId.unknown : EntityId.participantReader;
    writer.data(readerId, EntityId.participantWriter, change);
    return writer.message;
  }

  #expire(): void {
    const moment = performance.now();
    for (const { data, lastSeen } of this.#found.values())
      if (moment - lastSeen > data.leaseDuration) this.#lose(data.prefix);
  }

  /** Loses, of those whose lease has no end, the one that is silent for longest, if long enough. */
  #loseSilent(): void {
    const [silent] = [...this.#found.values()]
      .filter(({ data }) => data.leaseDuration === Number.POSITIVE_INFINITY)
      .sort((a, b) => a.lastSeen - b.lastSeen);
    if (silent !== undefined && performance.now() - silent.lastSeen > SILENCE_MS)
      this.#lose(silent.data.prefix);
  }

  #lose(prefix: string): void {
    const found = this.#found.get(prefix);
    if (found === undefined) return;
    this.#found.delete(prefix);
    this.#listener.participantLost(found);
  }
}

function isSame(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b);
}
