import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Their ports lie below those that the system gives out. */
const FIRST = 1;
const LAST = 100;
/** Domains that a process takes turns with, so that what a test leaves behind does not meet the next one. */
const PER_PROCESS = 6;

const claimed: number[] = [];

/** A domain that no other test process on this machine uses, and the test before did not. */
export function freshDomain(): number {
  for (let domain = FIRST; domain <= LAST && claimed.length < PER_PROCESS; domain++) {
    if (claimed.includes(domain) || !claim(domain)) continue;
    claimed.unshift(domain);
    return domain;
  }
  const domain = claimed.pop();
  if (domain === undefined) throw new Error(`domains ${FIRST} to ${LAST} are all in use by other test runs`);
  claimed.unshift(domain);
  return domain;
}

const lockOf = (domain: number) => join(tmpdir(), `test-dds-domain-${domain}`);

function claim(domain: number): boolean {
  const lock = lockOf(domain);
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    if (isHeld(lock)) return false;
    writeFileSync(lock, String(process.pid));
    return true;
  }
}

function isHeld(lock: string): boolean {
  try {
    const holder = Number(readFileSync(lock, 'utf8'));
    // Just made, its number not written yet.
    if (holder === 0) return true;
    process.kill(holder, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

process.once('exit', () => {
  for (const domain of claimed) rmSync(lockOf(domain), { force: true });
});
