import assert from 'node:assert/strict';
import { once } from 'node:events';
import { encodeAnnotation } from '../../src/rtps/annotation';
import { SubmessageId } from '../../src/rtps/submessage';
import { hearsAll, matched, withEachVendor } from './each-vendor';
import {
  BEST_EFFORT,
  decodeString,
  encodeImage,
  encodeString,
  freshDomain,
  freshTopic,
  IMAGE,
  Inbox,
  numberedTexts,
  RELIABLE,
  STRING,
  TRANSIENT_LOCAL,
} from './fixture';
import { LossyTransport } from './lossy-transport';
import { userSubmessages } from './submessages';

/** Of an image that a listener printed, its number and what it says of the data. */
function heard(message: unknown): unknown {
  const { header, data } = message as { header: { stamp: { sec: number } }; data: unknown };
  return { number: header.stamp.sec, data };
}

const intactImage = (number: number) => ({ number, data: { bytes: 1_000_000, intact: true } });

withEachVendor('samples between a participant', (cast, vendor) => {
  for (const profile of ['loopback', 'loopback-unicast'] as const) {
    for (const [name, rel, qos] of [
      ['reliable', 'r', RELIABLE],
      ['best-effort', 'b', BEST_EFFORT],
    ] as const) {
      it(`hears a ${name} talker (${profile})`, async function () {
        const domain = freshDomain();
        const topic = freshTopic();
        const participant = await cast.participant({ domain });
        const inbox = new Inbox();
        participant.createReader({ topic, type: STRING, qos }, inbox.take);
        const talker = cast.peer(this, 'pub', {
          profile,
          args: { domain, topic, rel, count: 50, rate: 200, depth: 50, idle: 0 },
        });
        await inbox.until(50);
        assert.deepEqual(inbox.texts, numberedTexts(50));
        assert.deepEqual(
          inbox.samples.map(({ sequence }) => sequence),
          numberedTexts(50).map((_, index) => index + 1),
        );
        assert.equal(await talker.exited(), 0);
      });

      it(`talks to a ${name} listener (${profile})`, async function () {
        const domain = freshDomain();
        const topic = freshTopic();
        const participant = await cast.participant({ domain });
        const writer = participant.createWriter({ topic, type: STRING, qos });
        const listener = cast.peer(this, 'sub', {
          profile,
          args: { domain, topic, rel, count: 50, depth: 100 },
        });
        await matched(writer, listener);
        await hearsAll(listener, writer, 50);
      });
    }
  }

  for (let round = 1; round <= 3; round++)
    it(`is heard from its match on, though the listener may not know it yet (round ${round})`, async function () {
      const domain = freshDomain();
      const topic = freshTopic();
      const listener = cast.peer(this, 'sub', { args: { domain, topic, count: 50, depth: 100 } });
      const participant = await cast.participant({ domain });
      const writer = participant.createWriter({ topic, type: STRING, qos: RELIABLE });
      await once(writer, 'matched');
      await hearsAll(listener, writer, 50);
    });

  it('is heard from its match on, though what answers the first word of the listener is lost', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    let isAsked = false;
    let isAnswered = false;
    const participant = await cast.participant({ domain }, (options, { datagram, warning }, statistics) => {
      const has = (message: Buffer, wanted: number) =>
        [...userSubmessages(message)].some(({ id }) => id === wanted);
      const take = (message: Buffer) => {
        isAsked ||= has(message, SubmessageId.ackNack);
        return datagram(message);
      };
      const transport = new LossyTransport(options, { datagram: take, warning }, statistics);
      transport.weather = (message) => {
        if (isAnswered || !has(message, SubmessageId.heartbeat)) return [0];
        isAnswered = isAsked;
        return [];
      };
      return transport;
    });
    const writer = participant.createWriter({ topic, type: STRING, qos: RELIABLE });
    const listener = cast.peer(this, 'sub', { args: { domain, topic, count: 50, depth: 100 } });
    await once(writer, 'matched');
    await hearsAll(listener, writer, 50);
  });

  it('gives the time at which a sample was written', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const inbox = new Inbox();
    participant.createReader({ topic, type: STRING, qos: RELIABLE }, inbox.take);
    const before = BigInt(Date.now() - 1) * 1_000_000n;
    cast.peer(this, 'pub', { args: { domain, topic, count: 1 } });
    const [sample] = await inbox.until(1);
    const after = BigInt(Date.now() + 1) * 1_000_000n;
    assert.ok(sample?.sourceTimestamp !== undefined);
    assert.ok(before <= sample.sourceTimestamp && sample.sourceTimestamp <= after);
  });

  it('carries a larger type both ways byte for byte', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const type = 'sensor_msgs::msg::dds_::Imu_';
    const participant = await cast.participant({ domain });
    const inbox = new Inbox();
    participant.createReader({ topic, type, qos: RELIABLE }, inbox.take);
    cast.peer(this, 'pub', { args: { domain, topic, type: 'imu', count: 3, rate: 0 } });
    await inbox.until(3);
    const echoTopic = freshTopic();
    const writer = participant.createWriter({ topic: echoTopic, type, qos: RELIABLE });
    const listener = cast.peer(this, 'sub', { args: { domain, topic: echoTopic, type: 'imu', count: 3 } });
    await matched(writer, listener);
    for (const { payload } of inbox.samples) writer.write(payload);
    assert.equal(await listener.exited(), 0);
    const vector = (z: number) => ({ x: 0, y: 0, z });
    assert.deepEqual(
      listener.messages,
      [1, 2, 3].map((number) => ({
        header: { stamp: { sec: number, nanosec: 500_000_000 }, frame_id: `message ${number}` },
        orientation: { x: 0, y: 0, z: 0, w: 1 },
        orientation_covariance: [-1, 0, 0, 0, 0, 0, 0, 0, 0],
        angular_velocity: vector(number / 16),
        angular_velocity_covariance: [0, 0, 0, 0, 0.25, 0, 0, 0, 0],
        linear_acceleration: vector(9.8125),
        linear_acceleration_covariance: [0, 0, 0, 0, 0, 0, 0, 0, 0.125],
      })),
    );
  });

  it('hears images of a megabyte', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const inbox = new Inbox();
    participant.createReader({ topic, type: IMAGE, qos: RELIABLE }, inbox.take);
    const args = { domain, topic, type: 'image', size: 1_000_000, count: 5, rate: 0, depth: 0, idle: 0 };
    const talker = cast.peer(this, 'pub', { args });
    await inbox.until(5);
    // Behind the encapsulation header, of which each says something else in the options.
    for (const [index, { payload }] of inbox.samples.entries())
      assert.ok(payload.subarray(4).equals(encodeImage(index + 1, 1_000_000).subarray(4)), `image ${index}`);
    assert.equal(await talker.exited(), 0);
  });

  it('talks in images of a megabyte', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const writer = participant.createWriter({ topic, type: IMAGE, qos: RELIABLE });
    const listener = cast.peer(this, 'sub', { args: { domain, topic, type: 'image', count: 5, depth: 10 } });
    await matched(writer, listener);
    for (let number = 1; number <= 5; number++) writer.write(encodeImage(number, 1_000_000));
    assert.equal(await listener.exited(), 0);
    assert.deepEqual(listener.messages.map(heard), [1, 2, 3, 4, 5].map(intactImage));
  });

  for (const [name, rel, qos] of [
    ['reliable', 'r', RELIABLE],
    ['best-effort', 'b', BEST_EFFORT],
  ] as const)
    it(`takes samples with a parameter of ours, whole and in fragments (${name})`, async function () {
      const domain = freshDomain();
      const topics = [freshTopic(), freshTopic()] as const;
      const participant = await cast.participant({ domain });
      const annotated = encodeAnnotation(Buffer.from(`mqtt-ros=${'bridge,'.repeat(70)};`));
      const texts = participant.createWriter({ topic: topics[0], type: STRING, qos });
      const images = participant.createWriter({ topic: topics[1], type: IMAGE, qos });
      const args = { domain, rel, count: 0, idle: 20, timeout: 20 };
      const listener = cast.peer(this, 'sub', { args: { ...args, topic: topics[0] } });
      const viewer = cast.peer(this, 'sub', { args: { ...args, topic: topics[1], type: 'image' } });
      await Promise.all([matched(texts, listener), matched(images, viewer)]);
      for (const text of numberedTexts(10)) texts.write(encodeString(text), annotated);
      await listener.until(({ messages }) => messages.length === 10);
      // A participant that announces other user data stays who it was.
      participant.setUserData(Buffer.from('enclave=/;mqtt-ros=b1;'));
      for (let number = 1; number <= 3; number++) {
        images.write(encodeImage(number, 100_000), annotated);
        await viewer.until(({ messages }) => messages.length === number);
      }
      texts.write(encodeString('last'), annotated);
      await listener.until(({ messages }) => messages.length === 11);
      assert.deepEqual(
        listener.messages,
        [...numberedTexts(10), 'last'].map((data) => ({ data })),
      );
      assert.deepEqual(
        viewer.messages.map(heard),
        [1, 2, 3].map((number) => ({ number, data: { bytes: 100_000, intact: true } })),
      );
    });

  it('is heard to the end of what it said before it left', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const writer = participant.createWriter({ topic, type: IMAGE, qos: RELIABLE });
    const listener = cast.peer(this, 'sub', { args: { domain, topic, type: 'image', count: 1, depth: 10 } });
    await matched(writer, listener);
    writer.write(encodeImage(1, 200_000));
    await participant.close();
    assert.equal(await listener.exited(), 0);
    assert.deepEqual(listener.messages.map(heard), [{ number: 1, data: { bytes: 200_000, intact: true } }]);
  });

  it('repairs the images of a lossy talker, fragment by fragment', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const inbox = new Inbox();
    participant.createReader({ topic, type: IMAGE, qos: RELIABLE }, inbox.take);
    const args = { domain, topic, type: 'image', size: 1_000_000, count: 10, rate: 20, depth: 0 };
    cast.peer(this, 'pub', { loss: 5, args });
    await inbox.until(10);
    for (const [index, { payload }] of inbox.samples.entries())
      assert.ok(payload.subarray(4).equals(encodeImage(index + 1, 1_000_000).subarray(4)), `image ${index}`);
    assert.equal(participant.statistics.samplesLost, 0);
  });

  if (vendor === 'cyclone')
    it('talks in images into the receive buffer of an unconfigured Linux', async function () {
      const domain = freshDomain();
      const topic = freshTopic();
      const participant = await cast.participant({ domain });
      const writer = participant.createWriter({ topic, type: IMAGE, qos: RELIABLE });
      const listener = cast.peer(this, 'sub', {
        receiveBufferBytes: 212_992 / 2,
        args: { domain, topic, type: 'image', count: 10, depth: 20, idle: 20 },
      });
      await matched(writer, listener);
      const numbers = Array.from({ length: 10 }, (_, index) => index + 1);
      for (const number of numbers) writer.write(encodeImage(number, 1_000_000));
      assert.equal(await listener.exited(), 0);
      assert.deepEqual(listener.messages.map(heard), numbers.map(intactImage));
    });

  it('hears and talks in images without acknowledgement', async function () {
    const domain = freshDomain();
    const [topic, echoTopic] = [freshTopic(), freshTopic()];
    const participant = await cast.participant({ domain });
    const inbox = new Inbox();
    participant.createReader({ topic, type: IMAGE, qos: BEST_EFFORT }, inbox.take);
    const args = { domain, type: 'image', rel: 'b' };
    cast.peer(this, 'pub', { args: { ...args, topic, size: 200_000, count: 0, rate: 20 } });
    const writer = participant.createWriter({ topic: echoTopic, type: IMAGE, qos: BEST_EFFORT });
    const listener = cast.peer(this, 'sub', { args: { ...args, topic: echoTopic, count: 3, idle: 20 } });
    await matched(writer, listener);
    // An image may be lost on its way.
    const talking = setInterval(() => writer.write(encodeImage(1, 1_000_000)), 50);
    assert.equal(await listener.exited(), 0);
    clearInterval(talking);
    assert.deepEqual(listener.messages.map(heard), [1, 1, 1].map(intactImage));
    await inbox.until(3);
    for (const { payload } of inbox.samples) {
      const number = payload.readUInt32LE(4);
      assert.ok(payload.subarray(4).equals(encodeImage(number, 200_000).subarray(4)), `image ${number}`);
    }
  });

  if (vendor === 'cyclone')
    it('matches peers that announce no type information, as ROS 2 up to Humble', async function () {
      const domain = freshDomain();
      const [topic, echoTopic] = [freshTopic(), freshTopic()];
      const participant = await cast.participant({ domain });
      const inbox = new Inbox();
      participant.createReader({ topic, type: STRING, qos: RELIABLE }, inbox.take);
      const writer = participant.createWriter({ topic: echoTopic, type: STRING, qos: RELIABLE });
      cast.peer(this, 'pub', { typeInformation: false, args: { domain, topic, count: 3 } });
      const listener = cast.peer(this, 'sub', {
        typeInformation: false,
        args: { domain, topic: echoTopic, count: 1 },
      });
      await inbox.until(3);
      assert.deepEqual(inbox.texts, numberedTexts(3));
      await matched(writer, listener);
      writer.write(encodeString('hello'));
      assert.equal(await listener.exited(), 0);
      assert.deepEqual(listener.messages, [{ data: 'hello' }]);
    });

  it('gives a late transient-local listener the history, and a volatile one nothing of it', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const writer = participant.createWriter({ topic, type: STRING, qos: { ...TRANSIENT_LOCAL, depth: 3 } });
    for (const text of numberedTexts(5)) writer.write(encodeString(text));
    const late = cast.peer(this, 'sub', { args: { domain, topic, dur: 't', count: 4 } });
    const volatile = cast.peer(this, 'sub', { args: { domain, topic, count: 1 } });
    await Promise.all([late, volatile].map((peer) => peer.until(({ matched }) => matched === 1)));
    while (writer.matchedCount < 2) await once(writer, 'matched');
    await late.until(({ messages }) => messages.length === 3);
    writer.write(encodeString('message 6'));
    assert.equal(await late.exited(), 0);
    assert.equal(await volatile.exited(), 0);
    assert.deepEqual(
      late.messages,
      numberedTexts(6)
        .slice(2)
        .map((data) => ({ data })),
    );
    assert.deepEqual(volatile.messages, [{ data: 'message 6' }]);
  });

  it('receives the history of a transient-local talker', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    cast.peer(this, 'pub', {
      args: { domain, topic, dur: 't', count: 5, rate: 0, depth: 10, match: 0, idle: 30 },
    });
    const participant = await cast.participant({ domain });
    const inbox = new Inbox();
    participant.createReader({ topic, type: STRING, qos: TRANSIENT_LOCAL }, inbox.take);
    await inbox.until(5);
    assert.deepEqual(inbox.texts, numberedTexts(5));
  });

  it('repairs what a lossy talker loses, in order', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const inbox = new Inbox();
    participant.createReader({ topic, type: STRING, qos: RELIABLE }, inbox.take);
    // Of data, heartbeats and discovery.
    cast.peer(this, 'pub', { loss: 20, args: { domain, topic, count: 1000, rate: 1000, depth: 1000 } });
    await inbox.until(1000);
    assert.deepEqual(inbox.texts, numberedTexts(1000));
    assert.equal(participant.statistics.samplesLost, 0);
  });

  it('serves a listener whose acknowledgements are lost, without a gap', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const writer = participant.createWriter({ topic, type: STRING, qos: RELIABLE });
    const listener = cast.peer(this, 'sub', {
      loss: 20,
      args: { domain, topic, count: 300, depth: 1000 },
    });
    await matched(writer, listener);
    await hearsAll(listener, writer, 300);
  });

  it('exchanges with many talkers at once', async function () {
    const domain = freshDomain();
    const topic = freshTopic();
    const participant = await cast.participant({ domain });
    const inbox = new Inbox();
    participant.createReader({ topic, type: STRING, qos: RELIABLE }, inbox.take);
    const talkers = Array.from({ length: 20 }, (_, index) => `talker ${index} `);
    for (const text of talkers)
      cast.peer(this, 'pub', { args: { domain, topic, text, count: 20, rate: 100, depth: 20, idle: 0 } });
    await inbox.until(400);
    for (const text of talkers) {
      const heard = inbox.samples
        .map(({ payload }) => decodeString(payload))
        .filter((data) => data.startsWith(text));
      assert.deepEqual(
        heard,
        numberedTexts(20).map((message) => message.replace('message ', text)),
      );
    }
  });
});
