import assert from 'node:assert/strict';
import { kindOf, type ParameterKind, parameterValue, plainValue } from '../../src/ros/parameter-value';

describe('values of parameters', () => {
  const asTheyLook: Array<[unknown, ParameterKind]> = [
    [true, 'bool'],
    [7, 'integer'],
    [0.5, 'double'],
    ['text', 'string'],
    [[true, false], 'bool_array'],
    [[1, 2], 'integer_array'],
    [[1, 2.5], 'double_array'],
    [['a', 'b'], 'string_array'],
    [null, 'not_set'],
  ];
  for (const [plain, kind] of asTheyLook) {
    it(`are what they look like where nothing else is known: ${JSON.stringify(plain)} is ${kind}`, () => {
      const value = parameterValue(plain);
      assert.deepEqual([kindOf(value), plainValue(value)], [kind, plain]);
    });
  }

  it('are of the kind that the parameter has', () => {
    assert.deepEqual(parameterValue(2, 'double'), { type: 3, double_value: 2 });
    assert.deepEqual(parameterValue('9007199254740993', 'integer'), {
      type: 2,
      integer_value: '9007199254740993',
    });
    assert.deepEqual(parameterValue([], 'string_array'), { type: 9, string_array_value: [] });
    assert.deepEqual(parameterValue('AAE=', 'byte_array'), { type: 5, byte_array_value: 'AAE=' });
    assert.deepEqual(parameterValue(null, 'double'), { type: 0 });
  });

  it('may say their kind', () => {
    const value = parameterValue({ type: 'double_array', value: [] }, 'string_array');
    assert.deepEqual(value, { type: 8, double_array_value: [] });
  });

  const faults: Array<[unknown, RegExp]> = [
    [[], /an empty list needs its type/],
    [[1, 'a'], /expected a boolean, a number, a text or a list of one of these/],
    [[[1]], /expected a boolean, a number, a text or a list of one of these/],
    [[null], /expected a boolean, a number, a text or a list of one of these/],
    [{ value: 1 }, /an object with value and one of the types not_set, bool, integer/],
    [{ type: 'float', value: 1 }, /one of the types/],
  ];
  for (const [plain, message] of faults) {
    it(`are refused where their kind cannot be told: ${JSON.stringify(plain)}`, () => {
      assert.throws(() => parameterValue(plain), { message });
    });
  }
});
