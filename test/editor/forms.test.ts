import { strict as assert } from 'node:assert';
import mqtt, { type IConnackPacket } from 'mqtt';
import { ENVIRONMENT_DOMAIN } from '../../src/ros/ros-environment';
import type { FlowNode } from './editor-page';
import { inEachEditor, nodeOf, readFlow, TEST_DOMAIN } from './editor-session';

inEachEditor('the forms', (session) => {
  let flow: FlowNode[];
  const id = (type: string) => nodeOf(flow, type).id;
  const saved = async (nodeId: string) => (await session.editor.flows()).find((node) => node.id === nodeId);

  beforeEach(async () => {
    flow = await readFlow('demo/flows.json');
    await session.editor.importFlow(flow);
  });

  /** Changes fields, saves, opens the form again and finds the values. */
  async function keeps(type: string, values: Record<string, string>): Promise<void> {
    const { editor } = session;
    await editor.openForm(id(type));
    for (const [name, value] of Object.entries(values)) {
      const field = editor.page.locator(`#node-input-${name}`);
      if ((await field.evaluate((element) => element.tagName)) === 'SELECT') await field.selectOption(value);
      else await editor.enter(field, value);
    }
    await editor.done();
    await editor.openForm(id(type));
    for (const [name, value] of Object.entries(values)) {
      assert.equal(await editor.page.locator(`#node-input-${name}`).inputValue(), value);
    }
    assert.deepEqual(await editor.invalidNodes(), []);
  }

  /** Enters values that are refused: the form says why, and once saved the editor marks the node. */
  async function refuses(type: string, name: string, cases: readonly [string, RegExp][]): Promise<void> {
    const { editor } = session;
    await editor.openForm(id(type));
    for (const [value, reason] of cases) {
      await editor.enter(`#node-input-${name}`, value);
      await editor.seesReason(`#node-input-${name}`, reason);
    }
    await editor.done();
    assert.match((await editor.invalidNodes()).join(), new RegExp(`${type} ${id(type)}`));
  }

  describe('mqtt-pub', () => {
    it('keeps where its values are taken from, and gets an output for replies', async () => {
      const { editor } = session;
      await editor.openForm(id('mqtt-pub'));
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
      const node = (await saved(id('mqtt-pub'))) as FlowNode;
      assert.deepEqual(Object.fromEntries(Object.keys(expected).map((key) => [key, node[key]])), expected);
      await editor.openForm(id('mqtt-pub'));
      assert.match((await editor.typedInput('qos').textContent()) ?? '', /at least once/);
      await editor.done();
      assert.deepEqual(await saved(id('mqtt-pub')), node, 'nothing changes by opening the form');
    });
    it('says what is wrong with a value, where it is typed and on the flow', async () => {
      const { editor } = session;
      await editor.openForm(id('mqtt-pub'));
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
      const { editor } = session;
      const node = (await saved(id('mqtt-pub'))) as FlowNode;
      await editor.openForm(id('mqtt-pub'));
      assert.equal(await editor.typedText('topic').inputValue(), node.topic);
      assert.match((await editor.typedInput('qos').textContent()) ?? '', /from msg\.qos/);
      assert.match((await editor.typedInput('retain').textContent()) ?? '', /from msg\.retain/);
      await editor.done();
      const { topic, topicType, qos, retain } = (await saved(id('mqtt-pub'))) as FlowNode;
      assert.deepEqual([topic, topicType, qos, retain], [node.topic, 'str', '', '']);
    });
    it('asks for a broker', async () => {
      const { editor } = session;
      await editor.openForm(id('mqtt-pub'));
      await editor.page.locator('#node-input-broker').selectOption('_ADD_');
      await editor.seesReason('#node-input-broker', /Choose a broker/);
    });
  });

  describe('mqtt-sub', () => {
    it('keeps its fields', () =>
      keeps('mqtt-sub', { topicFilter: 'lab/+/state', qos: '2', output: 'buffer' }));
    it('keeps further filters and the options of MQTT 5, and checks each filter', async () => {
      const { editor } = session;
      await editor.openForm(id('mqtt-sub'));
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
      const { moreFilters, retainHandling, noLocal, retainAsPublished } = (await saved(
        id('mqtt-sub'),
      )) as FlowNode;
      assert.deepEqual(moreFilters, ['lab/+/x', '$share/workers/jobs']);
      assert.deepEqual([retainHandling, noLocal, retainAsPublished], ['2', true, false]);
      await editor.openForm(id('mqtt-sub'));
      assert.equal(await row(1).inputValue(), '$share/workers/jobs');
    });
    it('gets the input and the second output that its options need', async () => {
      const { editor } = session;
      const waiting = editor.page.locator('#node-input-maxWaiting');
      await editor.openForm(id('mqtt-sub'));
      assert.equal(await waiting.isVisible(), false);
      await editor.page.locator('#node-input-delivery').selectOption('request');
      await editor.enter(waiting, '0');
      await editor.seesReason(waiting, /from 1 to 10000/);
      await editor.enter(waiting, '20');
      await editor.page.locator('#node-input-states').check();
      await editor.done();
      const first = (await saved(id('mqtt-sub'))) as FlowNode;
      assert.deepEqual([first.inputs, first.outputs, first.maxWaiting], [1, 2, '20']);
      await editor.openForm(id('mqtt-sub'));
      await editor.page.locator('#node-input-delivery').selectOption('arrival');
      await editor.page.locator('#node-input-actions').check();
      await editor.enter('#node-input-topicFilter', '');
      await editor.page.locator('#node-input-states').uncheck();
      await editor.done();
      assert.deepEqual(await editor.invalidNodes(), []);
      const second = (await saved(id('mqtt-sub'))) as FlowNode;
      assert.deepEqual([second.inputs, second.outputs, second.topicFilter], [1, 1, '']);
    });
    it('refuses a topic filter that is not valid', () =>
      refuses('mqtt-sub', 'topicFilter', [
        ['lab/#/state', /# must be alone in the last level/],
        ['', /topic filter is empty/],
      ]));
  });

  describe('embedded-broker', () => {
    const row = (index: number) =>
      session.editor.page.locator('#mqttros-embedded-listener-list > li').nth(index);
    const part = (index: number, name: string) => row(index).locator(`.mqttros-listener-${name}`);

    it('keeps its name', () => keeps('embedded-broker', { name: 'of the lab' }));
    it('keeps what of MQTT it offers', async () => {
      const { editor } = session;
      await editor.openForm(id('embedded-broker'));
      await editor.showTab('Protocol');
      await editor.page.locator('#node-input-maximumQos').selectOption('1');
      await editor.page.locator('#node-input-sharedSubscriptions').uncheck();
      await editor.enter('#node-input-serverKeepAlive', '70000');
      await editor.seesReason('#node-input-serverKeepAlive', /from 0 to 65535/);
      await editor.enter('#node-input-serverKeepAlive', '60');
      await editor.done();
      assert.deepEqual(await editor.invalidNodes(), []);
      const node = await saved(id('embedded-broker'));
      assert.deepEqual(
        [node?.maximumQos, node?.sharedSubscriptions, node?.retain, node?.serverKeepAlive],
        ['1', false, true, '60'],
      );
    });
    it('keeps limits, shows the usual ones, and lets the broker have them', async () => {
      const { editor } = session;
      await editor.openForm(id('embedded-broker'));
      await editor.showTab('Limits');
      const packetSize = editor.page.locator('#node-input-limitPacketSize');
      assert.equal(await packetSize.getAttribute('placeholder'), '16384');
      await editor.enter(packetSize, '300000');
      await editor.seesReason('#node-input-limitPacketSize', /from 1 to 262143/);
      await editor.enter(packetSize, '64');
      await editor.page.locator('#node-input-queuePolicy').selectOption('drop-oldest');
      await editor.done();
      assert.deepEqual(await editor.invalidNodes(), []);
      const { limitPacketSize, limitConnections, queuePolicy } = (await saved(
        id('embedded-broker'),
      )) as FlowNode;
      assert.deepEqual([limitPacketSize, limitConnections, queuePolicy], ['64', '', 'drop-oldest']);
      await editor.deploy();
      await editor.statusOf(id('embedded-broker'), /clients?/);
      const port = nodeOf(flow, 'embedded-broker').port;
      const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5, clientId: 'limits' });
      const { properties } = await new Promise<IConnackPacket>((resolve) => client.once('connect', resolve));
      await client.endAsync();
      assert.equal(properties?.maximumPacketSize, 64 * 1024);
    });
    it('turns the one port of an earlier flow into the first way in', async () => {
      const { editor } = session;
      assert.equal((await saved(id('embedded-broker')))?.listeners, undefined);
      await editor.openForm(id('embedded-broker'));
      assert.equal(await part(0, 'kind').inputValue(), 'tcp');
      assert.equal(await part(0, 'port').inputValue(), String(nodeOf(flow, 'embedded-broker').port));
      await editor.done();
      assert.deepEqual(await editor.invalidNodes(), []);
      const { listen, listeners } = (await saved(id('embedded-broker'))) as FlowNode;
      assert.equal(listen, false);
      assert.deepEqual((listeners as { host: string }[])[0]?.host, '127.0.0.1');
    });
    it('keeps several ways in, and asks for what TLS needs', async () => {
      const { editor } = session;
      await editor.openForm(id('embedded-broker'));
      await editor.page.locator('#mqttros-embedded-listeners .red-ui-editableList-addButton').click();
      assert.equal(await editor.page.locator('#node-input-tlsKey').isVisible(), false);
      await part(1, 'kind').selectOption('wss');
      await editor.enter(part(1, 'port'), '8884');
      await editor.enter(part(1, 'origins'), 'https://site.example');
      for (const field of ['tlsCertificate', 'tlsKey'])
        await editor.enter(`#node-input-${field}`, `/tls/${field}`);
      await editor.done();
      assert.deepEqual(await editor.invalidNodes(), []);
      const { listeners, tlsKey } = (await saved(id('embedded-broker'))) as FlowNode;
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
      const { editor } = session;
      await editor.openForm(id('embedded-broker'));
      await editor.showTab('Upstream');
      const routes = editor.page.locator('#mqttros-embedded-upstream');
      const line = (name: string) => routes.locator(`.mqttros-upstream-${name}`);
      assert.equal(await routes.locator('ol').isVisible(), false);
      await editor.page.locator('#node-input-upstream').selectOption(id('mqtt-broker-config'));
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
      const { upstream, upstreamClientId, upstreamRoutes } = (await saved(id('embedded-broker'))) as FlowNode;
      assert.deepEqual([upstream, upstreamClientId], [id('mqtt-broker-config'), 'site-1']);
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
      const { editor } = session;
      const filter = '#node-input-watch';
      for (const [entered, outputs] of [
        ['sensors/#', 2],
        ['', 1],
      ] as const) {
        await editor.openForm(id('embedded-broker'));
        await editor.showTab('Messages');
        await editor.enter(filter, 'sensors/#/x');
        await editor.seesReason(filter, /Published under: .*# must be alone/);
        await editor.enter(filter, entered);
        assert.equal(await editor.page.locator('#node-input-watchOutput').isVisible(), outputs === 2);
        await editor.done();
        assert.deepEqual(await editor.invalidNodes(), []);
        const node = (await saved(id('embedded-broker'))) as FlowNode;
        assert.deepEqual([node.watch, node.watchOutput, node.outputs], [entered, 'auto', outputs]);
      }
    });
    it('refuses what is no port, and the same port twice', async () => {
      const { editor } = session;
      await editor.openForm(id('embedded-broker'));
      await editor.enter(part(0, 'port'), '70000');
      await editor.seesReason(part(0, 'port'), /from 1 to 65535/);
      await editor.enter(part(0, 'port'), '1883');
      await editor.page.locator('#mqttros-embedded-listeners .red-ui-editableList-addButton').click();
      await editor.done();
      assert.match(
        (await editor.invalidNodes()).join(),
        new RegExp(`embedded-broker ${id('embedded-broker')}`),
      );
    });
    it('opens an address of other machines only to those who can log in, or to everybody', async () => {
      const { editor } = session;
      await editor.openForm(id('embedded-broker'));
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
      const { anonymous, outputs } = (await saved(id('embedded-broker'))) as FlowNode;
      assert.deepEqual([anonymous, outputs], ['local', 2]);
    });
    it('takes the tick of an earlier form for everybody', async () => {
      const { editor } = session;
      const [tab, broker] = [flow.find(({ type }) => type === 'tab'), nodeOf(flow, 'embedded-broker')];
      assert.ok(tab);
      const earlier = { ...broker, id: 'e1e1e1e1e1e1e1e1', g: undefined, allowAnonymous: true, wires: [] };
      await editor.importFlow([
        { ...tab, id: 'e2e2e2e2e2e2e2e2' },
        { ...earlier, z: 'e2e2e2e2e2e2e2e2' },
      ]);
      await editor.openForm(earlier.id);
      await editor.showTab('Access');
      assert.equal(await editor.page.locator('#node-input-anonymous').inputValue(), 'everybody');
      await editor.done();
      const { anonymous, allowAnonymous } = (await saved(earlier.id)) as FlowNode;
      assert.deepEqual([anonymous, allowAnonymous], ['everybody', false]);
    });
  });

  describe('ros-bridge', () => {
    const route = (row: number) => session.editor.page.locator('#mqttros-bridge-route-list > li').nth(row);
    /** As the row shows it while no other is typed. */
    const shownTopic = async (row: ReturnType<typeof route>) => {
      const arrow = await row.locator('.mqttros-route-arrow').textContent();
      const topic = await row.locator('.mqttros-route-topic').getAttribute('placeholder');
      return `${arrow} ${topic}${await row.locator('.mqttros-route-level').textContent()}`;
    };

    it('adds a route, completes its type and shows its topic', async () => {
      const { editor } = session;
      await editor.openForm(id('ros-bridge'));
      await editor.page.locator('#mqttros-bridge-routes .red-ui-editableList-addButton').click();
      const added = route(3);
      await editor.enter(added.locator('.mqttros-route-name'), '/robot1/imu');
      await added.locator('.mqttros-route-type').pressSequentially('imu');
      await editor.page
        .locator('.red-ui-autoComplete-container li', { hasText: 'sensor_msgs/msg/Imu' })
        .click();
      await added.locator('.mqttros-route-way').selectOption('topic ros-to-mqtt');
      await added.locator('.mqttros-route-format').selectOption('cdr');
      await editor.enter(added.locator('.mqttros-route-domain input'), '7');
      assert.equal(await shownTopic(added), '→ ros/7/robot1/imu');
      await editor.enter(added.locator('.mqttros-route-topic'), 'plant/#');
      await editor.seesReason(added.locator('.mqttros-route-topic'), /contains a wildcard/);
      await editor.enter(added.locator('.mqttros-route-topic'), 'plant/imu');
      await editor.done();
      const bridge = await saved(id('ros-bridge'));
      assert.deepEqual(bridge?.domains, [
        { id: TEST_DOMAIN, alias: '' },
        { id: 7, alias: '' },
      ]);
      const routes = bridge?.routes as unknown[];
      assert.deepEqual(routes[3], {
        domain: 7,
        rosName: '/robot1/imu',
        type: 'sensor_msgs/msg/Imu',
        direction: 'ros-to-mqtt',
        mqttTopic: 'plant/imu',
        format: 'cdr',
      });
      await editor.openForm(id('ros-bridge'));
      assert.equal(await route(3).locator('.mqttros-route-name').inputValue(), '/robot1/imu');
      assert.equal(await route(3).locator('.mqttros-route-topic').inputValue(), 'plant/imu');
      assert.equal(await route(3).locator('.mqttros-route-format').inputValue(), 'cdr');
      assert.deepEqual(await editor.invalidNodes(), []);
    });

    it('makes a route one of a service, with its types and a timeout', async () => {
      const { editor } = session;
      await editor.openForm(id('ros-bridge'));
      await editor.enter(route(0).locator('.mqttros-route-name'), '/add');
      await route(0).locator('.mqttros-route-way').selectOption('service mqtt-to-ros');
      await editor.seesReason(route(0).locator('.mqttros-route-type'), /not a service type/);
      await editor.enter(route(0).locator('.mqttros-route-type'), '');
      await route(0).locator('.mqttros-route-type').pressSequentially('addtwo');
      await editor.page
        .locator('.red-ui-autoComplete-container li', { hasText: 'example_interfaces/srv/AddTwoInts' })
        .click();
      const timeout = route(0).locator('.mqttros-route-timeout input');
      await editor.enter(timeout, '-1');
      await editor.seesReason(timeout, /more than 0/);
      await editor.enter(timeout, '2.5');
      assert.equal(await shownTopic(route(0)), `← ros/${TEST_DOMAIN}/add/@req`);
      await editor.done();
      const routes = (await saved(id('ros-bridge')))?.routes as unknown[];
      assert.deepEqual(routes[0], {
        kind: 'service',
        domain: TEST_DOMAIN,
        rosName: '/add',
        type: 'example_interfaces/srv/AddTwoInts',
        direction: 'mqtt-to-ros',
        timeout: '2.5',
      });
      assert.deepEqual(await editor.invalidNodes(), []);
    });

    it('adds an action, whose topics have a level of their own', async () => {
      const { editor } = session;
      await editor.openForm(id('ros-bridge'));
      await editor.page.locator('#mqttros-bridge-routes .red-ui-editableList-addButton').click();
      const added = route(3);
      assert.equal(await added.locator('.mqttros-route-timeout').isVisible(), false);
      await added.locator('.mqttros-route-way').selectOption('action mqtt-to-ros');
      await editor.enter(added.locator('.mqttros-route-name'), '/fibonacci');
      await editor.enter(added.locator('.mqttros-route-type'), 'example_interfaces/action/Fibonacci');
      await editor.enter(added.locator('.mqttros-route-domain input'), String(TEST_DOMAIN));
      await editor.enter(added.locator('.mqttros-route-resultTimeout input'), '90');
      assert.equal(await shownTopic(added), `← ros/${TEST_DOMAIN}/fibonacci/@action`);
      await editor.done();
      const routes = (await saved(id('ros-bridge')))?.routes as unknown[];
      assert.deepEqual(routes[3], {
        kind: 'action',
        domain: TEST_DOMAIN,
        rosName: '/fibonacci',
        type: 'example_interfaces/action/Fibonacci',
        direction: 'mqtt-to-ros',
        resultTimeout: '90',
      });
      assert.deepEqual(await editor.invalidNodes(), []);
    });

    it('makes a route one of the parameters of a node, which have no type', async () => {
      const { editor } = session;
      await editor.openForm(id('ros-bridge'));
      await route(0).locator('.mqttros-route-way').selectOption('parameters ros-to-mqtt');
      await editor.enter(route(0).locator('.mqttros-route-name'), '/camera');
      assert.equal(await route(0).locator('.mqttros-route-type').isVisible(), false);
      assert.equal(await shownTopic(route(0)), `→ ros/${TEST_DOMAIN}/camera/@param`);
      await editor.done();
      const routes = (await saved(id('ros-bridge')))?.routes as unknown[];
      const rosName = '/camera';
      assert.deepEqual(routes[0], {
        kind: 'parameters',
        domain: TEST_DOMAIN,
        rosName,
        type: '',
        direction: 'ros-to-mqtt',
      });
      assert.deepEqual(await editor.invalidNodes(), []);
    });

    it('changes nothing by being opened and closed', async () => {
      const { editor } = session;
      const before = await saved(id('ros-bridge'));
      await editor.openForm(id('ros-bridge'));
      await editor.done();
      assert.deepEqual(await saved(id('ros-bridge')), before);
    });

    it('says what is wrong with a ROS name and a type, and marks the node', async () => {
      const { editor } = session;
      await editor.openForm(id('ros-bridge'));
      await editor.enter(route(0).locator('.mqttros-route-name'), 'chatter');
      await editor.seesReason(route(0).locator('.mqttros-route-name'), /does not start with \//);
      await editor.enter(route(1).locator('.mqttros-route-type'), 'Twist');
      await editor.seesReason(route(1).locator('.mqttros-route-type'), /not an interface type/);
      await editor.enter(route(2).locator('.mqttros-route-domain input'), '300');
      await editor.seesReason(route(2).locator('.mqttros-route-domain input'), /from 0 to 232/);
      await editor.done();
      assert.match((await editor.invalidNodes()).join(), /Route 1: .*does not start with/);
    });

    it('keeps the options of a route that is unfolded, and says what is wrong with one', async () => {
      const { editor } = session;
      const option = (name: string) => route(0).locator(`.mqttros-route-${name}`);
      await editor.openForm(id('ros-bridge'));
      assert.equal(await option('depth').isVisible(), false);
      await option('more').click();
      await option('durability').selectOption('transient-local');
      await option('retain').selectOption('no');
      await editor.enter(option('depth'), '0');
      await editor.seesReason(option('depth'), /depth: expected a whole number from 1/);
      await editor.enter(option('depth'), '5');
      await editor.enter(option('deadbandThreshold'), '0.5');
      await editor.seesReason(option('deadbandPath'), /expected a path such as/);
      await editor.enter(option('deadbandPath'), 'data');
      await editor.done();
      assert.deepEqual(await editor.invalidNodes(), []);
      const routes = (await saved(id('ros-bridge')))?.routes as Record<string, unknown>[];
      const { durability, retain, depth, deadbandPath, deadbandThreshold, reliability } = routes[0] ?? {};
      assert.deepEqual(
        [durability, retain, depth, deadbandPath, deadbandThreshold, reliability],
        ['transient-local', 'no', '5', 'data', '0.5', undefined],
      );
      await editor.openForm(id('ros-bridge'));
      await option('more').click();
      assert.equal(await option('depth').inputValue(), '5');
      await editor.done();
    });

    it('refuses a list without routes', async () => {
      const { editor } = session;
      await editor.openForm(id('ros-bridge'));
      for (let rows = 3; rows > 0; rows--) {
        await route(0).locator('.red-ui-editableList-item-remove').click();
        await route(rows - 1).waitFor({ state: 'detached' });
      }
      await editor.done();
      assert.match((await editor.invalidNodes()).join(), /Add at least one route or pattern/);
    });

    it('keeps patterns in place of routes, a type for a name, and a route whose type is left open', async () => {
      const { editor } = session;
      await editor.openForm(id('ros-bridge'));
      await editor.showTab('Patterns');
      await editor.page.locator('#mqttros-bridge-patterns .red-ui-editableList-addButton').click();
      const pattern = editor.page.locator('#mqttros-bridge-pattern-list > li');
      await editor.enter(pattern.locator('.mqttros-pattern-name'), '/robot*/**');
      await editor.seesReason(pattern.locator('.mqttros-pattern-name'), /"robot\*" is neither part/);
      await editor.enter(pattern.locator('.mqttros-pattern-name'), '/robot1/**');
      await pattern.locator('.mqttros-pattern-direction').selectOption('ros-to-mqtt');
      await pattern.locator('.mqttros-route-more').click();
      await editor.enter(pattern.locator('.mqttros-route-rate'), '5');
      await editor.enter('#mqttros-bridge-maxPatternRoutes', '20');
      await editor.enter('#mqttros-bridge-idleTimeout', '0');
      await editor.seesReason('#mqttros-bridge-idleTimeout', /more than 0/);
      await editor.enter('#mqttros-bridge-idleTimeout', '2.5');
      await editor.showTab('Types');
      await editor.page.locator('#mqttros-bridge-types .red-ui-editableList-addButton').click();
      const type = editor.page.locator('#mqttros-bridge-type-list > li');
      await editor.enter(type.locator('.mqttros-route-name'), 'sensor_data');
      await editor.enter(type.locator('.mqttros-route-type'), 'std_msgs/msg/String');
      await editor.showTab('Routes');
      await editor.enter(route(0).locator('.mqttros-route-type'), '');
      await editor.done();
      const bridge = await saved(id('ros-bridge'));
      const [first] = (bridge?.routes ?? []) as { type: string }[];
      assert.equal(first?.type, '');
      assert.deepEqual(bridge?.patterns, [
        { action: 'allow', pattern: '/robot1/**', direction: 'ros-to-mqtt', rate: '5' },
      ]);
      assert.deepEqual([bridge?.maxPatternRoutes, bridge?.idleTimeout], ['20', '2.5']);
      assert.deepEqual(bridge?.typeTable, [{ name: 'sensor_data', type: 'std_msgs/msg/String' }]);
      assert.deepEqual(await editor.invalidNodes(), []);
    });

    it('spells a domain by its alias', async () => {
      const { editor } = session;
      await editor.openForm(id('ros-bridge'));
      await editor.showTab('Discovery');
      await editor.enter('.mqttros-domain-alias', 'warehouse');
      await editor.showTab('Routes');
      assert.equal(await shownTopic(route(0)), '⇄ ros/warehouse/chatter');
      await editor.done();
      assert.deepEqual((await saved(id('ros-bridge')))?.domains, [{ id: TEST_DOMAIN, alias: 'warehouse' }]);
    });

    it('takes a row for each domain, and namespaces, and shows the topic in the first domain', async () => {
      const { editor } = session;
      await editor.openForm(id('ros-bridge'));
      await editor.showTab('Discovery');
      await editor.enter(editor.page.locator('.mqttros-domain-alias').first(), 'anna');
      await editor.page.locator('#mqttros-bridge-discovery .red-ui-editableList-addButton').nth(1).click();
      const ros = editor.page.locator('.mqttros-namespace-ros');
      await editor.enter(ros, '/{robot}');
      await editor.seesReason(ros, /expected \{domain\} or \{name\}/);
      await editor.enter(ros, '/{name}');
      await editor.enter(editor.page.locator('.mqttros-namespace-mqtt'), 'fleet');
      await editor.showTab('Routes');
      await editor.enter(route(0).locator('.mqttros-route-domain input'), '');
      await editor.enter(route(0).locator('.mqttros-route-name'), '/{name}/scan');
      assert.equal(await shownTopic(route(0)), '⇄ ros/anna/fleet/scan');
      await editor.done();
      const { routes, namespaces } = (await saved(id('ros-bridge'))) as Record<string, unknown[]>;
      assert.deepEqual(namespaces, [{ ros: '/{name}', mqtt: 'fleet' }]);
      const { domain, rosName } = (routes?.[0] ?? {}) as Record<string, unknown>;
      assert.deepEqual([domain, rosName], [undefined, '/{name}/scan']);
      await editor.openForm(id('ros-bridge'));
      assert.equal(await route(0).locator('.mqttros-route-domain input').inputValue(), '');
      assert.equal(await ros.inputValue(), '/{name}');
      assert.deepEqual(await editor.invalidNodes(), []);
    });

    it('takes the domain and the range of the environment, and how the bridge is reached', async () => {
      const { editor } = session;
      await editor.openForm(id('ros-bridge'));
      await editor.enter(route(0).locator('.mqttros-route-domain input'), ENVIRONMENT_DOMAIN);
      await editor.showTab('Discovery');
      await editor.page.locator('#node-input-discoveryRange').selectOption('environment');
      await editor.enter('#node-input-advertisedAddress', '192.168.1.300');
      await editor.seesReason('#node-input-advertisedAddress', /192\.168\.1\.300.* is not an address/);
      await editor.enter('#node-input-advertisedAddress', '192.168.1.30');
      await editor.enter('#node-input-maxMessageSize', '129');
      await editor.seesReason('#node-input-maxMessageSize', /from 1 to 128/);
      await editor.enter('#node-input-maxMessageSize', '128');
      await editor.done();
      const bridge = await saved(id('ros-bridge'));
      assert.equal(bridge?.discoveryRange, 'environment');
      assert.equal(bridge?.advertisedAddress, '192.168.1.30');
      assert.equal(bridge?.maxMessageSize, '128');
      assert.deepEqual(bridge?.domains, [
        { id: TEST_DOMAIN, alias: '' },
        { id: ENVIRONMENT_DOMAIN, alias: '' },
      ]);
      assert.deepEqual(await editor.invalidNodes(), []);
    });

    it('takes the way to ROS 2 and its setup file', async () => {
      const { editor } = session;
      await editor.openForm(id('ros-bridge'));
      await editor.showTab('Discovery');
      const setupFile = editor.page.locator('#node-input-setupFile');
      await editor.page.locator('#node-input-backend').selectOption('rtps');
      await setupFile.waitFor({ state: 'hidden' });
      await editor.page.locator('#node-input-backend').selectOption('rclnodejs');
      await setupFile.waitFor({ state: 'visible' });
      await editor.enter('#node-input-setupFile', 'setup.bash');
      await editor.seesReason('#node-input-setupFile', /a whole path such as \/opt\/ros\/jazzy\/setup\.bash/);
      await editor.enter('#node-input-setupFile', '/opt/ros/jazzy/setup.bash');
      await editor.done();
      const bridge = await saved(id('ros-bridge'));
      assert.equal(bridge?.backend, 'rclnodejs');
      assert.equal(bridge?.setupFile, '/opt/ros/jazzy/setup.bash');
      assert.deepEqual(await editor.invalidNodes(), []);
    });

    it('takes definitions of interface types, and says what is wrong with one', async () => {
      const { editor } = session;
      await editor.openForm(id('ros-bridge'));
      await editor.showTab('Types');
      await editor.enter('#node-input-definitions', 'MSG: my_msgs/Spot\nfloat32');
      await editor.seesReason('#node-input-definitions', /Types:2: expected a type and a name/);
      await editor.enter('#node-input-definitions', 'MSG: my_msgs/Spot\nfloat32 level');
      await editor.done();
      assert.equal((await saved(id('ros-bridge')))?.definitions, 'MSG: my_msgs/Spot\nfloat32 level');
      assert.deepEqual(await editor.invalidNodes(), []);
    });

    it('says which address is none and why a prefix is not valid', async () => {
      const { editor } = session;
      await editor.openForm(id('ros-bridge'));
      await editor.showTab('Discovery');
      for (const [field, value, reason] of [
        ['interfaces', '127.0.0.1, eth0', /“eth0” is not an address/],
        ['peers', '192.168.1.20:7410, 300.1.1.1', /“300.1.1.1” is not an address/],
        ['prefix', 'ros/#', /wildcard/],
      ] as const) {
        await editor.enter(`#node-input-${field}`, value);
        await editor.seesReason(`#node-input-${field}`, reason);
      }
      await editor.done();
      assert.match((await editor.invalidNodes()).join(), /eth0.*300\.1\.1\.1/);
    });
  });

  describe('mqtt-broker-config', () => {
    const field = (name: string) => session.editor.page.locator(`#node-config-input-${name}`);

    it('keeps fields of both tabs', async () => {
      const { editor } = session;
      await editor.openConfigForm('mqtt-broker-config', id('mqtt-broker-config'));
      await editor.enter(field('clientId'), 'line-4');
      await editor.enter(field('keepAlive'), '30');
      await editor.showTab('Messages');
      await editor.enter(field('willTopic'), 'lines/4/state');
      await editor.configDone();
      const config = await saved(id('mqtt-broker-config'));
      assert.equal(config?.clientId, 'line-4');
      assert.equal(Number(config?.keepAlive), 30);
      assert.equal(config?.willTopic, 'lines/4/state');
      assert.equal(config?.embedded, id('embedded-broker'));
      await editor.openConfigForm('mqtt-broker-config', id('mqtt-broker-config'));
      assert.equal(await field('clientId').inputValue(), 'line-4');
    });

    it('is changed from the embedded broker to an address and back', async () => {
      const { editor } = session;
      await editor.openConfigForm('mqtt-broker-config', id('mqtt-broker-config'));
      await field('target').selectOption('url');
      await editor.enter(field('url'), 'mqtt://127.0.0.1:18830');
      await editor.configDone();
      assert.equal((await saved(id('mqtt-broker-config')))?.embedded, '');
      await editor.openConfigForm('mqtt-broker-config', id('mqtt-broker-config'));
      await field('target').selectOption('embedded');
      await editor.seesReason(field('embedded'), /Choose an embedded broker/);
      await field('embedded').selectOption(id('embedded-broker'));
      await editor.configDone();
      assert.equal((await saved(id('mqtt-broker-config')))?.embedded, id('embedded-broker'));
      assert.deepEqual(await editor.invalidNodes(), []);
    });

    it('proposes the embedded broker of the workspace to a new configuration', async () => {
      const { editor } = session;
      await editor.openConfigForm('mqtt-broker-config');
      assert.equal(await field('target').inputValue(), 'embedded');
      assert.equal(await field('embedded').inputValue(), id('embedded-broker'));
    });

    it('asks for a client ID where MQTT 3.1.1 shall keep the session', async () => {
      const { editor } = session;
      await editor.openConfigForm('mqtt-broker-config', id('mqtt-broker-config'));
      await field('protocolVersion').selectOption('4');
      await field('cleanStart').uncheck();
      await editor.seesReason(field('clientId'), /needs a client ID of its own/);
      await editor.enter(field('clientId'), 'line-4');
      await editor.configDone();
      assert.deepEqual(await editor.invalidNodes(), []);
    });

    it('says why an address is refused', async () => {
      const { editor } = session;
      await editor.openConfigForm('mqtt-broker-config', id('mqtt-broker-config'));
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
