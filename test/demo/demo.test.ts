import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAsync, type MqttClient } from 'mqtt';
import { freePort } from '../counterparts';

interface Pose {
  pose: { position: { x: number; y: number } };
}

describe('the demo', function () {
  this.timeout(60_000);
  let demo: ChildProcess;
  let client: MqttClient;
  let userDir: string;
  let editorPort: number;
  let output = '';

  /** Resolves with the match as soon as the demo has printed the pattern. */
  async function printed(pattern: RegExp): Promise<RegExpMatchArray> {
    const abort = new AbortController();
    const news = on(demo.stdout as NodeJS.EventEmitter, 'data', abort);
    const ended = once(demo, 'exit', abort).then(() => assert.fail(`the demo ended:\n${output}`));
    try {
      for (;;) {
        const match = output.match(pattern);
        if (match !== null) return match;
        await Promise.race([news.next(), ended]);
      }
    } finally {
      ended.catch(() => {});
      abort.abort();
    }
  }

  async function received<T>(topic: string, accept: (value: T) => boolean = () => true): Promise<T> {
    await client.subscribeAsync(topic);
    return new Promise((resolve) => {
      const listener = (name: string, payload: Buffer) => {
        if (name !== topic) return;
        const value = JSON.parse(payload.toString()) as T;
        if (!accept(value)) return;
        client.off('message', listener);
        resolve(value);
      };
      client.on('message', listener);
    });
  }

  before(async () => {
    userDir = mkdtempSync(join(tmpdir(), 'demo-'));
    editorPort = await freePort();
    demo = spawn(process.execPath, ['dist/demo/start.js'], {
      env: { ...process.env, PORT: String(editorPort), DEMO_USER_DIR: userDir },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [demo.stdout, demo.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk));
    const [, port] = await printed(/127\.0\.0\.1:(\d+), MQTT 3\.1\.1 or 5/);
    // The flows and the editor start beside each other.
    await printed(/Server now running/);
    client = await connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5 });
  });

  after(async () => {
    await client?.endAsync();
    if (demo.exitCode === null) {
      demo.kill('SIGINT');
      await once(demo, 'exit');
    }
    rmSync(userDir, { recursive: true });
  });

  it('serves the editor with its flow', async () => {
    const answer = await fetch(`http://127.0.0.1:${editorPort}/flows`);
    const flows = (await answer.json()) as Array<{ type: string }>;
    assert.ok(flows.some(({ type }) => type === 'ros-bridge'));
  });

  it('publishes temperatures and raises a retained alert', async () => {
    const topic = await new Promise<string>((resolve) => {
      client.on('message', (name) => name.startsWith('alerts/') && resolve(name));
      void client.subscribeAsync('alerts/#');
    });
    assert.match(topic, /^alerts\/\w+/);
  });

  it('carries what the robot says from ROS to MQTT', async () => {
    const { data } = await received<{ data: string }>('ros/0/chatter');
    assert.match(data, /^robot1 is at/);
  });

  it('carries what is typed from MQTT to ROS', async () => {
    await client.publishAsync('ros/0/chatter', '{"data":"hello"}', { qos: 1 });
    await printed(/\[robot\] heard "hello"/);
  });

  it('drives the robot', async () => {
    const before = await received<Pose>('ros/0/robot1/pose');
    // Again and again, as a driver does: a command holds for 2 s, in which the robot of a busy machine gets nowhere.
    const drive = () => client.publish('ros/0/robot1/cmd_vel', '{"linear":{"x":0.5}}', { qos: 1 });
    const driving = setInterval(drive, 500);
    try {
      await received<Pose>('ros/0/robot1/pose', ({ pose }) => pose.position.x > before.pose.position.x + 0.2);
    } finally {
      clearInterval(driving);
    }
  });

  it('ends with Ctrl-C and leaves no process behind', async () => {
    await client.endAsync();
    demo.kill('SIGINT');
    const [code] = (await once(demo, 'exit')) as [number | null];
    assert.equal(code, 0);
    await assert.rejects(fetch(`http://127.0.0.1:${editorPort}/`));
  });
});
