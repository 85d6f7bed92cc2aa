import { type ChildProcess, spawn } from 'node:child_process';
import { cpus } from 'node:os';
import { BrokerCommand, WIDE_LIMITS } from '../cli/broker-command';
import type { BenchOptions } from './bench';
import { openClient, subscribe } from './broker-client';
import { LoadProcess } from './broker-contestants';
import type { Figures, Load } from './broker-load';
import type { ReadersRequest } from './gateway-readers';
import { median } from './median';
import { residentMemory, threadTimes } from './process-use';

const READERS = 1000;
const PATH = '/ws/broker/bench%2Ftopic';

interface Row {
  name: string;
  load: Load;
  /** @param used processor time of the broker's thread, ms */
  figure: (figures: Figures, used: number) => number;
  aim: string;
  /** Of each broker in turn. */
  rounds: number;
}

const SATURATING = { kind: 'saturating', version: 4, publishers: 1, subscribers: 1, duration: 2000 } as const;

/** Short, so that what else wakes up on the machine is in few of the rounds. */
const PACED: Load = {
  kind: 'paced',
  publishers: 1,
  readers: 1,
  stalled: 0,
  perSecond: 1000,
  payloadBytes: 100,
  duration: 500,
};

const rows = (times: number): Row[] => [
  {
    name: '1 -> 1 QoS 0, messages per processor second of the broker',
    load: { ...SATURATING, qos: 0, window: 5000 },
    figure: ({ delivered = 0 }, used) => delivered / used,
    aim: '>= 0.9',
    rounds: 3 * times,
  },
  {
    name: '1 -> 1 QoS 1, messages per processor second of the broker',
    load: { ...SATURATING, qos: 1, window: 500 },
    figure: ({ delivered = 0 }, used) => delivered / used,
    aim: '>= 0.9',
    rounds: 3 * times,
  },
  {
    name: 'p50 at 1,000/s (less is better)',
    load: PACED,
    figure: ({ median = 0 }) => median,
    aim: '<= 1.2',
    rounds: 5 * times,
  },
  {
    name: 'p99 at 1,000/s (less is better)',
    load: PACED,
    figure: ({ p99 = 0 }) => p99,
    aim: '<= 2',
    rounds: 9 * times,
  },
];

/**
 * Prints what 1,000 WebSocket readers of the topic that MQTT clients use cost these: what the broker's thread does in
 * its time, and the latency, as ratios to a broker where nobody else listens and to one where one more MQTT client does,
 * in interleaved rounds; and the memory of the process. The readers stand for programs of other machines: theirs is the
 * time that nobody else wants.
 */
export async function benchGateway(
  print: (line: string) => void,
  { long, only }: BenchOptions,
): Promise<void> {
  if (cpus().length < 2) {
    print('Skipped: the broker and its load need a processor each.');
    return;
  }
  const load = new LoadProcess();
  const [alone, listened, busy] = await Promise.all([startBroker(), startBroker(), startBroker()]);
  const readers = spawn('chrt', ['--idle', '0', process.execPath, require.resolve('./gateway-readers')], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  try {
    const listener = await openClient(listened.port, 4);
    await subscribe(listener, ['bench/topic'], 0, 4);
    listener.resume();
    const before = residentMemory(busy.pid);
    await asked(readers, { port: busy.portOf('http'), path: PATH, readers: READERS });
    const connected = residentMemory(busy.pid);
    print(`| with ${READERS} readers | ratio to nobody | to an MQTT client | aim | read, MB/s |`);
    print('|---|---|---|---|---|');
    for (const row of rows(long ? 3 : 1)) {
      if (only !== undefined && !row.name.includes(only)) continue;
      const put = async ({ port, pid }: BrokerCommand) => {
        const before = threadTimes(pid);
        const figures = await load.put({ port, process: { pid } }, row.load);
        // The broker's thread is the busiest beside the main one, which has the gateway.
        const used = [...threadTimes(pid)].map(([thread, time]) => time - (before.get(thread) ?? 0));
        return row.figure(figures, Math.max(...used));
      };
      const [toNobody, toClient, toReaders]: [number[], number[], number[]] = [[], [], []];
      let read = 0;
      let elapsed = 0;
      for (let round = 0; round < row.rounds; round++) {
        toNobody.push(await put(alone));
        toClient.push(await put(listened));
        await asked(readers, 'report');
        const begun = performance.now();
        toReaders.push(await put(busy));
        elapsed += performance.now() - begun;
        read += await asked(readers, 'report');
      }
      const ratios = [toNobody, toClient].map((each) => (median(toReaders) / median(each)).toFixed(2));
      print(`| ${row.name} | ${ratios.join(' | ')} | ${row.aim} | ${(read / elapsed / 1000).toFixed(1)} |`);
    }
    const perReader = (connected - before) / READERS / 1024;
    const grown = (residentMemory(busy.pid) - connected) / 2 ** 20;
    print(
      `\nA reader takes ${perReader.toFixed(1)} KiB; after all of it the process has ${grown.toFixed(0)} MiB more.`,
    );
  } finally {
    load.stop();
    readers.kill();
    await Promise.all([alone, listened, busy].map((broker) => broker.stop('SIGKILL')));
  }
}

async function startBroker(): Promise<BrokerCommand> {
  const broker = await BrokerCommand.start({ environment: WIDE_LIMITS });
  await broker.logged('listening', ({ url }) => String(url).startsWith('http:'));
  return broker;
}

function asked(readers: ChildProcess, request: ReadersRequest): Promise<number> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error('the readers have ended'));
    readers.once('exit', ended);
    readers.once('message', (answer) => {
      readers.off('exit', ended);
      resolve(answer as number);
    });
    readers.send(request);
  });
}
