import type { EditorNode } from './editor-api';

/** The embedded brokers a configuration can name: those on flows; one within a subflow exists once per instance. */
export function embeddedBrokers(): EditorNode[] {
  const brokers: EditorNode[] = [];
  RED.nodes.eachNode((node) => {
    if (node.type === 'embedded-broker' && !RED.nodes.subflow(node.z ?? '')) brokers.push(node);
    return undefined;
  });
  return brokers;
}

/** How a select names an embedded broker: its label and the flow it stands on. */
export function embeddedBrokerLabel(broker: EditorNode): string {
  const flow = RED.nodes.workspace(broker.z ?? '')?.label ?? '';
  const name = broker.name || broker._('embedded-broker.label.palette');
  return flow === '' ? name : `${name} (${flow})`;
}

/**
 * Looks again at the configurations that name an embedded broker, and at the nodes that use them, when that broker is
 * deleted or comes back by undo: the editor does this by itself only for references to configuration nodes.
 */
export function revalidateUsersOfEmbeddedBrokers(
  refersTo: (config: EditorNode, broker: EditorNode) => boolean,
): void {
  const revalidate = (node: EditorNode) => {
    if (node.type !== 'embedded-broker') return;
    RED.nodes.eachConfig((config) => {
      if (config.type === 'mqtt-broker-config' && refersTo(config, node)) {
        RED.editor.validateNode(config);
        for (const user of config.users ?? []) RED.editor.validateNode(user);
      }
      return undefined;
    });
    RED.view.redraw();
  };
  RED.events.on('nodes:add', revalidate);
  RED.events.on('nodes:remove', revalidate);
}
