import assert from 'node:assert/strict';
import {
  type BridgePresence,
  decodePresence,
  encodePresence,
  MAX_TOLD_ROUTES,
  NOTHING_CARRIED,
  topicKey,
} from '../../src/ros/bridge-presence';

const decode = (text: string) => decodePresence(Buffer.from(text));
const online = (carried: BridgePresence['carried'], protocolVersion: 4 | 5 = 5): BridgePresence => ({
  state: 'online',
  domains: [0, 7],
  protocolVersion,
  carried,
});

describe('what a bridge says of itself', () => {
  it('is read back as it was written, with its routes', () => {
    const keys = (...topics: string[]) => new Set(topics.map(topicKey));
    for (const presence of [
      online(NOTHING_CARRIED),
      online(NOTHING_CARRIED, 4),
      online({
        'ros-to-mqtt': new Map([
          [0, keys('ros/0/a', 'ros/0/b')],
          [232, keys('ros/232/c')],
        ]),
        'mqtt-to-ros': new Map([[7, keys('ros/car/d')]]),
      }),
      { ...online(NOTHING_CARRIED), from: 1_700_000_000_000 },
    ])
      assert.deepEqual(decode(encodePresence(presence)), presence);
  });

  it('takes 8 bytes for each of thousands of routes', () => {
    const keys = new Set(Array.from({ length: MAX_TOLD_ROUTES }, (_, n) => topicKey(`ros/0/topic${n}`)));
    assert.equal(keys.size, MAX_TOLD_ROUTES);
    const text = encodePresence(online({ ...NOTHING_CARRIED, 'ros-to-mqtt': new Map([[0, keys]]) }));
    assert.ok(text.length < 8 * MAX_TOLD_ROUTES + 100, `${text.length} bytes`);
    assert.deepEqual(decode(text)?.carried['ros-to-mqtt'].get(0), keys);
  });

  it('has no routes where it is not online', () => {
    for (const state of ['offline', 'broken'] as const) {
      assert.equal(encodePresence({ ...online(NOTHING_CARRIED), state }), `{"state":"${state}"}`);
      assert.equal(decode(`{"state":"${state}"}`)?.state, state);
      assert.equal(decode(encodePresence({ ...online(NOTHING_CARRIED), state, from: 5 }))?.from, 5);
    }
  });

  it('is not read from what is none', () => {
    const key = topicKey('a');
    for (const text of [
      '',
      'online',
      'null',
      '[]',
      '"online"',
      '{}',
      '{"state":"sleeping"}',
      '{"state":"online","domains":[233]}',
      '{"state":"online","domains":"0"}',
      `{"state":"online","domains":[${Array(234).fill(0)}]}`,
      '{"state":"online","toMqtt":[]}',
      `{"state":"online","toMqtt":{"233":"${key}"}}`,
      `{"state":"online","toMqtt":{"x":"${key}"}}`,
      '{"state":"online","toMqtt":{"0":"1234567"}}',
      '{"state":"online","toRos":{"0":8}}',
      `{"state":"online","toRos":{"0":"${key.repeat(MAX_TOLD_ROUTES)}","1":"${key}"}}`,
      `{"state":"online","more":"${'x'.repeat(128 * 1024)}"}`,
    ])
      assert.equal(decode(text), undefined, text.slice(0, 100));
  });

  it('may say more, which a later version understands', () => {
    assert.equal(decode('{"state":"online","domains":[0],"since":1}')?.state, 'online');
  });

  it('tells no time where it is none that can be counted', () => {
    for (const from of ['1', '1e300', '1.5', '"1"', 'null', '[1]', '-1e16'])
      assert.equal(decode(`{"state":"online","from":${from}}`)?.from, from === '1' ? 1 : undefined, from);
  });
});
