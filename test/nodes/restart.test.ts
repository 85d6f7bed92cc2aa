import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Connection, type ConnectionSettings } from '../../src/client/connection';
import { JournalProcess } from '../broker/kill-account';
import { Account, lasting, publishAll } from '../client/account';
import { Inbox } from '../client/observed';
import { createUserDir, linkPackage, NodeRedProcess } from '../editor/node-red-process';
import { endingAfterEach } from '../ending-after-each';
import { brokerForm, type FlowNode, NODE_RED, place, pubForm, subForm, tab } from './flow';

/** Of each QoS; `CLIENT_ACCOUNT=10000` is the long form. */
const MESSAGES = Number(process.env.CLIENT_ACCOUNT ?? 300);
const BATCH = 20;

const program = { node: process.execPath, script: createRequire(NODE_RED).resolve('../red.js') };
const core = (id: string, type: string, fields: Partial<FlowNode>): FlowNode => ({
  id,
  type,
  ...place,
  ...fields,
});
const session = (url: string, clientId: string, more: Partial<FlowNode> = {}) =>
  brokerForm({
    url,
    clientId,
    cleanStart: false,
    sessionExpiry: '3600',
    reconnectFirst: '5',
    reconnectLongest: '1',
    ...more,
  });

/** Answers a request for a batch of messages when all of them are done. */
const publishing = (url: string): FlowNode[] => [
  tab,
  session(url, 'sender', { queue: 'disk', queueMessages: '100000', queueBytes: '100000' }),
  core('in', 'http in', { url: '/publish', method: 'post', upload: false, wires: [['each']] }),
  core('each', 'function', {
    func: `const { qos, first, count } = msg.payload;
for (let n = first; n < first + count; n++) {
  node.send({ ...msg, batch: msg.payload, topic: 'account/' + qos, qos, payload: String(n) });
}`,
    outputs: 1,
    wires: [['pub-1']],
  }),
  pubForm({}),
  core('done', 'complete', { scope: ['pub-1'], uncaught: false, wires: [['all']] }),
  core('all', 'function', {
    func: `const { qos, count } = msg.batch;
const left = (context.get('left' + qos) || count) - 1;
context.set('left' + qos, left);
return left > 0 ? null : msg;`,
    outputs: 1,
    wires: [['out']],
  }),
  core('out', 'http response', { statusCode: '204', headers: {}, wires: [] }),
];

/** Writes what comes to a file, a line each, and acknowledges it then. */
const recording = (url: string, log: string, delivery: string): FlowNode[] => [
  tab,
  session(url, 'receiver'),
  subForm({ topicFilter: 'account/+', qos: '2', output: 'string', delivery, inputs: 1, wires: [['line']] }),
  core('line', 'function', {
    func: "msg.payload = msg.topic.slice(-1) + ' ' + msg.payload;\nreturn msg;",
    outputs: 1,
    wires: [['file']],
  }),
  core('file', 'file', {
    filename: log,
    filenameType: 'str',
    appendNewline: true,
    createDir: false,
    overwriteFile: 'false',
    encoding: 'none',
    wires: delivery === 'acknowledged' ? [['done']] : [],
  }),
  core('done', 'function', {
    func: "return { action: 'acknowledge', acknowledgement: msg.acknowledgement };",
    outputs: 1,
    wires: [['sub-1']],
  }),
];

describe(`${MESSAGES} messages of QoS 1 and as many of QoS 2`, function () {
  this.timeout(120_000 + MESSAGES * 30);
  const keep = endingAfterEach();

  const folder = (): string =>
    keep(mkdtempSync(join(tmpdir(), 'restart-')), (path) => rmSync(path, { recursive: true }));
  const journalBroker = async () => {
    const broker = keep(new JournalProcess(folder(), 'write'), (made) => made.kill());
    await broker.start();
    return { broker, url: `mqtt://127.0.0.1:${broker.port}` };
  };
  const connect = (settings: ConnectionSettings): Connection => {
    const connection = keep(new Connection(settings));
    connection.open();
    return connection;
  };
  /** A user directory with a flow, and how to start a Node-RED on it. */
  const nodeRedWith = (flow: FlowNode[]) => {
    const userDir = keep(createUserDir(), (path) => rmSync(path, { recursive: true }));
    linkPackage(userDir);
    writeFileSync(join(userDir, 'flows.json'), JSON.stringify(flow));
    // Else what Node-RED has between two nodes when it stops is lost, whoever sent it.
    appendFileSync(join(userDir, 'settings.js'), 'module.exports.runtimeSyncDelivery = true;\n');
    return async () => keep(await NodeRedProcess.start(program, userDir), (made) => made.kill());
  };

  it('are published by a Node-RED that is stopped and killed, with its queue on disk', async () => {
    const { broker, url } = await journalBroker();
    const account = new Account(connect(lasting(url, 'receiver')), MESSAGES);
    await account.open();
    const run = nodeRedWith(publishing(url));
    const next = { 1: 0, 2: 0 };
    const uncertain = { 1: new Set<number>(), 2: new Set<number>() };
    let [safe, goal] = [0, 0];
    let reached = () => {};
    const publish = async (nodeRed: NodeRedProcess, qos: 1 | 2): Promise<void> => {
      while (next[qos] < MESSAGES) {
        const first = next[qos];
        const count = Math.min(BATCH, MESSAGES - first);
        next[qos] += count;
        const answered = await nodeRed.post('/publish', { qos, first, count }).catch(() => undefined);
        if (answered === undefined) {
          // Node-RED is no more: what of the batch is on the disk, nobody knows.
          for (let n = first; n < first + count; n++) uncertain[qos].add(n);
          return;
        }
        // A Node-RED that stops takes nothing any more, and says so.
        if (answered === 404) {
          next[qos] = first;
          return;
        }
        assert.equal(answered, 204);
        safe += count;
        if (safe >= goal) reached();
      }
    };
    for (const [part, end] of [
      [0.3, 'stop'],
      [0.6, 'kill'],
      [1, undefined],
    ] as const) {
      goal = 2 * MESSAGES * part;
      const enough = new Promise<void>((resolve) => (reached = resolve));
      const nodeRed = await run();
      // What is published meanwhile waits on the disk for the next run.
      if (end === 'kill') await broker.kill();
      const published = Promise.all([publish(nodeRed, 1), publish(nodeRed, 2)]);
      await Promise.race([enough, published]);
      if (end !== undefined) await nodeRed[end]();
      await published;
      if (end === 'kill') await broker.start();
    }
    assert.ok(uncertain[1].size + uncertain[2].size <= 2 * 2 * BATCH);
    await account.close({ uncertain });
  });

  for (const [title, delivery, end, again] of [
    ['stopped', 'arrival', 'stop', 0],
    // What the flow has stored and not acknowledged yet comes once more: one message at a time.
    ['killed, and acknowledges what it has stored', 'acknowledged', 'kill', 1],
  ] as const) {
    it(`are received by a Node-RED that is ${title}`, async () => {
      const { url } = await journalBroker();
      const log = join(folder(), 'log');
      writeFileSync(log, '');
      const watcher = keep(watch(log));
      const lines = () => readFileSync(log, 'utf8').split('\n').slice(0, -1);
      const until = async (passes: (lines: string[]) => boolean) => {
        while (!passes(lines())) await once(watcher, 'change');
      };
      // The session that Node-RED resumes, so that nothing is published before it.
      const clientId = delivery === 'acknowledged' ? 'receiver-sub-1' : 'receiver';
      const earlier = connect(lasting(url, clientId));
      await Inbox.on(earlier, 'account/+', 2);
      await earlier.close();
      const run = nodeRedWith(recording(url, log, delivery));
      let nodeRed = await run();
      // Few at a time, so that Node-RED is in the midst of it when it ends.
      const published = publishAll(connect(lasting(url, 'sender', { maxInFlight: 2 })), MESSAGES);
      for (const part of [0.3, 0.6]) {
        await until(({ length }) => length >= 2 * MESSAGES * part);
        await nodeRed[end]();
        nodeRed = await run();
      }
      await published;
      await until((all) => new Set(all).size >= 2 * MESSAGES);
      await nodeRed.stop();
      for (const qos of [1, 2]) {
        const came = lines().filter((line) => line.startsWith(String(qos)));
        const first = [...new Set(came)];
        assert.deepEqual(
          first,
          Array.from({ length: MESSAGES }, (_, n) => `${qos} ${n}`),
        );
        if (qos === 2)
          assert.ok(came.length - first.length <= 2 * again, `${came.length - first.length} again`);
      }
    });
  }
});
