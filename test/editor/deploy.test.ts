import { strict as assert } from 'node:assert';
import { inEachEditor, nodeOf, readFlow } from './editor-session';

inEachEditor('deploying', (session) => {
  it('brings the temperature example to life', async () => {
    const { editor } = session;
    const flow = await readFlow('examples/Temperature monitor with embedded broker.json');
    await editor.importFlow(flow);
    await editor.deploy();
    await editor.showDebugMessages();
    const [alert] = await editor.debugMessages(1);
    assert.match(alert ?? '', /alerts\/(kitchen|attic|cellar)/);
    await editor.statusOf(nodeOf(flow, 'embedded-broker').id, /\S/);
  });

  it('carries a pressed button over MQTT to the debug sidebar, once per subscription', async () => {
    const { editor } = session;
    const flow = await readFlow('examples/Publish and subscribe.json');
    await editor.importFlow(flow);
    await editor.deploy();
    await editor.showDebugMessages();
    await editor.statusOf(nodeOf(flow, 'mqtt-sub').id, /connected/);
    await editor.press(nodeOf(flow, 'inject', 'lamp on').id);
    await editor.debugMessages(2);
    await editor.press(nodeOf(flow, 'inject', 'garden lamp on').id);
    const topics = (await editor.debugMessages(3)).map((message) => /home\/\w+\/lamp/.exec(message)?.[0]);
    assert.deepEqual(topics, ['home/kitchen/lamp', 'home/kitchen/lamp', 'home/garden/lamp']);
  });

  it('lets buttons administer the embedded broker, and shows what is published', async () => {
    const { editor } = session;
    const flow = await readFlow('examples/Administer an embedded broker.json');
    await editor.importFlow(flow);
    await editor.deploy();
    await editor.showDebugMessages();
    await editor.statusOf(nodeOf(flow, 'embedded-broker').id, /no port · 1 client/);
    const seen = (await editor.debugMessages(2)).length;
    await editor.press(nodeOf(flow, 'inject', 'publish a retained message').id);
    const published = (await editor.debugMessages(seen + 2)).slice(seen);
    assert.equal(published.filter((message) => /hello/.test(message)).length, 2);
    await editor.press(nodeOf(flow, 'inject', 'clear retained messages').id);
    const [cleared] = (await editor.debugMessages(seen + 3)).slice(seen + 2);
    assert.match(cleared ?? '', /events and answers.*number1$/);
  });

  it('shows what the robot of an example says without a broker, and why a message that does not fit is refused', async () => {
    const { editor } = session;
    const flow = await readFlow('examples/ROS 2 without a broker.json');
    await editor.importFlow(flow);
    await editor.deploy();
    await editor.showDebugMessages();
    for (const name of ['ROS 2', 'robot']) {
      await editor.statusOf(nodeOf(flow, 'ros-bridge', name).id, /1 domain · 0 ROS nodes · 2 routes/);
    }
    await editor.press(nodeOf(flow, 'inject', 'say hello').id);
    assert.match((await editor.debugMessages(1))[0] ?? '', /hello from the robot/);
    await editor.press(nodeOf(flow, 'inject', 'a wrong message').id);
    assert.match((await editor.debugMessages(2))[1] ?? '', /linear\.x: expected a number/);
  });
});
