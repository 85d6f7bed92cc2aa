import { randomBytes } from 'node:crypto';
import { prefixOf } from '../rtps/guid';
import type { Participant } from '../rtps/participant';
import type { Reader, Sample } from '../rtps/reader';
import { encodeRelatedSample } from '../rtps/sample-identity';
import type { Writer } from '../rtps/writer';
import { encodeUserData } from './endpoint-user-data';
import { ddsServiceTopics, ddsTypeName } from './names';
import type { RosServiceClient, RosServiceHandler, RosServiceOptions } from './ros-backend';
import { SERVICE_QOS, ServiceError } from './ros-service';
import { dialectFor, type ServiceDialect, splitRequestHeader, withRequestHeader } from './service-dialect';
import { TrackedEndpoint } from './tracked-endpoint';

/** Calls that may wait at the same time. */
const MAX_CALLS = 1000;

interface Call {
  readonly request: Buffer;
  readonly timer: NodeJS.Timeout;
  /** Where it is, once it is sent. */
  sentTo: 'network' | RosServiceHandler | undefined;
  /** By which its reply is known, once it is on the network. */
  key: string | undefined;
  settle(outcome: Buffer | ServiceError): void;
}

/**
 * Calls a service of ROS 2. A request goes out once a server is known whose both ends have matched ours: what is sent
 * before would be lost, as services keep nothing for those who come late.
 */
export class RtpsServiceClient implements RosServiceClient {
  readonly #participant: Participant;
  readonly #rosName: string;
  readonly #localServers: () => readonly RosServiceHandler[];
  readonly #onServersChange: () => void;
  readonly #requests: TrackedEndpoint<Writer>;
  readonly #replies: TrackedEndpoint<Reader>;
  /** Our name in the dialect `header`. */
  readonly #clientId = randomBytes(8).readBigUInt64LE();
  /** The number of the last request in the dialect `header`. */
  #lastNumber = 0n;
  readonly #calls = new Set<Call>();
  /** Those that are on the network, by their keys. */
  readonly #sent = new Map<string, Call>();
  #closed = false;

  /**
   * @param localServers what other users of the participant serve under that name now, which is called where nobody
   * else serves it; `serversChanged` is to be called when that changes
   */
  constructor(
    participant: Participant,
    { rosName, type, requestHash, responseHash }: RosServiceOptions,
    localServers: () => readonly RosServiceHandler[],
    onServersChange: () => void = () => {},
  ) {
    this.#localServers = localServers;
    this.#onServersChange = onServersChange;
    this.#participant = participant;
    this.#rosName = rosName;
    const topics = ddsServiceTopics(rosName);
    const clientid = randomBytes(16).toString('hex');
    const endpoint = (topic: string, part: string, typehash: string) => ({
      topic,
      type: ddsTypeName(`${type}_${part}`),
      qos: SERVICE_QOS,
      userData: encodeUserData({ typehash, clientid }),
    });
    const changed = () => this.serversChanged();
    this.#replies = new TrackedEndpoint(
      (listener) =>
        participant.createReader(
          endpoint(topics.reply, 'Response', responseHash),
          (sample) => this.#receive(sample),
          listener,
        ),
      changed,
    );
    this.#requests = new TrackedEndpoint(
      (listener) => participant.createWriter(endpoint(topics.request, 'Request', requestHash), listener),
      changed,
    );
  }

  /** What takes or sends the requests, and what the replies. */
  get endpoints(): readonly [Writer | Reader, Writer | Reader] {
    return [this.#requests.endpoint, this.#replies.endpoint];
  }

  get servers(): number {
    return this.#servers.length + this.#localServers().length;
  }

  call(request: Buffer, timeout: number): Promise<Buffer> {
    if (this.#closed) return Promise.reject(this.#error('unavailable', 'the client is closed'));
    if (this.#calls.size >= MAX_CALLS)
      return Promise.reject(this.#error('unavailable', `${MAX_CALLS} calls wait for their replies`));
    return new Promise((resolve, reject) => {
      const call: Call = {
        request,
        timer: setTimeout(() => this.#giveUp(call), timeout),
        sentTo: undefined,
        key: undefined,
        settle: (outcome) => {
          clearTimeout(call.timer);
          this.#calls.delete(call);
          if (call.key !== undefined) this.#sent.delete(call.key);
          if (outcome instanceof ServiceError) reject(outcome);
          else resolve(outcome);
        },
      };
      this.#calls.add(call);
      if (this.servers > 0) this.#send(call);
    });
  }

  close(): void {
    this.#closed = true;
    this.#requests.close();
    this.#replies.close();
    for (const call of [...this.#calls]) call.settle(this.#error('unavailable', 'the client was closed'));
  }

  /** The participants, by their prefixes, that hear our requests and whose replies we hear. */
  get #servers(): string[] {
    const replying = new Set([...this.#replies.matched.keys()].map(prefixOf));
    return [...new Set([...this.#requests.matched.keys()].map(prefixOf))].filter((prefix) =>
      replying.has(prefix),
    );
  }

  #giveUp(call: Call): void {
    if (call.sentTo === undefined) call.settle(this.#error('unavailable', 'no server was found in time'));
    else call.settle(this.#error('timeout', 'the server has not replied in time'));
  }

  #send(call: Call): void {
    const [local] = this.#localServers();
    if (this.#servers.length > 0 || local === undefined) this.#sendOut(call);
    else this.#sendTo(local, call);
  }

  #sendTo(server: RosServiceHandler, call: Call): void {
    call.sentTo = server;
    const serve = async () => {
      // The server has left, or the client was closed.
      if (!this.#calls.has(call)) return;
      let settle = () => {};
      const settled = new Promise<void>((resolve) => {
        settle = resolve;
      });
      try {
        call.settle(await server(call.request, settled));
      } catch {
        // As from the network, no reply says so.
      } finally {
        settle();
      }
    };
    // Not from within the call, as from the network.
    setImmediate(serve);
  }

  #sendOut(call: Call): void {
    const dialects = new Set(this.#servers.map((prefix) => dialectFor(this.#participant, prefix)));
    // A server would take a request in the other dialect for a different one.
    if (dialects.size > 1) {
      const reason = 'it has servers on Cyclone DDS and on another DDS at the same time';
      call.settle(this.#error('unavailable', reason));
      return;
    }
    call.sentTo = 'network';
    call.key = dialects.has('header') ? this.#sendWithHeader(call.request) : this.#sendPlain(call.request);
    this.#sent.set(call.key, call);
  }

  #sendWithHeader(request: Buffer): string {
    const sequence = ++this.#lastNumber;
    this.#requests.endpoint.write(withRequestHeader(request, { client: this.#clientId, sequence }));
    return keyOf('header', sequence);
  }

  #sendPlain(request: Buffer): string {
    const replyTo = { guid: this.#replies.endpoint.guid, sequence: undefined };
    return keyOf('identity', this.#requests.endpoint.write(request, encodeRelatedSample(replyTo)));
  }

  #receive({ payload, writerGuid, related }: Sample): void {
    if (dialectFor(this.#participant, writerGuid) === 'header') {
      const split = splitRequestHeader(payload);
      if (split?.header.client !== this.#clientId) return;
      this.#sent.get(keyOf('header', split.header.sequence))?.settle(split.cdr);
    } else if (related?.sequence !== undefined && this.endpoints.some(({ guid }) => guid === related.guid)) {
      this.#sent.get(keyOf('identity', related.sequence))?.settle(payload);
    }
  }

  serversChanged(): void {
    this.#onServersChange();
    // A server that takes no further requests may still reply to those that it has.
    const isOnNetwork = this.#replies.matched.size > 0;
    const local = this.#localServers();
    for (const call of [...this.#calls]) {
      const { sentTo } = call;
      if (sentTo === undefined) {
        if (this.servers > 0) this.#send(call);
      } else if (sentTo === 'network' ? !isOnNetwork : !local.includes(sentTo))
        call.settle(this.#error('unavailable', 'the server has left before it replied'));
    }
  }

  #error(status: ServiceError['status'], reason: string): ServiceError {
    return new ServiceError(this.#rosName, status, reason);
  }
}

function keyOf(dialect: ServiceDialect, sequence: number | bigint): string {
  return `${dialect} ${sequence}`;
}
