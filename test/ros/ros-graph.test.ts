import assert from 'node:assert/strict';
import { bridgeNodeName } from '../../src/ros/bridge-node';
import {
  DISCOVERY_INFO_HASH,
  decodeDiscoveryInfo,
  encodeDiscoveryInfo,
  type GidSize,
  type NodeEntities,
} from '../../src/ros/discovery-info';
import { typeHashIn } from '../../src/ros/endpoint-user-data';
import { ddsTypeName } from '../../src/ros/names';
import type { RosDomain, RosEndpoint } from '../../src/ros/ros-backend';
import { RtpsBackend } from '../../src/ros/rtps-backend';
import type { Participant } from '../../src/rtps/participant';
import { type Cast, Inbox, TRANSIENT_LOCAL } from '../rtps/fixture';
import { STRING, Watch } from './bridge-fixture';
import { Bridges } from './bridges';

const DISCOVERY = {
  topic: 'ros_discovery_info',
  type: 'rmw_dds_common::msg::dds_::ParticipantEntitiesInfo_',
  qos: TRANSIENT_LOCAL,
};
const HASH = `RIHS01_${'0'.repeat(64)}`;

describe('the graph of a ROS domain', function () {
  this.timeout(60_000);
  const bridges = Bridges.forSuite();
  const watch = new Watch();
  let domain: number;
  let cast: Cast;
  beforeEach(() => {
    ({ domain } = bridges);
    cast = bridges.vendor('cyclone');
  });

  const open = async (
    nodeName: string,
    backend = new RtpsBackend(),
    bridgeId = nodeName,
  ): Promise<RosDomain> => {
    const user = await bridges.ros(domain, { backend, nodeName, bridgeId });
    user.onGraphChange(() => watch.changed());
    return user;
  };
  const namesOf = (user: RosDomain): string[] => [...user.nodes()].map(({ name }) => name).sort();
  const publisher = (user: RosDomain, rosName: string) =>
    user.createPublisher({
      rosName,
      type: 'std_msgs/msg/String',
      typeHash: HASH,
      qos: TRANSIENT_LOCAL,
      onIncompatible: () => {},
    });

  /** A process of a ROS release with that size of gid, which tells of one node, and hears of others. */
  const release = async (gidSize: GidSize, name: string, namespace = '/robot1') => {
    const participant = await cast.participant({ domain });
    const inbox = new Inbox();
    inbox.on('sample', () => watch.changed());
    participant.createReader(DISCOVERY, inbox.take);
    const talker = participant.createWriter({ ...DISCOVERY, topic: 'rt/chatter', type: STRING });
    const node = { namespace, name, readers: [], writers: [talker.guid] };
    const writer = participant.createWriter(DISCOVERY);
    const tell = (nodes: NodeEntities[]) =>
      writer.write(encodeDiscoveryInfo({ guid: participant.guid, nodes }, gidSize));
    tell([node]);
    return {
      participant,
      tell,
      talker,
      heard: () =>
        inbox.samples.map(({ payload, writerGuid }) => decodeDiscoveryInfo(payload, writerGuid.slice(0, 24))),
    };
  };

  for (const gidSize of [16, 24] as const) {
    it(`is exchanged with a release whose gids have ${gidSize} bytes`, async () => {
      const user = await open('our_bridge');
      const { participant, talker, heard } = await release(gidSize, 'talker');
      await watch.until(() => namesOf(user).length > 0);
      const ends = participant.endpoints.filter(({ topic }) => topic === DISCOVERY.topic);
      assert.ok(ends.length > 0);
      for (const { userData } of ends) assert.equal(typeHashIn(userData), DISCOVERY_INFO_HASH);
      assert.deepEqual([...user.nodes()], [{ name: '/robot1/talker', endpoints: [talker.guid] }]);
      await watch.until(() => heard().length > 0);
      publisher(user, '/chatter');
      // What it says of itself before that may still be on its way.
      await watch.until(() => heard().at(-1)?.info.nodes[0]?.writers.length === 1);
      const said = heard().at(-1);
      assert.equal(said?.gidSize, gidSize);
      assert.deepEqual(
        said?.info.nodes.map(({ namespace, name, readers, writers }) => [
          namespace,
          name,
          readers.length,
          writers.length,
        ]),
        [['/', 'our_bridge', 0, 1]],
      );
    });
  }

  it('is in the size of others where there is one of our kind besides', async () => {
    const user = await open('ours');
    const other = await open('other');
    await watch.until(() => namesOf(user).length === 1 && namesOf(other).length === 1);
    const { heard } = await release(24, 'talker');
    await watch.until(() => heard().filter((said) => said?.gidSize === 24).length >= 2);
  });

  it('has the nodes of both users of a participant, and without those who left', async () => {
    const backend = new RtpsBackend();
    const first = await open('first', backend);
    const second = await open('second', backend);
    const other = await open('other');
    await watch.until(() => namesOf(other).length === 2);
    assert.deepEqual(namesOf(other), ['/first', '/second']);
    await watch.until(() => namesOf(first).length === 1);
    assert.deepEqual(namesOf(first), ['/other']);
    await second.close();
    await watch.until(() => namesOf(other).length === 1);
    await first.close();
    await watch.until(() => namesOf(other).length === 0);
  });

  it('has the bridges of other participants, and those that share ours', async () => {
    const backend = new RtpsBackend();
    const first = await open('first', backend, 'b 1,;');
    const other = await open('other', undefined, 'b 2');
    const known = (user: RosDomain) => [...user.bridges()].sort();
    await watch.until(() => known(first).length === 1 && known(other).length === 1);
    assert.deepEqual([known(first), known(other)], [['b 2'], ['b 1,;']]);
    const second = await open('second', backend, 'b3');
    assert.deepEqual(
      [known(first), known(second)],
      [
        ['b 2', 'b3'],
        ['b 1,;', 'b 2'],
      ],
    );
    await watch.until(() => known(other).length === 2);
    assert.deepEqual(known(other), ['b 1,;', 'b3']);
    // Only who shares the participant knows whose of the two it is.
    publisher(second, '/of_second');
    const made = (user: RosDomain) => [...user.endpoints('/of_second')].map(({ guid }) => guid);
    await watch.until(() => made(other).length === 1);
    const [guid = ''] = made(first);
    assert.deepEqual([first.bridgesOf(guid), other.bridgesOf(guid)], [['b3'], ['b 1,;', 'b3']]);
    publisher(other, '/of_other');
    await watch.until(() => [...first.endpoints('/of_other')].length === 1);
    assert.deepEqual(
      [...first.endpoints('/of_other')].map((found) => first.bridgesOf(found.guid)),
      [['b 2']],
    );
    await first.close();
    await watch.until(() => known(other).length === 1);
    assert.deepEqual([known(other), known(second)], [['b3'], ['b 2']]);
    await second.close();
    await watch.until(() => known(other).length === 0);
  });

  it('has the bridges that only their nodes tell, as those on rclnodejs', async () => {
    const user = await open('user');
    const told: Array<readonly string[]> = [];
    user.onGraphChange(() => {
      told.push([...user.endpoints('/chatter')].flatMap(({ guid }) => user.bridgesOf(guid)));
    }, '/chatter');
    const far = await release(16, bridgeNodeName('far-1'), '/');
    far.participant.createWriter({ topic: 'rt/chatter', type: ddsTypeName(STRING), qos: TRANSIENT_LOCAL });
    await watch.until(() => user.bridges().size > 0);
    assert.deepEqual([...user.bridges()], ['far-1']);
    // Who asks for the name is told whose the publisher is, though it was known before.
    await watch.until(() => told.at(-1)?.length === 1);
    assert.deepEqual(told.at(-1), ['far-1']);
    const [{ guid }] = [...user.endpoints('/chatter')] as [RosEndpoint];
    const nodes = ['far-1', 'b 2'].map((id) => ({
      ...{ namespace: '/', name: bridgeNodeName(id), readers: [] },
      writers: id === 'b 2' ? [guid] : [],
    }));
    far.tell(nodes);
    await watch.until(() => user.bridges().size === 2);
    assert.deepEqual(user.bridgesOf(guid), ['b 2']);
    await far.participant.close();
    await watch.until(() => user.bridges().size === 0);
  });

  it('stays with the other user of a participant when one is closed twice', async () => {
    const backend = new RtpsBackend();
    const [user, other] = [await open('user', backend), await open('other', backend)];
    await Promise.all([other.close(), other.close()]);
    const late = await open('late');
    await watch.until(() => late.bridges().has('user'));
    assert.deepEqual([...late.bridges()], ['user']);
    await watch.until(() => user.bridges().has('late'));
  });

  it('forgets an endpoint that is closed', async () => {
    const user = await open('ours');
    const other = await open('other');
    const endpoints = () => [...other.nodes()][0]?.endpoints.length;
    const made = publisher(user, '/chatter');
    await watch.until(() => endpoints() === 1);
    made.close();
    await watch.until(() => endpoints() === 0);
  });

  it('is read by a process on Cyclone DDS', async function () {
    await open('our_bridge');
    await open('other');
    const listener = cast.peer(this, 'sub', {
      args: { topic: DISCOVERY.topic, type: 'graph', dur: 't', domain, idle: 20, timeout: 20 },
    });
    const names = (messages: unknown[]) =>
      (messages as { nodes: { namespace: string; name: string }[] }[]).flatMap(({ nodes }) =>
        nodes.map(({ namespace, name }) => `${namespace}${name}`),
      );
    await listener.until(({ messages }) => new Set(names(messages)).size === 2);
    assert.deepEqual([...new Set(names(listener.messages))].sort(), ['/other', '/our_bridge']);
  });

  it('does not believe what one participant says of another', async () => {
    const user = await open('ours');
    const participant: Participant = await cast.participant({ domain });
    const node = { namespace: '/', name: 'stranger', readers: [], writers: [] };
    const writer = participant.createWriter(DISCOVERY);
    writer.write(encodeDiscoveryInfo({ guid: `${'0'.repeat(24)}000001c1`, nodes: [node] }, 16));
    writer.write(encodeDiscoveryInfo({ guid: participant.guid, nodes: [{ ...node, name: 'honest' }] }, 16));
    await watch.until(() => namesOf(user).length > 0);
    assert.deepEqual(namesOf(user), ['/honest']);
  });
});
