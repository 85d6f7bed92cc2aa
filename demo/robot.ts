import { InterfaceLibrary } from '../src/ros/interface-library';
import { MessageCodec } from '../src/ros/message-codec';
import { ddsTopicName, ddsTypeName } from '../src/ros/names';
import { Participant } from '../src/rtps/participant';
import type { EndpointQos } from '../src/rtps/qos';
import type { Sample } from '../src/rtps/reader';

/** Velocities in m/s and rad/s, as in geometry_msgs/msg/Twist. */
interface Twist {
  linear: { x: number };
  angular: { z: number };
}

const DOMAIN = Number(process.env.ROS_DOMAIN_ID ?? 0);
const RATE_HZ = 10;
/** A command holds this long, as on a real base: a robot whose operator is gone must stop. */
const COMMAND_TIMEOUT_MS = 2000;
const RELIABLE: EndpointQos = { reliability: 'reliable', durability: 'volatile', depth: 10 };

const codec = (type: string) => MessageCodec.for(InterfaceLibrary.bundled(), type);
const endpoint = (rosName: string, type: string) => ({
  topic: ddsTopicName(rosName),
  type: ddsTypeName(type),
  qos: RELIABLE,
});

/** A differential-drive robot that says where it is and drives by /robot1/cmd_vel. */
async function main(): Promise<void> {
  const participant = new Participant({
    domain: DOMAIN,
    range: 'localhost',
    interfaces: ['127.0.0.1'],
    name: 'simulated robot',
  });
  await participant.start();

  const string = codec('std_msgs/msg/String');
  const poseStamped = codec('geometry_msgs/msg/PoseStamped');
  const twist = codec('geometry_msgs/msg/Twist');
  const chatter = participant.createWriter(endpoint('/chatter', 'std_msgs/msg/String'));
  const pose = participant.createWriter(endpoint('/robot1/pose', 'geometry_msgs/msg/PoseStamped'));

  let x = 0;
  let y = 0;
  let heading = 0;
  let speed = 0;
  let turnRate = 0;
  let commandedAt = 0;

  participant.createReader(endpoint('/chatter', 'std_msgs/msg/String'), (sample: Sample) => {
    if (sample.writerGuid === chatter.guid) return;
    const { data } = JSON.parse(string.decodeToJson(sample.payload)) as { data: string };
    console.log(`heard "${data}" on /chatter`);
  });
  participant.createReader(endpoint('/robot1/cmd_vel', 'geometry_msgs/msg/Twist'), (sample: Sample) => {
    const command = JSON.parse(twist.decodeToJson(sample.payload)) as Twist;
    speed = command.linear.x;
    turnRate = command.angular.z;
    commandedAt = Date.now();
    console.log(`drives at ${speed} m/s and ${turnRate} rad/s`);
  });

  let tick = 0;
  const timer = setInterval(() => {
    if (Date.now() - commandedAt > COMMAND_TIMEOUT_MS) speed = turnRate = 0;
    heading += turnRate / RATE_HZ;
    x += (speed * Math.cos(heading)) / RATE_HZ;
    y += (speed * Math.sin(heading)) / RATE_HZ;
    const now = Date.now();
    pose.write(
      poseStamped.encode({
        header: { stamp: { sec: Math.floor(now / 1000), nanosec: (now % 1000) * 1e6 }, frame_id: 'map' },
        pose: {
          position: { x, y, z: 0 },
          orientation: { x: 0, y: 0, z: Math.sin(heading / 2), w: Math.cos(heading / 2) },
        },
      }),
    );
    if (tick++ % (2 * RATE_HZ) === 0) {
      chatter.write(string.encode({ data: `robot1 is at (${x.toFixed(2)}, ${y.toFixed(2)})` }));
    }
  }, 1000 / RATE_HZ);

  console.log(`The robot is in ROS domain ${DOMAIN}: /robot1/pose, /robot1/cmd_vel, /chatter`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      clearInterval(timer);
      void participant.close();
    });
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
