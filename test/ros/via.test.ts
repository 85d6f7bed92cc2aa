import assert from 'node:assert/strict';
import { bridgeIdFault, decodeBridgeIds, encodeBridgeIds, viaFault } from '../../src/ros/via';

const decode = (text: string) => decodeBridgeIds(Buffer.from(text));

describe('the way of a message over bridges', () => {
  it('is read back as it was written, whatever the ids are', () => {
    for (const ids of [[], ['a'], ['a', 'b', 'a'], ['로봇 1', 'a,b', 'c;d', 'mqtt-ros=', '%41', '@']])
      assert.deepEqual(decodeBridgeIds(encodeBridgeIds(ids)), ids);
  });

  it('is found among the entries of others, and before zeros', () => {
    assert.deepEqual(decode('enclave=/;mqtt-ros=a,b;other=c;'), ['a', 'b']);
    assert.deepEqual(decode('mqtt-ros=a;\0\0\0'), ['a']);
  });

  it('is not read from what has no such entry, or ids that are none', () => {
    for (const text of ['', 'enclave=/;', 'xmqtt-ros=a;', 'mqtt-ros=,;', 'mqtt-ros=a%2Fb;', 'mqtt-ros=%;'])
      assert.equal(decode(text), undefined, text);
    assert.equal(decode(`mqtt-ros=${'a'.repeat(129)};`), undefined);
  });

  it('ends after 16 bridges, or as many as have ids of 512 bytes', () => {
    const ids = (count: number, length: number) => Array.from({ length: count }, () => 'a'.repeat(length));
    assert.equal(viaFault(ids(16, 25)), undefined);
    assert.match(viaFault(ids(17, 1)) ?? '', /^carried by 17 bridges, at most 16/);
    assert.equal(viaFault(ids(4, 124)), undefined);
    assert.match(viaFault(ids(4, 126)) ?? '', /take 517 bytes/);
  });

  it('has ids that are topic levels', () => {
    assert.equal(bridgeIdFault('e8320f7b75b18710-0a1b2c3d'), undefined);
    for (const id of ['', 'a/b', 'a+', '#', '\0', 'a'.repeat(129)])
      assert.ok(bridgeIdFault(id) !== undefined, id);
  });
});
