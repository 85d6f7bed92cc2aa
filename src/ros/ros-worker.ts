import { deserialize } from 'node:v8';
import { MessageChannel, type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { PortStream } from '../client/port-stream';
import { Bridge } from './bridge';
import type { BridgeSettings } from './bridge-settings';
import { FlowQueue } from './flow-queue';
import { splitFrames } from './frames';
import { InterfaceLibrary } from './interface-library';
import { type LearnedType, LearnedTypes } from './learned-types';
import { PasswordRequests } from './password-requests';
import { RosBackends } from './ros-backends';
import type { FlowFacts, PublishResult, RosWorkerReport, RosWorkerRequest } from './ros-worker-messages';
import { encodeSampleFrame, routeOfSampleFrame } from './sample-frame';

// The ROS worker's entry: runs the bridges of one Node-RED runtime for their host, `RosThread`.

interface HostedBridge {
  bridge: Bridge;
  flow: FlowQueue;
  passwords: PasswordRequests;
  /** Whether the bridge could be opened; never rejects. */
  opened: Promise<boolean>;
}

const host = parentPort as MessagePort;
const backends = new RosBackends();
const library = InterfaceLibrary.installed();
const learned = new LearnedTypes(workerData as LearnedType[], (type) =>
  report({ type: 'learned', learned: type }),
);
const bridges = new Map<number, HostedBridge>();

// A request for a bridge that has gone is no fault: it crossed the report of that.
host.on('message', (request: RosWorkerRequest) => {
  const hosted = bridges.get(request.bridge);
  switch (request.type) {
    case 'open':
      open(request.bridge, request.settings, request.flowOutput);
      break;
    case 'close':
      if (hosted !== undefined) void close(request.bridge, hosted);
      break;
    case 'publish':
      if (hosted !== undefined) publish(request.bridge, hosted.bridge, request.joined);
      break;
    case 'routes':
      if (hosted !== undefined)
        answer(request.bridge, request.id, () => {
          const found = hosted.bridge.changeRoutes(request.request);
          return found === undefined ? undefined : JSON.stringify(found);
        });
      break;
    case 'graph':
      if (hosted !== undefined)
        answer(request.bridge, request.id, () => hosted.bridge.describeGraph(request.domain));
      break;
    case 'flow-output':
      if (hosted !== undefined) hosted.bridge.flowOutput = request.wanted;
      break;
    case 'read':
      hosted?.flow.read();
      break;
    case 'password':
      hosted?.passwords.answer(request);
  }
});

function open(key: number, settings: BridgeSettings, flowOutput: boolean): void {
  const flow = new FlowQueue(
    (joined) => report({ type: 'samples', bridge: key, joined }, [joined]),
    (frame) => bridge.droppedFlowSample(routeOfSampleFrame(frame)),
  );
  const passwords = new PasswordRequests((id) => report({ type: 'password-wanted', bridge: key, id }));
  const onWarning = (message: string) => report({ type: 'warning', bridge: key, message });
  const bridge = new Bridge(settings, {
    backend: backends.for(settings, onWarning),
    library,
    learned,
    openBrokerStream: () => {
      const { port1, port2 } = new MessageChannel();
      report({ type: 'broker-port', bridge: key, port: port2 }, [port2]);
      return new PortStream(port1);
    },
    askPassword: () => passwords.ask(),
    onSample: (sample) => flow.push(encodeSampleFrame(sample)),
    onRouteOpened: (name) => report({ type: 'route-opened', bridge: key, name }),
    onRouteClosed: (routeKey) => report({ type: 'route-closed', bridge: key, key: routeKey }),
    onEvent: (event) => report({ type: 'event', bridge: key, event }),
    onStatus: (status) => report({ type: 'status', bridge: key, status }),
    onWarning,
    onProblem: (message) => report({ type: 'problem', bridge: key, message }),
  });
  bridge.flowOutput = flowOutput;
  const opened = bridge.open().then(
    () => {
      report({ type: 'opened', bridge: key });
      return true;
    },
    async (error: Error) => {
      bridges.delete(key);
      await bridge.close();
      report({ type: 'refused', bridge: key, message: error.message });
      return false;
    },
  );
  bridges.set(key, { bridge, flow, passwords, opened });
}

async function close(key: number, { bridge, opened }: HostedBridge): Promise<void> {
  if (await opened) await bridge.close();
  bridges.delete(key);
  report({ type: 'closed', bridge: key });
}

function publish(key: number, bridge: Bridge, joined: ArrayBuffer): void {
  const results: PublishResult[] = [];
  const answer = (result: PublishResult) => report({ type: 'published', bridge: key, results: [result] });
  for (const frame of splitFrames(joined)) {
    const [id, topic, payload, facts] = deserialize(frame) as [number, string, unknown, FlowFacts];
    try {
      const published = bridge.publish(topic, payload, facts);
      if (published === undefined) results.push({ id });
      else {
        published.then(
          (text) => answer({ id, ...(text !== undefined && { answer: text }) }),
          (error: Error) => answer({ id, error: error.message }),
        );
      }
    } catch (error) {
      results.push({ id, error: (error as Error).message });
    }
  }
  report({ type: 'published', bridge: key, results });
}

/** @param find throws an Error that says why there is no answer */
function answer(key: number, id: number, find: () => string | undefined): void {
  let result: PublishResult;
  try {
    const found = find();
    result = { id, ...(found !== undefined && { answer: found }) };
  } catch (error) {
    result = { id, error: (error as Error).message };
  }
  report({ type: 'published', bridge: key, results: [result] });
}

function report(message: RosWorkerReport, transfer: Array<ArrayBuffer | MessagePort> = []): void {
  host.postMessage(message, transfer);
}
