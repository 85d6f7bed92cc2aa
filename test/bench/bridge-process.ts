// A bridge of ours in a process of its own, as Node-RED runs it, for the bench. It gets its task as an argument, tells
// `ready`, and answers every message with how long its flows' event loop was delayed at p99 since the one before, in ms.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { RosThread } from '../../src/ros/ros-thread';
import { TestBridge } from '../ros/bridge-fixture';
import type { BridgeTask } from './bridge-task';

/** As it is where nobody asks for another, ms. */
const STATUS_INTERVAL = 1000;

async function main(): Promise<void> {
  const { port, flowOutput, route } = JSON.parse(process.argv[2] as string) as BridgeTask;
  const mqtt = {
    target: { url: `mqtt://127.0.0.1:${port}` },
    protocolVersion: 5,
    clientId: 'bench',
    keepAlive: 60,
  } as const;
  const bridge = await TestBridge.open(
    new RosThread(),
    { domains: [route.domain], routes: [route], mqtt, statusInterval: STATUS_INTERVAL },
    { flowOutput },
  );
  await bridge.ready(route.direction === 'ros-to-mqtt' ? { publishers: 1 } : { subscriptions: 1 });
  // Kept, they would be more for V8 to look through each second.
  bridge.handle.on('message', () => bridge.messages.splice(0));
  const resolution = 1;
  const delay = monitorEventLoopDelay({ resolution });
  // It wakes up a thousand times a second, which would count as the bridge's.
  if (flowOutput) delay.enable();
  process.on('message', () => {
    process.send?.(delay.percentile(99) / 1e6 - resolution);
    delay.reset();
  });
  process.send?.('ready');
}

void main();
