import assert from 'node:assert/strict';
import { dialectOf, splitRequestHeader, withRequestHeader } from '../../src/ros/service-dialect';

describe('the header of requests and replies on Cyclone DDS', () => {
  const header = { client: 0xfedcba9876543210n, sequence: -2n };

  it('stands between the encapsulation and the message', () => {
    const cdr = Buffer.from('000100000a00000000000000', 'hex');
    const payload = withRequestHeader(cdr, header);
    assert.equal(payload.toString('hex'), '000100001032547698badcfefeffffffffffffff0a00000000000000');
    assert.deepEqual(splitRequestHeader(payload), { header, cdr });
  });

  it('is read in the byte order of the message', () => {
    const payload = Buffer.from('00000000fedcba9876543210fffffffffffffffe01', 'hex');
    assert.deepEqual(splitRequestHeader(payload), { header, cdr: Buffer.from('0000000001', 'hex') });
  });

  it('is not read where there is not enough', () => {
    assert.equal(splitRequestHeader(Buffer.alloc(19)), undefined);
    assert.equal(splitRequestHeader(Buffer.alloc(20))?.cdr.length, 4);
  });

  it('is what Cyclone DDS alone has', () => {
    assert.deepEqual([0x0110, 0x010f, 0x01fe].map(dialectOf), ['header', 'identity', 'identity']);
  });
});
