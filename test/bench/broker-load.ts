// The load on a broker, in a process of its own so that it can have a processor of its own.
import { setTimeout as sleep } from 'node:timers/promises';
import { closeAll, openClient } from './broker-client';
import { keepPace, type PacedLoad, type PacedResult } from './broker-pace';
import { type SaturatingLoad, saturate } from './broker-saturation';
import { type ProcessorUse, residentMemory } from './process-use';

/** Connections on which nothing happens. */
export interface IdleLoad {
  kind: 'idle';
  connections: number;
}

export type Load = SaturatingLoad | PacedLoad | IdleLoad;

/** What a load is put on. */
export interface LoadRequest {
  port: number;
  pid: number;
  load: Load;
}

/** What was measured; each kind of load measures some of it. */
export interface Figures extends Partial<PacedResult> {
  delivered?: number;
  processor?: ProcessorUse;
  bytesPerConnection?: number;
}

const AT_ONCE = 50;
const SETTLING_TIME = 1500;

async function stayIdle(port: number, pid: number, { connections }: IdleLoad): Promise<Figures> {
  const before = residentMemory(pid);
  const sockets = [];
  while (sockets.length < connections) {
    const opening = Array.from({ length: AT_ONCE }, () => openClient(port, 4));
    sockets.push(...(await Promise.all(opening)));
  }
  await sleep(SETTLING_TIME);
  const bytesPerConnection = (residentMemory(pid) - before) / sockets.length;
  await closeAll(sockets);
  return { bytesPerConnection };
}

function put({ port, pid, load }: LoadRequest): Promise<Figures> {
  switch (load.kind) {
    case 'saturating':
      return saturate(port, pid, load);
    case 'paced':
      return keepPace(port, pid, load);
    case 'idle':
      return stayIdle(port, pid, load);
  }
}

process.on('message', (request: LoadRequest) => {
  put(request).then(
    (figures) => process.send?.(figures),
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
});
