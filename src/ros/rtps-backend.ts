import { setTimeout as wait } from 'node:timers/promises';
import { encodeAnnotation } from '../rtps/annotation';
import type { EndpointListener } from '../rtps/local-endpoints';
import type { EndpointPair } from '../rtps/matching';
import type { Reader, Sample } from '../rtps/reader';
import type { EndpointOptions, Writer } from '../rtps/writer';
import { encodeUserData, typeHashIn } from './endpoint-user-data';
import { ddsTopicName, ddsTypeName } from './names';
import type {
  RosBackend,
  RosDomain,
  RosDomainOptions,
  RosEndpoint,
  RosEndpointOptions,
  RosNode,
  RosPublisher,
  RosSample,
  RosServiceClient,
  RosServiceEndpoint,
  RosServiceHandler,
  RosServiceOptions,
  RosServiceServer,
  RosSubscription,
} from './ros-backend';
import type { LocalNode } from './ros-graph';
import { RtpsServiceClient } from './rtps-service-client';
import { RtpsServiceServer } from './rtps-service-server';
import { BRIDGE } from './service-dialect';
import { fullName, rosEndpoint, SharedParticipant } from './shared-participant';
import { decodeBridgeIds, encodeBridgeIds, type Via } from './via';

/**
 * Reaches ROS 2 through our own RTPS participants: one per domain and way of reaching others, which the bridges of
 * the runtime share and the last user closes.
 */
export class RtpsBackend implements RosBackend {
  readonly name = 'rtps';
  readonly capabilities = { writerGuid: true, sequence: true, sourceTimestamp: true };
  readonly #participants = new Map<string, SharedParticipant>();

  async openDomain(options: RosDomainOptions): Promise<RosDomain> {
    const { nodeName, bridgeId, ...place } = options;
    const { domain, range, interfaces, peers, advertisedAddress, maxSampleBytes } = place;
    const key = JSON.stringify([domain, range, interfaces, peers, advertisedAddress, maxSampleBytes]);
    let shared = this.#participants.get(key);
    if (shared === undefined) {
      shared = new SharedParticipant(options);
      this.#participants.set(key, shared);
    }
    shared.join(bridgeId);
    const leave = async () => {
      if (shared.leave(bridgeId) > 0) return;
      this.#participants.delete(key);
      await shared.close();
    };
    try {
      await shared.started();
    } catch (error) {
      await leave();
      throw error;
    }
    return new RtpsDomain(domain, bridgeId, shared, shared.graph.createNode('/', nodeName), leave);
  }
}

/** How long readers may take to acknowledge what was written last, in ms, and how often they are looked at. */
const PATIENCE = 500;
const POLL = 5;

/** The samples that a transient-local writer keeps, for readers of its own participant. */
class LocalHistory {
  readonly #writer: Writer;
  readonly #samples: Array<RosSample & { sequence: number }> = [];

  constructor(writer: Writer) {
    this.#writer = writer;
  }

  add(sample: RosSample & { sequence: number }): void {
    if (this.#writer.qos.durability !== 'transient-local') return;
    this.#samples.push(sample);
    this.kept();
  }

  kept(): readonly RosSample[] {
    const gone = this.#samples.findIndex(({ sequence }) => sequence >= this.#writer.firstKept);
    this.#samples.splice(0, gone < 0 ? this.#samples.length : gone);
    return this.#samples;
  }
}

class RtpsDomain implements RosDomain {
  readonly domain: number;
  readonly bridgeId: string;
  readonly #shared: SharedParticipant;
  readonly #node: LocalNode;
  readonly #leave: () => Promise<void>;
  readonly #closers = new Set<() => void>();
  readonly #writers = new Set<Writer>();
  #left: Promise<void> | undefined;

  constructor(
    domain: number,
    bridgeId: string,
    shared: SharedParticipant,
    node: LocalNode,
    leave: () => Promise<void>,
  ) {
    this.domain = domain;
    this.bridgeId = bridgeId;
    this.#shared = shared;
    this.#node = node;
    this.#leave = leave;
  }

  get participants(): number {
    return this.#shared.participant.participants.length;
  }

  bridges(): ReadonlySet<string> {
    const others = new Set(this.#shared.bridges);
    others.delete(this.bridgeId);
    return others;
  }

  bridgesOf(endpointGuid: string): readonly string[] {
    return this.#shared.bridgesOf(endpointGuid);
  }

  *endpoints(rosName?: string): Iterable<RosEndpoint> {
    yield* this.#shared.endpoints.of(rosName);
    if (this.#shared.isShared) yield* this.#shared.neighbours.endpoints(this, rosName);
  }

  *services(rosName?: string): Iterable<RosServiceEndpoint> {
    yield* this.#shared.services.of(rosName);
    if (this.#shared.isShared) yield* this.#shared.neighbours.services(this, rosName);
  }

  *nodes(): Iterable<RosNode> {
    for (const node of this.#shared.graph.nodes()) {
      yield { name: fullName(node), endpoints: [...node.readers, ...node.writers] };
    }
  }

  onGraphChange(listener: () => void, rosName?: string): () => void {
    return this.#closer(this.#shared.graphListeners.add(listener, rosName));
  }

  onWarning(listener: (warning: string) => void): () => void {
    for (const warning of this.#shared.warnings) listener(warning);
    const { warningListeners } = this.#shared;
    warningListeners.add(listener);
    return this.#closer(() => warningListeners.delete(listener));
  }

  createPublisher(options: RosEndpointOptions): RosPublisher {
    const { participant } = this.#shared;
    const [writer, closeWriter] = this.#create(options, (dds, listener) =>
      participant.createWriter(dds, listener),
    );
    this.#writers.add(writer);
    const history = new LocalHistory(writer);
    const local = this.#shared.neighbours.addPublisher(this, writer, options, () => history.kept());
    const close = this.#closer(() => {
      this.#writers.delete(writer);
      local.close();
      closeWriter();
    });
    // Most of what is published has come the same way.
    let last: { via: Via; annotation: Buffer } | undefined;
    const publish = (cdr: Buffer, via: Via, ownsMemory = false) => {
      if (last?.via !== via) last = { via, annotation: encodeAnnotation(encodeBridgeIds(via)) };
      // Users of the same participant have the very buffer.
      const isSole = ownsMemory && !this.#shared.isShared && writer.qos.durability === 'volatile';
      const sequence = writer.write(cdr, last.annotation, isSole);
      const sample = { payload: cdr, writerGuid: writer.guid, sequence, sourceTimestamp: now(), via };
      history.add(sample);
      local.deliver(sample);
    };
    return { publish, close, forget: () => writer.forget() };
  }

  createSubscription(options: RosEndpointOptions, onSample: (sample: RosSample) => void): RosSubscription {
    const { participant, neighbours } = this.#shared;
    const [reader, close] = this.#create(options, (dds, listener) =>
      participant.createReader(dds, (sample) => onSample(rosSample(sample)), listener),
    );
    const leave = neighbours.addSubscription(this, reader, options, onSample);
    return {
      close: this.#closer(() => {
        leave();
        close();
      }),
    };
  }

  createServiceClient(options: RosServiceOptions, onServersChange?: () => void): RosServiceClient {
    const { participant } = this.#shared;
    const localServers = () => this.#shared.serversFor(this, options).map(({ handler }) => handler);
    const client = new RtpsServiceClient(participant, options, localServers, onServersChange);
    const leave = this.#shared.addServiceClient(options.rosName, client);
    const close = this.#own('client', client, options, leave);
    return {
      get servers() {
        return client.servers;
      },
      call: (request, timeout) => client.call(request, timeout),
      close,
    };
  }

  createServiceServer(options: RosServiceOptions, handler: RosServiceHandler): RosServiceServer {
    const server = new RtpsServiceServer(this.#shared.participant, options, handler);
    const { rosName, type } = options;
    const closing = this.#shared.addServer({ owner: this, rosName, type, handler });
    const close = this.#own('server', server, options, closing);
    const withdraw = () => {
      closing();
      server.withdraw(close);
    };
    return { withdraw, close };
  }

  /** Makes the service's endpoints our node's, and known to the participant's other users. */
  #own(
    kind: RosServiceEndpoint['kind'],
    service: RtpsServiceClient | RtpsServiceServer,
    { rosName, type }: RosServiceOptions,
    closing: () => void,
  ): () => void {
    const { endpoints } = service;
    const [{ guid }] = endpoints;
    for (const endpoint of endpoints) this.#node.add(endpoint);
    const leave = this.#shared.neighbours.addService(this, { guid, kind, rosName, type, vendor: BRIDGE });
    return this.#closer(() => {
      leave();
      closing();
      for (const endpoint of endpoints) this.#node.remove(endpoint);
      service.close();
    });
  }

  delivered(): Promise<void> {
    return acknowledged(this.#writers);
  }

  close(): Promise<void> {
    for (const close of [...this.#closers]) close();
    this.#node.close();
    // Once: another user of the same id may be there still.
    this.#left ??= this.#leave();
    return this.#left;
  }

  /** Makes a writer or reader, and reports with which others it does not match, from the first moment on. */
  #create<Endpoint extends Writer | Reader>(
    { rosName, type, typeHash, qos, onIncompatible, onDeadlineMissed }: RosEndpointOptions,
    make: (dds: EndpointOptions, listener: EndpointListener) => Endpoint,
  ): [Endpoint, () => void] {
    const early: Array<() => void> = [];
    let isMade = false;
    const report = ({ remote, policy }: Pick<EndpointPair, 'remote'> & { policy: string }) => {
      const found = rosEndpoint(remote);
      const tell = () => found && onIncompatible({ remote: found, policy });
      if (isMade) tell();
      else early.push(tell);
    };
    const userData = encodeUserData({ typehash: typeHash });
    const endpoint = make(
      { topic: ddsTopicName(rosName), type: ddsTypeName(type), qos, userData },
      {
        incompatible: report,
        matched: ({ remote }) => {
          const hash = typeHashIn(remote.userData);
          if (hash !== undefined && hash !== typeHash) report({ remote, policy: 'type hash' });
        },
        deadlineMissed: () => onDeadlineMissed?.(),
      },
    );
    this.#node.add(endpoint);
    const close = this.#closer(() => {
      this.#node.remove(endpoint);
      endpoint.close();
    });
    isMade = true;
    for (const tell of early) tell();
    return [endpoint, close];
  }

  /** Runs once: by whoever holds it, or when the domain is closed. */
  #closer(run: () => void): () => void {
    const close = () => {
      if (this.#closers.delete(close)) run();
    };
    this.#closers.add(close);
    return close;
  }
}

async function acknowledged(writers: Iterable<Writer>): Promise<void> {
  const until = performance.now() + PATIENCE;
  const isUnderWay = () => [...writers].some(({ unacknowledged }) => unacknowledged > 0);
  while (isUnderWay() && performance.now() < until) await wait(POLL);
}

function rosSample(sample: Sample): RosSample {
  const via = sample.annotation && decodeBridgeIds(sample.annotation);
  return via === undefined ? sample : { ...sample, via };
}

function now(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}
