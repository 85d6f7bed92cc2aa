import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { DISCOVERY_INFO_TOPIC, DISCOVERY_INFO_TYPE, encodeDiscoveryInfo } from '../../src/ros/discovery-info';
import { encodeUserData } from '../../src/ros/endpoint-user-data';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import type { MessageDefinition, MessageField } from '../../src/ros/message-definition';
import { ddsTopicName, ddsTypeName } from '../../src/ros/names';
import { describeType, TYPE_IDS } from '../../src/ros/type-description';
import { counterpart } from '../counterparts';
import { DdsPeer } from '../peers/dds/dds-peer';
import { Random } from '../random';
import { route } from './bridge-fixture';
import { Bridges } from './bridges';
import { randomMessage } from './random-message';

const SERVICE = '/robot/camera/get_type_description';
const SERVICE_TYPE = 'type_description_interfaces/srv/GetTypeDescription';
const bundled = InterfaceLibrary.bundled();
const question = MessageCodec.for(bundled, `${SERVICE_TYPE}_Request`);
const answer = MessageCodec.for(bundled, `${SERVICE_TYPE}_Response`);

/** A message that contains another, of a package, with names and fields that there are nowhere else. */
function randomTypes(random: Random): [outer: MessageDefinition, inner: MessageDefinition] {
  const name = () => random.times(8, () => random.pick('abcdefghijklmnopqrstuvwxyz')).join('');
  const typeName = () => `${name()}/msg/${name().replace(/^./, (first) => first.toUpperCase())}`;
  // To ROS 2's description a char is a uint8.
  const primitives = Object.keys(TYPE_IDS).filter((type) => type !== 'char');
  const fieldOf = (type: string): MessageField => ({
    name: name(),
    type,
    ...(type.endsWith('string') && random.below(2) === 0 && { stringBound: 1 + random.below(90) }),
    ...random.pick([{}, {}, { array: {} }, { array: { length: 3 } }, { array: { bound: 5 } }]),
  });
  const typeOf = (types: string[]): MessageDefinition => {
    const fields = new Map([...types, ...types].map(fieldOf).map((field) => [field.name, field]));
    return { name: typeName(), fields: [...fields.values()], constants: [] };
  };
  const inner = typeOf(primitives);
  return [typeOf([...primitives, inner.name, 'builtin_interfaces/msg/Time']), inner];
}

describe('a type made up at test time that a robot on Fast DDS describes', function () {
  this.timeout(60_000);
  const bridges = Bridges.forSuite();

  /** What the peer answers to a command. */
  const done = async (peer: DdsPeer, command: string): Promise<Record<string, unknown>> => {
    const before = peer.messages.length;
    peer.tell(command);
    await peer.until(({ messages }) => messages.length > before);
    return peer.messages[before] as Record<string, unknown>;
  };

  for (const [as, names] of [
    ['that the route names', true],
    ['that the route leaves to discovery', false],
  ] as const) {
    it(`arrives as JSON, as one ${as}`, async function () {
      const seed = randomInt(2 ** 32);
      const random = new Random(seed);
      const { domain } = bridges;
      const [outer, inner] = randomTypes(random);
      const library = bundled.with([outer, inner]);
      const codec = MessageCodec.for(library, outer.name);
      const cdr = codec.encode(randomMessage(library, outer.name, random));
      const program = counterpart(this, 'fast-dds-raw');
      const peer = bridges.keep(new DdsPeer(program, 'raw', { vendor: 'fast', args: { domain } }));
      const description = answer.encode({
        successful: true,
        type_description: describeType(library, outer.name),
      });
      const { server } = await done(
        peer,
        `serve ${SERVICE} ${ddsTypeName(SERVICE_TYPE).slice(0, -1)} ${description.toString('hex')}`,
      );
      const topic = ddsTopicName('/robot/whole');
      const { writer } = await done(
        peer,
        `writer ${topic} ${ddsTypeName(outer.name)} ${encodeUserData({ typehash: codec.typeHash })}`,
      );
      peer.tell(`write ${topic} ${cdr.toString('hex')}`);
      await done(peer, `writer ${DISCOVERY_INFO_TOPIC} ${ddsTypeName(DISCOVERY_INFO_TYPE)}`);
      const [requests, replies] = server as [string, string];
      const node = {
        namespace: '/robot',
        name: 'camera',
        readers: [requests],
        writers: [replies, writer as string],
      };
      const info = encodeDiscoveryInfo({ guid: peer.guid as string, nodes: [node] }, 16);
      peer.tell(`write ${DISCOVERY_INFO_TOPIC} ${info.toString('hex')}`);

      const bridge = await bridges.open({
        routes: [
          route(domain, {
            rosName: '/robot/whole',
            type: names ? outer.name : '',
            direction: 'ros-to-mqtt',
          }),
        ],
      });
      await bridge.until(() => bridge.messages.length > 0);
      const [received] = bridge.messages;
      assert.deepEqual(received?.payload, JSON.parse(codec.decodeToJson(cdr)), `seed ${seed}`);
      assert.equal(received?.rosType, outer.name);
      const asked = peer.messages.slice(3) as { request: string }[];
      assert.deepEqual(
        asked.map(({ request }) => JSON.parse(question.decodeToJson(Buffer.from(request, 'hex')))),
        [{ type_name: outer.name, type_hash: codec.typeHash, include_type_sources: false }],
      );
    });
  }
});
