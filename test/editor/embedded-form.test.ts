import { strict as assert } from 'node:assert';
import mqtt, { type IConnackPacket } from 'mqtt';
import { inEachDemo, variable } from './demo-forms';
import type { FlowNode } from './editor-page';

inEachDemo('the form of embedded-broker', (forms) => {
  const row = (index: number) => forms.editor.page.locator('#mqttros-embedded-listener-list > li').nth(index);
  const part = (index: number, name: string) => row(index).locator(`.mqttros-listener-${name}`);

  it('keeps its name', () => forms.keeps('embedded-broker', { name: 'of the lab' }));
  it('keeps what of MQTT it offers', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('embedded-broker'));
    await editor.showTab('Protocol');
    await editor.page.locator('#node-input-maximumQos').selectOption('1');
    await editor.page.locator('#node-input-sharedSubscriptions').uncheck();
    await editor.enter('#node-input-serverKeepAlive', '70000');
    await editor.seesReason('#node-input-serverKeepAlive', /from 0 to 65535/);
    await editor.enter('#node-input-serverKeepAlive', '60');
    await editor.done();
    assert.deepEqual(await editor.invalidNodes(), []);
    const node = await forms.saved(forms.id('embedded-broker'));
    assert.deepEqual(
      [node?.maximumQos, node?.sharedSubscriptions, node?.retain, node?.serverKeepAlive],
      ['1', false, true, '60'],
    );
  });

  it('keeps limits, shows the usual ones, and lets the broker have them', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('embedded-broker'));
    await editor.showTab('Limits');
    const packetSize = editor.page.locator('#node-input-limitPacketSize');
    assert.equal(await packetSize.getAttribute('placeholder'), '16384');
    await editor.enter(packetSize, '300000');
    await editor.seesReason('#node-input-limitPacketSize', /from 1 to 262143/);
    await editor.enter(packetSize, '64');
    await editor.page.locator('#node-input-queuePolicy').selectOption('drop-oldest');
    await editor.done();
    assert.deepEqual(await editor.invalidNodes(), []);
    const { limitPacketSize, limitConnections, queuePolicy } = (await forms.saved(
      forms.id('embedded-broker'),
    )) as FlowNode;
    assert.deepEqual([limitPacketSize, limitConnections, queuePolicy], ['64', '', 'drop-oldest']);
    await editor.deploy();
    await editor.statusOf(forms.id('embedded-broker'), /clients?/);
    const port = forms.node('embedded-broker').port;
    const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5, clientId: 'limits' });
    const { properties } = await new Promise<IConnackPacket>((resolve) => client.once('connect', resolve));
    await client.endAsync();
    assert.equal(properties?.maximumPacketSize, 64 * 1024);
  });

  it('turns the one port of an earlier flow into the first way in', async () => {
    const { editor } = forms;
    assert.equal((await forms.saved(forms.id('embedded-broker')))?.listeners, undefined);
    await editor.openForm(forms.id('embedded-broker'));
    assert.equal(await part(0, 'kind').inputValue(), 'tcp');
    assert.equal(await part(0, 'port').inputValue(), String(forms.node('embedded-broker').port));
    await editor.done();
    assert.deepEqual(await editor.invalidNodes(), []);
    const { listen, listeners } = (await forms.saved(forms.id('embedded-broker'))) as FlowNode;
    assert.equal(listen, false);
    assert.deepEqual((listeners as { host: string }[])[0]?.host, '127.0.0.1');
  });

  it('keeps several ways in, and asks for what TLS needs', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('embedded-broker'));
    await editor.page.locator('#mqttros-embedded-listeners .red-ui-editableList-addButton').click();
    assert.equal(await editor.page.locator('#node-input-tlsKey').isVisible(), false);
    await part(1, 'kind').selectOption('wss');
    await editor.enter(part(1, 'port'), '8884');
    await editor.enter(part(1, 'origins'), 'https://site.example');
    for (const field of ['tlsCertificate', 'tlsKey'])
      await editor.enter(`#node-input-${field}`, `/tls/${field}`);
    await editor.done();
    assert.deepEqual(await editor.invalidNodes(), []);
    const { listeners, tlsKey } = (await forms.saved(forms.id('embedded-broker'))) as FlowNode;
    assert.deepEqual((listeners as object[])[1], {
      kind: 'wss',
      host: '127.0.0.1',
      port: '8884',
      path: '/mqtt',
      origins: 'https://site.example',
      proxies: '',
    });
    assert.equal(tlsKey, '/tls/tlsKey');
  });

  it('keeps what goes to an upstream broker and comes from there, and shows it on both sides', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('embedded-broker'));
    await editor.showTab('Upstream');
    const routes = editor.page.locator('#mqttros-embedded-upstream');
    const line = (name: string) => routes.locator(`.mqttros-upstream-${name}`);
    assert.equal(await routes.locator('ol').isVisible(), false);
    await editor.page.locator('#node-input-upstream').selectOption(forms.id('mqtt-broker-config'));
    await routes.locator('.red-ui-editableList-addButton').click();
    await editor.seesReason(line('filter'), /topic filter is empty/);
    await line('direction').selectOption('both');
    await editor.enter(line('filter'), 'temperature/#');
    await editor.enter(line('localPrefix'), 'plant');
    await editor.enter(line('remotePrefix'), 'site1/');
    assert.equal(await line('topics').textContent(), 'plant/temperature/# ⇄ site1/temperature/#');
    await editor.enter('#node-input-upstreamClientId', 'site-1');
    await editor.done();
    // The configuration of the flow names the embedded broker itself.
    assert.match((await editor.invalidNodes()).join(), /must be a broker at an address/);
    const { upstream, upstreamClientId, upstreamRoutes } = (await forms.saved(
      forms.id('embedded-broker'),
    )) as FlowNode;
    assert.deepEqual([upstream, upstreamClientId], [forms.id('mqtt-broker-config'), 'site-1']);
    assert.deepEqual(upstreamRoutes, [
      {
        direction: 'both',
        filter: 'temperature/#',
        localPrefix: 'plant',
        remotePrefix: 'site1/',
        qos: '1',
      },
    ]);
  });

  it('gives the node an output for published messages while there is a filter for them', async () => {
    const { editor } = forms;
    const filter = '#node-input-watch';
    for (const [entered, outputs] of [
      ['sensors/#', 2],
      ['', 1],
    ] as const) {
      await editor.openForm(forms.id('embedded-broker'));
      await editor.showTab('Messages');
      await editor.enter(filter, 'sensors/#/x');
      await editor.seesReason(filter, /Published under: .*# must be alone/);
      await editor.enter(filter, entered);
      assert.equal(await editor.page.locator('#node-input-watchOutput').isVisible(), outputs === 2);
      await editor.done();
      assert.deepEqual(await editor.invalidNodes(), []);
      const node = (await forms.saved(forms.id('embedded-broker'))) as FlowNode;
      assert.deepEqual([node.watch, node.watchOutput, node.outputs], [entered, 'auto', outputs]);
    }
  });

  it('refuses what is no port, and the same port twice', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('embedded-broker'));
    await editor.enter(part(0, 'port'), '70000');
    await editor.seesReason(part(0, 'port'), /from 1 to 65535/);
    await editor.enter(part(0, 'port'), '1883');
    await editor.page.locator('#mqttros-embedded-listeners .red-ui-editableList-addButton').click();
    await editor.done();
    assert.match(
      (await editor.invalidNodes()).join(),
      new RegExp(`embedded-broker ${forms.id('embedded-broker')}`),
    );
  });

  it('takes variables for addresses and ports, whose values only the runtime knows', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('embedded-broker'));
    await editor.enter(part(0, 'host'), variable('BROKER_HOST'));
    await editor.enter(part(0, 'port'), variable('BROKER_PORT'));
    await editor.page.locator('#mqttros-embedded-listeners .red-ui-editableList-addButton').click();
    await editor.enter(part(1, 'port'), variable('OTHER_PORT'));
    await editor.done();
    assert.deepEqual(await editor.invalidNodes(), []);
    const { listeners } = (await forms.saved(forms.id('embedded-broker'))) as FlowNode;
    assert.deepEqual(
      (listeners as { host: string; port: string }[]).map(({ host, port }) => [host, port]),
      [
        [variable('BROKER_HOST'), variable('BROKER_PORT')],
        ['127.0.0.1', variable('OTHER_PORT')],
      ],
    );
  });

  it('opens an address of other machines only to those who can log in, or to everybody', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('embedded-broker'));
    await editor.enter(part(0, 'host'), '0.0.0.0');
    await editor.seesReason(part(0, 'host'), /say on the tab Access who may/);
    await editor.showTab('Access');
    await editor.page.locator('#node-input-anonymous').selectOption('everybody');
    await editor.showTab('Listeners');
    assert.doesNotMatch((await part(0, 'host').getAttribute('class')) ?? '', /input-error/);
    await editor.showTab('Access');
    await editor.page.locator('#node-input-anonymous').selectOption('local');
    await editor.page.locator('#node-input-decide').check();
    await editor.done();
    assert.deepEqual(await editor.invalidNodes(), []);
    const { anonymous, outputs } = (await forms.saved(forms.id('embedded-broker'))) as FlowNode;
    assert.deepEqual([anonymous, outputs], ['local', 2]);
  });

  it('takes the tick of an earlier form for everybody', async () => {
    const { editor } = forms;
    const [tab, broker] = [forms.node('tab'), forms.node('embedded-broker')];
    const earlier = { ...broker, id: 'e1e1e1e1e1e1e1e1', g: undefined, allowAnonymous: true, wires: [] };
    await editor.importFlow([
      { ...tab, id: 'e2e2e2e2e2e2e2e2' },
      { ...earlier, z: 'e2e2e2e2e2e2e2e2' },
    ]);
    await editor.openForm(earlier.id);
    await editor.showTab('Access');
    assert.equal(await editor.page.locator('#node-input-anonymous').inputValue(), 'everybody');
    await editor.done();
    const { anonymous, allowAnonymous } = (await forms.saved(earlier.id)) as FlowNode;
    assert.deepEqual([anonymous, allowAnonymous], ['everybody', false]);
  });
});
