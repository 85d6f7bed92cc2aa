import assert from 'node:assert/strict';
import { ParameterList } from '../../src/rtps/parameter-list';
import { encodeRelatedSample, relatedSampleIn } from '../../src/rtps/sample-identity';

const guid = '010faabbccddeeff0011223300000104';
const read = (hex: string, littleEndian: boolean) => {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  return relatedSampleIn(ParameterList.read(bytes, 0, bytes.length, littleEndian));
};

describe('the identity of a related sample', () => {
  it('is read back as it was written, with and without a sequence number', () => {
    for (const sequence of [1, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 7, undefined]) {
      const bytes = encodeRelatedSample({ guid, sequence });
      const list = ParameterList.read(bytes, 0, bytes.length, true);
      assert.deepEqual(relatedSampleIn(list), { guid, sequence });
    }
  });

  it('is read in either byte order, by its number in the specification or that of Fast DDS', () => {
    const related = { guid, sequence: 2 ** 32 + 5 };
    assert.deepEqual(read(`8300 1800 ${guid} 01000000 05000000 01000000`, true), related);
    assert.deepEqual(read(`0f80 1800 ${guid} 01000000 05000000 01000000`, true), related);
    assert.deepEqual(read(`0083 0018 ${guid} 00000001 00000005 00010000`, false), related);
  });

  it('has no sequence number where that is none', () => {
    for (const number of ['ffffffff 00000000', '00000000 00000000', 'ffffff7f ffffffff'])
      assert.deepEqual(read(`8300 1800 ${guid} ${number} 01000000`, true), { guid, sequence: undefined });
  });

  it('is missing where nothing is said, and refused where it is too short', () => {
    assert.equal(read('01000000', true), undefined);
    assert.throws(() => read(`8300 1000 ${guid} 01000000`, true), /0x83 has 16 octets, expected 24/);
  });
});
