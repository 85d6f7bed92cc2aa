import { strict as assert } from 'node:assert';
import { ENVIRONMENT_DOMAIN } from '../../src/ros/ros-environment';
import { inEachDemo, variable } from './demo-forms';
import { TEST_DOMAIN } from './editor-session';

inEachDemo('the form of ros-bridge', (forms) => {
  const route = (row: number) => forms.editor.page.locator('#mqttros-bridge-route-list > li').nth(row);
  /** As the row shows it while no other is typed. */
  const shownTopic = async (row: ReturnType<typeof route>) => {
    const arrow = await row.locator('.mqttros-route-arrow').textContent();
    const topic = await row.locator('.mqttros-route-topic').getAttribute('placeholder');
    return `${arrow} ${topic}${await row.locator('.mqttros-route-level').textContent()}`;
  };

  it('adds a route, completes its type and shows its topic', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('ros-bridge'));
    await editor.page.locator('#mqttros-bridge-routes .red-ui-editableList-addButton').click();
    const added = route(3);
    // In another one it would add that to the bridge.
    assert.equal(await added.locator('.mqttros-route-domain input').inputValue(), String(TEST_DOMAIN));
    await editor.enter(added.locator('.mqttros-route-name'), '/robot1/imu');
    await added.locator('.mqttros-route-type').pressSequentially('imu');
    await editor.page
      .locator('.red-ui-autoComplete-container li', { hasText: 'sensor_msgs/msg/Imu' })
      .click();
    await added.locator('.mqttros-route-way').selectOption('topic ros-to-mqtt');
    await added.locator('.mqttros-route-format').selectOption('cdr');
    await editor.enter(added.locator('.mqttros-route-domain input'), '107');
    assert.equal(await shownTopic(added), '→ ros/107/robot1/imu');
    await editor.enter(added.locator('.mqttros-route-topic'), 'plant/#');
    await editor.seesReason(added.locator('.mqttros-route-topic'), /contains a wildcard/);
    await editor.enter(added.locator('.mqttros-route-topic'), 'plant/imu');
    await editor.done();
    const bridge = await forms.saved(forms.id('ros-bridge'));
    assert.deepEqual(bridge?.domains, [
      { id: TEST_DOMAIN, alias: '' },
      { id: 107, alias: '' },
    ]);
    const routes = bridge?.routes as unknown[];
    assert.deepEqual(routes[3], {
      domain: 107,
      rosName: '/robot1/imu',
      type: 'sensor_msgs/msg/Imu',
      direction: 'ros-to-mqtt',
      mqttTopic: 'plant/imu',
      format: 'cdr',
    });
    await editor.openForm(forms.id('ros-bridge'));
    assert.equal(await route(3).locator('.mqttros-route-name').inputValue(), '/robot1/imu');
    assert.equal(await route(3).locator('.mqttros-route-topic').inputValue(), 'plant/imu');
    assert.equal(await route(3).locator('.mqttros-route-format').inputValue(), 'cdr');
    assert.deepEqual(await editor.invalidNodes(), []);
  });

  it('makes a route one of a service, with its types and a timeout', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('ros-bridge'));
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
    const routes = (await forms.saved(forms.id('ros-bridge')))?.routes as unknown[];
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
    const { editor } = forms;
    await editor.openForm(forms.id('ros-bridge'));
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
    const routes = (await forms.saved(forms.id('ros-bridge')))?.routes as unknown[];
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
    const { editor } = forms;
    await editor.openForm(forms.id('ros-bridge'));
    await route(0).locator('.mqttros-route-way').selectOption('parameters ros-to-mqtt');
    await editor.enter(route(0).locator('.mqttros-route-name'), '/camera');
    assert.equal(await route(0).locator('.mqttros-route-type').isVisible(), false);
    assert.equal(await shownTopic(route(0)), `→ ros/${TEST_DOMAIN}/camera/@param`);
    await editor.done();
    const routes = (await forms.saved(forms.id('ros-bridge')))?.routes as unknown[];
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
    const { editor } = forms;
    const before = await forms.saved(forms.id('ros-bridge'));
    await editor.openForm(forms.id('ros-bridge'));
    await editor.done();
    assert.deepEqual(await forms.saved(forms.id('ros-bridge')), before);
  });

  it('keeps that topics may go both ways over MQTT 3.1.1', async () => {
    const { editor } = forms;
    const id = forms.id('ros-bridge');
    const box = editor.page.locator('#mqttros-bridge-bothWaysOverMqtt311');
    for (const allowed of [true, false]) {
      await editor.openForm(id);
      await editor.showTab('Discovery');
      await box.setChecked(allowed);
      await editor.done();
      assert.equal((await forms.saved(id))?.bothWaysOverMqtt311, allowed);
    }
  });

  it('says what is wrong with a ROS name and a type, and marks the node', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('ros-bridge'));
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
    const { editor } = forms;
    const option = (name: string) => route(0).locator(`.mqttros-route-${name}`);
    await editor.openForm(forms.id('ros-bridge'));
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
    const routes = (await forms.saved(forms.id('ros-bridge')))?.routes as Record<string, unknown>[];
    const { durability, retain, depth, deadbandPath, deadbandThreshold, reliability } = routes[0] ?? {};
    assert.deepEqual(
      [durability, retain, depth, deadbandPath, deadbandThreshold, reliability],
      ['transient-local', 'no', '5', 'data', '0.5', undefined],
    );
    await editor.openForm(forms.id('ros-bridge'));
    await option('more').click();
    assert.equal(await option('depth').inputValue(), '5');
    await editor.done();
  });

  it('refuses a list without routes', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('ros-bridge'));
    for (let rows = 3; rows > 0; rows--) {
      await route(0).locator('.red-ui-editableList-item-remove').click();
      await route(rows - 1).waitFor({ state: 'detached' });
    }
    await editor.done();
    assert.match((await editor.invalidNodes()).join(), /Add at least one route or pattern/);
  });

  it('keeps patterns in place of routes, a type for a name, and a route whose type is left open', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('ros-bridge'));
    await editor.showTab('Patterns');
    await editor.page.locator('#mqttros-bridge-patterns .red-ui-editableList-addButton').click();
    const pattern = editor.page.locator('#mqttros-bridge-pattern-list > li');
    await editor.enter(pattern.locator('.mqttros-pattern-name'), '/robot*/**');
    await editor.seesReason(pattern.locator('.mqttros-pattern-name'), /"robot\*" is neither part/);
    await editor.enter(pattern.locator('.mqttros-pattern-name'), '/robot1/**');
    await pattern.locator('.mqttros-route-way').selectOption('topic ros-to-mqtt');
    await pattern.locator('.mqttros-route-more').click();
    await editor.enter(pattern.locator('.mqttros-route-rate'), '5');
    await editor.page.locator('#mqttros-bridge-patterns .red-ui-editableList-addButton').click();
    await editor.enter(pattern.nth(1).locator('.mqttros-pattern-name'), '/tools/*');
    await pattern.nth(1).locator('.mqttros-route-way').selectOption('service mqtt-to-ros');
    assert.equal(await pattern.nth(1).locator('.mqttros-route-more').isVisible(), false);
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
    const bridge = await forms.saved(forms.id('ros-bridge'));
    const [first] = (bridge?.routes ?? []) as { type: string }[];
    assert.equal(first?.type, '');
    assert.deepEqual(bridge?.patterns, [
      { action: 'allow', pattern: '/robot1/**', direction: 'ros-to-mqtt', rate: '5' },
      { kind: 'service', action: 'allow', pattern: '/tools/*', direction: 'mqtt-to-ros' },
    ]);
    assert.deepEqual([bridge?.maxPatternRoutes, bridge?.idleTimeout], ['20', '2.5']);
    assert.deepEqual(bridge?.typeTable, [{ name: 'sensor_data', type: 'std_msgs/msg/String' }]);
    assert.deepEqual(await editor.invalidNodes(), []);
  });

  it('spells a domain by its alias', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('ros-bridge'));
    await editor.showTab('Discovery');
    await editor.enter('.mqttros-domain-alias', 'warehouse');
    await editor.showTab('Routes');
    assert.equal(await shownTopic(route(0)), '⇄ ros/warehouse/chatter');
    await editor.done();
    assert.deepEqual((await forms.saved(forms.id('ros-bridge')))?.domains, [
      { id: TEST_DOMAIN, alias: 'warehouse' },
    ]);
  });

  it('takes a row for each domain, and namespaces, and shows the topic in the first domain', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('ros-bridge'));
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
    const { routes, namespaces } = (await forms.saved(forms.id('ros-bridge'))) as Record<string, unknown[]>;
    assert.deepEqual(namespaces, [{ ros: '/{name}', mqtt: 'fleet' }]);
    const { domain, rosName } = (routes?.[0] ?? {}) as Record<string, unknown>;
    assert.deepEqual([domain, rosName], [undefined, '/{name}/scan']);
    await editor.openForm(forms.id('ros-bridge'));
    assert.equal(await route(0).locator('.mqttros-route-domain input').inputValue(), '');
    assert.equal(await ros.inputValue(), '/{name}');
    assert.deepEqual(await editor.invalidNodes(), []);
  });

  it('takes the domain and the range of the environment, and how the bridge is reached', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('ros-bridge'));
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
    const bridge = await forms.saved(forms.id('ros-bridge'));
    assert.equal(bridge?.discoveryRange, 'environment');
    assert.equal(bridge?.advertisedAddress, '192.168.1.30');
    assert.equal(bridge?.maxMessageSize, '128');
    assert.deepEqual(bridge?.domains, [
      { id: TEST_DOMAIN, alias: '' },
      { id: ENVIRONMENT_DOMAIN, alias: '' },
    ]);
    assert.deepEqual(await editor.invalidNodes(), []);
  });

  it('takes a node that was saved before there were its later fields, and gives them their defaults', async () => {
    const { editor } = forms;
    const { id, type, z, x, y, broker, prefix, domains, routes, wires } = forms.node('ros-bridge');
    const earlier = { id, type, z, x, y, broker, prefix, domains, routes, wires };
    await editor.clear();
    await editor.importFlow([
      forms.node('tab'),
      forms.node('mqtt-broker-config'),
      forms.node('embedded-broker'),
      earlier,
    ]);
    const valid = async () => assert.deepEqual(await editor.invalidNodes(), []);
    await valid();
    await editor.openForm(id);
    await editor.done();
    await valid();
    const saved = await forms.saved(id);
    assert.deepEqual([saved?.routes, saved?.domains], [routes, domains]);
    assert.deepEqual(
      [saved?.backend, saved?.discoveryRange, saved?.meta, saved?.graph],
      ['auto', 'localhost', true, true],
    );
  });

  it('takes variables for domains, whose values only the runtime knows', async () => {
    const { editor } = forms;
    const domain = variable('ROBOT_DOMAIN');
    await editor.openForm(forms.id('ros-bridge'));
    await editor.enter(route(0).locator('.mqttros-route-domain input'), domain);
    await editor.done();
    const bridge = await forms.saved(forms.id('ros-bridge'));
    assert.equal((bridge?.routes as { domain: unknown }[] | undefined)?.[0]?.domain, domain);
    assert.deepEqual(bridge?.domains, [
      { id: TEST_DOMAIN, alias: '' },
      { id: domain, alias: '' },
    ]);
    assert.deepEqual(await editor.invalidNodes(), []);
  });

  it('takes the way to ROS 2 and its setup file', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('ros-bridge'));
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
    const bridge = await forms.saved(forms.id('ros-bridge'));
    assert.equal(bridge?.backend, 'rclnodejs');
    assert.equal(bridge?.setupFile, '/opt/ros/jazzy/setup.bash');
    assert.deepEqual(await editor.invalidNodes(), []);
  });

  it('takes definitions of interface types, and says what is wrong with one', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('ros-bridge'));
    await editor.showTab('Types');
    await editor.enter('#node-input-definitions', 'MSG: my_msgs/Spot\nfloat32');
    await editor.seesReason('#node-input-definitions', /Types:2: expected a type and a name/);
    await editor.enter('#node-input-definitions', 'MSG: my_msgs/Spot\nfloat32 level');
    await editor.done();
    assert.equal(
      (await forms.saved(forms.id('ros-bridge')))?.definitions,
      'MSG: my_msgs/Spot\nfloat32 level',
    );
    assert.deepEqual(await editor.invalidNodes(), []);
  });

  it('says which address is none and why a prefix is not valid', async () => {
    const { editor } = forms;
    await editor.openForm(forms.id('ros-bridge'));
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
