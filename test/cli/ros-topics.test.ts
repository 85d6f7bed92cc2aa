import assert from 'node:assert/strict';
import { createBroker } from '../../src/broker/mqtt-broker';
import { RosTopics } from '../../src/cli/ros-topics';
import { createBridge } from '../../src/ros/create-bridge';

describe('the topics of ROS that the command tells', () => {
  const broker = createBroker({ listeners: [] });
  const found: string[] = [];
  const { administration } = broker.thread;
  const topics = new RosTopics(administration, { prefix: 'ros' }, (topic) => found.push(topic));

  const publish = (names: string[]) =>
    Promise.all(
      names.map((topic) =>
        administration.publish({ topic, payload: Buffer.alloc(0), qos: 0, retain: false, properties: {} }),
      ),
    );
  const look = async () => topics.look((await broker.statistics()).topics);

  beforeEach(() => broker.start());
  afterEach(() => broker.stop());

  it('are each told once, however many there are, and again when the broker has started again', async () => {
    const many = Array.from({ length: 2500 }, (_, index) => `ros/0/n${index}/state`);
    await publish(many);
    await look();
    assert.deepEqual(found.splice(0), many);
    await publish(['home/door', 'ros/0/@graph', 'ros/0/n0/state', 'ros/1/n0/state']);
    await look();
    await look();
    assert.deepEqual([found.splice(0), topics.count], [['ros/1/n0/state'], 2501]);
    await broker.stop();
    await broker.start();
    await publish(['ros/0/n0/state']);
    await look();
    assert.deepEqual([found.splice(0), topics.count], [['ros/0/n0/state'], 1]);
  });

  it('have the names that the bridge has for them', async () => {
    const bridge = createBridge({
      aliases: { car: 0 },
      namespaces: [{ ros: '/robot1', mqtt: '' }],
      routes: [
        { rosName: '/line1/speed', type: '', direction: 'both', mqttTopic: 'plant/speed' },
        { kind: 'service', rosName: '/add', type: '', direction: 'mqtt-to-ros', mqttTopic: 'plant/add' },
      ],
    });
    const told: unknown[] = [];
    const named = new RosTopics(administration, { prefix: 'ros', bridge }, (topic, parts) =>
      told.push([topic, ...Object.values(parts)]),
    );
    await publish(['plant/speed', 'plant/other', 'plant/add/@req', 'ros/car/arm/state', 'ros/5/scan']);
    await named.look((await broker.statistics()).topics);
    assert.deepEqual(told, [
      ['plant/speed', '0', 'line1', 'speed'],
      ['ros/car/arm/state', 'car', 'robot1/arm', 'state'],
      ['ros/5/scan', '5', '', 'scan'],
    ]);
  });
});
