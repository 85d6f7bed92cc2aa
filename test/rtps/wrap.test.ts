import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Participant } from '../../src/rtps/participant';
import {
  Cast,
  encodeImage,
  encodeString,
  freshDomain,
  freshTopic,
  IMAGE,
  Inbox,
  numberedTexts,
  RELIABLE,
  STRING,
} from './fixture';
import { random } from './link';
import { ShiftedTransport } from './shifted-transport';

const LOSS = 0.1;

for (const [vendor, name] of [
  ['cyclone', 'Cyclone DDS'],
  ['fast', 'Fast DDS'],
] as const)
  describe(`a participant and ${name}, after billions of samples and requests`, function () {
    this.timeout(60_000);
    const cast = new Cast(vendor);
    const participants: Participant[] = [];
    afterEach(() => Promise.all([cast.leave(), ...participants.splice(0).map((each) => each.close())]));

    /** Its numbers, and those of others, pass this limit soon. */
    async function participantBefore(limit: number, domain: number) {
      const before = limit - 3;
      // A reader of Fast DDS counts from 1 to the first sample that a writer has, which takes minutes there, and a
      // writer of it takes no ACKNACK any more whose count has wrapped.
      const shift = { own: vendor === 'fast' ? 1000 : before, others: before };
      const options = { domain, range: 'localhost', interfaces: ['127.0.0.1'] } as const;
      let transport: ShiftedTransport | undefined;
      const participant = new Participant(options, (...args) => {
        transport = new ShiftedTransport(shift, ...args);
        return transport;
      });
      participants.push(participant);
      await participant.start();
      const next = random(limit);
      const isLost = () => next() < LOSS;
      /** Of what is sent and received from now on a part is lost, so that each kind of request is made. */
      const beginLoss = () => {
        Object.assign(transport as ShiftedTransport, { loss: isLost, weather: () => (isLost() ? [] : [0]) });
      };
      return { participant, beginLoss };
    }

    for (const [title, limit] of [
      ['the sign bit of a word', 2 ** 31],
      ['the end of a word', 2 ** 32],
    ] as const) {
      it(`lose nothing where the numbers pass ${title}, of texts`, async function () {
        const domain = freshDomain();
        const [topic, echoTopic] = [freshTopic(), freshTopic()];
        const { participant, beginLoss } = await participantBefore(limit, domain);
        const inbox = new Inbox();
        participant.createReader({ topic, type: STRING, qos: RELIABLE }, inbox.take);
        const writer = participant.createWriter({ topic: echoTopic, type: STRING, qos: RELIABLE });
        const args = { domain, count: 100, depth: 1000 };
        cast.peer(this, 'pub', { args: { ...args, topic, rate: 200, idle: 30 } });
        const listener = cast.peer(this, 'sub', { args: { ...args, topic: echoTopic } });
        await listener.until((peer) => peer.matched === 1);
        while (writer.matchedCount === 0) await once(writer, 'matched');
        beginLoss();
        for (const text of numberedTexts(100)) {
          writer.write(encodeString(text));
          await new Promise(setImmediate);
        }
        assert.equal(await listener.exited(), 0);
        assert.deepEqual(
          listener.messages,
          numberedTexts(100).map((data) => ({ data })),
        );
        await inbox.until(100);
        assert.deepEqual(inbox.texts, numberedTexts(100));
        assert.deepEqual([inbox.samples[0]?.sequence, inbox.samples[99]?.sequence], [limit - 2, limit + 97]);
        assert.equal(participant.statistics.samplesLost, 0);
      });

      it(`lose nothing where the numbers pass ${title}, of images`, async function () {
        const domain = freshDomain();
        const [topic, echoTopic] = [freshTopic(), freshTopic()];
        const { participant, beginLoss } = await participantBefore(limit, domain);
        const inbox = new Inbox();
        participant.createReader({ topic, type: IMAGE, qos: RELIABLE }, inbox.take);
        const writer = participant.createWriter({ topic: echoTopic, type: IMAGE, qos: RELIABLE });
        const args = { domain, type: 'image', count: 5, depth: 0 };
        const size = 300_000;
        cast.peer(this, 'pub', { args: { ...args, topic, size, rate: 100, idle: 30 } });
        const listener = cast.peer(this, 'sub', { args: { ...args, topic: echoTopic } });
        await listener.until((peer) => peer.matched === 1);
        while (writer.matchedCount === 0) await once(writer, 'matched');
        beginLoss();
        for (let number = 1; number <= 5; number++) writer.write(encodeImage(number, size));
        assert.equal(await listener.exited(), 0);
        assert.deepEqual(
          listener.messages.map((message) => (message as { data: unknown }).data),
          Array(5).fill({ bytes: size, intact: true }),
        );
        await inbox.until(5);
        for (const [index, { payload }] of inbox.samples.entries())
          assert.ok(payload.subarray(4).equals(encodeImage(index + 1, size).subarray(4)), `image ${index}`);
        assert.equal(participant.statistics.samplesLost, 0);
      });
    }
  });
