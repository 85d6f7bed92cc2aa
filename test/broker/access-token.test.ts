import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { TokenVerifier } from '../../src/broker/access/token';

const SECRET = 'a secret of thirty-two characters';
const NOW = 1_700_000_000_000;
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const parts = (alg: string, claims: object) => `${encode({ alg, typ: 'JWT' })}.${encode(claims)}`;

function hs256(claims: object, secret: string, alg = 'HS256'): string {
  const text = parts(alg, claims);
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

function signed(alg: 'RS256' | 'ES256', claims: object, key: KeyObject): string {
  const text = parts(alg, claims);
  const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();

describe('a token', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const exp = NOW / 1000 + 60;

  for (const [name, verifier, make] of [
    ['HS256', new TokenVerifier({ secret: SECRET }), (claims: object) => hs256(claims, SECRET)],
    [
      'RS256',
      new TokenVerifier({ publicKey: pem(rsa.publicKey) }),
      (claims: object) => signed('RS256', claims, rsa.privateKey),
    ],
    [
      'ES256',
      new TokenVerifier({ publicKey: pem(ec.publicKey) }),
      (claims: object) => signed('ES256', claims, ec.privateKey),
    ],
  ] as const) {
    it(`with ${name} says who bears it, in which groups and how long`, () => {
      assert.deepEqual(verifier.verify(make({ sub: 'anna', exp, groups: ['staff', 7] }), NOW), {
        username: 'anna',
        groups: ['staff'],
        validFor: 60_000,
      });
      assert.deepEqual(verifier.verify(make({ sub: 'anna' }), NOW), { username: 'anna', groups: [] });
    });

    it(`with ${name} is refused when it is changed`, () => {
      const token = make({ sub: 'anna', exp });
      const [header, , signature] = token.split('.');
      assert.match(
        String(verifier.verify(`${header}.${encode({ sub: 'root', exp })}.${signature}`, NOW)),
        /signature/,
      );
      assert.match(String(verifier.verify(`${token}AA`, NOW)), /signature|not a signed/);
    });
  }

  it('is not trusted about its algorithm', () => {
    const publicKey = pem(rsa.publicKey);
    const verifier = new TokenVerifier({ publicKey });
    // The classic forgery: the public key used as a secret.
    assert.match(String(verifier.verify(hs256({ sub: 'root' }, publicKey), NOW)), /not signed with RS256/);
    assert.match(
      String(verifier.verify(`${parts('none', { sub: 'root' })}.AA`, NOW)),
      /not signed with RS256/,
    );
    assert.match(
      String(new TokenVerifier({ secret: SECRET }).verify(hs256({ sub: 'a' }, SECRET, 'HS512'), NOW)),
      /HS256/,
    );
  });

  it('is refused when it needs what is not known', () => {
    const text = `${encode({ alg: 'HS256', crit: ['b64'], b64: false })}.${encode({ sub: 'anna' })}`;
    const token = `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
    assert.match(String(new TokenVerifier({ secret: SECRET }).verify(token, NOW)), /extensions/);
  });

  const settings = { secret: SECRET, issuer: 'us', audience: 'mqtt' };
  for (const [message, claims] of [
    [/names no user/, { sub: '' }],
    [/has expired/, { exp: NOW / 1000 }],
    [/has expired/, { exp: 'tomorrow' }],
    [/not valid yet/, { nbf: NOW / 1000 + 1 }],
    [/another issuer/, { iss: 'them' }],
    [/another audience/, { aud: ['http'] }],
  ] as const) {
    it(`is refused with ${JSON.stringify(claims)}`, () => {
      const verifier = new TokenVerifier(settings);
      const good = { sub: 'anna', iss: 'us', aud: ['x', 'mqtt'], exp, nbf: NOW / 1000 };
      assert.equal(typeof verifier.verify(hs256(good, SECRET), NOW), 'object');
      assert.match(String(verifier.verify(hs256({ ...good, ...claims }, SECRET), NOW)), message);
    });
  }

  for (const [name, given, message] of [
    ['no key', {}, /either a secret or a public key/],
    ['a short secret', { secret: 'x'.repeat(31) }, /31 bytes, expected 32 at least/],
    ['two keys', { secret: SECRET, publicKey: pem(rsa.publicKey) }, /either a secret or a public key/],
    ['a key that is none', { publicKey: 'x' }, /cannot be read/],
    [
      'another curve',
      { publicKey: pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey) },
      /2048 bits at least, or elliptic/,
    ],
  ] as const) {
    it(`cannot be checked with ${name}`, () => {
      assert.throws(() => new TokenVerifier(given), { name: 'AccessSettingsError', message });
    });
  }
});
