import assert from 'node:assert/strict';
import { encodeProperties, type Properties } from '../../../src/broker/codec/properties';
import { bears, passageStamp } from '../../../src/broker/upstream/passage-stamp';

function partsWith(...sections: Buffer[]) {
  const bytes = Buffer.concat([Buffer.from('topic'), ...sections, Buffer.from('payload')]);
  const propertiesEnd = bytes.length - 7;
  return {
    bytes,
    topicStart: 0,
    topicEnd: 5,
    propertiesStart: 5,
    propertiesEnd,
    payloadStart: propertiesEnd,
    payloadEnd: bytes.length,
  };
}

describe('the stamp of a message that crosses a link', () => {
  const stamp = passageStamp('out', 'site-1');
  const all: Properties = {
    payloadFormatIndicator: 1,
    messageExpiryInterval: 30,
    contentType: 'text/plain',
    responseTopic: 'answers',
    correlationData: stamp,
    topicAlias: 3,
    userProperties: [
      ['mqtt-via', 'in:site-1'],
      ['mqtt-via', 'out:site-10'],
      ['other', 'out:site-1'],
    ],
  };

  it('is found among all other properties', () => {
    assert.ok(bears(partsWith(encodeProperties(all), stamp), stamp));
    assert.ok(bears(partsWith(stamp, encodeProperties(all)), stamp));
  });

  it('is not found in what only looks like it', () => {
    assert.equal(bears(partsWith(encodeProperties(all)), stamp), false);
    assert.equal(bears(partsWith(), stamp), false);
  });
});
