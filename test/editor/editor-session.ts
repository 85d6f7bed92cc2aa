import { strict as assert } from 'node:assert';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContext } from 'playwright-core';
import { counterpart, freePort } from '../counterparts';
import { freshDomain } from '../rtps/test-domain';
import { EditorPage, type FlowNode, launchBrowser } from './editor-page';
import { createUserDir, linkPackage, NODE_RED_VERSIONS, NodeRedProcess } from './node-red-process';

/** The flow files that users are given, by title. */
export const FLOW_FILES: readonly { title: string; path: string }[] = [
  { title: 'demo', path: 'demo/flows.json' },
  ...readdirSync('examples').map((name) => ({
    title: name.replace(/\.json$/, ''),
    path: join('examples', name),
  })),
];

/** A ROS domain that only these tests use, so that nothing else on the machine takes part. */
export const TEST_DOMAIN = freshDomain();

/** A flow file as the tests may run it: RTPS on the loopback interface in a domain of their own, free TCP ports. */
export async function readFlow(path: string): Promise<FlowNode[]> {
  const text = readFileSync(path, 'utf8')
    .replaceAll('ros/0/', `ros/${TEST_DOMAIN}/`)
    .replaceAll('"domain": 0', `"domain": ${TEST_DOMAIN}`);
  const flow = JSON.parse(text) as FlowNode[];
  for (const node of flow) {
    if (node.type === 'embedded-broker') {
      node.port = await freePort();
      for (const listener of (node.listeners ?? []) as { port: number }[]) listener.port = await freePort();
    }
    if (node.type === 'ros-bridge') {
      node.interfaces = '127.0.0.1';
      const domains = node.domains as { id: number; alias: string }[];
      node.domains = domains.map((row) => (row.id === 0 ? { ...row, id: TEST_DOMAIN } : row));
    }
  }
  return flow;
}

/** The node of a flow with this type and, where several have it, this name. */
export function nodeOf(flow: readonly FlowNode[], type: string, name?: string): FlowNode {
  const node = flow.find(
    (candidate) => candidate.type === type && (name === undefined || candidate.name === name),
  );
  assert.ok(node, `no ${type} ${name ?? ''} in the flow`);
  return node;
}

/** One for all suites. */
let browser: Promise<Browser> | undefined;

/** What a suite of `inEachEditor` works with: a running Node-RED without flows, and an editor without any. */
export class EditorSession {
  #userDir: string | undefined;
  #nodeRed: NodeRedProcess | undefined;
  #context: BrowserContext | undefined;
  #editor: EditorPage | undefined;

  get userDir(): string {
    assert.ok(this.#userDir);
    return this.#userDir;
  }

  get nodeRed(): NodeRedProcess {
    assert.ok(this.#nodeRed);
    return this.#nodeRed;
  }

  get editor(): EditorPage {
    assert.ok(this.#editor);
    return this.#editor;
  }

  /** Starts what does not run yet. */
  async start(program: { node: string; script: string }, chromium: string): Promise<void> {
    if (this.#nodeRed === undefined) {
      this.#userDir = createUserDir();
      linkPackage(this.#userDir);
      this.#nodeRed = await NodeRedProcess.start(program, this.#userDir);
    }
    browser ??= launchBrowser(chromium);
    this.#context ??= await (await browser).newContext({ viewport: { width: 1500, height: 1000 } });
    if (this.#editor === undefined) await this.openEditor();
  }

  /** Opens the editor anew, as it is deployed. */
  async openEditor(): Promise<void> {
    assert.ok(this.#context);
    await this.#editor?.close();
    this.#editor = await EditorPage.open(this.#context, this.nodeRed.url);
  }

  /** Empties the runtime and the editor, of which a test that has failed may have left anything. */
  async clear(failed: boolean): Promise<void> {
    if (failed) await this.openEditor();
    const problems = this.editor.problems.splice(0);
    await this.editor.clear();
    // What embedded brokers and queues keep there is none of the next test's.
    rmSync(join(this.userDir, 'mqtt-ros'), { recursive: true, force: true, maxRetries: 5 });
    assert.deepEqual(problems, [], 'the browser reported errors');
  }

  async stop(): Promise<void> {
    await this.#nodeRed?.stop();
    if (this.#userDir !== undefined) rmSync(this.#userDir, { recursive: true });
  }
}

/** Of each version of Node-RED, for all suites: to start one, and to load the editor, takes longer than most tests. */
const sessions = NODE_RED_VERSIONS.map((version) => ({ version, session: new EditorSession() }));

after(async () => {
  await (await browser)?.close();
  for (const { session } of sessions) await session.stop();
});

/** A suite in a real browser, once for each version of Node-RED; every error of the browser's console fails its test. */
export function inEachEditor(title: string, tests: (session: EditorSession) => void): void {
  for (const { version, session } of sessions) {
    describe(`${title} (${version.title})`, function () {
      this.timeout(60_000);
      before(async function () {
        await session.start(version.program(this), counterpart(this, 'chromium'));
      });
      afterEach(function () {
        return session.clear(this.currentTest?.state === 'failed');
      });
      tests(session);
    });
  }
}
