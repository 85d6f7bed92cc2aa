import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findCounterpart, freePort } from '../counterparts';
import { type LoadCase, putLoad } from './broker-load';

const ROUNDS = 2;
const ROUND_MS = 400;
/** Of /proc, which counts in hundredths of a second on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

const one = { publishers: 1, subscribers: 1 };
const cases: LoadCase[] = [
  { name: '1 -> 1 QoS 0', version: 4, qos: 0, ...one, window: 5000 },
  { name: '1 -> 1 QoS 1', version: 4, qos: 1, ...one, window: 500 },
  { name: '1 -> 1 QoS 2', version: 4, qos: 2, ...one, window: 20 },
  { name: '1 -> 1 QoS 0, MQTT 5', version: 5, qos: 0, ...one, window: 5000 },
  { name: '1 -> 1 QoS 1, MQTT 5', version: 5, qos: 1, ...one, window: 500 },
  { name: '1 -> 100 QoS 0', version: 4, qos: 0, publishers: 1, subscribers: 100, window: 500 },
  { name: '100 -> 1 QoS 0', version: 4, qos: 0, publishers: 100, subscribers: 1, window: 100 },
  { name: '1 -> 1 QoS 0, one at a time', version: 4, qos: 0, ...one, window: 1 },
];

interface RunningBroker {
  port: number;
  process: ChildProcess;
}

async function startOurs(): Promise<RunningBroker> {
  const child = spawn(process.execPath, [require.resolve('./broker-process')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout, 'data');
  return { port: Number(String(line)), process: child };
}

async function startMosquitto(program: string, folder: string): Promise<RunningBroker> {
  const port = await freePort();
  const configuration = join(folder, 'mosquitto.conf');
  // As root it would become a user that cannot read the folder. Without "no delay" it waits 40 ms for many an answer.
  const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', 'set_tcp_nodelay true', 'user root'];
  writeFileSync(configuration, `${lines.join('\n')}\n`);
  const child = spawn(program, ['-c', configuration], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  while (!log.includes(' running')) log += String((await once(child.stderr, 'data'))[0]);
  return { port, process: child };
}

async function stop({ process: child }: RunningBroker): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Seconds of processor time that a process has used. */
function processorTime({ process: { pid } }: RunningBroker): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

interface Figures {
  perSecond: number;
  perProcessorSecond: number;
}

async function measure(broker: RunningBroker, load: LoadCase): Promise<Figures> {
  let used = 0;
  const { delivered, seconds } = await putLoad(broker.port, load, async () => {
    const before = processorTime(broker);
    await sleep(ROUND_MS);
    used = processorTime(broker) - before;
  });
  return { perSecond: delivered / seconds, perProcessorSecond: delivered / Math.max(used, 0.01) };
}

const best = (rounds: Figures[], key: keyof Figures) => Math.max(...rounds.map((figures) => figures[key]));

/**
 * Prints how many messages the embedded broker delivers, in all and per second of its processor time, beside Debian's
 * mosquitto in the same run. A ratio above 1 means that ours delivers more. The load has the second processor; where it
 * is the limit, the first ratio is a lower bound.
 */
export async function benchBroker(print: (line: string) => void): Promise<void> {
  const program = findCounterpart('mosquitto');
  if (program === undefined) {
    print('Skipped: mosquitto is missing ("npm run test:setup" installs it).');
    return;
  }
  const ours = await startOurs();
  const folder = mkdtempSync(join(tmpdir(), 'bench-broker-'));
  const theirs = await startMosquitto(program, folder);
  try {
    print('| case | messages/s | x mosquitto | per processor second | x mosquitto |');
    print('|---|---|---|---|---|');
    for (const load of cases) {
      const figures: [Figures[], Figures[]] = [[], []];
      for (let round = 0; round < ROUNDS; round++) {
        figures[0].push(await measure(ours, load));
        figures[1].push(await measure(theirs, load));
      }
      const cells = (['perSecond', 'perProcessorSecond'] as const).flatMap((key) => {
        const [our, their] = [best(figures[0], key), best(figures[1], key)];
        return [Math.round(our).toLocaleString('en-US'), (our / their).toFixed(2)];
      });
      print(`| ${load.name} | ${cells.join(' | ')} |`);
    }
  } finally {
    await stop(ours);
    await stop(theirs);
    rmSync(folder, { recursive: true });
  }
}

if (require.main === module) void benchBroker(console.log);
