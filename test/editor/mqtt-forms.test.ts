import { strict as assert } from 'node:assert';
import { inEachDemo } from './demo-forms';
import type { FlowNode } from './editor-page';
import { inEachEditor } from './editor-session';

inEachDemo('the form of mqtt-pub', (forms) => {
  it('keeps where its values are taken from, and gets an output for replies', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('mqtt-pub'));
    await editor.page.locator('#node-input-mode').selectOption('request');
    assert.equal(await editor.typedInput('responseTopic').isVisible(), false);
    await editor.enter(editor.typedText('topic'), 'rooms/{{msg.room}}/lamp');
    await editor.chooseOption('qos', 'at least once');
    await editor.chooseKind('retain', 'msg.');
    await editor.enter(editor.typedText('retain'), 'kept');
    await editor.enter('#node-input-timeout', 'soon');
    await editor.seesReason('#node-input-timeout', /number of seconds/);
    await editor.enter('#node-input-timeout', '2.5');
    await editor.enter(editor.typedText('contentType'), 'text/plain');
    await editor.chooseKind('payload', 'empty');
    await editor.enter(editor.typedText('topicAlias'), '3');
    await editor.done();
    assert.deepEqual(await editor.invalidNodes(), []);
    const expected = {
      mode: 'request',
      outputs: 1,
      timeout: '2.5',
      topic: 'rooms/{{msg.room}}/lamp',
      topicType: 'str',
      payloadType: 'empty',
      qos: '1',
      qosType: 'str',
      retain: 'kept',
      retainType: 'msg',
      contentType: 'text/plain',
      messageExpiryInterval: '',
      topicAlias: '3',
      topicAliasType: 'num',
    };
    const node = (await forms.saved(forms.id('mqtt-pub'))) as FlowNode;
    assert.deepEqual(Object.fromEntries(Object.keys(expected).map((key) => [key, node[key]])), expected);
    await editor.openForm(forms.id('mqtt-pub'));
    assert.match((await editor.typedInput('qos').textContent()) ?? '', /at least once/);
    await editor.done();
    assert.deepEqual(await forms.saved(forms.id('mqtt-pub')), node, 'nothing changes by opening the form');
  });
  it('says what is wrong with a value, where it is typed and on the flow', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('mqtt-pub'));
    for (const [name, text, reason] of [
      ['topic', 'lab/#', /lab\/#.*contains a wildcard/],
      ['topic', 'rooms/{{room}}', /{{room}} is no placeholder/],
      ['topicAlias', '70000', /from 1 to 65535/],
    ] as const) {
      await editor.enter(editor.typedText(name), text);
      await editor.seesReason(editor.typedText(name), reason);
    }
    await editor.chooseKind('topic', 'msg.');
    await editor.enter(editor.typedText('topic'), 'a[');
    await editor.chooseKind('responseTopic', 'expression');
    await editor.enter(editor.typedText('responseTopic'), '"answers/" &');
    await editor.done();
    assert.match((await editor.invalidNodes()).join(), /Topic: .*Topic alias: .*Response topic: /);
  });
  it('opens a node of an earlier form as it was', async () => {
    const { editor } = forms;
    const node = (await forms.saved(forms.id('mqtt-pub'))) as FlowNode;
    await editor.openForm(forms.id('mqtt-pub'));
    assert.equal(await editor.typedText('topic').inputValue(), node.topic);
    assert.match((await editor.typedInput('qos').textContent()) ?? '', /from msg\.qos/);
    assert.match((await editor.typedInput('retain').textContent()) ?? '', /from msg\.retain/);
    await editor.done();
    const { topic, topicType, qos, retain } = (await forms.saved(forms.id('mqtt-pub'))) as FlowNode;
    assert.deepEqual([topic, topicType, qos, retain], [node.topic, 'str', '', '']);
  });
  it('asks for a broker', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('mqtt-pub'));
    await editor.page.locator('#node-input-broker').selectOption('_ADD_');
    await editor.seesReason('#node-input-broker', /Choose a broker/);
  });
});

inEachDemo('the form of mqtt-sub', (forms) => {
  it('keeps its fields', () =>
    forms.keeps('mqtt-sub', { topicFilter: 'lab/+/state', qos: '2', output: 'buffer' }));
  it('keeps further filters and the options of MQTT 5, and checks each filter', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('mqtt-sub'));
    const add = editor.page.locator('#mqttros-sub-filters .red-ui-editableList-addButton');
    const row = (index: number) => editor.page.locator('.mqttros-sub-filter').nth(index);
    await add.click();
    await editor.enter(row(0), 'lab/#/x');
    await editor.seesReason(row(0), /# must be alone in the last level/);
    await editor.enter(row(0), 'lab/+/x');
    await add.click();
    await editor.enter(row(1), '$share/workers/jobs');
    await editor.page.locator('#node-input-retainHandling').selectOption('2');
    await editor.page.locator('#node-input-noLocal').check();
    await editor.done();
    assert.deepEqual(await editor.invalidNodes(), []);
    const { moreFilters, retainHandling, noLocal, retainAsPublished } = (await forms.saved(
      forms.id('mqtt-sub'),
    )) as FlowNode;
    assert.deepEqual(moreFilters, ['lab/+/x', '$share/workers/jobs']);
    assert.deepEqual([retainHandling, noLocal, retainAsPublished], ['2', true, false]);
    await editor.openForm(forms.id('mqtt-sub'));
    assert.equal(await row(1).inputValue(), '$share/workers/jobs');
  });
  it('gets the input and the second output that its options need', async () => {
    const { editor } = forms;
    const waiting = editor.page.locator('#node-input-maxWaiting');
    await editor.openForm(forms.id('mqtt-sub'));
    assert.equal(await waiting.isVisible(), false);
    await editor.page.locator('#node-input-delivery').selectOption('request');
    await editor.enter(waiting, '0');
    await editor.seesReason(waiting, /from 1 to 10000/);
    await editor.enter(waiting, '20');
    await editor.page.locator('#node-input-states').check();
    await editor.done();
    const first = (await forms.saved(forms.id('mqtt-sub'))) as FlowNode;
    assert.deepEqual([first.inputs, first.outputs, first.maxWaiting], [1, 2, '20']);
    await editor.openForm(forms.id('mqtt-sub'));
    await editor.page.locator('#node-input-delivery').selectOption('arrival');
    await editor.page.locator('#node-input-actions').check();
    await editor.enter('#node-input-topicFilter', '');
    await editor.page.locator('#node-input-states').uncheck();
    await editor.done();
    assert.deepEqual(await editor.invalidNodes(), []);
    const second = (await forms.saved(forms.id('mqtt-sub'))) as FlowNode;
    assert.deepEqual([second.inputs, second.outputs, second.topicFilter], [1, 1, '']);
  });
  it('refuses a topic filter that is not valid', () =>
    forms.refuses('mqtt-sub', 'topicFilter', [
      ['lab/#/state', /# must be alone in the last level/],
      ['', /topic filter is empty/],
    ]));
});

inEachDemo('a change to the form of mqtt-broker-config', (forms) => {
  const field = (name: string) => forms.editor.page.locator(`#node-config-input-${name}`);

  it('keeps fields of both tabs', async () => {
    const { editor } = forms;
    await editor.openConfigForm('mqtt-broker-config', forms.id('mqtt-broker-config'));
    await editor.enter(field('clientId'), 'line-4');
    await editor.enter(field('keepAlive'), '30');
    await editor.showTab('Messages');
    await editor.enter(field('willTopic'), 'lines/4/state');
    await editor.configDone();
    const config = await forms.saved(forms.id('mqtt-broker-config'));
    assert.equal(config?.clientId, 'line-4');
    assert.equal(Number(config?.keepAlive), 30);
    assert.equal(config?.willTopic, 'lines/4/state');
    assert.equal(config?.embedded, forms.id('embedded-broker'));
    await editor.openConfigForm('mqtt-broker-config', forms.id('mqtt-broker-config'));
    assert.equal(await field('clientId').inputValue(), 'line-4');
  });

  it('is changed from the embedded broker to an address and back', async () => {
    const { editor } = forms;
    await editor.openConfigForm('mqtt-broker-config', forms.id('mqtt-broker-config'));
    await field('target').selectOption('url');
    await editor.enter(field('url'), 'mqtt://127.0.0.1:18830');
    await editor.configDone();
    assert.equal((await forms.saved(forms.id('mqtt-broker-config')))?.embedded, '');
    await editor.openConfigForm('mqtt-broker-config', forms.id('mqtt-broker-config'));
    await field('target').selectOption('embedded');
    await editor.seesReason(field('embedded'), /Choose an embedded broker/);
    await field('embedded').selectOption(forms.id('embedded-broker'));
    await editor.configDone();
    assert.equal((await forms.saved(forms.id('mqtt-broker-config')))?.embedded, forms.id('embedded-broker'));
    assert.deepEqual(await editor.invalidNodes(), []);
  });

  it('proposes the embedded broker of the workspace to a new configuration', async () => {
    const { editor } = forms;
    await editor.openConfigForm('mqtt-broker-config');
    assert.equal(await field('target').inputValue(), 'embedded');
    assert.equal(await field('embedded').inputValue(), forms.id('embedded-broker'));
  });

  it('asks for a client ID where MQTT 3.1.1 shall keep the session', async () => {
    const { editor } = forms;
    await editor.openConfigForm('mqtt-broker-config', forms.id('mqtt-broker-config'));
    await field('protocolVersion').selectOption('4');
    await field('cleanStart').uncheck();
    await editor.seesReason(field('clientId'), /needs a client ID of its own/);
    await editor.enter(field('clientId'), 'line-4');
    await editor.configDone();
    assert.deepEqual(await editor.invalidNodes(), []);
  });

  it('says why an address is refused', async () => {
    const { editor } = forms;
    await editor.openConfigForm('mqtt-broker-config', forms.id('mqtt-broker-config'));
    await field('target').selectOption('url');
    for (const [value, reason] of [
      ['127.0.0.1', /such as mqtt:/],
      ['http://127.0.0.1', /must start with mqtt:/],
      ['mqtt://me:secret@127.0.0.1', /fields of their own/],
      ['mqtt://127.0.0.1:99999', /such as mqtt:/],
    ] as const) {
      await editor.enter(field('url'), value);
      await editor.seesReason(field('url'), reason);
    }
  });
});

inEachDemo('nodes that were saved before there were the later fields of their forms', (forms) => {
  it('are valid, also when a form was opened and closed', async () => {
    const { editor } = forms;
    const only = (type: string, ...fields: string[]): FlowNode => {
      const node = forms.node(type);
      const kept = ['x', 'y', 'wires', 'name', ...fields].filter((field) => node[field] !== undefined);
      return {
        ...Object.fromEntries(kept.map((field) => [field, node[field]])),
        id: node.id,
        type,
        z: node.z,
      };
    };
    const nodes = [
      only('mqtt-pub', 'broker', 'topic', 'qos', 'retain'),
      only('mqtt-sub', 'broker', 'topicFilter', 'qos', 'output'),
      only('embedded-broker'),
      only('mqtt-broker-config', 'target', 'url', 'embedded', 'clientId'),
    ];
    await editor.clear();
    await editor.importFlow([forms.node('tab'), ...nodes]);
    assert.deepEqual(await editor.invalidNodes(), []);
    for (const { id, type } of nodes) {
      if (type === 'mqtt-broker-config') await editor.openConfigForm(type, id);
      else await editor.openForm(id);
      await (type === 'mqtt-broker-config' ? editor.configDone() : editor.done());
    }
    assert.deepEqual(await editor.invalidNodes(), []);
    assert.deepEqual(editor.problems, []);
  });
});

inEachEditor('the form of the first configuration', (session) => {
  it('proposes a broker on this machine where there is no embedded one', async () => {
    const { editor } = session;
    await editor.openConfigForm('mqtt-broker-config');
    const field = (name: string) => editor.page.locator(`#node-config-input-${name}`);
    assert.equal(await field('target').inputValue(), 'url');
    assert.equal(await field('url').inputValue(), 'mqtt://127.0.0.1:1883');
    await editor.configDone();
    assert.deepEqual(await editor.invalidNodes(), []);
  });
});
