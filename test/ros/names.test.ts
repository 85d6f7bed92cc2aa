import assert from 'node:assert/strict';
import {
  ddsServiceTopics,
  ddsTopicName,
  ddsTypeName,
  fieldNameFault,
  interfaceTypeFault,
  isMessageType,
  rosNameFault,
  rosNameOf,
  rosServiceOf,
  rosTypeOf,
} from '../../src/ros/names';

describe('ROS names', () => {
  it('follow the rules of rmw', () => {
    for (const name of ['/a', '/A/b_1/_hidden', '/a__b', `/${'a'.repeat(246)}`]) {
      assert.equal(rosNameFault(name), undefined, name);
    }
    for (const [name, fault] of [
      ['', /empty/],
      ['a', /does not start/],
      ['/', /ends with/],
      ['/a/', /ends with/],
      ['/a//b', /empty part/],
      ['/a/2b', /"2b" starts with a digit/],
      ['/a-b', /contains "-"/],
      ['/~a', /contains "~"/],
      ['/a{b}', /contains "{"/],
      ['/é', /contains "é"/],
      ['/a\n', /contains "\\n"/],
      [`/${'a'.repeat(247)}`, /248 characters/],
    ] as const) {
      assert.match(rosNameFault(name) ?? 'accepted', fault, name);
    }
  });

  it('are mangled for DDS and back', () => {
    assert.equal(ddsTopicName('/robot1/cmd_vel'), 'rt/robot1/cmd_vel');
    assert.equal(rosNameOf('rt/robot1/cmd_vel'), '/robot1/cmd_vel');
    for (const topic of ['chatter', 'rt', 'rt/', 'rtx/a', 'rq/a', 'rt/a b', 'ros_discovery_info', '']) {
      assert.equal(rosNameOf(topic), undefined, topic);
    }
  });
});

describe('ROS services', () => {
  it('have a DDS topic for requests and one for replies', () => {
    const topics = { request: 'rq/robot1/addRequest', reply: 'rr/robot1/addReply' };
    assert.deepEqual(ddsServiceTopics('/robot1/add'), topics);
    assert.equal(rosServiceOf(topics.request), '/robot1/add');
  });

  it('are not what other topics are', () => {
    for (const topic of [
      'rr/addReply',
      'rq/add',
      'rq/Request',
      'rqaddRequest',
      'rt/addRequest',
      'rq/a dRequest',
    ])
      assert.equal(rosServiceOf(topic), undefined, topic);
  });
});

describe('Interface types', () => {
  it('are package/msg/Type', () => {
    for (const type of [
      'std_msgs/msg/String',
      'a/srv/AddTwoInts_Request',
      'a1_b/action/Fibonacci_SendGoal_Response',
      'rcl_interfaces/msg/ParameterEvent',
    ]) {
      assert.equal(interfaceTypeFault(type), undefined, type);
    }
    for (const type of [
      '',
      'String',
      'std_msgs/String',
      'std_msgs/msg/string',
      'std_msgs/idl/String',
      'Std/msg/String',
      'a__b/msg/T',
      'a_/msg/T',
      '1a/msg/T',
      'a/msg/T_',
      'a/msg/T-x',
      'a/msg/T/x',
      'a/msg/T\n',
      'a/msg/T;process',
      `a/msg/${'T'.repeat(300)}`,
    ]) {
      assert.match(interfaceTypeFault(type) ?? 'accepted', /is not an interface type/, type);
    }
  });

  it('are messages, or consist of some', () => {
    for (const type of [
      'a/msg/T',
      'a/srv/T_Request',
      'a/srv/T_Event',
      'a/action/T_Goal',
      'a/action/T_SendGoal_Response',
      'a/action/T_FeedbackMessage',
    ]) {
      assert.equal(isMessageType(type), true, type);
    }
    for (const type of [
      'a/srv/T',
      'a/srv/T_Goal',
      'a/action/T',
      'a/action/T_SendGoal',
      'a/action/T_GetResult',
    ]) {
      assert.equal(isMessageType(type), false, type);
    }
  });

  it('are mangled for DDS and back', () => {
    for (const [type, dds] of [
      ['std_msgs/msg/String', 'std_msgs::msg::dds_::String_'],
      ['a/srv/AddTwoInts_Request', 'a::srv::dds_::AddTwoInts_Request_'],
    ] as const) {
      assert.equal(ddsTypeName(type), dds);
      assert.equal(rosTypeOf(dds), type);
    }
    for (const dds of [
      'String',
      'std_msgs::msg::String_',
      'std_msgs::msg::dds_::String',
      'a::b::msg::dds_::T_',
      '::msg::dds_::T_',
      'a::msg::dds_::T_\n',
    ]) {
      assert.equal(rosTypeOf(dds), undefined, dds);
    }
  });
});

describe('Field names', () => {
  it('are lower case identifiers', () => {
    for (const name of ['x', 'frame_id', 'a1', 'constructor'])
      assert.equal(fieldNameFault(name), undefined, name);
    for (const name of [
      '',
      '_x',
      'x_',
      'a__b',
      'X',
      'frameId',
      '1x',
      'a b',
      'a;b',
      'x\n',
      '__proto__',
      'é',
    ]) {
      assert.match(fieldNameFault(name) ?? 'accepted', /is not a field name/, name);
    }
  });
});
