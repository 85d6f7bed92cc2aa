import { parentPort } from 'node:worker_threads';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import { ActionInterface } from '../../src/ros/ros-action';
import type { RosDomain, RosServiceOptions } from '../../src/ros/ros-backend';
import { RtpsBackend } from '../../src/ros/rtps-backend';
import { ACTION, type FleetKind, type FleetOrder, SERVICE, STRING } from './fleet-routes';

/** Names that one robot has. */
const PER_ROBOT = 100;
const QOS = { reliability: 'reliable', durability: 'volatile', depth: 10 } as const;

const library = InterfaceLibrary.bundled();
const action = new ActionInterface(library, '/action', ACTION);
const typeHash = MessageCodec.for(library, STRING).typeHash;
const hashes = {
  requestHash: MessageCodec.for(library, `${SERVICE}_Request`).typeHash,
  responseHash: MessageCodec.for(library, `${SERVICE}_Response`).typeHash,
};
const noAnswer = () => new Promise<Buffer>(() => {});
const robots: RosDomain[] = [];

/** Gives a robot the counterpart of the route of that number. */
function have(robot: RosDomain, index: number, kinds: readonly FleetKind[]): void {
  const rosName = `/fleet/n${index}`;
  const { kind, direction } = kinds[index % kinds.length] as FleetKind;
  if (kind === 'topic') {
    robot.createPublisher({ rosName, type: STRING, typeHash, qos: QOS, onIncompatible: () => {} });
    return;
  }
  const options: RosServiceOptions =
    kind === 'service'
      ? { rosName, type: SERVICE, ...hashes }
      : { ...action.sendGoal.options, rosName: `${rosName}/_action/send_goal` };
  if (direction === 'mqtt-to-ros') robot.createServiceServer(options, noAnswer);
  else robot.createServiceClient(options);
}

async function come({ domain, count, kinds }: FleetOrder): Promise<void> {
  for (let first = 0; first < count; first += PER_ROBOT) {
    const nodeName = `robot${first / PER_ROBOT}`;
    const robot = await new RtpsBackend().openDomain({
      ...{ domain, range: 'localhost', interfaces: ['127.0.0.1'], peers: [], nodeName, bridgeId: nodeName },
    });
    robots.push(robot);
    for (let index = first; index < Math.min(first + PER_ROBOT, count); index++) have(robot, index, kinds);
  }
}

/** A fleet of robots, in a thread of its own. */
parentPort?.on('message', async (order: FleetOrder) => {
  if (order.count > 0) await come(order);
  else await Promise.all(robots.splice(0).map((robot) => robot.close()));
  parentPort?.postMessage('done');
});
