import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { Connection, type ConnectionSettings, kept } from '../../src/client/connection';
import { timeless } from '../clock';
import { endingAfterEach } from '../ending-after-each';
import { Inbox, settingsFor } from './observed';
import { CONNECT, PUBLISH, packet, ScriptedBroker, SUBSCRIBE, text } from './scripted-broker';

const CONNACK = packet(2, 0, 0, 0, 0);
const PINGREQ = 12;
const PINGRESP = packet(13, 0);

describe('the payload of a message that is read where the next one will be', () => {
  const keep = endingAfterEach();

  /** A connection, and a broker that sends it messages, each of which is read before the next. */
  const start = async (settings: Partial<ConnectionSettings> = {}) => {
    let client: Socket | undefined;
    const broker = keep(
      await ScriptedBroker.start(({ type, body }, socket) => {
        client = socket;
        if (type === CONNECT) socket.write(CONNACK);
        if (type === SUBSCRIBE) socket.write(packet(9, 0, body.subarray(0, 2), 0, 1));
        if (type === PINGREQ) socket.write(PINGRESP);
      }),
    );
    const connection = keep(new Connection(settingsFor(broker.url, 5, settings)));
    connection.open();
    let messageId = 0;
    const say = async (...payloads: string[]) => {
      for (const payload of payloads) {
        client?.write(packet(PUBLISH, 2, text('a'), 0, ++messageId, 0, Buffer.from(payload)));
        await connection.ping();
      }
    };
    return { connection, say };
  };

  it('stays for who hears it, also beside one who has no use for it any more', async () => {
    const { connection, say } = await start();
    const inbox = await Inbox.on(connection, 'a');
    const lent: Buffer[] = [];
    const copies: Buffer[] = [];
    const message = ({ payload }: { payload: Buffer }) => {
      lent.push(payload);
      copies.push(kept(payload));
    };
    connection.subscribe('a', { qos: 1, lent: true }, { message });
    await say('one', 'two');
    inbox.close();
    await say('new', 'old');
    assert.deepEqual(inbox.texts, ['a=one', 'a=two']);
    assert.equal(String(copies), 'one,two,new,old');
    assert.equal(String(lent), 'one,two,old,old', 'it is not copied for nobody');
  });

  it('is not for who begins to hear while another one hears it', async () => {
    const { connection, say } = await start();
    await Inbox.on(connection, 'b');
    const [late, last] = [new Inbox(), new Inbox()];
    const first = connection.subscribe(
      'a',
      { qos: 1, lent: true },
      {
        message: () => {
          first.close();
          connection.subscribe('a', { qos: 1 }, late);
        },
      },
    );
    connection.subscribe('a', { qos: 1, lent: true }, { message: () => left.close() });
    const left = connection.subscribe('a', { qos: 1 }, last);
    await say('one', 'two', 'new');
    assert.deepEqual(late.texts, ['a=two', 'a=new']);
    assert.deepEqual(last.texts, []);
  });

  it('stays while it waits for its turn', async () => {
    for (const settings of [{ receiveMaximum: 1 }, {}]) {
      const { connection, say } = await start(settings);
      const options = { lent: true, acknowledgement: { concurrency: 1 } };
      const inbox = await Inbox.on(connection, 'a', 1, options);
      await say('one', 'two', 'six');
      for (let count = 1; count <= 3; count++) {
        await inbox.until(({ messages }) => messages.length === count);
        inbox.messages[count - 1]?.acknowledge?.();
      }
      assert.deepEqual(inbox.texts, ['a=one', 'a=two', 'a=six']);
    }
  });

  it('stays for who takes a filter up again', async () => {
    const { connection, say } = await start();
    const before = await Inbox.on(connection, 'a');
    const inbox = new Inbox();
    // However long that takes here, the filter is kept.
    await timeless(async () => {
      before.close();
      await say('one', 'two');
      connection.subscribe('a', { qos: 1, lent: true }, inbox);
    });
    await inbox.until(({ messages }) => messages.length === 2);
    assert.deepEqual(inbox.texts, ['a=one', 'a=two']);
  });
});
