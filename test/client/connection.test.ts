import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Connection, type ConnectionSettings, type QoS } from '../../src/client/connection';
import { NotConnectedError, PublishError } from '../../src/client/errors';
import { MAX_WAITING_BYTES } from '../../src/client/outgoing-queue';
import { CertificateAuthority } from '../certificates';
import { timeless } from '../clock';
import { counterpart, freePort } from '../counterparts';
import { Mosquitto } from './mosquitto';
import { connected, Inbox, settingsFor, statusOf } from './observed';

const quick = { qos: 1 as QoS, retain: false };

describe('connection to a real mosquitto', function () {
  this.timeout(60_000);
  let broker: Mosquitto;
  const open: Connection[] = [];

  const connect = (settings: ConnectionSettings) => {
    const connection = new Connection(settings);
    open.push(connection);
    connection.open();
    return connection;
  };

  beforeEach(async function () {
    broker = await Mosquitto.start(this);
  });

  afterEach(async () => {
    broker?.resume();
    await Promise.all(open.splice(0).map((connection) => connection.close()));
    await broker?.stop();
  });

  for (const version of [4, 5] as const) {
    describe(`protocol level ${version}`, () => {
      it('carries payloads unchanged at each QoS', async () => {
        const connection = connect(settingsFor(broker.url, version));
        const inbox = await Inbox.on(connection, 'bytes/#', 2);
        const payload = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
        for (const qos of [0, 1, 2] as const)
          await connection.publish(`bytes/${qos}`, payload, { qos, retain: false });
        await connection.publish('bytes/empty', '', quick);
        await inbox.until(({ messages }) => messages.length === 4);
        assert.deepEqual(
          inbox.messages.map(({ topic, qos, retain }) => ({ topic, qos, retain })),
          [
            { topic: 'bytes/0', qos: 0, retain: false },
            { topic: 'bytes/1', qos: 1, retain: false },
            { topic: 'bytes/2', qos: 2, retain: false },
            { topic: 'bytes/empty', qos: 1, retain: false },
          ],
        );
        for (const message of inbox.messages.slice(0, 3)) assert.deepEqual(message.payload, payload);
      });

      it('resolves a publish only after the acknowledgement', async () => {
        const connection = connect(settingsFor(broker.url, version));
        await connected(connection);
        broker.suspend();
        let settled = false;
        const published = connection.publish('slow', 'x', quick).finally(() => {
          settled = true;
        });
        // The loopback would have answered within these turns of the loop.
        for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
        assert.equal(settled, false);
        broker.resume();
        await published;
      });

      it('subscribes again after the broker was killed and has come back, and says why it was away', async () => {
        const connection = connect(settingsFor(broker.url, version));
        const inbox = await Inbox.on(connection, 'again/+');
        const away = statusOf(connection, ({ state }) => state === 'reconnecting');
        await broker.kill();
        assert.match((await away).reason ?? '', /closed the connection|reset/);
        await broker.run();
        await inbox.until(({ results }) => results.length === 2);
        await connection.publish('again/1', 'x', quick);
        await inbox.until(({ messages }) => messages.length === 1);
        assert.deepEqual(inbox.results, [undefined, undefined]);
      });

      it('sends an unacknowledged message again after a reconnect, with DUP', async () => {
        const connection = connect(settingsFor(broker.url, version));
        await connected(connection);
        broker.suspend();
        const published = connection.publish('dup/1', 'x', quick);
        await new Promise(setImmediate);
        await broker.kill();
        await broker.run();
        await published;
        await broker.logged(/Received PUBLISH from .* \(d1, q1, r0, .*'dup\/1'/);
      });

      it('rejects a QoS 2 message whose session the broker has lost, instead of repeating it', async () => {
        const connection = connect(settingsFor(broker.url, version));
        await connected(connection);
        broker.suspend();
        const published = connection.publish('once', 'x', { qos: 2, retain: false });
        const rejected = assert.rejects(published, (error: Error) => {
          assert.ok(error instanceof PublishError);
          assert.match(error.message, /^topic "once" not published: the broker lost the session/);
          return true;
        });
        await new Promise(setImmediate);
        await broker.kill();
        await broker.run();
        await rejected;
        // The packet identifier is free again, and the connection works.
        await connection.publish('after', 'x', { qos: 2, retain: false });
        await broker.logged(/'after'/);
        assert.ok(!broker.log.some((line) => line.includes("'once'")));
      });

      it('bridges the time before the first connection', async () => {
        await broker.kill();
        const connection = connect(settingsFor(broker.url, version));
        const { reason } = await statusOf(connection, ({ state }) => state === 'reconnecting');
        assert.equal(reason, `nothing listens there (connect ECONNREFUSED 127.0.0.1:${broker.port})`);
        const published = connection.publish('early', 'x', quick);
        await broker.run();
        await published;
      });

      it('names a refused password, refuses to publish meanwhile, and never repeats the password', async function () {
        await broker.stop();
        broker = await Mosquitto.start(this, [], { ann: 'secret' });
        const bad = connect(settingsFor(broker.url, version, { username: 'ann', password: 'wrong-one' }));
        const status = await statusOf(bad, ({ state }) => state === 'error');
        assert.equal(status.reason, version === 5 ? 'Not authorized (0x87)' : 'Not authorized (0x05)');
        await assert.rejects(bad.publish('x', 'y', quick), (error: Error) => {
          assert.ok(error instanceof NotConnectedError);
          assert.match(error.message, /Not authorized/);
          return true;
        });
        const good = connect(settingsFor(broker.url, version, { username: 'ann', password: 'secret' }));
        await connected(good);
        await good.publish('x', 'y', quick);
      });

      it('publishes its will when it is cut off, and not when it is closed', async () => {
        const watcher = connect(settingsFor(broker.url, version));
        const inbox = await Inbox.on(watcher, 'will/#');
        const will = { topic: 'will/a', payload: 'gone', qos: 1 as QoS, retain: false };
        const polite = connect(settingsFor(broker.url, version, { will }));
        await connected(polite);
        await polite.close();
        const settings = settingsFor(broker.url, version, {
          will: { ...will, topic: 'will/b' },
          clientId: 'twice',
        });
        const first = connect(settings);
        await connected(first);
        const taken = statusOf(first, ({ state }) => state === 'reconnecting');
        const second = connect({ ...settings, will: { ...will, topic: 'will/c' } });
        await connected(second);
        await taken;
        await first.close();
        await inbox.until(({ messages }) => messages.length >= 1);
        assert.equal(inbox.texts[0], 'will/b=gone');
      });

      it('closes after what can be acknowledged is', async () => {
        const connection = connect(settingsFor(broker.url, version));
        await connected(connection);
        const published = Array.from({ length: 500 }, (_, n) =>
          connection.publish(`burst/${n}`, 'x', { qos: ((n % 2) + 1) as QoS, retain: false }),
        );
        // However long that takes here.
        await timeless(() => connection.close());
        await Promise.all(published);
      });

      it('works over WebSocket', async function () {
        await broker.stop();
        const port = await freePort();
        broker = await Mosquitto.start(this, [`listener ${port} 127.0.0.1`, 'protocol websockets']);
        const connection = connect(settingsFor(`ws://127.0.0.1:${port}/mqtt`, version));
        const inbox = await Inbox.on(connection, 'ws');
        await connection.publish('ws', 'x', quick);
        await inbox.until(({ messages }) => messages.length === 1);
      });
    });
  }

  it('passes MQTT 5 properties through', async () => {
    const connection = connect(settingsFor(broker.url));
    const inbox = await Inbox.on(connection, 'props');
    const properties = {
      contentType: 'application/json',
      responseTopic: 'reply/to',
      correlationData: Buffer.from([0, 255]),
      messageExpiryInterval: 100,
      payloadFormatIndicator: true,
      userProperties: { a: ['1', '2'], b: '3' },
    };
    await connection.publish('props', '{}', { ...quick, properties });
    await inbox.until(({ messages }) => messages.length === 1);
    const got = inbox.messages[0]?.properties;
    assert.deepEqual({ ...got, userProperties: { ...got?.userProperties } }, properties);
  });

  it('resumes its session after a cut within its expiry: nothing lost, nothing twice', async () => {
    const receiver = connect(settingsFor(broker.url, 5, { sessionExpiry: 60 }));
    const inbox = await Inbox.on(receiver, 'cut/#', 2);
    const sender = connect(settingsFor(broker.url, 5, { sessionExpiry: 60, clientId: 'cut-sender' }));
    await connected(sender);
    const published: Promise<unknown>[] = [];
    for (let n = 0; n < 300; n++) {
      published.push(sender.publish('cut/x', String(n), { qos: 2, retain: false }));
      if (n === 150) {
        // Another network connection for the same session cuts the first one off in the middle of its exchanges.
        const away = statusOf(sender, ({ state }) => state === 'reconnecting');
        const thief = new Connection(
          settingsFor(broker.url, 5, { clientId: 'cut-sender', cleanStart: false, sessionExpiry: 60 }),
        );
        thief.open();
        await connected(thief);
        await away;
        await thief.close();
      }
    }
    await Promise.all(published);
    await inbox.until(({ messages }) => messages.length >= 300);
    assert.deepEqual(
      inbox.messages.map(({ payload }) => Number(payload)).sort((a, b) => a - b),
      Array.from({ length: 300 }, (_, n) => n),
    );
  });

  it('works over TLS, and names what it does not trust', async function () {
    await broker.stop();
    const authority = new CertificateAuthority(counterpart(this, 'openssl'));
    const { certificate, key } = authority.issue('server');
    const port = await freePort();
    broker = await Mosquitto.start(this, [
      `listener ${port} 127.0.0.1`,
      `certfile ${certificate}`,
      `keyfile ${key}`,
    ]);
    const url = `mqtts://127.0.0.1:${port}`;
    const ca = readFileSync(authority.certificate);
    authority.remove();
    const trusting = connect(settingsFor(url, 5, { tls: { ca } }));
    await connected(trusting);
    await trusting.publish('secret', 'x', quick);
    const wary = connect(settingsFor(url));
    const { reason } = await statusOf(wary, ({ state }) => state === 'reconnecting');
    // Newer versions of Node.js add what to try.
    assert.match(
      reason ?? '',
      /^the broker's certificate is of an authority that is not trusted here \(unable to verify the first certificate/,
    );
  });

  it('closes with what is unacknowledged rejected, even when the broker says nothing any more', async () => {
    const connection = connect(settingsFor(broker.url));
    await connected(connection);
    broker.suspend();
    const published = connection.publish('never', 'x', quick);
    const rejected = assert.rejects(published, /closed before the broker acknowledged/);
    await connection.close();
    await rejected;
    assert.equal(connection.status.state, 'disconnected');
    await assert.rejects(connection.publish('late', 'x', quick), NotConnectedError);
  });

  it('does not go on connecting once it is closed in the middle of it', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
    // Mocha starts its own once the test has returned its promise.
    await new Promise(setImmediate);
    const before = timers();
    broker.suspend();
    const connection = connect(settingsFor(broker.url));
    await connection.close();
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    assert.equal(timers(), before);
  });

  it('bounds what waits while there is no broker, and says so', async () => {
    await broker.kill();
    const connection = connect(settingsFor(broker.url));
    const half = 'x'.repeat(MAX_WAITING_BYTES / 2 - 1000);
    const waiting = Array.from({ length: 2 }, () => connection.publish('w', half, quick));
    const outcomes = Promise.allSettled(waiting);
    await assert.rejects(
      connection.publish('w', half, quick),
      /2 messages \(\d+ bytes\) are already waiting/,
    );
    await connection.close();
    for (const outcome of await outcomes) assert.equal(outcome.status, 'rejected');
  });

  it('refuses what cannot be published before it reaches the broker', async () => {
    const connection = connect(settingsFor(broker.url));
    await connected(connection);
    await assert.rejects(connection.publish('a/+', 'x', quick), /topic name "a\/\+" contains a wildcard/);
    await assert.rejects(connection.publish('', 'x', quick), /topic name is empty/);
  });

  for (const [name, settings, reason] of [
    [
      'no URL',
      { endpoint: { url: 'broker' } },
      'URL "broker" is not a URL, expected for example mqtt://127.0.0.1:1883',
    ],
    [
      'another protocol',
      { endpoint: { url: 'http://h?token=secret' } },
      'URL "http://h" starts with http:, expected mqtt:, mqtts:, ws: or wss:',
    ],
    [
      'credentials in the URL',
      { endpoint: { url: 'mqtt://ann:secret@h' } },
      'the URL contains credentials, which belong in the user name and password fields',
    ],
    ['TLS for a plain URL', { tls: {} }, /^TLS is configured, but URL "mqtt:.*" is not secure/],
    [
      'unreadable TLS material',
      { endpoint: { url: 'mqtts://127.0.0.1' }, tls: { ca: 'x', cert: 'y' } },
      /^TLS: /,
    ],
    [
      'a keep alive that is no number',
      { keepAlive: Number.NaN },
      'keep alive is NaN, expected whole seconds from 0 to 65535',
    ],
    ['a kept session without a client id', { clientId: '', cleanStart: false }, /client id is empty/],
    [
      'a will with a wildcard',
      { will: { topic: 'a/#', payload: '', qos: 0, retain: false } },
      /^will: topic name/,
    ],
  ] as [string, Partial<ConnectionSettings>, string | RegExp][]) {
    it(`refuses ${name} in words, at once`, async () => {
      const connection = connect(settingsFor('mqtt://127.0.0.1:1', 5, settings));
      const status = connection.status;
      assert.equal(status.state, 'error');
      if (typeof reason === 'string') assert.equal(status.reason, reason);
      else assert.match(status.reason ?? '', reason);
    });
  }

  it('shows why an in-process endpoint has no stream, and connects once it has', async () => {
    let present = false;
    const { connect: tcp } = await import('node:net');
    const connection = connect({
      ...settingsFor(''),
      endpoint: {
        openStream: () => {
          if (!present) throw new Error('embedded broker "home" is missing');
          return tcp(broker.port, '127.0.0.1');
        },
      },
    });
    const { reason } = await statusOf(connection, ({ state }) => state === 'reconnecting');
    assert.equal(reason, 'embedded broker "home" is missing');
    present = true;
    await connected(connection);
  });
});
