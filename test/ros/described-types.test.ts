import assert from 'node:assert/strict';
import { DefinitionError } from '../../src/ros/definition-error';
import { describedTypes } from '../../src/ros/described-types';
import { InterfaceLibrary } from '../../src/ros/interface-library';
import { parseInterface } from '../../src/ros/interface-text';
import { MessageCodec } from '../../src/ros/message-codec';
import type { MessageDefinition } from '../../src/ros/message-definition';
import { describeType, typeHash } from '../../src/ros/type-description';

const library = InterfaceLibrary.bundled();
const DESCRIPTION = 'type_description_interfaces/msg/TypeDescription';

/** The description of a type, as a robot's service sends it and our codec reads it. */
function fromRobot(known: InterfaceLibrary, type: string): unknown {
  const codec = MessageCodec.for(library, DESCRIPTION);
  return JSON.parse(codec.decodeToJson(codec.encode(describeType(known, type))));
}

/** What of a definition is in its description. */
function withoutValues(definition: MessageDefinition | undefined): MessageDefinition {
  assert.ok(definition);
  const fields = definition.fields.map(({ default: _, ...field }) => ({
    ...field,
    type: field.type === 'char' ? 'uint8' : field.type,
  }));
  return { name: definition.name, fields, constants: [] };
}

describe('What a robot says of its types', () => {
  it('gives their definitions, for every bundled type', () => {
    for (const type of library.names()) {
      const definitions = describedTypes(fromRobot(library, type), typeHash(library, type));
      assert.equal(definitions[0]?.name, type);
      for (const definition of definitions) {
        assert.deepEqual(definition, withoutValues(library.get(definition.name)), type);
      }
    }
  });

  it('gives a codec for a type that nobody knew', () => {
    const robot = library.with(
      parseInterface(
        'acme_msgs/msg/Gripper',
        'std_msgs/Header header\nfloat32[<=4] forces\nstring<=8 state\nbyte[2] raw',
      ),
    );
    const hash = typeHash(robot, 'acme_msgs/msg/Gripper');
    const learned = library.with(describedTypes(fromRobot(robot, 'acme_msgs/msg/Gripper'), hash));
    const value = { forces: [0.5, 2], state: 'closed', raw: 'AQI=' };
    const cdr = MessageCodec.for(robot, 'acme_msgs/msg/Gripper').encode(value);
    const codec = MessageCodec.for(learned, 'acme_msgs/msg/Gripper');
    assert.deepEqual(codec.encode(value), cdr);
    assert.equal(codec.typeHash, hash);
  });

  it('is refused where it is not what the hash stands for', () => {
    type Json = { [key: string]: Json } & Json[];
    const type = 'geometry_msgs/msg/PoseStamped';
    const hash = typeHash(library, type);
    const altered = (change: (description: Json) => void, expected: RegExp) => {
      const description = fromRobot(library, type) as Json;
      change(description);
      assert.throws(
        () => describedTypes(description, hash),
        (error) => error instanceof DefinitionError && expected.test(error.message),
      );
    };
    const set = (path: string, value: unknown) => (description: Json) => {
      const keys = path.split('.');
      const last = keys.pop() as string;
      (keys.reduce<Json>((inner, key) => inner[key] as Json, description) as Record<string, unknown>)[last] =
        value;
    };
    const field = 'type_description.fields.0';
    altered(set(`${field}.name`, 'other'), /its hash is RIHS01_\w{64}, expected RIHS01_/);
    altered(set(`${field}.name`, 'x;process.exit()'), /is not a field name/);
    altered(set(`${field}.name`, 7), /expected name to be a string/);
    altered(set(`${field}.type`, null), /expected type to be an object/);
    altered(set(`${field}.type.type_id`, 12), /field "header" has the type 12, which ROS 2 has not/);
    altered(set(`${field}.type.type_id`, 24), /has the type 24/);
    altered(set(`${field}.type.type_id`, '1'), /expected type_id to be a number/);
    altered(set(`${field}.type.type_id`, 49), /field "header": 0 is not a valid length/);
    altered(set(`${field}.type.nested_type_name`, 'a/msg/B"'), /is not an interface type/);
    altered(set('type_description.type_name', 'a/msg/B'), /its hash is/);
    altered(set('type_description.fields', {}), /expected fields to be an array/);
    altered(set('type_description', undefined), /expected type to be an object/);
    altered(set('referenced_type_descriptions', []), /no definition of type /);
    altered(set('referenced_type_descriptions.0.fields', []), /its hash is/);
    assert.throws(() => describedTypes(null, hash), /expected description to be an object/);
    assert.throws(() => describedTypes(fromRobot(library, type), 'RIHS01_0'), /expected RIHS01_0$/);
  });

  it('brings no type that the hash does not stand for', () => {
    const type = 'std_msgs/msg/Header';
    const description = fromRobot(library, type) as { referenced_type_descriptions: unknown[] };
    const stray = fromRobot(library, 'std_msgs/msg/String') as { type_description: unknown };
    description.referenced_type_descriptions.push(stray.type_description);
    const names = describedTypes(description, typeHash(library, type)).map(({ name }) => name);
    assert.deepEqual(names, [type, 'builtin_interfaces/msg/Time']);
  });
});
