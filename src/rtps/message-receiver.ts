import { annotationIn } from './annotation';
import { EarlyTraffic } from './early-traffic';
import { EntityId, guidOf, isUserEntity, isWriter, prefixOf } from './guid';
import { MessageReader, type SubmessageHandler } from './message-reader';
import { type ParameterList, Pid } from './parameter-list';
import type { ReceiveMemory } from './receive-memory';
import type { ReceivedChange, SampleInfo } from './received-change';
import { relatedSampleIn } from './sample-identity';
import type { StatefulReader } from './stateful-reader';
import type { StatefulWriter } from './stateful-writer';
import type { Statistics } from './statistics';
import type {
  AckNackSubmessage,
  DataFragSubmessage,
  DataSubmessage,
  GapSubmessage,
  HeartbeatFragSubmessage,
  HeartbeatSubmessage,
  MessageContext,
  NackFragSubmessage,
} from './submessage';
import type { WriterProxy, WriterTarget } from './writer-proxy';

/** What the receiver asks of discovery. */
export interface ReceiverDiscovery {
  /** What a participant announces of itself. */
  participantData(change: ReceivedChange): void;
  /** Anything came from this participant. */
  alive(prefix: string): void;
  /** What comes from this participant is of another one, which has taken its name. */
  replaced(prefix: string): void;
  /** This writer showed that it is alive other than by a sample. */
  writerAsserted(guid: string): void;
  /** Whether this writer was discovered, matched or not. */
  knowsWriter(guid: string): boolean;
}

/** Hands each submessage of a datagram to the endpoints of ours that it is for (RTPS 8.3.4). */
export class MessageReceiver implements SubmessageHandler {
  readonly #ownPrefix: string;
  readonly #statistics: Statistics;
  readonly #memory: ReceiveMemory;
  readonly #discovery: ReceiverDiscovery;
  readonly #early: EarlyTraffic;
  readonly #reader = new MessageReader(this);
  /** Of the datagram that is being read. */
  #hasSamples = false;
  readonly #writers = new Map<number, StatefulWriter>();
  /** By the remote writer's prefix and entity id: the proxies of the readers of ours that it is matched with. */
  readonly #proxies = new Map<string, Map<number, WriterProxy[]>>();

  constructor(
    ownPrefix: string,
    statistics: Statistics,
    memory: ReceiveMemory,
    discovery: ReceiverDiscovery,
  ) {
    this.#ownPrefix = ownPrefix;
    this.#statistics = statistics;
    this.#memory = memory;
    this.#discovery = discovery;
    this.#early = new EarlyTraffic(statistics);
  }

  /** Returns whether samples are views into the datagram; fragments were copied. */
  receive(datagram: Buffer): boolean {
    this.#statistics.datagramsReceived++;
    this.#hasSamples = false;
    if (this.#reader.read(datagram) !== undefined) this.#statistics.datagramsMalformed++;
    return this.#hasSamples;
  }

  addWriter(writer: StatefulWriter): void {
    this.#writers.set(writer.entityId, writer);
  }

  removeWriter(writer: StatefulWriter): void {
    this.#writers.delete(writer.entityId);
  }

  /** Matches the reader with the remote writer; `replay` or `open` of the proxy begins their exchange. */
  connect(reader: StatefulReader, target: WriterTarget): WriterProxy {
    const proxy = reader.matchWriter(target, this.#memory);
    const ofParticipant = this.#proxies.get(target.prefix) ?? new Map<number, WriterProxy[]>();
    this.#proxies.set(target.prefix, ofParticipant);
    ofParticipant.set(target.entityId, [...(ofParticipant.get(target.entityId) ?? []), proxy]);
    return proxy;
  }

  disconnect(reader: StatefulReader, writerGuid: string): void {
    const proxy = reader.unmatchWriter(writerGuid);
    if (proxy === undefined) return;
    const { entityId } = proxy.target;
    const ofParticipant = this.#proxies.get(prefixOf(writerGuid));
    const others = ofParticipant?.get(entityId)?.filter((other) => other !== proxy) ?? [];
    if (others.length > 0) ofParticipant?.set(entityId, others);
    else ofParticipant?.delete(entityId);
    if (ofParticipant?.size === 0) this.#proxies.delete(prefixOf(writerGuid));
  }

  /** Gives the proxies of a writer just discovered what it sent before. */
  replay(proxies: readonly WriterProxy[], writerGuid: string): void {
    const early = this.#early.take(writerGuid);
    for (const proxy of proxies) {
      for (const { readerId, change } of early?.changes ?? [])
        if (readerId === EntityId.unknown || readerId === proxy.readerId) proxy.data(change);
      const heartbeat = early?.heartbeat;
      if (heartbeat !== undefined)
        proxy.heartbeat(heartbeat.first, heartbeat.last, heartbeat.count, heartbeat.final);
      proxy.open();
    }
  }

  /** Drops what is kept of writers that were not discovered in time, and of samples of which nothing more comes. */
  expire(): void {
    this.#early.expire();
    for (const ofParticipant of this.#proxies.values())
      for (const proxies of ofParticipant.values()) for (const proxy of proxies) proxy.expire();
  }

  accepts(sourcePrefix: string): boolean {
    if (sourcePrefix === this.#ownPrefix) return false;
    this.#discovery.alive(sourcePrefix);
    return true;
  }

  data(context: MessageContext, data: DataSubmessage): void {
    if (!this.#isForUs(context)) return;
    this.#hasSamples = true;
    const { inlineQos, readerId, writerId } = data;
    const { timestamp, status, keyHash, related, annotation } = sampleInfo(context, inlineQos);
    const { sequence, payload } = data;
    // One by one: spreading them would take half as long again as all else that a small sample takes.
    const change: ReceivedChange = {
      timestamp,
      status,
      keyHash,
      related,
      annotation,
      sequence,
      payload,
      ownsMemory: false,
    };
    if (writerId === EntityId.participantWriter) {
      this.#discovery.participantData(change);
      return;
    }
    const proxies = this.#proxiesOf(context, writerId);
    if (proxies === undefined) {
      const guid = guidOf(context.sourcePrefix, writerId);
      if (this.#isEarly(guid, writerId)) this.#early.addChange(guid, readerId, change);
      return;
    }
    for (const proxy of proxies) if (concerns(readerId, proxy)) proxy.data(change);
  }

  dataFrag(context: MessageContext, fragment: DataFragSubmessage): void {
    if (!this.#isForUs(context)) return;
    const { readerId, inlineQos } = fragment;
    const proxies = this.#proxiesOf(context, fragment.writerId);
    if (proxies === undefined) return;
    const info = sampleInfo(context, inlineQos);
    for (const proxy of proxies) if (concerns(readerId, proxy)) proxy.fragment(fragment, info);
  }

  heartbeatFrag(
    context: MessageContext,
    { readerId, writerId, sequence, last }: HeartbeatFragSubmessage,
  ): void {
    if (!this.#isForUs(context)) return;
    for (const proxy of this.#proxiesOf(context, writerId) ?? [])
      if (concerns(readerId, proxy)) proxy.heartbeatFrag(sequence, last);
  }

  nackFrag(context: MessageContext, nackFrag: NackFragSubmessage): void {
    if (!this.#isForUs(context)) return;
    this.#writers.get(nackFrag.writerId)?.nackFrag(guidOf(context.sourcePrefix, nackFrag.readerId), nackFrag);
  }

  heartbeat(context: MessageContext, heartbeat: HeartbeatSubmessage): void {
    if (!this.#isForUs(context)) return;
    const { readerId, writerId } = heartbeat;
    if (heartbeat.liveliness) this.#discovery.writerAsserted(guidOf(context.sourcePrefix, writerId));
    const proxies = this.#proxiesOf(context, writerId);
    if (proxies === undefined) {
      const guid = guidOf(context.sourcePrefix, writerId);
      if (this.#isEarly(guid, writerId)) this.#early.setHeartbeat(guid, heartbeat);
      return;
    }
    let isSame = true;
    for (const proxy of proxies) {
      if (!concerns(readerId, proxy)) continue;
      const { first, last, count, final } = heartbeat;
      if (!proxy.heartbeat(first, last, count, final)) isSame = false;
    }
    // A program that was killed and started again may have the same GUID prefix, made of its host and process id: in a
    // container both are often as before.
    if (!isSame && !isUserEntity(writerId)) this.#discovery.replaced(context.sourcePrefix);
  }

  gap(context: MessageContext, gap: GapSubmessage): void {
    if (!this.#isForUs(context)) return;
    for (const proxy of this.#proxiesOf(context, gap.writerId) ?? [])
      if (concerns(gap.readerId, proxy)) proxy.gap(gap.start, gap.base, gap.numbers);
  }

  ackNack(context: MessageContext, ackNack: AckNackSubmessage): void {
    if (!this.#isForUs(context)) return;
    this.#writers.get(ackNack.writerId)?.ackNack(guidOf(context.sourcePrefix, ackNack.readerId), ackNack);
  }

  skipped(): void {
    this.#statistics.submessagesSkipped++;
  }

  #isForUs({ destinationPrefix }: MessageContext): boolean {
    return destinationPrefix === undefined || destinationPrefix === this.#ownPrefix;
  }

  #proxiesOf(context: MessageContext, writerId: number): readonly WriterProxy[] | undefined {
    return this.#proxies.get(context.sourcePrefix)?.get(writerId);
  }

  #isEarly(guid: string, writerId: number): boolean {
    return isUserEntity(writerId) && isWriter(writerId) && !this.#discovery.knowsWriter(guid);
  }
}

function sampleInfo({ timestamp }: MessageContext, inlineQos: ParameterList | undefined): SampleInfo {
  if (inlineQos === undefined)
    return { timestamp, status: 0, keyHash: undefined, related: undefined, annotation: undefined };
  return {
    timestamp,
    // An array of octets, not a number in the byte order of the submessage (RTPS 9.6.4.9).
    status: inlineQos.bytes(Pid.statusInfo, 4)?.readUInt8(3) ?? 0,
    keyHash: inlineQos.guid(Pid.keyHash),
    related: relatedSampleIn(inlineQos),
    annotation: annotationIn(inlineQos),
  };
}

function concerns(readerId: number, proxy: WriterProxy): boolean {
  return readerId === EntityId.unknown || readerId === proxy.readerId;
}
