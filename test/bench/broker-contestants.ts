import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../counterparts';
import type { Figures, Load, LoadRequest } from './broker-load';
import type { BrokerProcessRequest, BrokerProcessStarted } from './broker-process';

const BROKER_CORE = '0';
const LOAD_CORE = '1';

/** A broker whose processor time is measured, on a core of its own. */
export interface RunningBroker {
  port: number;
  process: ChildProcess;
}

/** The load's process: one for all that is measured. */
export class LoadProcess {
  readonly #process = spawn(
    'taskset',
    ['-c', LOAD_CORE, process.execPath, require.resolve('./broker-load')],
    {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  );

  async put(
    { port, process: { pid } }: { port: number; process: Pick<ChildProcess, 'pid'> },
    load: Load,
  ): Promise<Figures> {
    const request: LoadRequest = { port, pid: pid as number, load };
    return answerOf<Figures>(this.#process, request);
  }

  stop(): void {
    this.#process.kill();
  }
}

/** Sends a request to a process and resolves with its answer; rejects when it ends instead. */
export function answerOf<T>(child: ChildProcess, request?: LoadRequest | BrokerProcessRequest): Promise<T> {
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

/** @param storage the directory of a journal, which acknowledges what the disk has; without it nothing is kept */
export async function startOurs(storage?: string): Promise<RunningBroker> {
  const child = spawn(
    process.execPath,
    [require.resolve('./broker-process'), ...(storage ? [storage] : [])],
    {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  );
  const { port, threadId } = await answerOf<BrokerProcessStarted>(child);
  execFileSync('taskset', ['-p', '-c', LOAD_CORE, String(child.pid)]);
  execFileSync('taskset', ['-p', '-c', BROKER_CORE, String(threadId)]);
  return { port, process: child };
}

/** @param settings further lines of its configuration */
export async function startMosquitto(
  program: string,
  folder: string,
  settings: readonly string[] = [],
): Promise<RunningBroker> {
  const port = await freePort();
  const configuration = join(folder, 'mosquitto.conf');
  // As root it would become a user that cannot read the folder. Without "no delay" it waits 40 ms for many an answer.
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'set_tcp_nodelay true',
    'user root',
    ...settings,
  ];
  writeFileSync(configuration, `${lines.join('\n')}\n`);
  const child = spawn('taskset', ['-c', BROKER_CORE, program, '-c', configuration], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  while (!log.includes(' running')) log += String((await once(child.stderr, 'data'))[0]);
  return { port, process: child };
}

/** @param program the entry of the package */
export async function startAedes(program: string): Promise<RunningBroker> {
  const child = spawn(
    'taskset',
    ['-c', BROKER_CORE, process.execPath, require.resolve('./aedes-process'), program],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  );
  return { port: await answerOf<number>(child), process: child };
}

export function hasDied({ process: child }: RunningBroker): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

export async function stop(broker: RunningBroker): Promise<void> {
  if (hasDied(broker)) return;
  const { process: child } = broker;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
