import type { EndpointData } from './endpoint-data';
import { entityIdOf, prefixOf } from './guid';
import type { Locator } from './locator';
import type { MessageReceiver } from './message-receiver';
import { Multimap } from './multimap';
import { DurabilityKind, incompatiblePolicy, type PolicyName, policiesOf } from './qos';
import type { Reader } from './reader';
import type { Reception } from './reception';
import { type RemoteEndpoint, remoteEndpointOf } from './remote-endpoint';
import type { StatefulReader } from './stateful-reader';
import type { StatefulWriter } from './stateful-writer';
import type { Writer } from './writer';
import type { WriterLiveliness } from './writer-liveliness';
import type { WriterProxy, WriterTarget } from './writer-proxy';

/** An endpoint of ours and one of another participant. */
export interface EndpointPair {
  readonly local: Writer | Reader;
  readonly remote: RemoteEndpoint;
}

export interface MatchingListener {
  matched(pair: EndpointPair): void;
  unmatched(pair: EndpointPair): void;
  /** Same topic, but another type or a policy keeps the two from matching. */
  incompatible(pair: EndpointPair, policy: PolicyName | 'type'): void;
  /** A writer that a reader of ours is matched with is alive, or is not any more. */
  livelinessChanged(pair: EndpointPair, alive: boolean): void;
}

/** A discovered endpoint and where its data go. */
interface Remote {
  readonly data: EndpointData;
  readonly locator: Locator;
  readonly endpoint: RemoteEndpoint;
}

interface LocalWriter {
  readonly endpoint: Writer;
  readonly protocol: StatefulWriter;
}

interface LocalReader {
  readonly endpoint: Reader;
  readonly protocol: StatefulReader;
  readonly reception: Reception;
}

type Local = LocalWriter | LocalReader;

/** Pairs our writers and readers with discovered readers and writers: same topic and type, and a QoS that suits. */
export class Matching {
  readonly #receiver: MessageReceiver;
  readonly #liveliness: WriterLiveliness;
  readonly #listener: MatchingListener;
  readonly #locals = new Map<Writer | Reader, Local>();
  /** By topic: an endpoint costs nothing of what has other topics. */
  readonly #localsOf = new Multimap<string, Local>();
  readonly #remotes = new Map<string, Remote>();
  readonly #remotesOf = new Multimap<string, Remote>();
  /** The remote endpoints by GUID that each of ours is matched with, and as what its protocol knows them. */
  readonly #matched = new Map<Writer | Reader, Map<string, WriterTarget>>();

  constructor(receiver: MessageReceiver, liveliness: WriterLiveliness, listener: MatchingListener) {
    this.#receiver = receiver;
    this.#liveliness = liveliness;
    this.#listener = listener;
  }

  addLocal(local: Local): void {
    const { endpoint } = local;
    this.#locals.set(endpoint, local);
    this.#localsOf.add(endpoint.topic, local);
    this.#matched.set(endpoint, new Map());
    for (const remote of [...this.#remotesOf.get(endpoint.topic)]) this.#match(local, remote)?.open();
  }

  removeLocal(endpoint: Writer | Reader): void {
    const local = this.#locals.get(endpoint);
    if (local === undefined) return;
    for (const remote of [...this.#remotesOf.get(endpoint.topic)]) this.#unmatch(local, remote);
    this.#locals.delete(endpoint);
    this.#localsOf.delete(endpoint.topic, local);
    this.#matched.delete(endpoint);
  }

  addRemote(data: EndpointData, locator: Locator): void {
    const remote = { data, locator, endpoint: remoteEndpointOf(data) };
    this.#setRemote(remote);
    const proxies = [...this.#localsOf.get(data.topic)].map((local) => this.#match(local, remote));
    if (data.kind !== 'writer') return;
    this.#receiver.replay(
      proxies.filter((proxy) => proxy !== undefined),
      data.guid,
    );
  }

  /** The endpoint has other QoS than before: matches that still hold stay, with what they have exchanged. */
  changeRemote(data: EndpointData, locator: Locator): void {
    const known = this.#remotes.get(data.guid);
    if (known === undefined || !isSameForProtocol(known, { data, locator })) {
      this.removeRemote(data.guid);
      this.addRemote(data, locator);
      return;
    }
    const remote = { data, locator, endpoint: remoteEndpointOf(data) };
    this.#deleteRemote(known);
    this.#setRemote(remote);
    for (const local of [...this.#localsOf.get(data.topic)]) {
      const target = this.#matched.get(local.endpoint)?.get(data.guid);
      const fault = target && faultOf(local, data);
      if (target === undefined) this.#match(local, remote)?.open();
      else if (fault === undefined) this.#setWriter(local, target, data);
      else {
        this.#unmatch(local, remote);
        this.#listener.incompatible({ local: local.endpoint, remote: remote.endpoint }, fault);
      }
    }
  }

  removeRemote(guid: string): void {
    const remote = this.#remotes.get(guid);
    if (remote === undefined) return;
    this.#deleteRemote(remote);
    for (const local of [...this.#localsOf.get(remote.data.topic)]) this.#unmatch(local, remote);
  }

  /** A writer is alive, or is not any more: tells the readers that are matched with it. */
  livelinessChanged(writerGuid: string, alive: boolean): void {
    const remote = this.#remotes.get(writerGuid);
    if (remote === undefined) return;
    for (const local of [...this.#localsOf.get(remote.data.topic)]) {
      const target = this.#matched.get(local.endpoint)?.get(writerGuid);
      if (target === undefined || isWriterSide(local)) continue;
      if (!alive) local.reception.suspendWriter(target);
      this.#listener.livelinessChanged({ local: local.endpoint, remote: remote.endpoint }, alive);
    }
  }

  #setRemote(remote: Remote): void {
    this.#remotes.set(remote.data.guid, remote);
    this.#remotesOf.add(remote.data.topic, remote);
  }

  #deleteRemote(remote: Remote): void {
    this.#remotes.delete(remote.data.guid);
    this.#remotesOf.delete(remote.data.topic, remote);
  }

  /** Returns the proxy of a writer newly matched with a reader of ours, for its exchange to begin. */
  #match(local: Local, remote: Remote): WriterProxy | undefined {
    const { data } = remote;
    if (local.endpoint.kind === data.kind) return undefined;
    const pair = { local: local.endpoint, remote: remote.endpoint };
    const fault = faultOf(local, data);
    if (fault !== undefined) {
      this.#listener.incompatible(pair, fault);
      return undefined;
    }
    const target: WriterTarget = {
      prefix: prefixOf(data.guid),
      entityId: entityIdOf(data.guid),
      locator: remote.locator,
      reliable: data.policies.reliable,
      transientLocal: data.policies.durabilityKind >= DurabilityKind.transientLocal,
    };
    this.#matched.get(local.endpoint)?.set(data.guid, target);
    this.#setWriter(local, target, data);
    let proxy: WriterProxy | undefined;
    if (isWriterSide(local)) local.protocol.matchReader(target);
    else proxy = this.#receiver.connect(local.protocol, target);
    this.#listener.matched(pair);
    return proxy;
  }

  /** What a reader of ours is to know of a matched writer beyond the protocol. */
  #setWriter(local: Local, target: WriterTarget, data: EndpointData): void {
    if (isWriterSide(local)) return;
    local.reception.setWriter(target, data);
    this.#liveliness.watch(data);
  }

  #unmatch(local: Local, { data, endpoint }: Remote): void {
    const matched = this.#matched.get(local.endpoint);
    const target = matched?.get(data.guid);
    if (matched === undefined || target === undefined) return;
    matched.delete(data.guid);
    if (isWriterSide(local)) local.protocol.unmatchReader(data.guid);
    else {
      this.#receiver.disconnect(local.protocol, data.guid);
      local.reception.removeWriter(target);
      const ofTopic = [...this.#localsOf.get(data.topic)];
      if (!ofTopic.some((other) => this.#matched.get(other.endpoint)?.has(data.guid)))
        this.#liveliness.unwatch(data.guid);
    }
    this.#listener.unmatched({ local: local.endpoint, remote: endpoint });
  }
}

function isWriterSide(local: Local): local is LocalWriter {
  return local.endpoint.kind === 'writer';
}

/** What keeps an endpoint of ours from one of the other kind on its topic. */
function faultOf({ endpoint }: Local, { type, policies }: EndpointData): PolicyName | 'type' | undefined {
  if (endpoint.type !== type) return 'type';
  const own = policiesOf(endpoint.kind, endpoint.qos);
  return endpoint.kind === 'writer' ? incompatiblePolicy(own, policies) : incompatiblePolicy(policies, own);
}

/** Whether what DDS lets nobody change is the same, and the place to which its data go. */
function isSameForProtocol(known: Pick<Remote, 'data' | 'locator'>, next: typeof known): boolean {
  return (
    known.locator.key === next.locator.key &&
    known.data.topic === next.data.topic &&
    known.data.type === next.data.type &&
    known.data.policies.reliable === next.data.policies.reliable &&
    known.data.policies.durabilityKind === next.data.policies.durabilityKind
  );
}
