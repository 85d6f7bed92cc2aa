import { createHash, createHmac, pbkdf2, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const pbkdf2Async = promisify(pbkdf2);

/** 32 MiB and about 80 ms per password: enough to make guessing dear, little enough for a Raspberry Pi. */
const SCRYPT_COST = 15;
const SCRYPT_BLOCK = 8;
export const SALT_BYTES = 16;
const KEY_BYTES = 32;
/** RFC 7677 demands 4096 at least; the client pays for them, not the broker. */
export const SCRAM_ITERATIONS = 15_000;
const MAX_ITERATIONS = 2_000_000;
/** Bounds on what one check costs, whatever somebody has written into a settings file. */
const MAX_SCRYPT_BYTES = 256 * 1024 * 1024;
const MAX_SCRYPT_WORK = 2 ** 22;
const MIN_KEY_BYTES = 16;
const MAX_KEY_BYTES = 64;

/** What a SCRAM exchange needs to know of a user (RFC 5802 section 3). */
export interface ScramVerifier {
  iterations: number;
  salt: Buffer;
  storedKey: Buffer;
  serverKey: Buffer;
}

/** A stored password that can be compared with one that a client sends. */
export interface PasswordHash {
  /** In a time that does not depend on the outcome. */
  verify(password: Buffer): Promise<boolean>;
  /** Present when the user can also log in by SCRAM-SHA-256. */
  scram?: ScramVerifier;
}

/** What is stored of a password: scrypt, as `$scrypt$ln=15,r=8,p=1$<salt>$<key>`. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const key = await scryptKey(Buffer.from(password), salt, SCRYPT_COST, SCRYPT_BLOCK, 1, KEY_BYTES);
  return `$scrypt$ln=${SCRYPT_COST},r=${SCRYPT_BLOCK},p=1$${salt.toString('base64')}$${key.toString('base64')}`;
}

/** What is stored of a password with which SCRAM-SHA-256 works, as `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`. */
export async function scramVerifier(password: string, iterations = SCRAM_ITERATIONS): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const { storedKey, serverKey } = await scramKeys(Buffer.from(password), salt, iterations);
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey.toString('base64')}:${serverKey.toString('base64')}`;
}

/**
 * Reads a stored password: of `hashPassword`, of `scramVerifier`, or of mosquitto_passwd: `$7$` (PBKDF2 with SHA-512) or
 * `$6$` (SHA-512 once, with salt).
 * @throws Error it is none of them, or checking it would cost too much; without what was given: that may be a password
 */
export function parsePasswordHash(stored: string): PasswordHash {
  const hash = readPasswordHash(stored);
  return {
    ...hash,
    // To HMAC, on which most of them are built, a password is the same with zero bytes after it.
    verify: async (password) => (await hash.verify(password)) && password.at(-1) !== 0,
  };
}

function readPasswordHash(stored: string): PasswordHash {
  const scryptParts = /^\$scrypt\$ln=(\d+),r=(\d+),p=(\d+)\$([\w+/=]+)\$([\w+/=]+)$/.exec(stored);
  if (scryptParts !== null) return scryptHash(scryptParts);
  const mosquitto = /^\$7\$(\d+)\$([\w+/=]+)\$([\w+/=]+)$/.exec(stored);
  if (mosquitto !== null) return mosquittoHash(mosquitto);
  const older = /^\$6\$([\w+/=]+)\$([\w+/=]+)$/.exec(stored);
  if (older !== null) return olderMosquittoHash(older);
  const scram = /^SCRAM-SHA-256\$(\d+):([\w+/=]+)\$([\w+/=]+):([\w+/=]+)$/.exec(stored);
  if (scram !== null) return scramHash(scram);
  throw new Error('the password is not stored as scrypt, SCRAM-SHA-256, or $7$ or $6$ of mosquitto_passwd');
}

function scryptHash([, ln = '', rText = '', pText = '', salt = '', key = '']: RegExpExecArray): PasswordHash {
  const cost = within('the cost of scrypt', Number(ln), 1, 20);
  const block = within('the block size of scrypt', Number(rText), 1, 32);
  const parallel = within('the parallelism of scrypt', Number(pText), 1, 16);
  const work = 2 ** cost * block;
  within('the memory for scrypt in bytes', 128 * work, 0, MAX_SCRYPT_BYTES);
  within('the work of scrypt, N * r * p,', work * parallel, 0, MAX_SCRYPT_WORK);
  const expected = keyOf(key, MIN_KEY_BYTES);
  const saltBytes = Buffer.from(salt, 'base64');
  return {
    verify: async (password) =>
      timingSafeEqual(await scryptKey(password, saltBytes, cost, block, parallel, expected.length), expected),
  };
}

function mosquittoHash([, rounds = '', salt = '', key = '']: RegExpExecArray): PasswordHash {
  const iterations = within('the iterations', Number(rounds), 1, MAX_ITERATIONS);
  const expected = keyOf(key, MAX_KEY_BYTES);
  const saltBytes = Buffer.from(salt, 'base64');
  return {
    verify: async (password) =>
      timingSafeEqual(
        await pbkdf2Async(password, saltBytes, iterations, expected.length, 'sha512'),
        expected,
      ),
  };
}

function olderMosquittoHash([, salt = '', key = '']: RegExpExecArray): PasswordHash {
  const expected = keyOf(key, MAX_KEY_BYTES);
  const saltBytes = Buffer.from(salt, 'base64');
  return {
    verify: (password) =>
      Promise.resolve(
        timingSafeEqual(createHash('sha512').update(password).update(saltBytes).digest(), expected),
      ),
  };
}

/** A key that is too short would fit many passwords, and an empty one all. */
function keyOf(text: string, shortest: number): Buffer {
  const key = Buffer.from(text, 'base64');
  within('the length of the stored key in bytes', key.length, shortest, MAX_KEY_BYTES);
  return key;
}

function scramHash([, rounds = '', saltText = '', stored = '', server = '']: RegExpExecArray): PasswordHash {
  const iterations = within('the iterations of SCRAM', Number(rounds), 4096, MAX_ITERATIONS);
  const salt = Buffer.from(saltText, 'base64');
  const storedKey = Buffer.from(stored, 'base64');
  const serverKey = Buffer.from(server, 'base64');
  if (storedKey.length !== KEY_BYTES || serverKey.length !== KEY_BYTES) {
    throw new Error(`the keys of SCRAM-SHA-256 must have ${KEY_BYTES} bytes`);
  }
  return {
    verify: async (password) =>
      timingSafeEqual((await scramKeys(password, salt, iterations)).storedKey, storedKey),
    scram: { iterations, salt, storedKey, serverKey },
  };
}

function within(what: string, value: number, lowest: number, highest: number): number {
  if (value >= lowest && value <= highest) return value;
  throw new Error(`${what} is ${value}, expected ${lowest} to ${highest}`);
}

/** RFC 5802 section 3. Of SASLprep, its normalisation NFKC is done. */
async function scramKeys(password: Buffer, salt: Buffer, iterations: number) {
  const prepared = password.toString('utf8').normalize('NFKC');
  const salted = await pbkdf2Async(prepared, salt, iterations, KEY_BYTES, 'sha256');
  const clientKey = hmac(salted, 'Client Key');
  return {
    storedKey: createHash('sha256').update(clientKey).digest(),
    serverKey: hmac(salted, 'Server Key'),
  };
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function scryptKey(
  password: Buffer,
  salt: Buffer,
  cost: number,
  block: number,
  parallel: number,
  length: number,
): Promise<Buffer> {
  const N = 2 ** cost;
  const options = { N, r: block, p: parallel, maxmem: 256 * N * block };
  return new Promise((resolve, reject) => {
    scrypt(password, salt, length, options, (error, key) => (error === null ? resolve(key) : reject(error)));
  });
}
