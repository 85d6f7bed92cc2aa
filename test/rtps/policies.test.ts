import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { encodeEndpointData } from '../../src/rtps/endpoint-data';
import { EntityId, guidOf } from '../../src/rtps/guid';
import { locatorOf } from '../../src/rtps/locator';
import { MessageWriter } from '../../src/rtps/message-writer';
import type { Participant } from '../../src/rtps/participant';
import { ALL_BUILTIN_ENDPOINTS, encodeParticipantData } from '../../src/rtps/participant-data';
import { metatrafficMulticastPort } from '../../src/rtps/port-mapping';
import type { EndpointQos } from '../../src/rtps/qos';
import {
  Cast,
  encodeString,
  freshDomain,
  freshTopic,
  Inbox,
  RELIABLE,
  STRING,
  TRANSIENT_LOCAL,
} from './fixture';

describe('the policies of participants among themselves', function () {
  this.timeout(60_000);
  const cast = new Cast();
  afterEach(() => cast.leave());

  const participants = async (count: number): Promise<Participant[]> => {
    const domain = freshDomain();
    return Promise.all(Array.from({ length: count }, () => cast.participant({ domain })));
  };

  it('tell writer and reader that a deadline was missed, and how often', async () => {
    const [a, b] = (await participants(2)) as [Participant, Participant];
    const topic = freshTopic();
    const qos = { ...RELIABLE, deadline: 30 };
    const inbox = new Inbox();
    const reader = b.createReader({ topic, type: STRING, qos }, inbox.take);
    const writer = a.createWriter({ topic, type: STRING, qos });
    await Promise.all([once(writer, 'matched'), once(b, 'matched')]);
    const totals = new Map<unknown, number[]>([
      [writer, []],
      [reader, []],
    ]);
    for (const participant of [a, b])
      participant.on('deadline-missed', ({ local, total }) => totals.get(local)?.push(total));
    writer.write(encodeString('the only one'));
    for (const [participant, local] of [
      [a, writer],
      [b, reader],
    ] as const) {
      while ((totals.get(local)?.length ?? 0) < 2) await once(participant, 'deadline-missed');
      assert.deepEqual(totals.get(local)?.slice(0, 2), [1, 2]);
    }
  });

  it('give a late reader only what has not outlived its lifespan', async () => {
    const [a, b] = (await participants(2)) as [Participant, Participant];
    const topic = freshTopic();
    const lifespan = 200;
    const writer = a.createWriter({ topic, type: STRING, qos: { ...TRANSIENT_LOCAL, lifespan } });
    const lasting = a.createWriter({ topic, type: STRING, qos: TRANSIENT_LOCAL });
    for (const one of [writer, lasting]) one.write(encodeString('old'));
    const written = Date.now();
    while (Date.now() <= written + lifespan) await wait(10);
    const inbox = new Inbox();
    b.createReader({ topic, type: STRING, qos: TRANSIENT_LOCAL }, inbox.take);
    await inbox.until(1);
    // On a busy machine a new one may be too late, too.
    let number = 0;
    while (!inbox.texts.some((text) => text.startsWith('new'))) {
      writer.write(encodeString(`new ${++number}`));
      await Promise.race([once(inbox, 'sample'), wait(lifespan)]);
    }
    assert.deepEqual(
      inbox.samples.filter((_, index) => inbox.texts[index] === 'old').map(({ writerGuid }) => writerGuid),
      [lasting.guid],
    );
  });

  it('let only the strongest writer be heard where the topic is owned, until it is gone', async () => {
    const [a, b, c] = (await participants(3)) as [Participant, Participant, Participant];
    const topic = freshTopic();
    const qos: EndpointQos = { ...RELIABLE, ownership: 'exclusive' };
    const inbox = new Inbox();
    const reader = c.createReader({ topic, type: STRING, qos }, inbox.take);
    const weak = a.createWriter({ topic, type: STRING, qos });
    const strong = b.createWriter({ topic, type: STRING, qos: { ...qos, ownershipStrength: 1 } });
    while (reader.matchedCount < 2) await once(c, 'matched');
    for (const writer of [weak, strong]) while (writer.matchedCount < 1) await once(writer, 'matched');
    strong.write(encodeString('strong 1'));
    await inbox.until(1);
    weak.write(encodeString('weak 1'));
    while (c.statistics.samplesNotOwned < 1) await wait(5);
    const unmatched = once(c, 'unmatched');
    strong.close();
    await unmatched;
    weak.write(encodeString('weak 2'));
    await inbox.until(2);
    assert.deepEqual(inbox.texts, ['strong 1', 'weak 2']);
  });
});

describe('an endpoint that changes its QoS', function () {
  this.timeout(60_000);
  const cast = new Cast();
  let socket: Socket;
  beforeEach(async () => {
    socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    socket.setMulticastInterface('127.0.0.1');
    socket.setMulticastTTL(0);
  });
  afterEach(async () => {
    await new Promise<void>((resolve) => socket.close(resolve));
    await cast.leave();
  });

  const PREFIX = '01aa00112233445566778899';

  /** Announces a participant with one writer, and each change of that writer. */
  class Changing {
    readonly #domain: number;
    readonly #topic: string;
    #sequence = 0;

    constructor(domain: number, topic: string) {
      this.#domain = domain;
      this.#topic = topic;
      const locators = [locatorOf('127.0.0.1', socket.address().port)];
      const participant = encodeParticipantData({
        prefix: PREFIX,
        vendorId: 0x01aa,
        domain,
        builtinEndpoints: ALL_BUILTIN_ENDPOINTS,
        leaseDuration: 60_000,
        metatrafficLocators: locators,
        userLocators: locators,
        name: undefined,
        userData: undefined,
      });
      this.#send((message) => message.data(0, EntityId.participantWriter, this.#change(1, participant)));
    }

    announce(qos: Partial<EndpointQos>, userData?: Buffer): void {
      const sequence = ++this.#sequence;
      const endpoint = encodeEndpointData({
        guid: guidOf(PREFIX, 0x103),
        kind: 'writer',
        topic: this.#topic,
        type: STRING,
        qos: { ...RELIABLE, ...qos },
        userData,
      });
      this.#send((message) => {
        message.data(0, EntityId.publicationsWriter, this.#change(sequence, endpoint));
        message.heartbeat(0, EntityId.publicationsWriter, 1, sequence, sequence, false);
      });
    }

    #change(sequence: number, payload: Buffer) {
      const timestamp = { seconds: 1, fraction: 0 };
      return { sequence, timestamp, payload, keyOnly: false, inlineQos: undefined };
    }

    #send(write: (message: MessageWriter) => void): void {
      const message = new MessageWriter(PREFIX, Buffer.alloc(2048));
      write(message);
      socket.send(message.message, metatrafficMulticastPort(this.#domain), '239.255.0.1');
    }
  }

  it('is matched, and is not any more, as its partition says; the match stays when the rest changes', async () => {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const events: string[] = [];
    participant.on('endpoint', ({ userData }) => events.push(`endpoint ${userData ?? ''}`));
    participant.on('endpoint-lost', () => events.push('endpoint-lost'));
    participant.on('matched', () => events.push('matched'));
    participant.on('unmatched', () => events.push('unmatched'));
    participant.on('incompatible', ({ policy }) => events.push(`incompatible ${policy}`));
    participant.createReader({ topic, type: STRING, qos: { ...RELIABLE, partitions: ['robot*'] } }, () => {});
    const writer = new Changing(domain, topic);
    writer.announce({ partitions: ['other'] });
    writer.announce({ partitions: ['robot 1'] });
    writer.announce({ partitions: ['robot 1'] }, Buffer.from('news'));
    writer.announce({ partitions: ['robot 1'], deadline: 1000 });
    writer.announce({ partitions: ['other'] });
    while (!events.includes('unmatched')) await once(participant, 'unmatched');
    while (events.at(-1) !== 'incompatible partition') await once(participant, 'incompatible');
    assert.deepEqual(events, [
      'endpoint ',
      'incompatible partition',
      'endpoint ',
      'matched',
      'endpoint news',
      'endpoint ',
      'endpoint ',
      'unmatched',
      'incompatible partition',
    ]);
  });
});
