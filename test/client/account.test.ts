import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Connection, type ConnectionSettings } from '../../src/client/connection';
import { JournalProcess } from '../broker/kill-account';
import { NetworkLink } from '../broker/upstream/network-link';
import { endingAfterEach } from '../ending-after-each';
import { Account, lasting, publishAll } from './account';
import { Mosquitto } from './mosquitto';

/** Of each QoS; `CLIENT_ACCOUNT=10000` is the long form. */
const MESSAGES = Number(process.env.CLIENT_ACCOUNT ?? 1500);

describe(`${MESSAGES} messages of QoS 1 and as many of QoS 2`, function () {
  this.timeout(60_000 + MESSAGES * 40);
  const keep = endingAfterEach();

  const connect = (settings: ConnectionSettings): Connection => {
    const connection = keep(new Connection(settings));
    connection.open();
    return connection;
  };
  const folder = (): string =>
    keep(mkdtempSync(join(tmpdir(), 'account-')), (path) => rmSync(path, { recursive: true }));
  const mosquitto = async (test: Mocha.Context) =>
    keep(
      await Mosquitto.start(test, [
        'persistence true',
        `persistence_location ${folder()}/`,
        'max_queued_messages 0',
        // Of those above the number mosquitto 2.0.11 forgets in a restart that it has sent PUBREL, and sends them again.
        'max_inflight_messages 10000',
      ]),
    );

  it('arrive over a network that is cut again and again, on both sides', async () => {
    const broker = keep(new JournalProcess(folder(), 'write'), (made) => made.kill());
    await broker.start();
    const near = keep(await NetworkLink.to(broker.port), (link) => link.close());
    const far = keep(await NetworkLink.to(broker.port), (link) => link.close());
    const account = new Account(connect(lasting(`mqtt://127.0.0.1:${far.port}`, 'receiver')), MESSAGES);
    await account.open();
    const sender = connect(lasting(`mqtt://127.0.0.1:${near.port}`, 'sender'));
    near.cutEvery(MESSAGES * 3, 10);
    far.cutEvery(MESSAGES * 3, 5);
    await publishAll(sender, MESSAGES);
    await account.close();
    assert.deepEqual([near.cuts, far.cuts], [0, 0]);
  });

  it('arrive through a mosquitto that is stopped and started again', async function () {
    const broker = await mosquitto(this);
    const account = new Account(connect(lasting(broker.url, 'receiver')), MESSAGES);
    await account.open();
    const sender = connect(lasting(broker.url, 'sender'));
    // With more than max_inflight_messages under way mosquitto 2.0.11 sends a PUBLISH again, when it is started again,
    // though it had the PUBREC [MQTT-4.3.3-6].
    const published = publishAll(sender, MESSAGES, (count) => account.until(count - 40));
    for (const part of [0.2, 0.5, 0.8]) {
      await account.until(MESSAGES * 2 * part);
      await broker.end();
      await broker.run();
    }
    await published;
    // mosquitto 2.0.11 mixes up what it had queued when the receiver comes back.
    await account.close({ ordered: false });
  });

  it('arrive through our broker with a journal, which is killed', async () => {
    const broker = keep(new JournalProcess(folder(), 'write'), (made) => made.kill());
    await broker.start();
    const url = `mqtt://127.0.0.1:${broker.port}`;
    const account = new Account(connect(lasting(url, 'receiver')), MESSAGES);
    await account.open();
    const sender = connect(lasting(url, 'sender'));
    const published = publishAll(sender, MESSAGES);
    for (const part of [0.2, 0.5, 0.8]) {
      await account.until(MESSAGES * 2 * part);
      await broker.kill();
      await broker.start();
    }
    await published;
    await account.close();
  });

  it('arrive from a process that is killed and keeps its queue on disk', async function () {
    const broker = await mosquitto(this);
    const account = new Account(connect(lasting(broker.url, 'receiver')), MESSAGES);
    await account.open();
    const directory = folder();
    const log = join(folder(), 'log');
    const of = (what: 'try' | 'safe', qos: 1 | 2): number[] =>
      [...readFileSync(log, 'utf8').matchAll(new RegExp(`^${what} ${qos} (\\d+)$`, 'gm'))].map(([, n]) =>
        Number(n),
      );
    const run = async (killAfter?: number): Promise<void> => {
      const first = ([1, 2] as const).map((qos) => String((of('try', qos).at(-1) ?? -1) + 1));
      const args = [
        require.resolve('./publisher-process'),
        broker.url,
        directory,
        String(MESSAGES),
        ...first,
        log,
      ];
      const child = keep(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] }), (made) =>
        made.kill('SIGKILL'),
      );
      const ended = once(child, 'close');
      let said = 0;
      createInterface({ input: child.stdout }).on('line', (line) => {
        assert.equal(line, 'safe');
        if (++said === killAfter) child.kill('SIGKILL');
      });
      await ended;
    };
    writeFileSync(log, '');
    for (let kill = 0; kill < 3; kill++) await run(Math.floor(MESSAGES / 3));
    await run();
    // What the process died over may be on the disk or not: only what it was told to be safe has to be.
    const uncertain = (qos: 1 | 2) => {
      const safe = new Set(of('safe', qos));
      return new Set(of('try', qos).filter((n) => !safe.has(n)));
    };
    const left = { 1: uncertain(1), 2: uncertain(2) };
    assert.ok(left[1].size + left[2].size < 3 * 2 * 21);
    await account.close({ uncertain: left });
  });
});
