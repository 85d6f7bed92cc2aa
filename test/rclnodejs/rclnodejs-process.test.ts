import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { findRclnodejs } from '../../src/rclnodejs/environment';
import { type Patience, RclnodejsProcess } from '../../src/rclnodejs/rclnodejs-process';
import { endingAfterEach } from '../ending-after-each';
import { type Installation, RosEnvironment } from './ros-environment';

/** Between two looks at something that tells of no change, in ms. */
const LOOK = 20;

async function becomes(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((wake) => setTimeout(wake, LOOK));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('The process that rclnodejs runs in', function () {
  this.timeout(60_000);
  const keep = endingAfterEach();

  before(function () {
    if (findRclnodejs() !== undefined) this.skip();
  });

  function make(installation: Installation = {}, patience: Partial<Patience> = {}) {
    const environment = keep(new RosEnvironment(installation));
    let ended: (reason: string) => void = () => {};
    const end = new Promise<string>((resolved) => {
      ended = resolved;
    });
    const { setupFile } = environment;
    const [onReport, onPayload] = [() => {}, () => {}];
    const made = keep(new RclnodejsProcess({ setupFile, patience, onReport, onPayload, onEnd: ended }));
    return { made, environment, end };
  }

  it('is given up when its setup file does not end, and so is what that started', async () => {
    // On a busy machine it may be given up before it has started anything.
    for (let setup = 500, pid = 0; pid === 0; setup *= 2) {
      const { made, environment } = make(
        { lines: ['sleep 1000 & echo $! > "$(dirname "$1")/pid"; wait'] },
        { setup },
      );
      await assert.rejects(made.start(), {
        name: 'RclnodejsUnavailableError',
        message: `setup file ${environment.setupFile}: it has not ended in ${setup / 1000} s`,
      });
      const told = join(environment.folder, 'pid');
      pid = existsSync(told) ? Number(readFileSync(told, 'utf8')) : 0;
      if (pid > 0) await becomes(() => !isAlive(pid));
    }
  });

  it('is stopped at once while its setup file runs', async () => {
    const { made, environment } = make(
      { lines: ['touch "$(dirname "$1")/runs"; sleep 1000'] },
      { stop: 1e6 },
    );
    const started = assert.rejects(made.start(), { name: 'RclnodejsUnavailableError' });
    await becomes(() => existsSync(join(environment.folder, 'runs')));
    await made.stop();
    await started;
  });

  it('is not waited for when something that its setup file has started goes on', async () => {
    const { made, environment } = make({
      lines: ['sleep 1000 & echo $! > "$(dirname "$1")/pid"'],
      fault: 'throw',
    });
    await assert.rejects(made.start(), { message: 'the stand-in does not load' });
    process.kill(Number(readFileSync(join(environment.folder, 'pid'), 'utf8')));
  });

  it('starts whatever its setup file prints, and says the line that tells most', async () => {
    const rubbish =
      "head -c 3000000 /dev/zero | tr '\\0' x; printf '\\nError: \\033[31mfar too many\\033[0m\\nand more\\n' >&2";
    const { made, end } = make({ lines: [rubbish] });
    await made.start();
    process.kill(made.pid as number, 'SIGKILL');
    assert.equal(await end, 'the rclnodejs process ended with SIGKILL: Error: far too many');
    await assert.rejects(make({ lines: [rubbish, 'exit 3'] }).made.start(), {
      message: /exit code 3: Error: far too many$/,
    });
  });

  for (const [what, bytes] of [
    ['rubbish', 'rubbish'],
    ['an empty frame', '\\0\\0\\0\\0'],
    ['a frame of no known kind', '\\1\\0\\0\\0x'],
    ['a frame that is cut off', '\\2\\0\\0\\0\\0x'],
    ['a message that is no JSON', '\\2\\0\\0\\0\\377{'],
  ]) {
    it(`is ended when it sends ${what}`, async () => {
      const { made } = make({ lines: [`printf '${bytes}' >&3`] });
      await assert.rejects(made.start(), {
        name: 'RclnodejsUnavailableError',
        message:
          /^the rclnodejs process sent (expected a frame of 1 to \d+ bytes, got one of|a frame that begins with)/,
      });
    });
  }

  it('is ended when it gives no sign of life', async () => {
    const { made, end } = make({}, { silence: 2000 });
    await made.start();
    const { pid } = made;
    process.kill(pid as number, 'SIGSTOP');
    assert.equal(await end, 'the rclnodejs process has given no sign of life for 2 s');
    await becomes(() => !isAlive(pid as number));
  });

  for (const fault of [undefined, 'hang-at-end'] as const) {
    it(`ends with the process that started it${fault ? ', also where leaving does not end' : ''}`, async () => {
      const environment = keep(new RosEnvironment(fault === undefined ? {} : { fault }));
      const script = `
        const { RclnodejsProcess } = require(${JSON.stringify(resolve(__dirname, '../../src/rclnodejs/rclnodejs-process'))});
        const nothing = () => {};
        const setupFile = ${JSON.stringify(environment.setupFile)};
        const made = new RclnodejsProcess({ setupFile, onReport: nothing, onPayload: nothing, onEnd: nothing });
        made.start().then(() => console.log(made.pid));
      `;
      const parent = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
      const [pid] = await once(createInterface({ input: parent.stdout }), 'line');
      assert.ok(isAlive(Number(pid)));
      parent.kill('SIGKILL');
      await becomes(() => !isAlive(Number(pid)));
    });
  }
});
