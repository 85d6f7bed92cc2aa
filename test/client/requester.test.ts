import assert from 'node:assert/strict';
import { Connection, type ReceivedMessage } from '../../src/client/connection';
import { Requester, replyTopicOf } from '../../src/client/requester';
import { Mosquitto } from './mosquitto';
import { connected, Inbox, settingsFor } from './observed';

describe('requests and their replies', function () {
  this.timeout(60_000);
  let broker: Mosquitto;
  let asking: Connection;
  let answering: Connection;
  let requester: Requester;

  const open = async (version: 4 | 5) => {
    [asking, answering] = [
      new Connection(settingsFor(broker.url, version)),
      new Connection(settingsFor(broker.url, version)),
    ];
    for (const connection of [asking, answering]) {
      connection.open();
      await connected(connection);
    }
    requester = new Requester(asking, 'replies');
  };
  const options = { qos: 1, retain: false } as const;
  const reply = async ({ topic, properties }: ReceivedMessage, payload: string, keepData = true) => {
    const data = keepData ? properties?.correlationData : undefined;
    const to = properties?.responseTopic ?? replyTopicOf(topic);
    assert.ok(to);
    await answering.publish(to, payload, {
      ...options,
      ...(data && { properties: { correlationData: data } }),
    });
  };

  beforeEach(async function () {
    broker = await Mosquitto.start(this);
  });

  afterEach(async () => {
    requester?.close();
    await asking?.close();
    await answering?.close();
    await broker?.stop();
  });

  for (const version of [4, 5] as const) {
    it(`matches many that are answered in any order, each once, over one subscription: protocol level ${version}`, async () => {
      await open(version);
      const asked = await Inbox.on(answering, version === 5 ? 'double' : 'double/@req/+');
      const replies = [1, 2, 3, 4, 5].map((n) => requester.request('double', String(n), options, 10));
      await asked.until(({ messages }) => messages.length === 5);
      const expiry = asked.messages[0]?.properties?.messageExpiryInterval;
      assert.equal(expiry, version === 5 ? 10 : undefined);
      for (const request of [...asked.messages].reverse()) {
        await reply(request, String(Number(request.payload) * 2));
        await reply(request, 'again');
      }
      assert.deepEqual(
        (await Promise.all(replies)).map(({ payload }) => String(payload)),
        ['2', '4', '6', '8', '10'],
      );
      assert.equal(
        broker.log.filter((line) => /repl|@rep/.test(line) && /QoS 2/.test(line)).length <= 2,
        true,
      );
    });
  }

  it('takes the end of a request topic that says so already', async () => {
    await open(4);
    const asked = await Inbox.on(answering, 'add/@req/+');
    const answer = requester.request('add/@req', '1', options, 10);
    await asked.until(({ messages }) => messages.length === 1);
    await reply(asked.messages[0] as ReceivedMessage, 'sum');
    assert.match((await answer).topic, /^add\/@rep\/[^/]+$/);
  });

  it('understands a responder that returns no correlation data, and none that returns wrong data', async () => {
    await open(5);
    const asked = await Inbox.on(answering, 'q');
    const answer = requester.request('q', '', options, 10);
    await asked.until(({ messages }) => messages.length === 1);
    const [request] = asked.messages as [ReceivedMessage];
    const wrong = { ...request.properties, correlationData: Buffer.from('of another') };
    await reply({ ...request, properties: wrong }, 'wrong');
    await reply(request, 'right', false);
    assert.equal(String((await answer).payload), 'right');
  });

  it('says that nobody replied, what closes meanwhile, and what cannot be published', async () => {
    await open(5);
    await assert.rejects(requester.request('nobody', 'x', options, 0.05), {
      name: 'RequestError',
      message: 'no reply to the request on "nobody": none within 0.05 s',
    });
    await assert.rejects(requester.request('a/+', 'x', options, 10), /contains a wildcard/);
    const closing = requester.request('nobody', 'x', options, 10);
    requester.close();
    await assert.rejects(closing, /no reply to the request on "nobody": closed/);
  });

  it('refuses more than it can keep', async () => {
    await open(5);
    const waiting = Array.from({ length: 1000 }, () =>
      requester.request('nobody', '', { ...options, qos: 0 }, 60),
    );
    for (const one of waiting) one.catch(() => {});
    await assert.rejects(requester.request('nobody', 'x', options, 10), /1000 others wait for theirs/);
  });

  it('finds the reply topic of a request of MQTT 3.1.1', () => {
    assert.deepEqual(['a/b/@req/1', 'a/@req', '@req/1', 'a/b', 'a/@req/1/2'].map(replyTopicOf), [
      'a/b/@rep/1',
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});
