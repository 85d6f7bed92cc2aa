import assert from 'node:assert/strict';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { parseInterface } from '../../src/ros/interface-text';
import { UnknownTypeError } from '../../src/ros/message-codec';
import { describeType, typeHash } from '../../src/ros/type-description';

const library = InterfaceLibrary.bundled();

// What real ROS 2 installations say, by where they were published.
const HASHES: Record<string, Record<string, string>> = {
  'rmw_zenoh, docs/design.md': {
    'std_msgs/msg/String': 'df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18',
    'example_interfaces/srv/AddTwoInts': 'e118de6bf5eeb66a2491b5bda11202e7b68f198d6f67922cf30364858239c81a',
  },
  'ROS 2 documentation, "Understanding topics"': {
    'geometry_msgs/msg/Twist': '9c45bf16fe0983d80e3cfe750d6835843d265a9a6c46bd2e609fcddde6fb8d2a',
  },
  'ROS 2 documentation, "Understanding actions" (`ros2 action info --verbose`)': {
    'turtlesim_msgs/action/RotateAbsolute_SendGoal':
      '3d5d3cfcbb721f88038eaedcd4af95565360a82b36f1983e3a6c7448d2d18fbe',
    'turtlesim_msgs/action/RotateAbsolute_GetResult':
      'f96fd02477be2a47122fca142e960d407b24850c6eac72047872ba764473c4ef',
    'turtlesim_msgs/action/RotateAbsolute_FeedbackMessage':
      'bef10993e1ee82b35f99f7e390bac1e6cc64e2a3090536887832e122aa71f1b5',
    'action_msgs/srv/CancelGoal': '573d8b0a534451d7bc2ac8c5ffde8ac14b8593b7001175d0cd6516dcbeb8689a',
    'action_msgs/msg/GoalStatusArray': '6c1684b00f177d37438febe6e709fc4e2b0d4248dca4854946f9ed8b30cda83e',
  },
  'rosidl, rosidl_runtime_c/src/type_description/*__description.c': {
    'type_description_interfaces/msg/Field':
      'c0b01379cd4226281285ccaf6be46653968f855f7c5e41614ff5d7a854efef7c',
    'type_description_interfaces/msg/FieldType':
      'a70b6dd919645a03a3586f7f821defbc886ea3e531a1d95cc0f380a3973ccaa6',
    'type_description_interfaces/msg/IndividualTypeDescription':
      '55c827d86c3c141bdd318fe6c22e11190e4d3b37c8f4f9751a084aa05ce96560',
    'type_description_interfaces/msg/KeyValue':
      '274fe56bf14f33c7512e34c646a37579ee36779f745f049a9760763e817f0c42',
    'type_description_interfaces/msg/TypeDescription':
      '739f2508c9fa3a6f330913ff5b9d25fb74159a077da71e1087f51a60c12a080b',
    'type_description_interfaces/msg/TypeSource':
      'faeaec7596c04ecf5b6e99ad225e4c7cbb997ad5435f793526fb3984d011aae5',
  },
  'rosidl_generator_type_description output (github pfeiffmi/ROB599_activities, build/rob599_msgs)': {
    'builtin_interfaces/msg/Time': 'b106235e25a4c5ed35098aa0a61a3ee9c9b18d197f398b0e4206cea9acf9c197',
    'service_msgs/msg/ServiceEventInfo': '41bcbbe07a75c9b52bc96bfd5c24d7f0fc0a08c0cb7921b3373c5732345a6f45',
    'unique_identifier_msgs/msg/UUID': '1b8e8aca958cbea28fe6ef60bf6c19b683c97a9ef60bb34752067d0f2f7ab437',
    'rob599_msgs/action/Fibonacci': '00bf40d6e8121f2f6fa89a9f8b78e28efc8c958cfc656f9cd7f51f223224e2a3',
    'rob599_msgs/action/Fibonacci_Goal': '834005bd2bbbb0ec2dbe2754ce54e9d8c4788812c743ba04dd1eadb29694b74d',
    'rob599_msgs/action/Fibonacci_Result': 'cf622af2777e926c87a6cca9464ba4066f5a50d2683f6094c8913ae921623b51',
    'rob599_msgs/action/Fibonacci_Feedback':
      'c1b73edc4ddf4f9a6b24fefda63f307fa081a30ba3b6703ddc7bab28b66cdda6',
    'rob599_msgs/action/Fibonacci_FeedbackMessage':
      'a941cc541674f910f08c54c0d6a8a5a63be0ee7697a74928f342b2583dcfa88a',
    'rob599_msgs/action/Fibonacci_GetResult':
      '8ebe968757e1b88d729ad53e9aca6d14e4b2f113272786f55541cfb26acc91fc',
    'rob599_msgs/action/Fibonacci_GetResult_Event':
      '0404d58e6597bbe6dbaef508f0affd941624d8c93dcf59b5dce578ea9a6d0e2b',
    'rob599_msgs/action/Fibonacci_GetResult_Request':
      'c52bf1a28eeaf18da1fb98ee28d46abd2a42feeb28879fe66433734b73d91662',
    'rob599_msgs/action/Fibonacci_GetResult_Response':
      '256035c9d33604dd898e5a50a931ecfdda4f073be7710d881beabd8bfa104e78',
    'rob599_msgs/action/Fibonacci_SendGoal':
      '3d7412ff91ff9c5abfbf9f7f5dc2171a3f32cf6da2414b2c2c82f034d176fa01',
    'rob599_msgs/action/Fibonacci_SendGoal_Event':
      'a92b9dccb195b51dfb8030965f60d36d1479667be6704c55936d5a5122d40308',
    'rob599_msgs/action/Fibonacci_SendGoal_Request':
      'f2b9a1cdae16d572911129a7206462218eb7ef274473133a5d92a8c10633ba62',
    'rob599_msgs/action/Fibonacci_SendGoal_Response':
      'd8af5e3d666fb61ed4635ec25692dd96e9343b1b51c4ed9843011b03adf8fccf',
  },
  'programs for rmw_zenoh that carry the hashes of /opt/ros/jazzy/share, found in several repositories': {
    'std_msgs/msg/Header': 'f49fb3ae2cf070f793645ff749683ac6b06203e41c891e17701b1cb597ce6a01',
    'std_msgs/msg/Int32': 'b6578ded3c58c626cfe8d1a6fb6e04f706f97e9f03d2727c9ff4e74b1cef0deb',
    'std_msgs/msg/Float32': '7170d3d8f841f7be3172ce5f4f59f3a4d7f63b0447e8b33327601ad64d83d6e2',
    'geometry_msgs/msg/TwistStamped': '5f0fcd4f81d5d06ad9b4c4c63e3ea51b82d6ae4d0558f1d475229b1121db6f64',
    'geometry_msgs/msg/PoseStamped': '10f3786d7d40fd2b54367835614bff85d4ad3b5dab62bf8bca0cc232d73b4cd8',
    'nav_msgs/msg/Odometry': '3cc97dc7fb7502f8714462c526d369e35b603cfc34d946e3f2eda2766dfec6e0',
    'sensor_msgs/msg/Imu': '7d9a00ff131080897a5ec7e26e315954b8eae3353c3f995c55faf71574000b5b',
    'sensor_msgs/msg/Image': 'd31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47',
    'sensor_msgs/msg/LaserScan': '64c191398013af96509d518dac71d5164f9382553fce5c1f8cca5be7924bd828',
    'sensor_msgs/msg/MagneticField': 'e80f32f56a20486c9923008fc1a1db07bbb273cbbf6a5b3bfa00835ee00e4dff',
    'sensor_msgs/msg/NavSatFix': '62223ab3fe210a15976021da7afddc9e200dc9ec75231c1b6a557fc598a65404',
    'sensor_msgs/msg/Range': 'b42b62562e93cbfe9d42b82fe5994dfa3d63d7d5c90a317981703f7388adff3a',
    'sensor_msgs/msg/BatteryState': '4bee5dfce981c98faa6828b868307a0a73f992ed0789f374ee96c8f840e69741',
    // With `byte`, which is another type than uint8.
    'diagnostic_msgs/msg/DiagnosticArray': '5a8a36efb05fb25070fa0fb3810290c0e6cd4862b54a8fb975a1ee8dc55a333e',
    'example_interfaces/action/Fibonacci_FeedbackMessage':
      'c1de71afd52e49a89c53d8262366884185bc0a02f78ce051c4e46b0a7fe59bb2',
  },
  'metadata.yaml of rosbag2 recordings of Jazzy': {
    'example_interfaces/msg/Int64': '1b3b9a6502f560d079520c73c685a9550e5a1838d2cefd537fe0aba75a3639a0',
    'sensor_msgs/msg/PointCloud': '614593df71d3c2b9bd4604a71b750fd218f0d65c045ea988b713719455a65b3b',
  },
};

describe('The hash of a type', () => {
  const all = InterfaceLibrary.bundled();
  all.add(
    ...parseInterface(
      'rob599_msgs/action/Fibonacci',
      '# goal\nint64 number\n---\n# result\nint64[] sequence\n---\n# feedback\nint64 progress\n',
    ),
  );

  for (const [source, hashes] of Object.entries(HASHES)) {
    it(`is that of ROS 2: ${source}`, () => {
      for (const [type, hash] of Object.entries(hashes)) {
        assert.equal(typeHash(all, type), `RIHS01_${hash}`, type);
      }
    });
  }

  it('depends on no constant, default or comment', () => {
    const first = InterfaceLibrary.bundled();
    first.add(...parseInterface('a/msg/T', 'uint8 A=1 # one\nuint8 a 1\nstring<=3[<=4] b ["x"] # two'));
    const second = InterfaceLibrary.bundled();
    second.add(...parseInterface('a/msg/T', 'uint8 a\nstring<=3[<=4] b'));
    assert.equal(typeHash(first, 'a/msg/T'), typeHash(second, 'a/msg/T'));
  });

  it('exists for every bundled type', () => {
    const hashes = new Set(library.names().map((type) => typeHash(library, type)));
    assert.equal(hashes.size, library.names().length);
  });

  it('is not made of what is unknown', () => {
    assert.throws(() => typeHash(library, 'a/msg/B'), UnknownTypeError);
  });
});

describe('The description of a type', () => {
  it('says what each field is, by the numbers of type_description_interfaces', () => {
    const odd = InterfaceLibrary.bundled();
    odd.add(
      ...parseInterface(
        'a/msg/T',
        [
          'bool a\nbyte b\nchar c\nwstring d\nstring<=5 e\nwstring<=6 f',
          'float32[3] g\nfloat64[<=4] h\nint64[] i',
          'string<=7[2] j\nwstring[<=3] k\nstd_msgs/Empty[2] l\nstd_msgs/Empty[] m',
        ].join('\n'),
      ),
    );
    const { type_description: own, referenced_type_descriptions: others } = describeType(odd, 'a/msg/T');
    assert.deepEqual(
      own.fields.map(({ name, type }) => [name, ...Object.values(type)]),
      [
        ['a', 15, 0, 0, ''],
        ['b', 16, 0, 0, ''],
        ['c', 3, 0, 0, ''],
        ['d', 18, 0, 0, ''],
        ['e', 21, 0, 5, ''],
        ['f', 22, 0, 6, ''],
        ['g', 58, 3, 0, ''],
        ['h', 107, 4, 0, ''],
        ['i', 152, 0, 0, ''],
        ['j', 69, 2, 7, ''],
        ['k', 114, 3, 0, ''],
        ['l', 49, 2, 0, 'std_msgs/msg/Empty'],
        ['m', 145, 0, 0, 'std_msgs/msg/Empty'],
      ],
    );
    assert.deepEqual(others, [
      {
        type_name: 'std_msgs/msg/Empty',
        fields: [
          {
            name: 'structure_needs_at_least_one_member',
            type: { type_id: 3, capacity: 0, string_capacity: 0, nested_type_name: '' },
          },
        ],
      },
    ]);
  });
});
