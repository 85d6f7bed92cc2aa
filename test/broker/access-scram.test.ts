import assert from 'node:assert/strict';
import type { ScramVerifier } from '../../src/broker/access/password-hash';
import { parsePasswordHash, scramVerifier } from '../../src/broker/access/password-hash';
import { readClientFirst, ScramExchange } from '../../src/broker/access/scram';
import { ScramClient } from './scram-client';

// RFC 7677 section 3.
const FIRST = 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO';
const SERVER_NONCE = '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
const SERVER_FIRST = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096';
const FINAL =
  'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=';
const SERVER_FINAL = 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=';
// What is stored of its password "pencil".
const STORED =
  'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=';

describe('SCRAM-SHA-256', () => {
  const verifier = parsePasswordHash(STORED).scram as ScramVerifier;
  const exchange = (first = FIRST) =>
    new ScramExchange(readClientFirst(Buffer.from(first)), verifier, SERVER_NONCE);

  it('is what RFC 7677 shows', () => {
    const one = exchange();
    assert.equal(one.serverFirst.toString(), SERVER_FIRST);
    assert.equal(one.finish(Buffer.from(FINAL))?.toString(), SERVER_FINAL);
  });

  it('stores what checks the password without it', async () => {
    assert.equal(await parsePasswordHash(STORED).verify(Buffer.from('pencil')), true);
    assert.equal(await parsePasswordHash(STORED).verify(Buffer.from('pen')), false);
  });

  it('knows the user name as it was written, with comma and equals sign', () => {
    const { first } = new ScramClient('a,b=c', '');
    assert.equal(readClientFirst(first).username, 'a,b=c');
    assert.equal(readClientFirst(Buffer.from('y,a=u=2C,n=u=2C,r=x')).username, 'u,');
  });

  it('normalises the password', async () => {
    // As one character and as two, and the Roman numeral four.
    const stored = parsePasswordHash(await scramVerifier('\u00e9\u2163', 4096));
    assert.equal(await stored.verify(Buffer.from('e\u0301IV')), true);
  });

  for (const [name, first] of [
    ['nothing', ''],
    ['a name that is not encoded as it must be', 'n,,n=a=2,r=x'],
    ['another user to act for', 'n,a=root,n=user,r=x'],
    ['channel binding', 'p=tls-unique,,n=user,r=x'],
    ['an extension that is mandatory', 'n,,m=x,n=user,r=x'],
    ['no nonce', 'n,,n=user,r='],
    ['no name', 'n,,n=,r=x'],
    ['a nonce with a space', 'n,,n=user,r=a b'],
    ['too much', `n,,n=${'u'.repeat(5000)},r=x`],
  ] as const) {
    it(`is not begun by a first message with ${name}`, () => {
      assert.throws(() => readClientFirst(Buffer.from(first)), { name: 'ScramError' });
    });
  }

  it('is not ended by any part of the last message, nor by one with a byte changed', () => {
    // Nobody minds the last padding.
    for (let length = 0; length < FINAL.length - 1; length++) {
      assert.notEqual(outcome(FINAL.slice(0, length)), SERVER_FINAL, FINAL.slice(0, length));
    }
    for (let index = 0; index < FINAL.length; index++) {
      const byte = FINAL[index] === 'A' ? 'B' : 'A';
      // The last digit before the padding has bits that do not count.
      if (index === FINAL.length - 2) continue;
      const changed = FINAL.slice(0, index) + byte + FINAL.slice(index + 1);
      assert.notEqual(outcome(changed), SERVER_FINAL, changed);
    }
  });

  it('is not ended by a right proof for another nonce or header: those are what ties it to this exchange', () => {
    const client = new ScramClient('user', 'pencil', 'rOprNGfwEbeRWgbNEkqO');
    const last = (other?: { nonce?: string; header?: string }) =>
      outcome(client.final(Buffer.from(SERVER_FIRST), other).toString());
    assert.equal(last(), SERVER_FINAL);
    assert.equal(last({ nonce: 'rOprNGfwEbeRWgbNEkqOreplayed' }), 'not valid');
    assert.equal(last({ header: 'y,,' }), 'not valid');
  });

  it('says nothing that is always the same', () => {
    const one = new ScramExchange(readClientFirst(Buffer.from(FIRST)), verifier);
    const other = new ScramExchange(readClientFirst(Buffer.from(FIRST)), verifier);
    assert.notDeepEqual(one.serverFirst, other.serverFirst);
  });

  function outcome(last: string): string {
    try {
      return exchange().finish(Buffer.from(last))?.toString() ?? 'wrong';
    } catch (error) {
      assert.equal((error as Error).name, 'ScramError');
      return 'not valid';
    }
  }
});
