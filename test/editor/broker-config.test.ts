import { strict as assert } from 'node:assert';
import type { Locator } from 'playwright-core';
import { Mosquitto } from '../client/mosquitto';
import type { FlowNode } from './editor-page';
import { inEachEditor } from './editor-session';

const CONFIG = 'mqtt-broker-config';

const tab = { id: 'tab1', type: 'tab', label: 'test' };
const place = { z: 'tab1', x: 200, y: 100 };
const publisher = {
  id: 'pub1',
  type: 'mqtt-pub',
  ...place,
  name: '',
  broker: 'config1',
  topic: 't',
  qos: '',
  retain: '',
  wires: [],
};
/** As a flow of the first version has it. */
const early = {
  id: 'config1',
  type: CONFIG,
  name: '',
  target: 'url',
  url: 'mqtt://127.0.0.1:1',
  embedded: '',
  tls: '',
  protocolVersion: '5',
  clientId: '',
  keepAlive: 60,
  cleanStart: true,
  sessionExpiry: '0',
  willTopic: '',
  willPayload: '',
  willQos: '0',
  willRetain: false,
};
const core = {
  id: 'core1',
  type: 'mqtt-broker',
  name: 'the old one',
  broker: '127.0.0.1',
  port: 18_831,
  clientid: 'line-4',
  autoConnect: false,
  usetls: false,
  protocolVersion: '5',
  keepalive: '30',
  cleansession: false,
  autoUnsubscribe: false,
  sessionExpiry: '600',
  userProps: '{"site":"north"}',
  birthTopic: 'lines/4',
  birthQos: '1',
  birthRetain: 'true',
  birthPayload: 'on',
  birthMsg: { contentType: 'text/plain', userProps: '{"a":"b"}', respTopic: 'answers', expiry: '5' },
  closeTopic: '',
  closeQos: '0',
  closePayload: '',
  closeMsg: {},
  willTopic: 'lines/4',
  willQos: '2',
  willPayload: 'off',
  willRetain: 'false',
  willMsg: { delay: '7', correl: 'x' },
};

inEachEditor('the form of mqtt-broker-config', (session) => {
  const field = (name: string): Locator => session.editor.page.locator(`#node-config-input-${name}`);
  const list = (id: string): Locator =>
    session.editor.page.locator('.form-row', { has: session.editor.page.locator(`#mqttros-broker-${id}`) });
  const saved = async (): Promise<FlowNode> =>
    (await session.editor.flows()).find(({ id }) => id === 'config1') as FlowNode;
  const open = async (...nodes: object[]) => {
    await session.editor.importFlow([tab, publisher, ...nodes] as FlowNode[]);
    await session.editor.openConfigForm(CONFIG, 'config1');
  };
  const addNamed = async (rows: Locator, name: string, value: string) => {
    await rows.locator('.red-ui-editableList-addButton').click();
    await session.editor.enter(rows.locator('.mqttros-named-name').last(), name);
    await session.editor.enter(rows.locator('.mqttros-named-value').last(), value);
  };

  it('keeps what is filled in on each page, and connects with it', async function () {
    const { editor } = session;
    const broker = await Mosquitto.start(this, [], { ann: 'open sesame' });
    try {
      await open(early);
      const addresses = list('alternatives');
      await addresses.locator('.red-ui-editableList-addButton').click();
      await editor.enter(addresses.locator('.mqttros-broker-address'), 'http://127.0.0.1');
      await editor.seesReason(addresses.locator('.mqttros-broker-address'), /must start with mqtt:/);
      await editor.enter(addresses.locator('.mqttros-broker-address'), broker.url);
      await editor.enter(field('clientId'), 'line-4');
      await addNamed(list('user-properties'), 'site', 'north');

      await editor.showTab('Security');
      await editor.enter(field('username'), 'ann');
      await editor.enter(field('password'), 'open sesame');

      await editor.showTab('Messages');
      await editor.enter(field('birthTopic'), 'lines/#');
      await editor.seesReason(field('birthTopic'), /wildcard/);
      await editor.enter(field('birthTopic'), 'lines/4');
      const properties = editor.page.locator('#mqttros-broker-birth-properties');
      await properties.locator('summary').click();
      await editor.enter(properties.locator('.mqttros-property-contentType'), 'text/plain');
      await addNamed(properties, 'unit', 'C');

      await editor.showTab('Advanced');
      await field('queue').selectOption('memory');
      await editor.enter(field('queueMessages'), '0');
      await editor.seesReason(field('queueMessages'), /from 1 to/);
      await editor.enter(field('queueMessages'), '500');
      await editor.enter(field('connectTimeout'), '5');
      await editor.configDone();
      assert.deepEqual(await editor.invalidNodes(), []);

      const expected = {
        alternatives: [broker.url],
        clientId: 'line-4',
        userProperties: [{ name: 'site', value: 'north' }],
        birthTopic: 'lines/4',
        birthProperties: { contentType: 'text/plain', userProperties: [{ name: 'unit', value: 'C' }] },
        queue: 'memory',
        queueMessages: '500',
        connectTimeout: '5',
        autoConnect: true,
        passwordSource: 'typed',
      };
      const config = await saved();
      assert.deepEqual(Object.fromEntries(Object.keys(expected).map((key) => [key, config[key]])), expected);
      await editor.deploy();
      await editor.statusOf('pub1', /connected to/);
      await broker.logged(/ as line-4 .*u'ann'/);
      await broker.logged(/Received PUBLISH from line-4 .*'lines\/4'/);
      // The editor has forgotten what it need not know any more.
      const deployed = await saved();

      await editor.openConfigForm(CONFIG, 'config1');
      assert.equal(await addresses.locator('.mqttros-broker-address').inputValue(), broker.url);
      await editor.showTab('Messages');
      assert.equal(await properties.locator('.mqttros-named-name').inputValue(), 'unit');
      await editor.showTab('Advanced');
      assert.equal(await field('queueMessages').inputValue(), '500');
      await editor.configDone();
      assert.deepEqual(await saved(), deployed, 'nothing changes by opening the form');
    } finally {
      await broker.stop();
    }
  });

  it('leaves nothing secret in the flow', async () => {
    const { editor } = session;
    await open({ ...early, url: 'wss://127.0.0.1:1' });
    await editor.showTab('Security');
    for (const [name, text] of [
      ['username', 'secret-user'],
      ['password', 'secret-password'],
      ['tlsPassphrase', 'secret-phrase'],
      ['proxyUsername', 'secret-proxy-user'],
      ['proxyPassword', 'secret-proxy-password'],
    ] as const) {
      await editor.enter(field(name), text);
    }
    await editor.enter(field('proxy'), 'http://me:secret@proxy:3128');
    await editor.seesReason(field('proxy'), /fields of their own/);
    await editor.enter(field('proxy'), 'http://127.0.0.1:1');
    await addNamed(list('headers'), 'Authorization', 'secret-token');
    await editor.configDone();
    await editor.deploy();
    await editor.statusOf('pub1', /connecting/);
    const flow = JSON.stringify(await session.nodeRed.get('/flows'));
    assert.ok(flow.includes('config1'));
    assert.ok(!flow.includes('secret'), flow);

    await session.openEditor();
    await session.editor.openConfigForm(CONFIG, 'config1');
    await session.editor.showTab('Security');
    assert.equal(await list('headers').locator('.mqttros-named-value').inputValue(), 'secret-token');
  });

  it('names an address without TLS where TLS is filled in', async () => {
    const { editor } = session;
    await open(early);
    await editor.showTab('Security');
    await editor.enter(field('tlsPassphrase'), 'phrase');
    assert.doesNotMatch((await field('url').getAttribute('class')) ?? '', /input-error/);
    await editor.enter(field('tlsCaFile'), '/ca.pem');
    await editor.showTab('Connection');
    await editor.seesReason(field('url'), /not secure: begin it with mqtts:/);
    await editor.enter(field('url'), 'mqtts://127.0.0.1:1');
    await editor.configDone();
    assert.deepEqual(await editor.invalidNodes(), []);
    await editor.openConfigForm(CONFIG, 'config1');
    await editor.enter(field('url'), 'mqtt://127.0.0.1:1');
    await editor.configDone();
    assert.match((await editor.invalidNodes()).join(), /mqtt-broker-config config1: .*not secure/);
  });

  it('shows the fields that the source of the password needs', async () => {
    const { editor } = session;
    await open(early);
    await editor.showTab('Security');
    assert.equal(await field('password').isVisible(), true);
    await field('passwordSource').selectOption('environment');
    assert.equal(await field('password').isVisible(), false);
    await editor.seesReason(field('passwordEnvironment'), /needed/);
    await field('passwordSource').selectOption('file');
    await editor.enter(field('passwordFile'), '/run/secrets/token');
    await editor.configDone();
    assert.deepEqual(await editor.invalidNodes(), []);
    assert.equal((await saved()).passwordFile, '/run/secrets/token');
  });

  it('takes variables where only the runtime knows the values', async () => {
    const { editor } = session;
    await open(early);
    await editor.enter(field('url'), ['mqtt://$', '{HOST}:$', '{PORT}'].join(''));
    await editor.enter(field('keepAlive'), ['$', '{KEEP_ALIVE}'].join(''));
    await editor.configDone();
    assert.deepEqual(await editor.invalidNodes(), []);
  });

  it('takes the settings of a core broker over, but not its password', async () => {
    const { editor } = session;
    await editor.importFlow([
      tab,
      publisher,
      early,
      core,
      { id: 'in1', type: 'mqtt in', ...place, broker: 'core1', topic: 't', wires: [[]] },
    ] as FlowNode[]);
    await editor.openConfigForm('mqtt-broker', 'core1');
    await editor.showTab('Security');
    await editor.page.locator('#node-config-input-user').fill('ann');
    await editor.page.locator('#node-config-input-password').fill('secret');
    await editor.configDone();
    await editor.deploy();

    await session.openEditor();
    const fresh = session.editor;
    await fresh.openConfigForm(CONFIG, 'config1');
    await fresh.page.locator('#mqttros-broker-import').click();
    await fresh.page.locator('#mqttros-broker-imported').waitFor();
    while ((await field('username').inputValue()) !== 'ann') await fresh.page.waitForTimeout(20);
    assert.equal(await field('password').inputValue(), '');
    await fresh.configDone();
    assert.deepEqual(await fresh.invalidNodes(), []);
    const expected = {
      name: 'the old one',
      url: 'mqtt://127.0.0.1:18831',
      clientId: 'line-4',
      autoConnect: false,
      keepAlive: '30',
      cleanStart: false,
      autoUnsubscribe: false,
      sessionExpiry: '600',
      userProperties: [{ name: 'site', value: 'north' }],
      birthTopic: 'lines/4',
      birthPayload: 'on',
      birthQos: '1',
      birthRetain: true,
      birthProperties: {
        contentType: 'text/plain',
        messageExpiry: '5',
        responseTopic: 'answers',
        userProperties: [{ name: 'a', value: 'b' }],
      },
      closeProperties: {},
      willQos: '2',
      willPayload: 'off',
      willRetain: false,
      willDelay: '7',
      willProperties: { correlationData: 'x' },
    };
    const config = await saved();
    assert.deepEqual(Object.fromEntries(Object.keys(expected).map((key) => [key, config[key]])), expected);
  });

  it('offers no import where there is nothing to import', async () => {
    await open(early);
    assert.equal(await session.editor.page.locator('#mqttros-broker-import').isVisible(), false);
  });
});
