import { strict as assert } from 'node:assert';
import { inEachEditor, nodeOf, readFlow } from './editor-session';

const FLOW_NODES = ['mqtt-pub', 'mqtt-sub', 'embedded-broker', 'ros-bridge'];

inEachEditor('the palette', (session) => {
  it('shows the flow nodes together, each with its icon', async () => {
    const { page } = session.editor;
    const category = page.locator('#red-ui-palette-MQTT_ROS');
    const types = await category
      .locator('.red-ui-palette-node')
      .evaluateAll((nodes) => nodes.map((node) => node.getAttribute('data-palette-type')));
    assert.deepEqual(types.sort(), [...FLOW_NODES].sort());
    const icons = await category
      .locator('.red-ui-palette-icon')
      .evaluateAll((nodes) => nodes.map((node) => node.getAttribute('style') ?? ''));
    assert.equal(icons.length, FLOW_NODES.length);
    for (const style of icons) {
      const path = /url\("?([^")]+)"?\)/.exec(style)?.[1];
      const answer = await fetch(new URL(path ?? '', `${session.nodeRed.url}/`));
      assert.match(answer.headers.get('content-type') ?? '', /svg/, `${path} is no icon of ours`);
      assert.match(await answer.text(), /<svg/);
    }
  });

  it('has help for every node', async () => {
    for (const type of [...FLOW_NODES, 'mqtt-broker-config']) {
      const help = await session.editor.helpOf(type);
      assert.match(help, /Details/, type);
      assert.doesNotMatch(help, /data-help-name|undefined/, type);
    }
  });

  it('gives a dragged node the only broker there is, so that it is ready at once', async () => {
    const { editor } = session;
    const config = nodeOf(await readFlow('demo/flows.json'), 'mqtt-broker-config');
    await editor.importFlow([{ ...config, target: 'url', embedded: '' }]);
    await editor.dragIn('mqtt-pub');
    const pub = (await editor.flows()).find(({ type }) => type === 'mqtt-pub');
    assert.equal(pub?.broker, config.id);
    assert.deepEqual(await editor.invalidNodes(), []);
  });

  it('gives a dragged bridge a route that works', async () => {
    await session.editor.dragIn('ros-bridge');
    assert.deepEqual(await session.editor.invalidNodes(), []);
  });
});
