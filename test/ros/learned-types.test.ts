import assert from 'node:assert/strict';
import { type LearnedType, LearnedTypes } from '../../src/ros/learned-types';

const typeOf = (index: number, fieldName = 'field'): LearnedType => {
  const type = `robot_msgs/msg/Type${index}`;
  const fields = [{ name: fieldName, type: 'int32' }];
  return { type, hash: `RIHS01_${index}`, definitions: [{ name: type, fields, constants: [] }] };
};

describe('types that robots have described', () => {
  it('are found by name and hash, also by who is given them', () => {
    const added: LearnedType[] = [];
    const learned = new LearnedTypes([typeOf(1)], (type) => added.push(type));
    learned.add(typeOf(2));
    assert.deepEqual(added, [typeOf(2)]);
    const copy = new LearnedTypes(learned.values());
    assert.deepEqual(copy.get('robot_msgs/msg/Type1', 'RIHS01_1'), typeOf(1).definitions);
    assert.deepEqual(copy.get('robot_msgs/msg/Type2', 'RIHS01_2'), typeOf(2).definitions);
    assert.equal(copy.get('robot_msgs/msg/Type2', 'RIHS01_1'), undefined);
  });

  it('are 256 at most, of which the oldest goes, and none is larger than others need', () => {
    const learned = new LearnedTypes();
    for (let index = 0; index <= 256; index++) learned.add(typeOf(index));
    const large = typeOf(1000, 'x'.repeat(200_000));
    learned.add(large);
    assert.equal([...learned.values()].length, 256);
    assert.equal(learned.get('robot_msgs/msg/Type0', 'RIHS01_0'), undefined);
    assert.notEqual(learned.get('robot_msgs/msg/Type1', 'RIHS01_1'), undefined);
    assert.equal(learned.get(large.type, large.hash), undefined);
  });
});
