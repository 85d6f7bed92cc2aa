import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { Connection, type Post } from '../../src/client/connection';
import { PublishWriter } from '../../src/client/publish-writer';
import { Mosquitto } from './mosquitto';
import { connected, Inbox, settingsFor } from './observed';

const post = (change: Partial<Post> = {}): Post => ({
  topic: 'posted',
  payload: Buffer.from('payload'),
  retain: false,
  properties: {},
  userProperties: {},
  ...change,
});
/** Around each size at which a length takes another byte, a payload is not copied, or a buffer is full. */
const SIZES = [0, 1, 100, 127, 128, 16_300, 16_383, 16_384, 16_385, 65_536, 2_097_152];

describe('posting', function () {
  this.timeout(60_000);
  let broker: Mosquitto;
  const open: Connection[] = [];

  const connect = async (version: 4 | 5 = 5) => {
    const connection = new Connection(settingsFor(broker.url, version));
    open.push(connection);
    connection.open();
    await connected(connection);
    return connection;
  };

  const start = async (test: Mocha.Context, ...lines: string[]) => {
    broker = await Mosquitto.start(test, ['max_queued_messages 0', ...lines]);
  };

  afterEach(async () => {
    broker?.resume();
    await Promise.all(open.splice(0).map((connection) => connection.close()));
    await broker?.stop();
  });

  for (const version of [4, 5] as const) {
    it(`carries payloads of any size in their order (protocol level ${version})`, async function () {
      await start(this);
      const inbox = await Inbox.on(await connect(version), 'posted', 0);
      const connection = await connect(version);
      const payloads = SIZES.map((size, index) => Buffer.alloc(size, index + 1));
      for (const payload of payloads) assert.equal(connection.post(post({ payload })), 'sent');
      await inbox.until(({ messages }) => messages.length === SIZES.length);
      assert.deepEqual(
        inbox.messages.map(({ payload, qos }) => ({ payload, qos })),
        payloads.map((payload) => ({ payload, qos: 0 })),
      );
    });
  }

  it('carries many messages of one turn, more than a buffer holds', async function () {
    await start(this);
    const inbox = await Inbox.on(await connect(), 'posted', 0);
    const connection = await connect();
    const texts = Array.from({ length: 3000 }, (_, index) => `${index}`.padEnd(50, '.'));
    for (const text of texts) connection.post(post({ payload: Buffer.from(text) }));
    await inbox.until(({ messages }) => messages.length === texts.length);
    assert.deepEqual(
      inbox.messages.map(({ payload }) => String(payload)),
      texts,
    );
  });

  it('carries common properties and those of a message alone', async function () {
    await start(this);
    const inbox = await Inbox.on(await connect(), '#', 0);
    const connection = await connect();
    const properties = {
      payloadFormatIndicator: true,
      messageExpiryInterval: 100,
      contentType: 'text/plain',
      responseTopic: 'answers/ü',
      correlationData: Buffer.from([0, 255]),
      userProperties: { common: 'größer', several: ['one', 'two'] },
    };
    connection.post(post({ properties, userProperties: { own: '1' } }));
    connection.post(post({ properties, userProperties: { own: '€', more: 'x'.repeat(20_000) } }));
    connection.post(post({ properties, topic: 'another/ö' }));
    await inbox.until(({ messages }) => messages.length === 3);
    const expected = (own: Record<string, string>) => ({
      ...properties,
      userProperties: { ...properties.userProperties, ...own },
    });
    const seen = inbox.messages.map(({ topic, properties = {} }) => {
      const { userProperties, ...rest } = properties;
      return { topic, properties: { ...rest, userProperties: { ...userProperties } } };
    });
    assert.deepEqual(seen, [
      { topic: 'posted', properties: expected({ own: '1' }) },
      { topic: 'posted', properties: expected({ own: '€', more: 'x'.repeat(20_000) }) },
      { topic: 'another/ö', properties: expected({}) },
    ]);
  });

  it('may ask for a message to be retained', async function () {
    await start(this);
    const connection = await connect();
    connection.post(post({ topic: 'kept', retain: true }));
    connection.post(post({ topic: 'not-kept' }));
    await connection.ping();
    const inbox = await Inbox.on(await connect(), '#', 0);
    await inbox.until(({ messages }) => messages.length > 0);
    assert.deepEqual(
      inbox.messages.map(({ topic, retain }) => ({ topic, retain })),
      [{ topic: 'kept', retain: true }],
    );
  });

  it('is refused where the topic, a property or the broker forbids it', async function () {
    await start(this, 'retain_available false', 'max_packet_size 1000');
    const inbox = await Inbox.on(await connect(), 'posted', 0);
    const connection = await connect();
    assert.equal(connection.post(post({ topic: 'a/+' })), 'refused');
    assert.equal(connection.post(post({ properties: { messageExpiryInterval: -1 } })), 'refused');
    assert.equal(connection.post(post({ retain: true })), 'refused');
    // Fixed header, topic name, and the length of no properties.
    const most = 1000 - 3 - 8 - 1;
    assert.equal(connection.post(post({ payload: Buffer.alloc(most + 1) })), 'refused');
    assert.equal(connection.post(post({ payload: Buffer.alloc(most) })), 'sent');
    await inbox.until(({ messages }) => messages.length === 1);
    assert.equal(inbox.messages[0]?.payload.length, most);
  });

  it('is offline before and after the connection', async function () {
    await start(this);
    const connection = new Connection(settingsFor(broker.url));
    open.push(connection);
    assert.equal(connection.post(post()), 'offline');
    connection.open();
    await connected(connection);
    assert.equal(connection.post(post()), 'sent');
    await connection.close();
    assert.equal(connection.post(post()), 'offline');
  });

  it('sends what was posted before the connection is closed', async function () {
    await start(this);
    const inbox = await Inbox.on(await connect(), 'posted', 0);
    const connection = await connect();
    connection.post(post());
    await connection.close();
    await inbox.until(({ messages }) => messages.length === 1);
  });

  it('is full while a broker does not read, and loses nothing that it has taken', async function () {
    await start(this);
    const inbox = await Inbox.on(await connect(), 'posted', 0);
    const connection = await connect();
    broker.suspend();
    const payload = Buffer.alloc(1024 * 1024);
    let sent = 0;
    // What the operating system takes leaves our bound with the end of a turn.
    for (; connection.post(post({ payload })) === 'sent'; sent++) await new Promise(setImmediate);
    assert.ok(sent >= 15 && sent < 100, `${sent} sent`);
    assert.equal(connection.post(post({ payload })), 'full');
    broker.resume();
    await inbox.until(({ messages }) => messages.length === sent);
    assert.equal(connection.post(post({ payload })), 'sent');
    await inbox.until(({ messages }) => messages.length === sent + 1);
  });
});

describe('posting what no packet can hold', () => {
  it('is refused, whatever the broker takes', () => {
    const writer = new PublishWriter(new PassThrough(), true);
    const payload = Buffer.alloc(268_435_455 - 'posted'.length - 3 + 1);
    assert.equal(writer.post(post({ payload }), {}), 'refused');
    assert.equal(writer.post(post({ payload: payload.subarray(1) }), {}), 'sent');
  });
});
