import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { QoS } from '../../src/client/connection';
import { findCounterpart } from '../counterparts';
import { createUserDir, linkPackage } from '../editor/node-red-process';
import type { BenchOptions } from './bench';
import { encodeMessage, openClient, subscribe } from './broker-client';
import { startMosquitto, stop } from './broker-contestants';
import { type FlowReport, type FlowTask, GO, PROBE, SLICE } from './flow-task';
import { median } from './median';

const ROUNDS = { short: 3, long: 7 };
/** How often subscriptions are probed, ms. */
const PROBE_MS = 1000;
const TEXT = 'x'.repeat(100);
const JSON_TEXT = JSON.stringify({ sensor: 'x'.repeat(51), temperature: 21.5, humidity: 40 }).padEnd(100);

type Contestant = FlowTask['contestant'];

interface Row {
  name: string;
  contestants: readonly Contestant[];
  protocolVersion: 4 | 5;
  qos: QoS;
  work: FlowTask['work'];
  /** Of what is sent to those who receive. */
  payload: string;
  /** Where it is sent, in turn. */
  topics: readonly string[];
}

const BOTH = ['mqtt-ros', 'core'] as const;
const ALL = [...BOTH, 'mqtt.js'] as const;
const VERSIONS = [4, 5] as const;
const QOS = [0, 1] as const;

const titled = (name: string, version: 4 | 5, qos: QoS): string =>
  `${name}, MQTT ${version === 4 ? '3.1.1' : '5'}, QoS ${qos}`;

/** @param fanOut whether all nodes have the same topic, and get each message, or a topic each */
function receiving(count: number, fanOut: boolean, protocolVersion: 4 | 5, qos: QoS): Row {
  const filters = Array.from({ length: count }, (_, index) => `bench/${fanOut ? 0 : index}/value`);
  const nodes = count === 1 ? '1 node' : `${count} nodes, ${fanOut ? 'the same topic' : 'a topic each'}`;
  return {
    name: titled(`receive, ${nodes}`, protocolVersion, qos),
    contestants: count === 1 ? ALL : BOTH,
    protocolVersion,
    qos,
    work: { kind: 'receive', filters, output: 'buffer' },
    payload: TEXT,
    topics: [...new Set(filters)],
  };
}

function converting(kind: string, payload: string): Row {
  const row = receiving(1, false, 4, 0);
  return {
    ...row,
    name: `${row.name}, auto-detected ${kind}`,
    contestants: BOTH,
    work: { kind: 'receive', filters: row.topics, output: 'auto' },
    payload,
  };
}

function publishing(protocolVersion: 4 | 5, qos: QoS): Row {
  const topic = 'bench/value';
  return {
    name: titled('publish', protocolVersion, qos),
    contestants: ALL,
    protocolVersion,
    qos,
    work: { kind: 'publish', topic, payload: TEXT },
    payload: TEXT,
    topics: [topic],
  };
}

function rows(): Row[] {
  const each = (row: (version: 4 | 5, qos: QoS) => Row) =>
    VERSIONS.flatMap((version) => QOS.map((qos) => row(version, qos)));
  const bare: Row = {
    name: 'Node-RED alone, from a node that sends to one that counts',
    contestants: ['mqtt-ros'],
    protocolVersion: 4,
    qos: 0,
    work: { kind: 'bare', payload: TEXT },
    payload: TEXT,
    topics: [],
  };
  return [
    bare,
    ...each((version, qos) => receiving(1, false, version, qos)),
    converting('JSON', JSON_TEXT),
    converting('text', TEXT),
    ...each((version, qos) => receiving(100, false, version, qos)),
    ...each((version, qos) => receiving(1000, false, version, qos)),
    ...QOS.map((qos) => receiving(100, true, 4, qos)),
    ...QOS.map((qos) => receiving(1000, true, 4, qos)),
    ...each(publishing),
  ];
}

/** Sends to the topics of a row in turn. */
class Publisher {
  readonly #socket: Socket;
  readonly #row: Row;
  #sent = 0;

  constructor(socket: Socket, row: Row) {
    this.#socket = socket;
    this.#row = row;
  }

  send(messages: number, payload: string): void {
    const { topics, qos } = this.#row;
    const packets = Array.from({ length: messages }, (_, index) => {
      const topic = topics[this.#sent++ % topics.length] as string;
      return encodeMessage(topic, Buffer.from(payload), qos, index + 1, 4);
    });
    this.#socket.write(Buffer.concat(packets));
  }
}

/** Gives a process what its flow is to do, and resolves with the microseconds that a message takes. */
async function measure(row: Row, contestant: Contestant, port: number): Promise<number> {
  const { protocolVersion, qos, work, topics, payload } = row;
  const userDir = createUserDir();
  linkPackage(userDir);
  const task: FlowTask = { contestant, userDir, port, protocolVersion, qos, work };
  const socket = await openClient(port, 4);
  if (work.kind === 'publish') await subscribe(socket, topics, 0, 4);
  const publisher = new Publisher(socket, row);
  const child = fork(require.resolve('./flow-process'), [JSON.stringify(task)]);
  const exited = once(child, 'exit');
  let probes = 0;
  const probe = () => publisher.send(topics.length, `${PROBE} ${probes++}`);
  const probing = work.kind === 'receive' ? setInterval(probe, PROBE_MS) : undefined;
  // A message of the process has come through the broker; more of them would only take time from it.
  socket.once('data', () => {
    if (work.kind === 'publish') {
      socket.destroy();
      child.send(GO);
    } else socket.resume();
  });
  const result = new Promise<number>((resolve) => {
    // What a slice of messages is to the process, are fewer for the broker where each goes to many nodes.
    const slice = work.kind === 'receive' ? Math.ceil((SLICE * topics.length) / work.filters.length) : 0;
    child.on('message', (report: FlowReport) => {
      if (typeof report === 'number') resolve(report);
      else if (report === 'started' && work.kind === 'bare') child.send(GO);
      else if (report === 'subscribed') {
        clearInterval(probing);
        publisher.send(2 * slice, payload);
      } else if (report === 'slice') publisher.send(slice, payload);
    });
  });
  try {
    const ended = exited.then(() => {
      throw new Error(`a process of the bench has ended: ${row.name}, ${contestant}`);
    });
    return await Promise.race([result, ended]);
  } finally {
    clearInterval(probing);
    socket.destroy();
    // It exits by itself then, so that `node --cpu-prof` has its profile.
    if (child.connected) child.disconnect();
    await exited;
    rmSync(userDir, { recursive: true });
  }
}

/**
 * Prints what a message costs a Node-RED with our nodes, with its own MQTT nodes, and MQTT.js without Node-RED: processor
 * time of the whole process in a steady state. Received ones are counted where they leave the flow.
 */
export async function benchNodes(print: (line: string) => void, options: BenchOptions): Promise<void> {
  const program = findCounterpart('mosquitto');
  if (program === undefined) throw new Error('mosquitto is missing: has "npm run test:setup" run?');
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const broker = await startMosquitto(program, folder, ['max_queued_messages 100000']);
  try {
    print('| 100 B | us per message | us core nodes | core : ours | us plain MQTT.js | ours : plain |');
    print('|---|---|---|---|---|---|');
    for (const row of rows().filter(({ name }) => name.includes(options.only ?? ''))) {
      const figures = new Map<Contestant, number[]>(row.contestants.map((contestant) => [contestant, []]));
      for (let round = 0; round < (options.long ? ROUNDS.long : ROUNDS.short); round++) {
        for (const [contestant, values] of figures) values.push(await measure(row, contestant, broker.port));
      }
      const us = (contestant: Contestant) => median(figures.get(contestant) ?? []);
      const [ours, core, plain] = [us('mqtt-ros'), us('core'), us('mqtt.js')];
      const cells = [ours, core, core / ours, plain, ours / plain].map((figure) =>
        Number.isNaN(figure) ? '' : figure.toFixed(2),
      );
      print(`| ${row.name} | ${cells.join(' | ')} |`);
    }
  } finally {
    await stop(broker);
    rmSync(folder, { recursive: true });
  }
}
