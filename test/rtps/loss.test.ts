import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { Participant } from '../../src/rtps/participant';
import { Random } from '../random';
import {
  BEST_EFFORT,
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
import { LossyTransport, type Weather } from './lossy-transport';

const fair: Weather = () => [0];

/** Of 100 datagrams 5 are lost, 5 come twice and 10 are overtaken by others. */
function storm(seed: number): Weather {
  const random = new Random(seed);
  return () => {
    const luck = random.below(100);
    if (luck < 5) return [];
    if (luck < 10) return [0, random.below(5)];
    return luck < 20 ? [1 + random.below(5)] : [0];
  };
}

describe('participants on a network that loses, repeats and reorders', function () {
  this.timeout(60_000);
  const participants: Participant[] = [];
  afterEach(() => Promise.all(participants.splice(0).map((participant) => participant.close())));

  async function participant(domain: number, weather: Weather): Promise<Participant> {
    const made = new Participant({ domain, range: 'localhost', interfaces: ['127.0.0.1'] }, (...args) => {
      const transport = new LossyTransport(...args);
      transport.weather = weather;
      return transport;
    });
    participants.push(made);
    await made.start();
    return made;
  }

  /** A matched writer and reader, each of a participant of its own. */
  async function pair(type: string, writerWeather: Weather, readerWeather: Weather, qos = RELIABLE) {
    const domain = freshDomain();
    const topic = freshTopic();
    const [a, b] = [await participant(domain, writerWeather), await participant(domain, readerWeather)];
    const inbox = new Inbox();
    const reader = b.createReader({ topic, type, qos }, inbox.take);
    const writer = a.createWriter({ topic, type, qos });
    while (writer.matchedCount === 0) await once(writer, 'matched');
    while (reader.matchedCount === 0) await once(b, 'matched');
    return { a, b, writer, reader, inbox };
  }

  for (const seed of [1, 2])
    it(`exchange texts at 1 kHz, complete and in order (seed ${seed})`, async () => {
      const { b, writer, inbox } = await pair(STRING, storm(seed), storm(seed + 10));
      for (const [index, text] of numberedTexts(500).entries()) {
        writer.write(encodeString(text));
        if (index % 5 === 4) await setTimeout(5);
      }
      await inbox.until(500);
      assert.deepEqual(inbox.texts, numberedTexts(500));
      assert.equal(b.statistics.samplesLost, 0);
    });

  it('exchange images of a megabyte at 20 Hz, complete and in order', async () => {
    const { b, writer, inbox } = await pair(IMAGE, storm(3), storm(4));
    const images = Array.from({ length: 10 }, (_, index) => encodeImage(index + 1, 1_000_000));
    const given = images.map((image) => Buffer.from(image));
    for (const image of given) {
      writer.write(image, undefined, true);
      await setTimeout(50);
    }
    await inbox.until(images.length);
    for (const [index, { payload }] of inbox.samples.entries())
      assert.ok(payload.equals(images[index] as Buffer), `image ${index}`);
    assert.equal(b.statistics.samplesLost, 0);
    // Their memory is free when nobody can ask for them any more.
    while (given.some(({ length }) => length > 0)) await setTimeout(5);
  });

  it('exchange images whole with a reader that acknowledges them and one that does not', async () => {
    const { b, writer, inbox } = await pair(IMAGE, storm(7), storm(8));
    const fleeting = new Inbox();
    b.createReader({ topic: writer.topic, type: IMAGE, qos: BEST_EFFORT }, fleeting.take);
    while (writer.matchedCount < 2) await once(writer, 'matched');
    const images = Array.from({ length: 40 }, (_, index) => encodeImage(index + 1, 200_000));
    for (const image of images) {
      writer.write(Buffer.from(image), undefined, true);
      await setTimeout(5);
    }
    await inbox.until(images.length);
    for (const [index, { payload }] of inbox.samples.entries())
      assert.ok(payload.equals(images[index] as Buffer), `image ${index}`);
    for (const { payload } of fleeting.samples) assert.ok(images.some((image) => payload.equals(image)));
  });

  it('exchange images whole where nobody acknowledges them, whose memory is free as soon as they are sent', async () => {
    const { writer, inbox } = await pair(IMAGE, fair, fair, BEST_EFFORT);
    const images = Array.from({ length: 10 }, (_, index) => encodeImage(index + 1, 200_000));
    const given = images.map((image) => Buffer.from(image));
    for (const [index, image] of given.entries()) {
      writer.write(image, undefined, true);
      await inbox.until(index + 1);
    }
    for (const [index, { payload }] of inbox.samples.entries())
      assert.ok(payload.equals(images[index] as Buffer), `image ${index}`);
    assert.deepEqual(new Set(given.map(({ length }) => length)), new Set([0]));
  });

  for (const whole of [false, true])
    it(`deliver the last words of a ${whole ? 'participant' : 'writer'} that is closed, though they are lost at first`, async () => {
      let losses = 0;
      const { a, writer, inbox } = await pair(STRING, () => (losses-- > 0 ? [] : [0]), fair);
      writer.write(encodeString('first'));
      await inbox.until(1);
      losses = 1;
      writer.write(encodeString('last'));
      if (whole) await a.close();
      else writer.close();
      await inbox.until(2);
      assert.deepEqual(inbox.texts, ['first', 'last']);
      assert.ok(losses < 0);
    });

  it('deliver without acknowledgement what comes, each sample once and none before an older one', async () => {
    const { writer, inbox } = await pair(STRING, storm(5), storm(6), BEST_EFFORT);
    const texts = numberedTexts(400);
    for (const [index, text] of texts.entries()) {
      writer.write(encodeString(text));
      if (index % 5 === 4) await setTimeout(2);
    }
    // Beyond the delays.
    await setTimeout(20);
    writer.write(encodeString('end'));
    while (inbox.texts.at(-1) !== 'end') {
      await setTimeout(10);
      writer.write(encodeString('end'));
    }
    const heard = inbox.texts.filter((text) => text !== 'end').map((text) => texts.indexOf(text));
    assert.ok(heard.length > 100);
    assert.ok(heard.every((index, at) => at === 0 || index > (heard[at - 1] as number)));
  });

  it('are told of a reader that acknowledges nothing, which takes nothing from another', async () => {
    const domain = freshDomain();
    const topic = freshTopic();
    const a = await participant(domain, () => [0]);
    let mute = false;
    const silent = await participant(domain, () => (mute ? [] : [0]));
    const other = await participant(domain, () => [0]);
    const inbox = new Inbox();
    const silentReader = silent.createReader({ topic, type: STRING, qos: RELIABLE }, () => {});
    const writer = a.createWriter({ topic, type: STRING, qos: { ...RELIABLE, depth: 10 } });
    while (writer.matchedCount < 1) await once(writer, 'matched');
    writer.write(encodeString('to make sure that they know each other'));
    while (writer.unacknowledged > 0) await setTimeout(5);
    mute = true;
    other.createReader({ topic, type: STRING, qos: RELIABLE }, inbox.take);
    while (writer.matchedCount < 2) await once(writer, 'matched');
    const behind = once(a, 'behind');
    for (const [index, text] of numberedTexts(100).entries()) {
      writer.write(encodeString(text));
      await inbox.until(index + 1);
    }
    const [{ local, remote }] = await behind;
    assert.equal(local, writer);
    assert.equal(remote.guid, silentReader.guid);
    assert.deepEqual(inbox.texts, numberedTexts(100));
    assert.ok(a.statistics.samplesUnacknowledged >= 90);
  });
});
