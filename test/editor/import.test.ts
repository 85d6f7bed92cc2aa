import { strict as assert } from 'node:assert';
import type { FlowNode } from './editor-page';
import { FLOW_FILES, inEachEditor, nodeOf, readFlow } from './editor-session';

inEachEditor('importing', (session) => {
  for (const { title, path } of FLOW_FILES) {
    it(`finds all nodes of "${title}" valid`, async () => {
      const flow = await readFlow(path);
      await session.editor.importFlow(flow);
      const imported = await session.editor.flows();
      for (const { id, type } of flow) {
        assert.equal(imported.find((node) => node.id === id)?.type, type, `${type} was not imported`);
      }
      assert.deepEqual(await session.editor.invalidNodes(), []);
    });
  }

  it('offers the examples under Import > Examples', async () => {
    const listed = await session.nodeRed.get<{ fn: string }[]>(
      '/library/examples/flows/@mqtt-ros/node-red-mqtt-ros',
    );
    const titles = FLOW_FILES.filter(({ path }) => path.startsWith('examples')).map(({ title }) => title);
    assert.deepEqual(listed.map(({ fn }) => fn.replace(/\.json$/, '')).sort(), titles.sort());
  });

  it('gives a copy of a configuration the copy of its embedded broker', async () => {
    const { editor } = session;
    const flow = await readFlow('examples/Publish and subscribe.json');
    await editor.importFlow(flow);
    // Another configuration on the same nodes: those are there already, so everything gets new ids.
    const config = nodeOf(flow, 'mqtt-broker-config').id;
    await editor.importFlow(
      JSON.parse(JSON.stringify(flow).replaceAll(config, 'f1f1f1f1f1f1f1f1')) as FlowNode[],
    );
    const imported = await editor.flows();
    const [broker, brokerCopy] = imported.filter(({ type }) => type === 'embedded-broker');
    const [original, copy] = imported.filter(({ type }) => type === 'mqtt-broker-config');
    assert.ok(broker && brokerCopy && original && copy);
    assert.notEqual(brokerCopy.id, broker.id);
    assert.equal(original.embedded, broker.id);
    assert.equal(copy.embedded, brokerCopy.id);
    const users = imported.filter((node) => node.broker === copy.id).map(({ type }) => type);
    assert.deepEqual(users.sort(), ['mqtt-pub', 'mqtt-pub', 'mqtt-sub', 'mqtt-sub', 'mqtt-sub']);
    assert.deepEqual(await editor.invalidNodes(), []);
  });

  it('leaves no reference behind when the same flow is imported twice', async () => {
    const { editor } = session;
    const flow = await readFlow('examples/Publish and subscribe.json');
    await editor.importFlow(flow);
    await editor.importFlow(flow);
    const imported = await editor.flows();
    assert.equal(imported.filter(({ type }) => type === 'embedded-broker').length, 2);
    // Node-RED keeps one configuration for both copies, and that one still names its own broker.
    const [config, ...more] = imported.filter(({ type }) => type === 'mqtt-broker-config');
    assert.deepEqual(more, []);
    assert.equal(config?.embedded, nodeOf(flow, 'embedded-broker').id);
    assert.equal(imported.filter((node) => node.broker === config?.id).length, 10);
    assert.deepEqual(await editor.invalidNodes(), []);
  });

  it('keeps a pasted node on the broker of the node it was copied from', async () => {
    const { editor } = session;
    const flow = await readFlow('examples/Publish and subscribe.json');
    await editor.importFlow(flow);
    await editor.copyAndPaste(nodeOf(flow, 'embedded-broker').id);
    const imported = await editor.flows();
    assert.equal(imported.filter(({ type }) => type === 'embedded-broker').length, 2);
    assert.equal(
      nodeOf(imported, 'mqtt-broker-config').embedded,
      nodeOf(flow, 'embedded-broker').id,
      'the configuration must not follow the copy',
    );
    assert.deepEqual(await editor.invalidNodes(), []);
  });

  it('marks the configuration and its users when the embedded broker is deleted, until that is undone', async () => {
    const { editor } = session;
    const flow = await readFlow('examples/Publish and subscribe.json');
    await editor.importFlow(flow);
    await editor.select(nodeOf(flow, 'embedded-broker').id);
    await editor.page.keyboard.press('Delete');
    const invalid = await editor.invalidNodes();
    assert.equal(invalid.filter((line) => line.startsWith('mqtt-broker-config')).length, 1);
    assert.match(invalid.join(), /embedded broker is missing/);
    assert.equal(invalid.filter((line) => line.startsWith('mqtt-pub')).length, 2);
    await editor.page.keyboard.press('Control+z');
    assert.deepEqual(await editor.invalidNodes(), []);
  });
});
