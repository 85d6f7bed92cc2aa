import type { EndpointData } from './endpoint-data';
import { entityIdOf, prefixOf } from './guid';
import type { Locator } from './locator';
import type { MessageReceiver } from './message-receiver';
import { DurabilityKind, incompatiblePolicy, policiesOf } from './qos';
import type { Reader } from './reader';
import { type RemoteEndpoint, remoteEndpointOf } from './remote-endpoint';
import type { StatefulReader } from './stateful-reader';
import type { StatefulWriter } from './stateful-writer';
import type { Writer } from './writer';
import type { WriterProxy, WriterTarget } from './writer-proxy';

/** An endpoint of ours and one of another participant. */
export interface EndpointPair {
  readonly local: Writer | Reader;
  readonly remote: RemoteEndpoint;
}

export interface MatchingListener {
  matched(pair: EndpointPair): void;
  unmatched(pair: EndpointPair): void;
  incompatible(pair: EndpointPair, policy: string): void;
}

/** A discovered endpoint and where its data go. */
interface Remote {
  readonly data: EndpointData;
  readonly locator: Locator;
  readonly endpoint: RemoteEndpoint;
}

type Local =
  | { readonly endpoint: Writer; readonly protocol: StatefulWriter }
  | { readonly endpoint: Reader; readonly protocol: StatefulReader };

/** Pairs our writers and readers with discovered readers and writers: same topic and type, and a QoS that suits. */
export class Matching {
  readonly #receiver: MessageReceiver;
  readonly #listener: MatchingListener;
  readonly #locals = new Map<Writer | Reader, Local>();
  readonly #remotes = new Map<string, Remote>();
  readonly #matched = new Map<Writer | Reader, Set<Remote>>();

  constructor(receiver: MessageReceiver, listener: MatchingListener) {
    this.#receiver = receiver;
    this.#listener = listener;
  }

  addLocal(local: Local): void {
    this.#locals.set(local.endpoint, local);
    this.#matched.set(local.endpoint, new Set());
    for (const remote of this.#remotes.values()) this.#match(local, remote)?.open();
  }

  removeLocal(endpoint: Writer | Reader): void {
    const local = this.#locals.get(endpoint);
    if (local === undefined) return;
    for (const remote of this.#remotes.values()) this.#unmatch(local, remote);
    this.#locals.delete(endpoint);
    this.#matched.delete(endpoint);
  }

  addRemote(data: EndpointData, locator: Locator): void {
    const remote = { data, locator, endpoint: remoteEndpointOf(data) };
    this.#remotes.set(data.guid, remote);
    const proxies = [...this.#locals.values()].map((local) => this.#match(local, remote));
    if (data.kind !== 'writer') return;
    this.#receiver.replay(
      proxies.filter((proxy) => proxy !== undefined),
      data.guid,
    );
  }

  removeRemote(guid: string): void {
    const remote = this.#remotes.get(guid);
    if (remote === undefined) return;
    this.#remotes.delete(guid);
    for (const local of [...this.#locals.values()]) this.#unmatch(local, remote);
  }

  /** Returns the proxy of a writer newly matched with a reader of ours, for its exchange to begin. */
  #match(local: Local, remote: Remote): WriterProxy | undefined {
    const { data } = remote;
    if (local.endpoint.kind === data.kind || local.endpoint.topic !== data.topic) return undefined;
    const pair = { local: local.endpoint, remote: remote.endpoint };
    const own = policiesOf(local.endpoint.qos);
    const policy =
      local.endpoint.type === data.type
        ? local.endpoint.kind === 'writer'
          ? incompatiblePolicy(own, data.policies)
          : incompatiblePolicy(data.policies, own)
        : 'type';
    if (policy !== undefined) {
      this.#listener.incompatible(pair, policy);
      return undefined;
    }
    const target: WriterTarget = {
      prefix: prefixOf(data.guid),
      entityId: entityIdOf(data.guid),
      locator: remote.locator,
      reliable: data.policies.reliable,
      transientLocal: data.policies.durabilityKind >= DurabilityKind.transientLocal,
    };
    this.#matched.get(local.endpoint)?.add(remote);
    let proxy: WriterProxy | undefined;
    if (isWriterSide(local)) local.protocol.matchReader(target);
    else proxy = this.#receiver.connect(local.protocol, target);
    this.#listener.matched(pair);
    return proxy;
  }

  #unmatch(local: Local, remote: Remote): void {
    if (this.#matched.get(local.endpoint)?.delete(remote) !== true) return;
    if (isWriterSide(local)) local.protocol.unmatchReader(remote.data.guid);
    else this.#receiver.disconnect(local.protocol, remote.data.guid);
    this.#listener.unmatched({ local: local.endpoint, remote: remote.endpoint });
  }
}

function isWriterSide(local: Local): local is Extract<Local, { endpoint: Writer }> {
  return local.endpoint.kind === 'writer';
}
