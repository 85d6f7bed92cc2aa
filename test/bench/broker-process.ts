// The embedded broker in a process of its own, so that its processor time can be told from the load's. Its main thread
// stands for the one that runs the flows. With a directory as its argument it keeps a strict journal there.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { BrokerThread } from '../../src/broker/broker-thread';
import { firstThreadOf } from './process-use';

/** `block`: be busy for 50 ms in every 200. `watch`, then `report`: measure how late the main thread is. */
export type BrokerProcessRequest = 'block' | 'watch' | 'report';

/** Sent once the broker runs. */
export interface BrokerProcessStarted {
  port: number;
  /** The system's number of the broker's thread. */
  threadId: number;
}

const BLOCKED = 50;
const BLOCK_INTERVAL = 200;
const RESOLUTION = 1;

const delay = monitorEventLoopDelay({ resolution: RESOLUTION });

process.on('message', (request: BrokerProcessRequest) => {
  switch (request) {
    case 'block':
      setInterval(() => {
        for (const end = performance.now() + BLOCKED; performance.now() < end; );
      }, BLOCK_INTERVAL);
      break;
    case 'watch':
      delay.reset();
      delay.enable();
      break;
    case 'report':
      delay.disable();
      process.send?.(delay.percentile(99) / 1e6 - RESOLUTION);
      break;
  }
});

async function main(): Promise<void> {
  const [, , directory] = process.argv;
  const broker = new BrokerThread({
    listeners: [{ host: '127.0.0.1', port: 0 }],
    ...(directory !== undefined && { storage: { directory, durability: 'strict' } }),
  });
  process.on('disconnect', () => process.exit());
  const threadId = await firstThreadOf(() => broker.start());
  const started: BrokerProcessStarted = { port: broker.status.listeners[0]?.port ?? 0, threadId };
  process.send?.(started);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
