import assert from 'node:assert/strict';
import { decodePayload, encodePayload, PayloadError } from '../../src/client/flow-payload';

describe('flow payload', () => {
  it('is written by kind', () => {
    const bytes = new Uint8Array([1, 2, 3]).subarray(1);
    assert.deepEqual(encodePayload(bytes), Buffer.from([2, 3]));
    assert.equal(encodePayload(10n ** 20n), '100000000000000000000');
    assert.equal(encodePayload(Number.NaN), 'NaN');
    assert.equal(encodePayload(new Date(0)), '"1970-01-01T00:00:00.000Z"');
    assert.equal(encodePayload([]), '[]');
  });

  it('is refused where there is nothing to write', () => {
    for (const value of [undefined, null, () => 1, Symbol('s'), { toJSON: () => undefined }]) {
      assert.throws(() => encodePayload(value), PayloadError);
    }
  });

  it('is guessed as JSON exactly where JSON.parse takes it, as text where it is UTF-8', () => {
    const json = ['1', '-0.5e+3', ' [1] ', '{"a":{}}', '"x"', 'true', 'false\n', 'null', '\t{}\r\n'];
    for (const text of json)
      assert.deepEqual(decodePayload(Buffer.from(text), 'auto'), JSON.parse(text), text);
    const plain = [
      '',
      ' ',
      'x',
      'truex',
      'nul',
      '{',
      '{a}',
      '[1',
      '"',
      '"a" "b"',
      '01',
      '1.2.3',
      '-',
      '1 2',
      '+1',
      'ünï',
      '\u00a01',
    ];
    for (const text of plain) {
      assert.throws(() => JSON.parse(text), text);
      assert.equal(decodePayload(Buffer.from(text), 'auto'), text);
    }
    const bytes = Buffer.from('{"a":"\xff"}', 'latin1');
    assert.deepEqual(decodePayload(bytes, 'auto'), bytes);
  });

  it('is what its content type says, where that is known', () => {
    const guess = (payload: string | Buffer, contentType: string) =>
      decodePayload(Buffer.from(payload), 'auto', { contentType });
    for (const type of ['application/json', 'Application/JSON; charset=utf-8', 'application/geo+json']) {
      assert.equal(guess('1', type), 1);
      assert.throws(() => guess('{', type), /^PayloadError: payload is not JSON: /);
    }
    for (const type of ['text/plain', 'text/html;charset=utf-8', 'application/xml']) {
      assert.equal(guess('1', type), '1');
    }
    for (const type of ['application/octet-stream', 'image/png', 'audio/ogg', 'application/zip']) {
      assert.deepEqual(guess('1', type), Buffer.from('1'));
    }
    for (const type of ['text/csv', 'image/svg+xml', 'application/jsonx', 'x/application/json', '']) {
      assert.equal(guess('1', type), 1);
      assert.deepEqual(guess(Buffer.from([0xff]), type), Buffer.from([0xff]));
    }
    assert.equal(decodePayload(Buffer.from('1'), 'string', { contentType: 'application/json' }), '1');
  });

  it('is text or JSON where the sender says that it is text', () => {
    const said = { payloadFormatIndicator: true };
    assert.equal(decodePayload(Buffer.from([0xff]), 'auto', said), '\ufffd');
    assert.equal(decodePayload(Buffer.from('1'), 'auto', said), 1);
    assert.deepEqual(
      decodePayload(Buffer.from([0xff]), 'auto', { payloadFormatIndicator: false }),
      Buffer.from([0xff]),
    );
  });

  it('is a copy as Buffer, because the received one is shared', () => {
    const shared = Buffer.from('abc');
    const own = decodePayload(shared, 'buffer') as Buffer;
    own[0] = 0;
    assert.equal(String(shared), 'abc');
  });

  it('says what is wrong when it must be JSON', () => {
    assert.throws(() => decodePayload(Buffer.from('{'), 'json'), /^PayloadError: payload is not JSON: /);
  });
});
