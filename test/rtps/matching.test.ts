import assert from 'node:assert/strict';
import type { EndpointData } from '../../src/rtps/endpoint-data';
import { guidOf, READER_KIND_NO_KEY, WRITER_KIND_NO_KEY } from '../../src/rtps/guid';
import { Matching } from '../../src/rtps/matching';
import { MessageReceiver } from '../../src/rtps/message-receiver';
import { Outbox } from '../../src/rtps/outbox';
import { policiesOf } from '../../src/rtps/qos';
import { Reader } from '../../src/rtps/reader';
import { ReceiveMemory } from '../../src/rtps/receive-memory';
import { Reception } from '../../src/rtps/reception';
import { StatefulReader } from '../../src/rtps/stateful-reader';
import { Statistics } from '../../src/rtps/statistics';
import { WriterLiveliness } from '../../src/rtps/writer-liveliness';
import { BEST_EFFORT, STRING } from './fixture';

const OWN = '01'.repeat(12);
const OTHER = '02'.repeat(12);
const LOCATOR = { address: '127.0.0.1', port: 1, key: '127.0.0.1:1' };
const MANY = 50;

/** Readers of ours, writers of others, and how often any of them was looked at. */
class Matches {
  readonly matched: string[] = [];
  looks = 0;
  readonly #statistics = new Statistics();
  readonly #outbox = new Outbox(OWN, {
    send: () => assert.fail('best-effort readers say nothing'),
    batchBytes: () => 1000,
    messageBytes: () => 1000,
    requestBytes: 1000,
  });
  readonly #matching = new Matching(
    new MessageReceiver(OWN, this.#statistics, new ReceiveMemory(1000), {
      participantData: () => {},
      alive: () => {},
      replaced: () => {},
      writerAsserted: () => {},
      knowsWriter: () => false,
    }),
    new WriterLiveliness({ livelinessChanged: () => {}, lastSeen: () => 0 }),
    {
      matched: ({ local, remote }) => this.matched.push(`${local.topic} ${remote.guid}`),
      unmatched: ({ remote }) => this.matched.push(`not ${remote.guid}`),
      incompatible: () => assert.fail('all suit'),
      livelinessChanged: () => assert.fail('no lease'),
    },
  );

  /** Adds a reader; returns what removes it. */
  read(topic: string, number: number): () => void {
    const entityId = ((number << 8) | READER_KIND_NO_KEY) >>> 0;
    const protocol = new StatefulReader(
      entityId,
      { reliable: false, transientLocal: false },
      this.#outbox,
      this.#statistics,
      () => {},
    );
    const reception = new Reception(policiesOf('reader', BEST_EFFORT), this.#statistics, {
      asserted: () => {},
      deadlineMissed: () => {},
    });
    const options = { topic, type: STRING, qos: BEST_EFFORT };
    const reader = this.#watched(new Reader(guidOf(OWN, entityId), options, protocol, reception, () => {}));
    this.#matching.addLocal({ endpoint: reader, protocol, reception });
    return () => this.#matching.removeLocal(reader);
  }

  /** Adds a writer of others; returns what removes it. */
  write(topic: string, number: number): () => void {
    const guid = this.guid(number);
    const data: EndpointData = this.#watched({
      ...{ guid, kind: 'writer', topic, type: STRING, qos: BEST_EFFORT, userData: undefined, locators: [] },
      policies: policiesOf('writer', BEST_EFFORT),
    });
    this.#matching.addRemote(data, LOCATOR);
    return () => this.#matching.removeRemote(guid);
  }

  guid(number: number): string {
    return guidOf(OTHER, ((number << 8) | WRITER_KIND_NO_KEY) >>> 0);
  }

  #watched<Endpoint extends object>(endpoint: Endpoint): Endpoint {
    return new Proxy(endpoint, {
      get: (target, key) => {
        this.looks++;
        return Reflect.get(target, key);
      },
    });
  }
}

describe('matching', () => {
  /** How often endpoints are looked at when one of each side comes and goes among so many of other topics. */
  const looksAmong = (count: number): number => {
    const matches = new Matches();
    for (let number = 1; number <= count; number++) {
      matches.read(`rt/other${number}`, number);
      matches.write(`rt/other${number}`, number);
    }
    const others = matches.matched.length;
    matches.looks = 0;
    const removeReader = matches.read('rt/own', count + 1);
    const removeWriter = matches.write('rt/own', count + 1);
    removeReader();
    const removeAgain = matches.read('rt/own', count + 2);
    removeWriter();
    removeAgain();
    const guid = matches.guid(count + 1);
    assert.deepEqual(matches.matched.splice(others), [
      `rt/own ${guid}`,
      `not ${guid}`,
      `rt/own ${guid}`,
      `not ${guid}`,
    ]);
    return matches.looks;
  };

  it('looks at the endpoints of its own topic alone', () => {
    const alone = looksAmong(0);
    assert.ok(alone > 0);
    assert.equal(looksAmong(MANY), alone);
  });
});
