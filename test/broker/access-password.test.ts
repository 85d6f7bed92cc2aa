import assert from 'node:assert/strict';
import { hashPassword, parsePasswordHash, scramVerifier } from '../../src/broker/access/password-hash';

// Made by mosquitto_passwd 2.0.11 of "sesame 4".
const MOSQUITTO =
  '$7$101$UzCxEwcY7JIk4b1n$kXKtOAl/RTlFIG5XYPpdZPAosoTgqYYxBoHwCLeDbzWRMdbEld4bPe9cX3Ecaf3KpTutq7BEq5Yef75AEHOYnA==';
// The same, made with its option "-H sha512".
const OLDER_MOSQUITTO =
  '$6$X+Vs9kcYEVFro9/N$hu+Zii/zbexRAe+jvOM2N45ofHeQvrmEDaxdf/54obG5eoGwc/NP3J0P4ETIKeUHxjfkjLsgHDeeFl/VmNp3GA==';

describe('a stored password', function () {
  // What makes guessing dear makes the tests slow.
  this.timeout(60_000);

  for (const [name, make] of [
    ['scrypt', hashPassword],
    ['a SCRAM verifier', (password: string) => scramVerifier(password, 4096)],
    ["mosquitto's", () => Promise.resolve(MOSQUITTO)],
    ["mosquitto's of old", () => Promise.resolve(OLDER_MOSQUITTO)],
  ] as const) {
    it(`as ${name} tells the password from all others and does not contain it`, async () => {
      const stored = await make('sesame 4');
      assert.ok(!stored.includes('sesame'));
      const hash = parsePasswordHash(stored);
      assert.equal(await hash.verify(Buffer.from('sesame 4')), true);
      for (const wrong of ['sesame 5', 'sesame 4 ', '', 'Sesame 4', 'sesame 4\0']) {
        assert.equal(await hash.verify(Buffer.from(wrong)), false, wrong);
      }
    });
  }

  it('is different each time, though the password is the same', async () => {
    assert.notEqual(await hashPassword('a'), await hashPassword('a'));
    assert.notEqual(await scramVerifier('a', 4096), await scramVerifier('a', 4096));
  });

  for (const [name, stored, message] of [
    ['plain text', 'sesame 4', /not stored as/],
    ['a form that is not known', '$5$salt$hash', /not stored as/],
    ['a dear scrypt', '$scrypt$ln=30,r=8,p=1$YWJj$YWJj', /cost of scrypt is 30, expected 1 to 20/],
    [
      'a scrypt that takes gigabytes',
      '$scrypt$ln=20,r=32,p=1$YWJj$YWJj',
      /memory for scrypt in bytes is 4294967296/,
    ],
    [
      'a scrypt that takes minutes',
      '$scrypt$ln=18,r=8,p=16$YWJj$YWJj',
      /work of scrypt, N \* r \* p, is 33554432/,
    ],
    ['endless rounds', '$7$99999999$YWJj$YWJj', /iterations is 99999999/],
    ['an empty key, which fits all', '$7$101$YWJj$=', /length of the stored key in bytes is 0, expected 64/],
    ['an empty key of scrypt', '$scrypt$ln=1,r=1,p=1$YWJj$=', /stored key in bytes is 0, expected 16/],
    ['a short key of old', '$6$YWJj$YWJj', /stored key in bytes is 3, expected 64/],
    ['SCRAM with too few rounds', 'SCRAM-SHA-256$100:YWJj$YWJj:YWJj', /iterations of SCRAM is 100/],
    ['SCRAM with short keys', 'SCRAM-SHA-256$4096:YWJj$YWJj:YWJj', /32 bytes/],
  ] as const) {
    it(`is refused without quoting it: ${name}`, () => {
      assert.throws(
        () => parsePasswordHash(stored),
        (error: Error) => message.test(error.message) && !error.message.includes('sesame'),
      );
    });
  }
});
