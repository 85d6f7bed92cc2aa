import { strict as assert } from 'node:assert';
import type { FlowNode } from './editor-page';
import { inEachEditor, nodeOf } from './editor-session';

const tab = { id: 'tab1', type: 'tab', label: 'test' };
const place = { z: 'tab1', x: 200, y: 100 };
const ours = {
  id: 'config1',
  type: 'mqtt-broker-config',
  url: 'mqtt://127.0.0.1:1',
  birthTopic: 'state',
  birthProperties: { responseTopic: 'answers' },
};
const core = {
  id: 'core1',
  type: 'mqtt-broker',
  broker: '127.0.0.1',
  port: 1883,
  protocolVersion: '5',
  birthTopic: 'state',
  birthMsg: { respTopic: 'answers' },
  closeMsg: {},
  willMsg: {},
};

/** What of m in test/nodes/core-faults.test.ts only the editor shows. */
inEachEditor("faults of the forms of Node-RED's own MQTT nodes", (session) => {
  const title = 'm: the response topic of a birth message gets lost when the form is closed';
  /** The configuration node after a look at its form. */
  const afterwards = async (config: FlowNode, user: FlowNode): Promise<FlowNode> => {
    const { editor } = session;
    await editor.importFlow([tab, config, user] as FlowNode[]);
    await editor.openConfigForm(config.type, config.id);
    await editor.configDone();
    return nodeOf(await editor.flows(), config.type);
  };

  it(`${title}: ours does not`, async () => {
    const publisher = { id: 'pub1', type: 'mqtt-pub', ...place, broker: 'config1', topic: 't', wires: [] };
    assert.deepEqual((await afterwards(ours, publisher)).birthProperties, { responseTopic: 'answers' });
  });

  it(`${title}: core's does`, async function () {
    const publisher = { id: 'out1', type: 'mqtt out', ...place, broker: 'core1', topic: 't', wires: [] };
    const { birthTopic, birthMsg } = await afterwards(core, publisher);
    assert.equal(birthTopic, 'state');
    if ((birthMsg as { respTopic?: string }).respTopic === 'answers') {
      const { version } = await session.nodeRed.get<{ version: string }>('/settings');
      this.runnable().title = `${title}: core's of Node-RED ${version} does not any more`;
      this.skip();
    }
    assert.deepEqual(birthMsg, {});
  });
});
