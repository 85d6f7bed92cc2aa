import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCounterpart, freePort } from '../counterparts';
import type { BenchOptions } from './bench';
import type { Figures, Load, LoadRequest } from './broker-load';
import type { PacedLoad } from './broker-pace';
import type { BrokerProcessRequest, BrokerProcessStarted } from './broker-process';
import type { SaturatingLoad } from './broker-saturation';

const BROKER_CORE = '0';
const LOAD_CORE = '1';

interface RunningBroker {
  port: number;
  process: ChildProcess;
}

interface Row {
  name: string;
  load: Load;
  /** The figure that is compared. */
  figure: (figures: Figures) => number;
  floor?: string;
  aim: string;
}

const perProcessorSecond = ({ delivered = 0, processor }: Figures) => delivered / (processor?.used ?? 0);

const saturating = (duration: number, load: Partial<SaturatingLoad> = {}): SaturatingLoad => ({
  ...{ kind: 'saturating', version: 4, qos: 0, publishers: 1, subscribers: 1, window: 5000 },
  ...{ duration, ...load },
});

const paced = (duration: number, load: Partial<PacedLoad> = {}): PacedLoad => ({
  ...{ kind: 'paced', publishers: 1, perSecond: 1000, payloadBytes: 100, readers: 1, stalled: 0 },
  ...{ duration, ...load },
});

function rows(duration: number): Row[] {
  const speed = { figure: perProcessorSecond };
  const qos1 = { qos: 1, window: 500 } as const;
  const qos2 = { qos: 2, window: 20 } as const;
  return [
    { name: '1 -> 1 QoS 0', ...speed, load: saturating(duration), floor: '5', aim: '17' },
    { name: '1 -> 1 QoS 1', ...speed, load: saturating(duration, qos1), floor: '5', aim: '8' },
    { name: '1 -> 1 QoS 2', ...speed, load: saturating(duration, qos2), floor: '5', aim: '8' },
    {
      name: '1 -> 1 QoS 0, MQTT 5',
      ...speed,
      load: saturating(duration, { version: 5 }),
      floor: '5',
      aim: '8',
    },
    {
      name: '1 -> 1 QoS 1, MQTT 5',
      ...speed,
      load: saturating(duration, { ...qos1, version: 5 }),
      floor: '5',
      aim: '5',
    },
    {
      name: '1 -> 1 QoS 2, MQTT 5',
      ...speed,
      load: saturating(duration, { ...qos2, version: 5 }),
      floor: '5',
      aim: '5',
    },
    {
      name: '1 -> 100 QoS 0',
      ...speed,
      load: saturating(duration, { subscribers: 100, window: 500 }),
      aim: '22',
    },
    {
      name: '100 -> 1 QoS 0',
      ...speed,
      load: saturating(duration, { publishers: 100, window: 100 }),
      aim: '8',
    },
    {
      name: '100,000 wildcard filters, 4096 topics',
      ...speed,
      load: saturating(duration, { subscribers: 20, wildcardFilters: 100_000 }),
      aim: '7',
    },
    {
      name: '500 publishers, every message its own write, 10,000/s',
      ...speed,
      load: paced(2 * duration, { publishers: 500, perSecond: 10_000 }),
      floor: '0.75',
      aim: '0.9',
    },
    {
      name: 'p50 at 1,000/s (less is better)',
      load: paced(2 * duration),
      figure: ({ median = 0 }) => median,
      aim: '1.2',
    },
  ];
}

/** The load's process: one for all that is measured. */
class LoadProcess {
  readonly #process = spawn(
    'taskset',
    ['-c', LOAD_CORE, process.execPath, require.resolve('./broker-load')],
    {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  );

  async put({ port, process: { pid } }: RunningBroker, load: Load): Promise<Figures> {
    const request: LoadRequest = { port, pid: pid as number, load };
    return answerOf<Figures>(this.#process, request);
  }

  stop(): void {
    this.#process.kill();
  }
}

/** Sends a request to a process and resolves with its answer; rejects when it ends instead. */
function answerOf<T>(child: ChildProcess, request?: LoadRequest | BrokerProcessRequest): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error(`a process of the bench has ended: ${child.spawnargs.join(' ')}`));
    child.once('exit', ended);
    child.once('message', (answer) => {
      child.off('exit', ended);
      resolve(answer as T);
    });
    if (request !== undefined) child.send(request);
  });
}

async function startOurs(): Promise<RunningBroker> {
  const child = spawn(process.execPath, [require.resolve('./broker-process')], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const { port, threadId } = await answerOf<BrokerProcessStarted>(child);
  execFileSync('taskset', ['-p', '-c', LOAD_CORE, String(child.pid)]);
  execFileSync('taskset', ['-p', '-c', BROKER_CORE, String(threadId)]);
  return { port, process: child };
}

async function startMosquitto(program: string, folder: string): Promise<RunningBroker> {
  const port = await freePort();
  const configuration = join(folder, 'mosquitto.conf');
  // As root it would become a user that cannot read the folder. Without "no delay" it waits 40 ms for many an answer.
  const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'set_tcp_nodelay true', 'user root'];
  writeFileSync(configuration, `${lines.join('\n')}\n`);
  const child = spawn('taskset', ['-c', BROKER_CORE, program, '-c', configuration], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  while (!log.includes(' running')) log += String((await once(child.stderr, 'data'))[0]);
  return { port, process: child };
}

async function stop({ process: child }: RunningBroker): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

function median(values: number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  return ((sorted[(sorted.length - 1) >> 1] as number) + (sorted[sorted.length >> 1] as number)) / 2;
}

/**
 * Prints how many messages the embedded broker delivers per second of its processor time, as ratios to Debian's
 * mosquitto in the same run: the median of interleaved rounds. A ratio above 1 means that ours delivers more.
 */
export async function benchBroker(print: (line: string) => void, { long }: BenchOptions): Promise<void> {
  const program = findCounterpart('mosquitto');
  if (program === undefined) {
    print('Skipped: mosquitto is missing ("npm run test:setup" installs it).');
    return;
  }
  if (cpus().length < 2) {
    print('Skipped: the broker and its load need a processor each.');
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'bench-broker-'));
  const running = new Set<RunningBroker>();
  const start = async (starting: Promise<RunningBroker>) => {
    const broker = await starting;
    running.add(broker);
    return broker;
  };
  const load = new LoadProcess();
  const row = (name: string, measured: string, floor: string | undefined, aim: string) =>
    print(`| ${name} | ${measured} | ${floor ?? '-'} | ${aim} |`);
  try {
    row('case', 'x mosquitto', 'floor', 'aim');
    print('|---|---|---|---|');
    // Before any other load has made the processes grow.
    let ours = await start(startOurs());
    const theirs = await start(startMosquitto(program, folder));
    const idle: Load = { kind: 'idle', connections: 5000 };
    const { bytesPerConnection = 0 } = await load.put(ours, idle);
    const bytesOfTheirs = (await load.put(theirs, idle)).bytesPerConnection ?? 0;
    const kilobytes = `${(bytesPerConnection / 1000).toFixed(1)} KB, ${(bytesPerConnection / bytesOfTheirs).toFixed(1)} x`;
    row('memory per idle connection at 5,000', kilobytes, '15 KB', '8 KB');
    running.delete(ours);
    await stop(ours);

    ours = await start(startOurs());
    for (const { name, load: shape, figure, floor, aim } of rows(long ? 2000 : 400)) {
      const ratios: number[] = [];
      for (let round = 0; round < (long ? 7 : 3); round++) {
        const our = figure(await load.put(ours, shape));
        ratios.push(our / figure(await load.put(theirs, shape)));
      }
      row(name, median(ratios).toFixed(2), floor, aim);
    }

    const duration = long ? 10_000 : 2000;
    const stalling = { perSecond: 10_000, payloadBytes: 2000, readers: 4, stalled: 1 };
    const { share = 0 } = await load.put(ours, paced(duration, stalling));
    row(
      'what readers get beside one that has stopped reading',
      `${(share * 100).toFixed(1)} %`,
      '-',
      '100 %',
    );

    ours.process.send('watch' satisfies BrokerProcessRequest);
    await load.put(ours, saturating(duration));
    const delay = await answerOf<number>(ours.process, 'report');
    row('p99 delay of the main thread, broker saturated', `${delay.toFixed(1)} ms`, '-', '5 ms');

    ours.process.send('block' satisfies BrokerProcessRequest);
    const blocked: number[] = [];
    for (let round = 0; round < 3; round++) blocked.push((await load.put(ours, paced(duration))).p99 ?? 0);
    const p99 = `${median(blocked).toFixed(1)} ms`;
    row('p99 of clients, main thread blocked 50 ms in every 200', p99, '-', '3 ms');
  } finally {
    load.stop();
    for (const broker of running) await stop(broker);
    rmSync(folder, { recursive: true });
  }
}
