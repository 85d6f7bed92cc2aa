import assert from 'node:assert/strict';
import fs, { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import promises from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock } from 'node:test';
import { RollingJournal } from '../../src/journal/rolling-journal';
import { crashImage } from './crash-image';

const PADDING = 'x'.repeat(1000);

/** Numbers by name, in a journal. */
class Numbers {
  readonly values = new Map<string, string>();
  readonly faults: (string | undefined)[] = [];
  readonly journal: RollingJournal;

  constructor(directory: string) {
    const { values } = this;
    this.journal = new RollingJournal(directory, {
      format: { magic: 'NUMBERS.', version: 1 },
      extension: 'numbers',
      state: {
        apply: (frame) => {
          for (const record of frame.toString().split('\n').slice(0, -1)) {
            const [name = '', value = ''] = record.split(' ');
            if (value === '') values.delete(name);
            else values.set(name, value);
          }
        },
        snapshot: () => [...values].map(([name, value]) => Buffer.from(`${name} ${value} ${PADDING}\n`)),
        bytes: () => values.size * PADDING.length,
      },
      faultChanged: (fault) => this.faults.push(fault),
    });
  }

  set(name: string, value: string): void {
    this.values.set(name, value);
    this.journal.append(Buffer.from(`${name} ${value} ${PADDING}\n`));
  }

  delete(name: string): void {
    this.values.delete(name);
    this.journal.append(Buffer.from(`${name}  \n`));
  }

  durable(): Promise<void> {
    return new Promise((resolve) => this.journal.whenDurable(resolve));
  }
}

/** Calls of the file system that are let through only so many at a time, as of a process that is killed after the last. */
class Killable {
  #left = Number.POSITIVE_INFINITY;
  readonly #held: (() => void)[] = [];
  readonly #mocks: { mock: { restore(): void } }[] = [];
  #passed = 0;

  constructor() {
    const wait = <Arguments extends unknown[]>(call: (...all: Arguments) => unknown) =>
      ((...all: Arguments) => this.#through(() => call(...all))) as never;
    const waitPromised = <Arguments extends unknown[], Result>(
      call: (...all: Arguments) => Promise<Result>,
    ) =>
      (async (...all: Arguments) => {
        await new Promise<void>((go) => this.#through(go));
        return call(...all);
      }) as never;
    this.#mocks.push(
      mock.method(fs, 'fdatasync', wait(fs.fdatasync)),
      mock.method(fs, 'writev', wait(fs.writev)),
      mock.method(promises, 'rename', waitPromised(promises.rename)),
      mock.method(promises, 'rm', waitPromised(promises.rm)),
      mock.method(promises, 'open', waitPromised(promises.open)),
    );
  }

  get passed(): number {
    return this.#passed;
  }

  get isHolding(): boolean {
    return this.#held.length > 0;
  }

  killAfter(calls: number): void {
    this.#passed = 0;
    this.#left = calls;
  }

  restore(): void {
    this.#left = Number.POSITIVE_INFINITY;
    for (const go of this.#held.splice(0)) go();
    for (const each of this.#mocks) each.mock.restore();
  }

  #through(go: () => void): void {
    if (this.#left === 0) {
      this.#held.push(go);
      return;
    }
    this.#left--;
    this.#passed++;
    go();
  }
}

describe('rolling journal', function () {
  this.timeout(60_000);
  const directories: string[] = [];
  const open: Numbers[] = [];
  let killable: Killable | undefined;

  const folder = (): string => {
    const path = mkdtempSync(join(tmpdir(), 'rolling-'));
    directories.push(path);
    return path;
  };
  const start = async (directory: string) => {
    const numbers = new Numbers(directory);
    open.push(numbers);
    const damage = await numbers.journal.open();
    return { numbers, damage };
  };
  const names = (directory: string) => readdirSync(directory).filter((name) => name !== 'lock');
  afterEach(async () => {
    killable?.restore();
    for (const { journal } of open.splice(0)) await journal.close();
    for (const path of directories.splice(0)) rmSync(path, { recursive: true, force: true });
  });

  /** Some values, of which most are of no use any more, so that it is soon to be written anew. */
  const fill = async (numbers: Numbers) => {
    for (let n = 0; n < 200; n++) numbers.set(`n${n}`, 'old');
    for (let n = 0; n < 4200; n++) numbers.set(`n${n % 200}`, String(n));
    await numbers.durable();
  };

  it('has all that it has promised, wherever a process is killed while it is written anew', async () => {
    let steps = 1;
    for (let step = 0; step <= steps; step++) {
      const directory = folder();
      const { numbers } = await start(directory);
      await fill(numbers);
      killable = new Killable();
      killable.killAfter(step);
      // Some of these are written before and some while the rest is written anew, and some are promised.
      for (let n = 0; n < 400; n++) numbers.set(`n${n % 150}`, `new${n}`);
      numbers.delete('n7');
      let promised: Map<string, string> | undefined;
      const more = new Map(numbers.values);
      void numbers.durable().then(() => {
        promised = more;
      });
      let later: Map<string, string> | undefined;
      while (!killable.isHolding && !(names(directory).length === 2 && later !== undefined)) {
        await new Promise(setImmediate);
        if (promised === undefined || numbers.values.has('late')) continue;
        numbers.set('late', '1');
        numbers.delete('n8');
        const last = new Map(numbers.values);
        void numbers.durable().then(() => {
          later = last;
        });
      }
      if (!killable.isHolding) steps = killable.passed;
      else steps = Math.max(steps, step + 1);
      const copy = folder();
      crashImage(directory, copy);
      // Before the calls that were held back go on, and more is promised.
      const promisedLast = later;
      const expected = later ?? promised ?? more;
      killable.restore();
      const { numbers: again, damage } = await start(copy);
      assert.equal(damage, undefined);
      // What was not promised may be there too: all of it, as it was written.
      const sorted = (values: Map<string, string>) => [...values].sort();
      if (promisedLast === undefined && numbers.values.has('late') && again.values.has('late')) {
        assert.deepEqual(sorted(again.values), sorted(numbers.values), `step ${step}`);
      } else assert.deepEqual(sorted(again.values), sorted(expected), `step ${step}`);
      await numbers.journal.close();
      await again.journal.close();
    }
    assert.ok(steps >= 8, `${steps} steps`);
  });

  it('goes on with two files, of which the last breaks off anywhere', async () => {
    const directory = folder();
    const { numbers } = await start(directory);
    await fill(numbers);
    killable = new Killable();
    killable.killAfter(0);
    for (let n = 0; n < 400; n++) numbers.set(`n${n % 200}`, `new${n}`);
    while (names(directory).length === 1) await new Promise(setImmediate);
    const before = new Map(numbers.values);
    numbers.set('n0', 'last');
    numbers.journal.write();
    const [first = '', second = ''] = names(directory)
      .filter((name) => name.endsWith('.numbers'))
      .sort();
    const whole = readFileSync(join(directory, second)).length;
    for (const [size, value] of [
      [0, before.get('n0')],
      [9, before.get('n0')],
      [16, before.get('n0')],
      [whole - 1, before.get('n0')],
      [whole, 'last'],
    ] as const) {
      const copy = folder();
      for (const name of [first, second]) cpSync(join(directory, name), join(copy, name));
      truncateSync(join(copy, second), size);
      const { numbers: again, damage } = await start(copy);
      assert.equal(damage, undefined);
      assert.deepEqual([again.values.size, again.values.get('n0')], [200, value], `${size} bytes`);
    }
  });

  it('does not keep the event loop while it is written anew', async () => {
    const directory = folder();
    const { numbers } = await start(directory);
    await fill(numbers);
    for (let n = 0; n < 400; n++) numbers.set(`n${n % 200}`, `new${n}`);
    let turns = 0;
    while (!names(directory).some((name) => name.endsWith('.snapshot'))) {
      await new Promise(setImmediate);
      turns++;
    }
    // 200 kB in parts of 64.
    assert.ok(turns > 4, `${turns} turns`);
  });
});
