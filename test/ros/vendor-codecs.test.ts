import assert from 'node:assert/strict';
import { once } from 'node:events';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import { ddsTypeName } from '../../src/ros/names';
import { endingAfterEach } from '../ending-after-each';
import { Cast, freshDomain, freshTopic, Inbox, RELIABLE } from '../rtps/fixture';

const library = InterfaceLibrary.bundled();
/** As ROS 2 has it: code units of UTF-16, that of U+1F600 are two. */
const WIDE = ' hé€😀';

describe('what vendors write otherwise than plain CDR', function () {
  this.timeout(60_000);
  const keep = endingAfterEach();

  const castOf = (vendor: 'cyclone' | 'fast') => keep(new Cast(vendor), (cast) => cast.leave());

  /** Three messages of a talker on Cyclone DDS in that version of XCDR. */
  async function written(test: Mocha.Context, type: string, peerType: string, xcdr: 1 | 2) {
    const domain = freshDomain();
    const topic = freshTopic();
    const cast = castOf('cyclone');
    const participant = await cast.participant({ domain });
    const inbox = new Inbox();
    participant.createReader({ topic, type: ddsTypeName(type), qos: RELIABLE }, inbox.take);
    cast.peer(test, 'pub', { args: { domain, topic, type: peerType, count: 3, rate: 0, xcdr } });
    const samples = await inbox.until(3);
    const codec = MessageCodec.for(library, type);
    return {
      representation: samples[0]?.payload.readUInt16BE(0),
      values: samples.map(({ payload }) => JSON.parse(codec.decodeToJson(payload))),
    };
  }

  for (const [peerType, type] of [
    ['imu', 'sensor_msgs/msg/Imu'],
    ['pose', 'geometry_msgs/msg/PoseStamped'],
  ] as const)
    it(`is read where Cyclone DDS writes ${type} in XCDR2`, async function () {
      const older = await written(this, type, peerType, 1);
      const newer = await written(this, type, peerType, 2);
      // CDR_LE and CDR2_LE (DDS-XTypes 1.3, 7.6.3.1.2).
      assert.deepEqual([older.representation, newer.representation], [0x0001, 0x0007]);
      assert.deepEqual(newer.values, older.values);
      assert.deepEqual(
        newer.values.map(({ header }) => header.frame_id),
        ['message 1', 'message 2', 'message 3'],
      );
    });

  it('is read where Cyclone DDS writes an appendable type, each behind its size', async function () {
    const { representation, values } = await written(
      this,
      'diagnostic_msgs/msg/DiagnosticStatus',
      'status',
      2,
    );
    assert.equal(representation, 0x0009);
    const pairs = [
      { key: 'a', value: '1' },
      { key: '', value: 'two' },
    ];
    assert.deepEqual(
      values,
      [1, 2, 3].map((level) => ({
        level,
        name: `message ${level}`,
        message: '',
        hardware_id: 'id',
        values: pairs,
      })),
    );
  });

  it('is a wstring as Fast DDS writes and reads it', async function () {
    const type = 'example_interfaces/msg/WString';
    const codec = MessageCodec.for(library, type);
    const cast = castOf('fast');
    const domain = freshDomain();
    const [topic, echoTopic] = [freshTopic(), freshTopic()];
    const participant = await cast.participant({ domain });
    const inbox = new Inbox();
    participant.createReader({ topic, type: ddsTypeName(type), qos: RELIABLE }, inbox.take);
    const writer = participant.createWriter({ topic: echoTopic, type: ddsTypeName(type), qos: RELIABLE });
    cast.peer(this, 'pub', { args: { domain, topic, type: 'wstring', count: 2 } });
    const listener = cast.peer(this, 'sub', {
      args: { domain, topic: echoTopic, type: 'wstring', count: 2 },
    });
    await inbox.until(2);
    const values = inbox.samples.map(({ payload }) => JSON.parse(codec.decodeToJson(payload)));
    assert.deepEqual(values, [{ data: `message 1${WIDE}` }, { data: `message 2${WIDE}` }]);
    await listener.until(({ matched }) => matched === 1);
    if (writer.matchedCount === 0) await once(writer, 'matched');
    for (const value of values) writer.write(codec.encode(value));
    assert.equal(await listener.exited(), 0);
    assert.deepEqual(listener.messages, values);
  });
});
