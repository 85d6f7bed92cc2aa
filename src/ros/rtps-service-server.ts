import { randomBytes } from 'node:crypto';
import { entityIdOf, isWriter, prefixOf } from '../rtps/guid';
import type { Participant } from '../rtps/participant';
import type { Reader, Sample } from '../rtps/reader';
import type { RemoteEndpoint } from '../rtps/remote-endpoint';
import { encodeRelatedSample } from '../rtps/sample-identity';
import type { Writer } from '../rtps/writer';
import { encodeUserData, userDataValue } from './endpoint-user-data';
import { ddsServiceTopics, ddsTypeName } from './names';
import type { RosServiceHandler, RosServiceOptions } from './ros-backend';
import { SERVICE_QOS } from './ros-service';
import { dialectFor, splitRequestHeader, withRequestHeader } from './service-dialect';
import { TrackedEndpoint } from './tracked-endpoint';

/** Requests that are being answered at the same time; what comes above that gets no reply. */
const MAX_REQUESTS = 1000;
/** How long a reply waits for the client's reader to be found, in ms; rmw_fastrtps waits 100, rmw_cyclonedds 1000. */
const READER_PATIENCE = 1000;

/** Serves a service of ROS 2, to clients in either dialect. */
export class RtpsServiceServer {
  readonly #participant: Participant;
  readonly #handler: RosServiceHandler;
  readonly #requests: TrackedEndpoint<Reader>;
  readonly #replies: TrackedEndpoint<Writer>;
  readonly #waiting = new Set<() => void>();
  #running = 0;
  #onIdle: (() => void) | undefined;
  #closed = false;

  constructor(
    participant: Participant,
    { rosName, type, requestHash, responseHash }: RosServiceOptions,
    handler: RosServiceHandler,
  ) {
    this.#participant = participant;
    this.#handler = handler;
    const topics = ddsServiceTopics(rosName);
    const serviceid = randomBytes(16).toString('hex');
    const endpoint = (topic: string, part: string, typehash: string) => ({
      topic,
      type: ddsTypeName(`${type}_${part}`),
      qos: SERVICE_QOS,
      userData: encodeUserData({ typehash, serviceid }),
    });
    this.#replies = new TrackedEndpoint(
      (listener) => participant.createWriter(endpoint(topics.reply, 'Response', responseHash), listener),
      () => this.#wake(),
    );
    this.#requests = new TrackedEndpoint(
      (listener) =>
        participant.createReader(
          endpoint(topics.request, 'Request', requestHash),
          (sample) => void this.#serve(sample),
          listener,
        ),
      () => {},
    );
  }

  /** What takes the requests, and what sends the replies. */
  get endpoints(): readonly [Reader, Writer] {
    return [this.#requests.endpoint, this.#replies.endpoint];
  }

  /** Takes no further requests. @param done called when those under way have their replies */
  withdraw(done: () => void): void {
    this.#requests.close();
    this.#onIdle = done;
    if (this.#running === 0) done();
  }

  close(): void {
    this.#closed = true;
    this.#requests.close();
    this.#replies.close();
    this.#wake();
  }

  async #serve(sample: Sample): Promise<void> {
    const request = this.#understand(sample);
    if (request === undefined || this.#running >= MAX_REQUESTS) return;
    this.#running++;
    // Who asks is forgotten when no further requests are taken.
    const clientid = userDataValue(this.#requests.matched.get(sample.writerGuid)?.userData, 'clientid');
    let settle = () => {};
    const settled = new Promise<void>((resolve) => {
      settle = resolve;
    });
    try {
      const reply = await this.#handler(request.cdr, settled);
      if (await this.#foundReader(sample, clientid)) request.answer(reply);
    } catch {
      // The handler's own concern; a service has no reply that says so.
    } finally {
      this.#running--;
      settle();
      if (this.#running === 0) this.#onIdle?.();
    }
  }

  /** The request itself, and how its reply is sent; `undefined` for what is no request. */
  #understand(sample: Sample): { cdr: Buffer; answer(reply: Buffer): void } | undefined {
    const { payload, writerGuid, sequence, related } = sample;
    const writer = this.#replies.endpoint;
    if (dialectFor(this.#participant, writerGuid) === 'identity') {
      const guid = related?.guid ?? writerGuid;
      return {
        cdr: payload,
        answer: (reply) => writer.write(reply, encodeRelatedSample({ guid, sequence })),
      };
    }
    const split = splitRequestHeader(payload);
    return (
      split && { cdr: split.cdr, answer: (reply) => writer.write(withRequestHeader(reply, split.header)) }
    );
  }

  /** Whether the reader of the client that sent this is matched, or is soon: a reply before that would be lost. */
  async #foundReader(sample: Sample, clientid: string | undefined): Promise<boolean> {
    const patience = performance.now() + READER_PATIENCE;
    while (!this.#closed) {
      for (const reader of this.#replies.matched.values())
        if (isOfClient(reader, sample, clientid)) return true;
      const left = patience - performance.now();
      if (left <= 0) return false;
      await this.#change(left);
    }
    return false;
  }

  #change(timeout: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, timeout);
      this.#waiting.add(done);
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

/** @param clientid what the writer of the request says of the client, where it does */
function isOfClient(
  reader: RemoteEndpoint,
  { writerGuid, related }: Sample,
  clientid: string | undefined,
): boolean {
  if (related !== undefined && !isWriter(entityIdOf(related.guid))) return reader.guid === related.guid;
  if (clientid !== undefined) return userDataValue(reader.userData, 'clientid') === clientid;
  return prefixOf(reader.guid) === prefixOf(writerGuid);
}
