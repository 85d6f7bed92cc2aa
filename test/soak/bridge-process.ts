// A bridge of ours with an output to the flow, in a process of its own, for the soak. It gets its settings as an argument,
// and answers every message with a report.
import { RosThread } from '../../src/ros/ros-thread';
import type { RouteStatus } from '../../src/ros/ros-worker-messages';
import { TestBridge } from '../ros/bridge-fixture';

export interface SoakedBridgeReport {
  readonly connected: boolean;
  readonly routes: readonly RouteStatus[];
  /** Messages that came out at the flow. */
  readonly toFlow: number;
  /** Objects of JavaScript in the main thread and in the worker, and memory outside of V8's heap that they hold, bytes. */
  readonly heap: number;
}

async function main(): Promise<void> {
  const bridge = TestBridge.create(new RosThread(), JSON.parse(process.argv[2] as string));
  let toFlow = 0;
  bridge.handle.on('message', () => {
    toFlow++;
    bridge.messages.splice(0);
  });
  await bridge.handle.open();
  process.on('message', () => {
    const { status } = bridge;
    const report: SoakedBridgeReport = {
      connected: status?.mqtt?.state === 'connected',
      routes: status?.routes ?? [],
      toFlow,
      heap: heapInUse(),
    };
    process.send?.(report);
  });
  process.on('disconnect', () => process.exit());
}

interface DiagnosticReport {
  readonly javascriptHeap: { readonly usedMemory: number; readonly externalMemory: number };
  readonly workers: readonly DiagnosticReport[];
}

function heapInUse(): number {
  const { workers, ...main } = process.report.getReport() as unknown as DiagnosticReport;
  return [main, ...workers].reduce(
    (sum, { javascriptHeap }) => sum + javascriptHeap.usedMemory + javascriptHeap.externalMemory,
    0,
  );
}

void main();
