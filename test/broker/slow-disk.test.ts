import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReasonCode } from '../../src/broker/codec/reason-code';
import { JournalStore } from '../../src/broker/store/journal-store';
import type { Store } from '../../src/broker/store/store';
import { BrokerInProcess } from './broker-in-process';
import { lasting, type MqttPeer } from './mqtt-peer';

/** A store of which the test says when it has got how far. */
class HeldStore implements Store {
  readonly #store: JournalStore;
  #durable: number | undefined;
  fault: string | undefined;

  constructor(store: JournalStore) {
    this.#store = store;
  }

  hold(): void {
    this.#durable = this.#store.durable;
  }

  letGo(): void {
    this.#durable = undefined;
  }

  get position(): number {
    return this.#store.position;
  }

  get durable(): number {
    return this.#durable ?? this.#store.durable;
  }

  get full(): boolean {
    return this.fault !== undefined;
  }

  readonly clock = () => this.#store.clock();
  readonly open = (listener: () => void) => this.#store.open(listener);
  readonly close = () => this.#store.close();
  readonly sessions = () => this.#store.sessions();
  readonly retainedMessages = () => this.#store.retainedMessages();
  readonly newSession = (clientId: string, owner: string) => this.#store.newSession(clientId, owner);
  readonly retained = (message: Parameters<Store['retained']>[0]) => this.#store.retained(message);
  readonly retainedRemoved = (topic: string) => this.#store.retainedRemoved(topic);
  readonly commit = () => this.#store.commit();
  readonly tend = () => this.#store.tend();
}

describe('a broker whose disk takes its time', () => {
  let directory: string;
  let broker: BrokerInProcess;
  let held: HeldStore;
  let subscriber: MqttPeer;
  let publisher: MqttPeer;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'slow-disk-'));
    const journal = new JournalStore({ directory, durability: 'write', maximumBytes: 1 << 20 });
    assert.deepEqual(await journal.open(() => broker.storeChanged()), []);
    held = new HeldStore(journal);
    broker = new BrokerInProcess({}, held);
    subscriber = await broker.client(5, lasting);
    await subscriber.subscribe('t', { qos: 2 });
    publisher = await broker.client(5);
  });
  afterEach(async () => {
    await held.close();
    rmSync(directory, { recursive: true });
  });

  /** Asserts that the broker says nothing to this client although it is alive. */
  async function silent(peer: MqttPeer): Promise<void> {
    let said = false;
    const answer = peer.next().then((packet) => {
      said = true;
      return packet;
    });
    const other = await broker.client(5);
    await other.expectNothing();
    assert.equal(said, false);
    held.letGo();
    broker.storeChanged();
    await answer;
  }

  it('acknowledges a QoS 1 message when it is kept, but delivers it before', async () => {
    held.hold();
    publisher.publish('t', 'x', { qos: 1, packetId: 1 });
    await subscriber.expect('publish');
    await silent(publisher);
  });

  it('acknowledges a QoS 2 message when it is kept', async () => {
    held.hold();
    publisher.publish('t', 'x', { qos: 2, packetId: 1 });
    await silent(publisher);
  });

  it('delivers and releases a QoS 2 message when that is kept', async () => {
    held.hold();
    publisher.publish('t', 'x', { qos: 2, packetId: 1 });
    await silent(subscriber);
    held.hold();
    subscriber.acknowledge('pubrec', 1);
    await silent(subscriber);
  });

  it('says that a QoS 2 message is complete when that is kept', async () => {
    const lastingPublisher = await broker.client(5, { ...lasting, clientId: 'publisher' });
    lastingPublisher.publish('t', 'x', { qos: 2, packetId: 1 });
    await lastingPublisher.expect('pubrec');
    held.hold();
    lastingPublisher.acknowledge('pubrel', 1);
    await silent(lastingPublisher);
  });

  it('does not keep those waiting of whom it keeps nothing', async () => {
    held.hold();
    publisher.publish('t', 'x', { qos: 1, packetId: 1 });
    const other = await broker.client(5);
    other.publish('elsewhere', 'x', { qos: 1, packetId: 1 });
    await other.expect('puback');
    await silent(publisher);
  });

  it('ends who waits when the disk fails', async () => {
    const old = await broker.client(4);
    held.hold();
    publisher.publish('t', 'x', { qos: 1, packetId: 1 });
    old.publish('t', 'x', { qos: 1, packetId: 1 });
    await subscriber.expect('publish');
    held.fault = 'no space left';
    broker.storeChanged();
    const { reasonCode, properties } = await publisher.expect('disconnect');
    assert.equal(reasonCode, ReasonCode.quotaExceeded);
    assert.match(properties.reasonString ?? '', /no space left/);
    assert.equal(await old.next(), undefined);
  });
});
