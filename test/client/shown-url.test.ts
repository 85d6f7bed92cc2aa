import assert from 'node:assert/strict';
import { shownUrl } from '../../src/client/shown-url';

describe('a URL as it is shown', () => {
  for (const [text, shown] of [
    ['mqtt://127.0.0.1:1883', 'mqtt://127.0.0.1:1883'],
    ['wss://host/mqtt?token=secret', 'wss://host/mqtt'],
    ['wss://host?token=a@b', 'wss://host'],
    ['wss://host/@me#secret', 'wss://host/@me'],
    ['mqtt://[::1]:1883', 'mqtt://[::1]:1883'],
    ['mqtts://user:secret@host:8883', 'mqtts://host:8883'],
    ['mqtts://user:a@b@host', 'mqtts://host'],
    ['mqtt://user:se/cr?e#t@host', 'mqtt://host'],
    ['mqtt:user:secret@host', 'mqtt:host'],
    ['user:secret@host', 'user:host'],
    ['host?token=secret', 'host'],
  ] as const) {
    it(`keeps no secret of ${text}`, () => assert.equal(shownUrl(text), shown));
  }
});
