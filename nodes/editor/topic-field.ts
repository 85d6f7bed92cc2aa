import type { EditorNode } from './editor-api';

/** Offers the topics that plugins know, the same ones that Node-RED's own MQTT nodes ask. */
export function completeTopics(input: JQuery, node: EditorNode): void {
  input.autoComplete({
    minLength: 0,
    completionPluginType: 'node-red-mqtt-topic-autocomplete-source',
    context: { node },
  });
}

/** Gives a node that was just dragged in the workspace's MQTT broker configuration, where there is exactly one. */
export function chooseOnlyBroker(node: EditorNode & { broker: string }): void {
  // On import the node is in the workspace already, and what it refers to is not ours to decide.
  if (node.broker !== '' || RED.nodes.node(node.id)) return;
  const brokers: string[] = [];
  RED.nodes.eachConfig((config) => {
    if (config.type === 'mqtt-broker-config' && !config.z) brokers.push(config.id);
    return undefined;
  });
  if (brokers.length === 1) node.broker = brokers[0] ?? '';
}
