import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connectAsync } from 'mqtt';
import { Connection, type QoS } from '../../src/client/connection';
import type { BenchOptions } from './bench';

const MESSAGES = 30_000;
const PAYLOAD = Buffer.alloc(100, 'x');
const ROUNDS = { short: 3, long: 9 };
/** Messages of one publisher that are under way, as a flow's. */
const BURST = 100;

/** Microseconds of processor time per message. */
type Run = (port: number, messages: number) => Promise<number>;

async function measured(messages: number, run: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / messages;
}

const ours =
  (use: (connection: Connection) => Promise<void>): Run =>
  async (port, messages) => {
    const connection = new Connection({
      endpoint: { url: `mqtt://127.0.0.1:${port}` },
      protocolVersion: 5,
      clientId: 'bench',
      keepAlive: 60,
      cleanStart: true,
    });
    connection.open();
    await connection.publish('begin', '', { qos: 1, retain: false });
    const used = await measured(messages, () => use(connection));
    await connection.close();
    return used;
  };

type Plain = Awaited<ReturnType<typeof connectAsync>>;
const plain =
  (use: (client: Plain) => Promise<void>): Run =>
  async (port, messages) => {
    const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5, clientId: 'bench' });
    await client.publishAsync('begin', '', { qos: 1 });
    const used = await measured(messages, () => use(client));
    await client.endAsync();
    return used;
  };

/** A function for each of so many listeners, and what resolves when all have had all messages. */
function listeners(count: number, messages: number): { listen: () => void; done: Promise<void> } {
  let left = count * messages;
  let finish: () => void;
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const listen = () => {
    if (--left === 0) finish();
  };
  return { listen, done };
}

function receiving(qos: QoS, count: number, messages: number): [ours: Run, plain: Run] {
  const filter = `${messages}/${qos}/x`;
  return [
    ours(async (connection) => {
      const { listen, done } = listeners(count, messages);
      for (let n = 0; n < count; n++) connection.subscribe(filter, { qos }, { message: listen });
      await done;
    }),
    plain(async (client) => {
      const { listen, done } = listeners(count, messages);
      client.setMaxListeners(count + 10);
      for (let n = 0; n < count; n++) client.on('message', listen);
      await client.subscribeAsync(filter, { qos });
      await done;
    }),
  ];
}

async function bursts(messages: number, publish: () => Promise<unknown>): Promise<void> {
  for (let sent = 0; sent < messages; sent += BURST)
    await Promise.all(Array.from({ length: BURST }, publish));
}

function publishing(qos: QoS, messages: number): [ours: Run, plain: Run] {
  return [
    ours((connection) =>
      bursts(messages, () => connection.publish('bench/x', PAYLOAD, { qos, retain: false })),
    ),
    plain((client) => bursts(messages, () => client.publishAsync('bench/x', PAYLOAD, { qos }))),
  ];
}

/** Prints what a message costs the client, beside plain MQTT.js against the same server; less than 1 is cheaper than that. */
export async function benchClient(print: (line: string) => void, options: BenchOptions): Promise<void> {
  const few = MESSAGES / 10;
  const rows: [name: string, messages: number, runs: [Run, Run]][] = [
    ['receive QoS 0', MESSAGES, receiving(0, 1, MESSAGES)],
    ['receive QoS 1', MESSAGES, receiving(1, 1, MESSAGES)],
    ['receive QoS 1, 100 listeners', MESSAGES, receiving(1, 100, MESSAGES)],
    ['receive QoS 1, 1,000 listeners', few, receiving(1, 1000, few)],
    ['publish QoS 0', MESSAGES, publishing(0, MESSAGES)],
    ['publish QoS 1', MESSAGES, publishing(1, MESSAGES)],
  ];
  const server = fork(require.resolve('./client-server'));
  try {
    const [port] = (await once(server, 'message')) as [number];
    print('| 100 B | us per message | us plain MQTT.js | ratio |');
    print('|---|---|---|---|');
    for (const [name, messages, runs] of rows) {
      const best = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY] as [number, number];
      // The first round warms both up.
      for (let round = 0; round <= (options.long ? ROUNDS.long : ROUNDS.short); round++) {
        for (const index of [0, 1] as const)
          best[index] = Math.min(best[index], await runs[index](port, messages));
      }
      const [own, other] = best;
      print(`| ${name} | ${own.toFixed(1)} | ${other.toFixed(1)} | ${(own / other).toFixed(2)} |`);
    }
  } finally {
    server.disconnect();
  }
}
