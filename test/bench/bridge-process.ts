// A bridge of ours in a process of its own, as Node-RED runs it, for the bench. It gets its task as an argument, tells
// of the embedded broker where it is to have one, then `ready`, and answers every message with a report.
import { BrokerThread } from '../../src/broker/broker-thread';
import { RosThread } from '../../src/ros/ros-thread';
import { TestBridge } from '../ros/bridge-fixture';
import type { BridgeReport, BridgeTask, EmbeddedBroker } from './bridge-task';
import { LoopDelay } from './loop-delay';
import { firstThreadOf } from './process-use';

/** As it is where nobody asks for another, ms. */
const STATUS_INTERVAL = 1000;

async function main(): Promise<void> {
  const { port, flowOutput, route } = JSON.parse(process.argv[2] as string) as BridgeTask;
  const broker = port === undefined ? await startBroker() : undefined;
  const mqtt = {
    target: port === undefined ? ('embedded' as const) : { url: `mqtt://127.0.0.1:${port}` },
    protocolVersion: 5 as const,
    clientId: 'bench',
    keepAlive: 60,
  };
  const bridge = await TestBridge.open(
    new RosThread(),
    { domains: [route.domain], routes: [route], mqtt, statusInterval: STATUS_INTERVAL },
    { flowOutput, ...(broker !== undefined && { brokerPort: (end) => broker.acceptPort(end) }) },
  );
  // Kept, they would be more for V8 to look through each second.
  bridge.handle.on('message', () => bridge.messages.splice(0));
  await bridge.ready(route.direction === 'ros-to-mqtt' ? { publishers: 1 } : { subscriptions: 1 });
  // It wakes up a thousand times a second, which would count as the bridge's.
  const delay = flowOutput ? new LoopDelay() : undefined;
  process.on('message', () => {
    const report: BridgeReport = { loopDelay: delay?.take() ?? 0, counts: bridge.route()?.counts };
    process.send?.(report);
  });
  process.send?.('ready');
}

async function startBroker(): Promise<BrokerThread> {
  const broker = new BrokerThread({ listeners: [{ host: '127.0.0.1', port: 0 }] });
  const threadId = await firstThreadOf(() => broker.start());
  const started: EmbeddedBroker = { port: broker.status.listeners[0]?.port ?? 0, threadId };
  process.send?.(started);
  return broker;
}

void main();
