import assert from 'node:assert/strict';
import {
  DISCOVERY_INFO_HASH,
  DISCOVERY_INFO_TYPE,
  decodeDiscoveryInfo,
  encodeDiscoveryInfo,
  type ParticipantEntities,
} from '../../src/ros/discovery-info';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { parseInterfaces } from '../../src/ros/interface-text';
import { describeType, hashOf } from '../../src/ros/type-description';

const PREFIX = '0110aabbccddeeff00112233';
const info: ParticipantEntities = {
  guid: `${PREFIX}000001c1`,
  nodes: [
    { namespace: '/', name: 'a', readers: [], writers: [`${PREFIX}00000103`] },
    {
      namespace: '/robot1',
      name: 'talker',
      readers: [`${PREFIX}00000204`, `${PREFIX}00000304`],
      writers: [],
    },
  ],
};

describe('ros_discovery_info', () => {
  // Written out by hand: rmw_dds_common's messages as plain CDR.
  const bytesOf = (gidSize: 16 | 24): Buffer => {
    const gid = (guid: string) => guid + '00'.repeat(gidSize - 16);
    const hex = [
      '00010000',
      gid(`${PREFIX}000001c1`),
      '02000000',
      `02000000${'2f00'}${'0000'}`,
      `02000000${'6100'}${'0000'}`,
      '00000000',
      `01000000${gid(`${PREFIX}00000103`)}`,
      `08000000${'2f726f626f743100'}`,
      `07000000${'74616c6b657200'}${'00'}`,
      `02000000${gid(`${PREFIX}00000204`)}${gid(`${PREFIX}00000304`)}`,
      '00000000',
    ];
    return Buffer.from(hex.join(''), 'hex');
  };

  for (const gidSize of [16, 24] as const) {
    it(`is written and read with gids of ${gidSize} bytes`, () => {
      assert.deepEqual(encodeDiscoveryInfo(info, gidSize).toString('hex'), bytesOf(gidSize).toString('hex'));
      assert.deepEqual(decodeDiscoveryInfo(bytesOf(gidSize), PREFIX), { gidSize, info });
    });

    it(`is told apart with gids of ${gidSize} bytes also where there is no node`, () => {
      const none = { ...info, nodes: [] };
      assert.deepEqual(decodeDiscoveryInfo(encodeDiscoveryInfo(none, gidSize), PREFIX), {
        gidSize,
        info: none,
      });
    });

    it(`is not believed with gids of ${gidSize} bytes when it ends anywhere before its end`, () => {
      const bytes = bytesOf(gidSize);
      for (let length = 0; length < bytes.length; length++)
        assert.notDeepEqual(
          decodeDiscoveryInfo(bytes.subarray(0, length), PREFIX)?.info,
          info,
          `${length} bytes`,
        );
    });
  }

  it('has a type of this hash', () => {
    const definitions = [
      'MSG: rmw_dds_common/msg/Gid\nchar[16] data',
      'MSG: rmw_dds_common/msg/NodeEntitiesInfo\nstring<=256 node_namespace\nstring<=256 node_name',
      'Gid[] reader_gid_seq\nGid[] writer_gid_seq',
      'MSG: rmw_dds_common/msg/ParticipantEntitiesInfo\nGid gid\nNodeEntitiesInfo[] node_entities_info_seq',
    ];
    const text = definitions.join('\n').replaceAll('\nMSG', '\n===\nMSG');
    const library = InterfaceLibrary.bundled().with(parseInterfaces(text, 'test'));
    assert.equal(hashOf(describeType(library, DISCOVERY_INFO_TYPE)), DISCOVERY_INFO_HASH);
  });

  it('is not believed about another participant', () => {
    assert.equal(decodeDiscoveryInfo(bytesOf(16), PREFIX.replace('01', '02')), undefined);
  });

  it('is not believed when it counts more than it has', () => {
    const bytes = bytesOf(16);
    bytes.writeUInt32LE(0xffffffff, 20);
    assert.equal(decodeDiscoveryInfo(bytes, PREFIX), undefined);
  });
});
