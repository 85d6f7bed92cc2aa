import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { counterpart } from '../counterparts';
import type { FlowNode } from './editor-page';
import { inEachEditor, nodeOf, readFlow } from './editor-session';

inEachEditor('access to the embedded broker', (session) => {
  let mosquittoPub: string;
  let flow: FlowNode[];
  let id: string;

  before(function () {
    mosquittoPub = counterpart(this, 'mosquitto_pub');
  });

  const open = async (path: string) => {
    flow = await readFlow(path);
    id = nodeOf(flow, 'embedded-broker').id;
    await session.editor.importFlow(flow);
  };
  const saved = async () => (await session.editor.flows()).find((node) => node.id === id) as FlowNode;
  const openAccess = async () => {
    await session.editor.openForm(id);
    await session.editor.showTab('Access');
  };
  const deployed = async () => {
    await session.editor.done();
    await session.editor.deploy();
    await accepting(portOf(flow));
  };
  const user = (field: string, row = 0) => session.editor.page.locator(`.mqttros-user-${field}`).nth(row);
  const rule = (field: string, row = 0) => session.editor.page.locator(`.mqttros-rule-${field}`).nth(row);
  const add = (list: 'user' | 'rule') =>
    session.editor.page
      .locator('.form-row', { has: session.editor.page.locator(`#mqttros-embedded-${list}-list`) })
      .locator('.red-ui-editableList-addButton')
      .click();
  const enterUser = async (name: string, password: string, row = 0) => {
    await session.editor.enter(user('name', row), name);
    await session.editor.enter(user('password', row), password);
  };

  /** What mosquitto_pub says against it, if anything. */
  const publish = async (topic: string, username: string, password: string): Promise<string> => {
    const at = ['-h', '127.0.0.1', '-p', String(portOf(flow))];
    const what = ['-V', '5', '-q', '1', '-t', topic, '-m', 'hello', '-u', username, '-P', password];
    const outcome = await promisify(execFile)(mosquittoPub, [...at, ...what]).catch(
      (error: { stderr: string }) => error,
    );
    return outcome.stderr;
  };

  it('lets in a user who was typed in, and keeps no password anywhere', async () => {
    const { editor } = session;
    await open('demo/flows.json');
    await openAccess();
    await editor.page.locator('#node-input-anonymous').selectOption('in-process');
    await add('user');
    await enterUser('anna', 'open sesame');
    await add('user');
    await enterUser('bert', 'let me in', 1);
    await user('login', 1).selectOption('scram');
    await add('rule');
    await rule('access').selectOption('deny');
    await rule('who').selectOption('user');
    await editor.enter(rule('name'), 'anna');
    await rule('action').selectOption('publish');
    await editor.enter(rule('filter'), 'vault/#');
    await add('rule');
    await deployed();
    assert.deepEqual(await editor.invalidNodes(), []);

    assert.equal(await publish('hall', 'anna', 'open sesame'), '');
    assert.equal(await publish('hall', 'bert', 'let me in'), '');
    assert.match(await publish('hall', 'anna', 'let me in'), /Bad user name or password/i);
    assert.match(await publish('vault/gold', 'anna', 'open sesame'), /Not authorized/);
    assert.equal(await publish('vault/gold', 'bert', 'let me in'), '');

    const files = ['flows.json', 'flows_cred.json'].map((name) =>
      readFileSync(join(session.userDir, name), 'utf8'),
    );
    assert.doesNotMatch(files.join(), /open sesame|let me in/);
    assert.doesNotMatch(files[0] ?? '', /\$scrypt|SCRAM-SHA-256\$/);
    assert.match(files[1] ?? '', /anna.*\$scrypt\$.*bert.*SCRAM-SHA-256\$/);
  });

  it('shows that a password is set but not which, and keeps it when other things change', async function () {
    this.timeout(60_000);
    await open('demo/flows.json');
    await openAccess();
    await session.editor.page.locator('#node-input-anonymous').selectOption('in-process');
    await add('user');
    await enterUser('anna', 'open sesame');
    await add('user');
    await enterUser('bert', 'let me in', 1);
    await deployed();
    await session.openEditor();

    const { editor } = session;
    await openAccess();
    assert.equal(await user('password').inputValue(), '');
    assert.equal(await user('password').getAttribute('placeholder'), 'a password is set');
    await editor.enter(user('name'), 'anne');
    await enterUser('bert', 'better', 1);
    await deployed();
    assert.equal(await publish('hall', 'anne', 'open sesame'), '');
    assert.equal(await publish('hall', 'bert', 'better'), '');
    for (const [name, password] of [
      ['anna', 'open sesame'],
      ['bert', 'let me in'],
    ] as const)
      assert.match(await publish('hall', name, password), /Bad user name or password/i);
  });

  it('forgets the password of a user who is removed, or logs in in another way', async () => {
    const { editor } = session;
    await open('demo/flows.json');
    await openAccess();
    await editor.page.locator('#node-input-anonymous').selectOption('in-process');
    await add('user');
    await enterUser('anna', 'open sesame');
    await add('user');
    await enterUser('bert', 'let me in', 1);
    await deployed();

    await openAccess();
    await user('login', 1).selectOption('scram');
    await editor.seesReason(user('password', 1), /Enter the password again/);
    await editor.page.locator('#mqttros-embedded-user-list .red-ui-editableList-item-remove').nth(1).click();
    await user('name', 1).waitFor({ state: 'detached' });
    await deployed();
    assert.equal(await publish('hall', 'anna', 'open sesame'), '');
    assert.match(await publish('hall', 'bert', 'let me in'), /Bad user name or password/i);
    const credentials = readFileSync(join(session.userDir, 'flows_cred.json'), 'utf8');
    assert.deepEqual(Object.keys(JSON.parse(JSON.parse(credentials)[id].passwords)), ['anna']);
  });

  it('keeps a password that was typed before the first deploy when the form is opened again', async () => {
    await open('demo/flows.json');
    await openAccess();
    await session.editor.page.locator('#node-input-anonymous').selectOption('in-process');
    await add('user');
    await enterUser('anna', 'open sesame');
    await session.editor.done();
    await openAccess();
    await add('user');
    await enterUser('bert', 'let me in', 1);
    await session.editor.enter(user('name'), 'anne');
    await deployed();
    assert.equal(await publish('hall', 'anne', 'open sesame'), '');
    assert.equal(await publish('hall', 'bert', 'let me in'), '');
  });

  it('shows that a copy has no passwords, in its status and in its form', async () => {
    const { editor } = session;
    await open('examples/Publish and subscribe.json');
    await openAccess();
    await add('user');
    await enterUser('anna', 'open sesame');
    await editor.done();
    await editor.deploy();
    await editor.copyAndPaste(id);
    const copy = (await editor.flows()).find((node) => node.type === 'embedded-broker' && node.id !== id);
    assert.ok(copy);
    await editor.deploy();
    await editor.statusOf(copy.id, /no password: anna/);
    await editor.statusOf(id, /clients?$/);
    await editor.openForm(copy.id);
    await editor.showTab('Access');
    assert.equal(await user('password').getAttribute('placeholder'), 'password');
    await editor.seesReason(user('password'), /User anna has no password/);
    await editor.done();
    assert.match((await editor.invalidNodes()).join(), /User anna has no password/);
  });

  it('says what is wrong with a user and a rule', async () => {
    const { editor } = session;
    await open('demo/flows.json');
    await openAccess();
    await add('user');
    await editor.seesReason(user('name'), /needs a name/);
    await enterUser('anna', 'one');
    await add('user');
    await enterUser('anna', 'two', 1);
    await editor.seesReason(user('name'), /anna is in the list twice/);
    await add('rule');
    await editor.enter(rule('filter'), 'a/#/b');
    await editor.seesReason(rule('filter'), /# must be alone in the last level/);
    await rule('who').selectOption('group');
    await editor.seesReason(rule('name'), /the name of the group is missing/);
    await editor.done();
    assert.match((await editor.invalidNodes()).join(), /anna is in the list twice.*Rule no\. 1: /);
  });

  it('keeps rules in the order to which they are dragged', async () => {
    const { editor } = session;
    await open('demo/flows.json');
    await openAccess();
    for (const [row, filter] of ['first/#', 'second/#'].entries()) {
      await add('rule');
      await editor.enter(rule('filter', row), filter);
    }
    const handles = editor.page.locator('#mqttros-embedded-rule-list .red-ui-editableList-item-handle');
    await handles.nth(1).scrollIntoViewIfNeeded();
    const [to, from] = [await handles.nth(0).boundingBox(), await handles.nth(1).boundingBox()];
    assert.ok(to && from);
    await editor.page.mouse.move(from.x + 3, from.y + 5);
    await editor.page.mouse.down();
    await editor.page.mouse.move(to.x + 3, to.y, { steps: 5 });
    await editor.page.mouse.move(to.x + 3, to.y - 20, { steps: 5 });
    await editor.page.mouse.up();
    await editor.done();
    const { accessRules } = (await saved()) as FlowNode & { accessRules: { filter: string }[] };
    assert.deepEqual(
      accessRules.map(({ filter }) => filter),
      ['second/#', 'first/#'],
    );
  });

  it('tells when the runtime cannot store a password, and leaves the user without one', async () => {
    const { editor } = session;
    await open('demo/flows.json');
    await openAccess();
    await add('user');
    await enterUser('anna', 'x'.repeat(70_000));
    await editor.done();
    await editor.page.locator('.red-ui-notification', { hasText: /passwords were not saved/ }).waitFor();
    assert.match((await editor.invalidNodes()).join(), /User anna has no password/);
    // The browser reports the answer 400 itself.
    assert.match(editor.problems.splice(0).join(), /400/);
  });

  it('runs the example in which a flow decides', async () => {
    const { editor } = session;
    await open('examples/Broker with users and rules.json');
    await editor.deploy();
    await editor.statusOf(id, /127\.0\.0\.1:\d+ · /);
    await editor.statusOf(nodeOf(flow, 'mqtt-sub').id, /connected/);
    await editor.showDebugMessages();
    assert.equal(await publish('plant/press1/state', 'press1', 'demo'), '');
    assert.match(await publish('plant/press2/state', 'press1', 'demo'), /Not authorized/);
    assert.equal(await publish('plant/press2/state', 'anna', 'demo'), '');
    assert.match(await publish('plant/press1/state', 'press1', 'guess'), /Bad user name or password/i);
    await editor.page
      .locator('.red-ui-debug-msg', { hasText: /refused/ })
      .first()
      .waitFor();
    await editor.press(nodeOf(flow, 'inject', 'start press1').id);
    await editor.page
      .locator('.red-ui-debug-msg', { hasText: /plant\/press1\/set/ })
      .first()
      .waitFor();
  });
});

function portOf(flow: FlowNode[]): number {
  const { listeners, port } = nodeOf(flow, 'embedded-broker') as FlowNode & {
    listeners?: { port: number }[];
    port: number;
  };
  return listeners?.[0]?.port ?? port;
}

/** Resolves when something listens; a node's status may still be that of the broker before it. */
async function accepting(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return;
    } catch {
      await delay(20);
    } finally {
      socket.destroy();
    }
  }
}
