import assert from 'node:assert/strict';
import { BrokerThread } from '../../src/broker/broker-thread';
import { Connection, type Endpoint, type QoS } from '../../src/client/connection';
import { connected, Inbox, settingsFor, statusOf } from './observed';

describe('connection to the embedded broker', function () {
  this.timeout(60_000);
  let broker: BrokerThread;
  const open: Connection[] = [];

  const connect = (endpoint: Endpoint, version: 4 | 5): Connection => {
    const connection = new Connection({ ...settingsFor('', version), endpoint });
    open.push(connection);
    connection.open();
    return connection;
  };
  const endpoints: Record<string, () => Endpoint> = {
    TCP: () => ({ url: `mqtt://127.0.0.1:${broker.status.listeners[0]?.port}` }),
    'a message port': () => ({ openStream: () => broker.openStream() }),
  };

  beforeEach(async () => {
    broker = new BrokerThread({ listeners: [{ host: '127.0.0.1', port: 0 }] });
    await broker.start();
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((connection) => connection.close()));
    await broker.stop();
  });

  it('reads nothing while it is paused, and all when it is resumed', async () => {
    const [sender, receiver] = [
      connect(endpoints.TCP?.() as Endpoint, 5),
      connect(endpoints.TCP?.() as Endpoint, 5),
    ];
    const inbox = await Inbox.on(receiver, 'n');
    receiver.pause();
    const send = (payload: string) => sender.publish('n', payload, { qos: 1, retain: false });
    for (let count = 0; count < 100; count++) await send(String(count));
    assert.deepEqual(inbox.texts, []);
    receiver.resume();
    await inbox.until(({ texts }) => texts.length === 100);
    // Another connection knows nothing of it.
    receiver.pause();
    await receiver.disconnect();
    receiver.open();
    await connected(receiver);
    await inbox.until(({ results }) => results.length === 2);
    await send('again');
    await inbox.until(({ texts }) => texts.includes('n=again'));
  });

  for (const [name, endpoint] of Object.entries(endpoints)) {
    for (const version of [4, 5] as const) {
      it(`carries a burst of 10,000 messages at each QoS in order over ${name}, protocol level ${version}`, async () => {
        const [sender, receiver] = [connect(endpoint(), version), connect(endpoint(), version)];
        const inbox = await Inbox.on(receiver, 'n/+', 2);
        for (const qos of [0, 1, 2] as const) {
          const numbers = Array.from({ length: 10_000 }, (_, n) => n);
          await Promise.all(
            numbers.map((n) => sender.publish(`n/${qos}`, String(n), { qos, retain: false })),
          );
          await inbox.until(({ messages }) => messages.length === numbers.length);
          assert.deepEqual(
            inbox.messages.splice(0).map(({ payload }) => Number(payload)),
            numbers,
          );
        }
      });

      it(`delivers once per listener over ${name}, protocol level ${version}, and a late one its retained messages`, async () => {
        const connection = connect(endpoint(), version);
        await connection.publish('o/x', 'kept', { qos: 1, retain: true });
        const inboxes = [];
        for (const filter of ['#', 'o/+', '+/x', 'o/x', 'o/x'])
          inboxes.push(await Inbox.on(connection, filter));
        await connection.publish('o/x', 'live', { qos: 1 as QoS, retain: false });
        await connection.publish('o/x', 'end', { qos: 1 as QoS, retain: false });
        for (const inbox of inboxes) {
          await inbox.until(({ texts }) => texts.includes('o/x=end'));
          assert.deepEqual(inbox.texts, ['o/x=kept', 'o/x=live', 'o/x=end']);
        }
      });
    }
  }

  it('connects again when the broker has stopped and come back', async () => {
    const connection = connect({ openStream: () => broker.openStream() }, 5);
    const inbox = await Inbox.on(connection, 'again');
    const away = statusOf(connection, ({ state }) => state === 'reconnecting');
    await broker.stop();
    await away;
    assert.match(
      (await statusOf(connection, ({ reason }) => reason?.startsWith('embedded') === true)).reason ?? '',
      /^embedded broker is stopped/,
    );
    await broker.start();
    await inbox.until(({ results }) => results.length === 2);
    await connection.publish('again', 'x', { qos: 1, retain: false });
    await inbox.until(({ messages }) => messages.length === 1);
  });
});
