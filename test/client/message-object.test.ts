import assert from 'node:assert/strict';
import { messageFromObject, messageToObject } from '../../src/client/message-object';

describe('a message as a plain object', () => {
  const properties = {
    contentType: 'text/plain',
    responseTopic: 'reply',
    correlationData: Buffer.from([0xff, 0]),
    userProperties: { a: ['b', 'c'] },
  };

  for (const [name, bytes, payload, payloadEncoding] of [
    ['JSON', Buffer.from('{"a":[1,null]}'), { a: [1, null] }, 'json'],
    ['a JSON text', Buffer.from('"text"'), 'text', 'json'],
    ['text', Buffer.from('21.5 °C'), '21.5 °C', 'text'],
    ['no bytes', Buffer.alloc(0), '', 'text'],
    ['bytes', Buffer.from([0xc3, 0x28]), 'wyg=', 'base64'],
  ] as const) {
    it(`has a payload of ${name}, which goes through JSON and back`, () => {
      const message = { topic: 't', payload: bytes, qos: 1 as const, retain: true, properties };
      const object = messageToObject(message);
      assert.deepEqual([object.payload, object.payloadEncoding], [payload, payloadEncoding]);
      assert.deepEqual(messageFromObject(JSON.parse(JSON.stringify(object))), message);
    });
  }

  it('says what its topic says of ROS', () => {
    const message = {
      topic: 'fleet/7/robot1/odom',
      payload: Buffer.from('x'),
      qos: 0 as const,
      retain: false,
    };
    assert.deepEqual(messageToObject(message, 'fleet').ros, {
      ...{ domain: '7', node: 'robot1', messageType: 'odom', rosName: '/robot1/odom' },
    });
    assert.equal('ros' in messageToObject(message), false);
  });

  it('needs no more than a topic', () => {
    const empty = { topic: 't', payload: Buffer.alloc(0), qos: 0, retain: false };
    assert.deepEqual(messageFromObject({ topic: 't' }), empty);
    assert.deepEqual(messageFromObject({ topic: 't', payload: 'a' }).payload, Buffer.from('a'));
    assert.deepEqual(messageFromObject({ topic: 't', payload: [1] }).payload, Buffer.from('[1]'));
  });

  for (const [object, message] of [
    [null, 'message is null, expected an object'],
    [{}, 'topic is undefined, expected a text'],
    [{ topic: 'a/#' }, 'topic name "a/#" contains a wildcard (+ or #), which only filters may'],
    [{ topic: 't', qos: 3 }, 'qos is 3, expected 0, 1 or 2'],
    [{ topic: 't', retain: 1 }, 'retain is 1, expected true or false'],
    [
      { topic: 't', payload: 1, payloadEncoding: 'text' },
      'payload is 1, expected a text for the encoding text',
    ],
    [{ topic: 't', payload: 'é', payloadEncoding: 'base64' }, 'payload is "é", expected base64'],
    [{ topic: 't', payloadEncoding: 'hex' }, 'payloadEncoding is "hex", expected one of json, text, base64'],
    [{ topic: 't', payloadEncoding: 'json' }, 'payload is undefined, expected a JSON value'],
    [{ topic: 't', properties: 5 }, 'properties is 5, expected an object'],
    [
      { topic: 't', properties: { correlationData: 1 } },
      'properties.correlationData is 1, expected a text in base64',
    ],
    [{ topic: 't', properties: { contentType: 1 } }, 'properties: contentType is 1, expected text'],
  ] as const) {
    it(`is refused: ${JSON.stringify(object)}`, () => {
      assert.throws(() => messageFromObject(object), { name: 'MessageObjectError', message });
    });
  }
});
