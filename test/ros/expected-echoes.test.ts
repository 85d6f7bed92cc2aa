import assert from 'node:assert/strict';
import { ExpectedEchoes } from '../../src/ros/expected-echoes';

const TOPIC = 'ros/0/chatter';

describe('echoes that are expected over MQTT 3.1.1', () => {
  let now = 0;
  let warnings = 0;
  let echoes: ExpectedEchoes;
  const publish = (payload: string) => {
    const expected = echoes.expect(TOPIC, payload);
    return { acknowledge: () => echoes.settle(expected) };
  };
  const comes = (payload: string, filter = TOPIC) => echoes.take(filter, TOPIC, Buffer.from(payload));

  beforeEach(() => {
    now = 1000;
    warnings = 0;
    echoes = new ExpectedEchoes({ now: () => now, onFull: () => warnings++ });
    echoes.subscribe(TOPIC);
  });

  it('are taken once for each message, before or after its acknowledgement', () => {
    const first = publish('same');
    publish('same').acknowledge();
    assert.deepEqual(
      [comes('other'), comes('same'), comes('same'), comes('same')],
      [false, true, true, false],
    );
    first.acknowledge();
    assert.equal(comes('same'), false);
  });

  it('are those of a topic and of a subscription, which each get a copy', () => {
    const leave = echoes.subscribe('ros/0/#');
    publish('one').acknowledge();
    leave();
    publish('two').acknowledge();
    assert.equal(echoes.take(TOPIC, 'ros/0/other', Buffer.from('one')), false);
    assert.deepEqual([comes('one'), comes('one')], [true, false]);
    assert.deepEqual([comes('one', 'ros/0/#'), comes('one', 'ros/0/#')], [true, false]);
    assert.deepEqual([comes('two'), comes('two', 'ros/0/#')], [true, false]);
  });

  it('are awaited for 60 s after the acknowledgement', () => {
    publish('early').acknowledge();
    const late = publish('late');
    now += 59_999;
    publish('in time').acknowledge();
    late.acknowledge();
    now += 1;
    assert.equal(comes('early'), false);
    now += 59_998;
    assert.deepEqual([comes('in time'), comes('late')], [true, true]);
  });

  it('are forgotten from the oldest on where there are more than 10,000, which is told once', () => {
    for (let index = 0; index < 10_002; index++) publish(`${index}`).acknowledge();
    assert.deepEqual([comes('0'), comes('1'), comes('2'), comes('10001')], [false, false, true, true]);
    assert.equal(warnings, 1);
  });

  it('go with the connection, but those of what is published again', () => {
    publish('acknowledged').acknowledge();
    const again = publish('under way');
    assert.equal(comes('under way'), true);
    echoes.lost();
    assert.deepEqual([comes('acknowledged'), comes('under way'), comes('under way')], [false, true, false]);
    again.acknowledge();
    assert.equal(comes('under way'), false);
  });
});
