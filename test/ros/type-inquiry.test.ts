import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { parseInterfaces } from '../../src/ros/interface-text';
import { MessageCodec } from '../../src/ros/message-codec';
import type { RosDomain, RosPublisher, RosServiceServer } from '../../src/ros/ros-backend';
import { describeType, hashOf } from '../../src/ros/type-description';
import { RELIABLE } from '../rtps/fixture';
import { route, type TestBridge } from './bridge-fixture';
import { Bridges } from './bridges';

const SERVICE_TYPE = 'type_description_interfaces/srv/GetTypeDescription';
const bundled = InterfaceLibrary.bundled();
const question = MessageCodec.for(bundled, `${SERVICE_TYPE}_Request`);
const answer = MessageCodec.for(bundled, `${SERVICE_TYPE}_Response`);

/** What a robot answers; `undefined`: it does not know the type. */
type Describe = (type: string, hash: string) => unknown;

describe('a type that only the robot knows', function () {
  this.timeout(60_000);
  const bridges = Bridges.forSuite();
  let domain: number;
  let library: InterfaceLibrary;
  /** No file defines it. */
  let type: string;

  beforeEach(() => {
    ({ domain } = bridges);
    const name = `robot_${randomBytes(6).toString('hex')}`;
    const text = `MSG: ${name}_msgs/Part\nstring<=${3 + name.length} label\nfloat32[2] position\n===\nMSG: ${name}_msgs/Whole\nbuiltin_interfaces/Time stamp\nPart[] parts\nbyte flags\n`;
    library = bundled.with(parseInterfaces(text, 'test'));
    type = `${name}_msgs/msg/Whole`;
  });

  const robot = async (
    describe: Describe,
  ): Promise<{ user: RosDomain; service: RosServiceServer; publisher: RosPublisher; asked: string[] }> => {
    const user = await bridges.ros(domain, { nodeName: 'camera', bridgeId: 'camera' });
    const asked: string[] = [];
    const service = user.createServiceServer(
      {
        rosName: '/camera/get_type_description',
        type: SERVICE_TYPE,
        requestHash: question.typeHash,
        responseHash: answer.typeHash,
      },
      async (cdr) => {
        const { type_name, type_hash } = JSON.parse(question.decodeToJson(cdr));
        asked.push(type_name);
        const description = describe(type_name, type_hash);
        return answer.encode(
          description === undefined
            ? { successful: false, failure_reason: `no ${type_name}` }
            : { successful: true, type_description: description },
        );
      },
    );
    const { typeHash } = MessageCodec.for(library, type);
    const onIncompatible = () => {};
    const publisher = user.createPublisher({
      rosName: '/whole',
      type,
      typeHash,
      qos: RELIABLE,
      onIncompatible,
    });
    return { user, service, publisher, asked };
  };
  const honest: Describe = (name, hash) => {
    const description = describeType(library, name);
    return hashOf(description) === hash ? description : undefined;
  };
  const bridgeTo = (named = type): Promise<TestBridge> =>
    bridges.open({
      routes: [route(domain, { rosName: '/whole', type: named, direction: 'ros-to-mqtt' })],
    });
  const known = (bridge: TestBridge) =>
    bridge.until(() => bridge.route()?.counts !== undefined && bridge.route()?.problem === undefined);
  const whole = {
    stamp: { sec: 7, nanosec: 8 },
    parts: [{ label: 'left', position: [0.5, -1] }],
    flags: 255,
  };

  it('is asked from the node that publishes it, and its messages arrive as JSON', async () => {
    const bridge = await bridgeTo();
    assert.match(
      bridge.route()?.problem ?? '',
      /no definition of type .*; a robot that has it will be asked/,
    );
    const { publisher, asked } = await robot(honest);
    await bridge.until(() => bridge.route()?.problem === undefined);
    assert.deepEqual(asked, [type]);
    const cdr = MessageCodec.for(library, type).encode(whole);
    await bridge.ready({ publishers: 1 });
    // The publisher has yet to find the new subscription.
    const repeat = setInterval(() => publisher.publish(Buffer.from(cdr), []), 50);
    try {
      await bridge.until(() => bridge.messages.length > 0);
    } finally {
      clearInterval(repeat);
    }
    assert.equal(bridge.messages[0]?.topic, `ros/${domain}/whole`);
    assert.deepEqual(bridge.messages[0]?.payload, whole);
  });

  it('is asked by a route that leaves it to discovery', async () => {
    const bridge = await bridgeTo('');
    assert.equal(bridge.route()?.problem, undefined);
    const { asked } = await robot(honest);
    await bridge.ready({ publishers: 1 });
    await known(bridge);
    assert.deepEqual([bridge.route()?.type, asked], [type, [type]]);
  });

  it('is known to a bridge that is opened later, when nobody describes it any more', async () => {
    const { service, asked } = await robot(honest);
    const first = await bridgeTo();
    await known(first);
    // The worker ends with its last bridge.
    await first.close();
    service.close();
    const again = await bridgeTo();
    await known(again);
    const beside = await bridgeTo('');
    await beside.until(() => beside.route()?.type === type);
    assert.deepEqual([beside.route()?.problem, beside.problems], [undefined, []]);
    assert.deepEqual(asked, [type]);
  });

  it('is asked again when its hash is another one', async () => {
    const { user } = await robot(honest);
    const first = await bridgeTo();
    await known(first);
    await Promise.all([first.close(), user.close()]);
    library = bundled.with(parseInterfaces(`MSG: ${type.replace('/msg', '')}\nint32 other\n`, 'test'));
    const { asked } = await robot(honest);
    const again = await bridgeTo();
    await known(again);
    assert.deepEqual(asked, [type]);
  });

  it('is not believed when it has not the hash that discovery tells', async () => {
    await robot((name) => ({
      ...describeType(library, name),
      type_description: describeType(bundled, 'std_msgs/msg/String').type_description,
    }));
    const bridge = await bridgeTo();
    await bridge.until(() => /its hash is RIHS01_/.test(bridge.route()?.problem ?? ''));
    assert.match(
      bridge.route()?.problem ?? '',
      /was asked from the robot: type description of std_msgs\/msg\/String/,
    );
  });

  it('stays unknown, with the reason, when the robot does not describe it', async () => {
    const { asked } = await robot(() => undefined);
    const bridge = await bridgeTo();
    const reason = `route 1 (/whole): its type ${type} was asked from the robot: service /camera/get_type_description: no ${type}`;
    await bridge.until(() => bridge.route()?.problem === reason);
    assert.deepEqual(asked, [type]);
    assert.ok(bridge.problems.includes(reason));
  });
});
