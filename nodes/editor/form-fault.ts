import type { EditorNode, Tooltip, Validator } from './editor-api';

/** Makes a validator of a function that answers why a value is refused, or `undefined`. */
export function refusedBy<N>(faultOf: (node: N, value: unknown) => string | undefined): Validator<N> {
  // Node-RED shows a reason only when the function declares two parameters.
  return function (this: N, value: unknown, _options: object) {
    return faultOf(this, value) ?? true;
  };
}

/** Marks an input of a list row as the editor marks the fields it knows: red, with the reason as its tooltip. */
export function showFault(input: JQuery, fault: string | undefined): void {
  input.toggleClass('input-error', fault !== undefined);
  const shown: Tooltip | undefined = input.data('tooltip');
  if (fault === undefined) {
    shown?.delete();
    input.removeData('tooltip');
  } else if (shown) {
    shown.setContent(fault);
  } else {
    input.data('tooltip', RED.popover.tooltip(input, fault));
  }
}

/** Whether the text is a whole number from `least` to `most`. */
export function isWholeNumber(value: unknown, least: number, most: number): boolean {
  const text = String(value).trim();
  return /^\d{1,10}$/.test(text) && Number(text) >= least && Number(text) <= most;
}

/** A field of a node as its open form shows it now, else as it was saved: what one field allows may depend on another. */
export function presentValue<N extends EditorNode, K extends keyof N & string>(
  node: N,
  field: K,
  prefix: 'node-input' | 'node-config-input',
): unknown {
  const input = RED.editor.getEditStack().some(({ id }) => id === node.id) ? $(`#${prefix}-${field}`) : $();
  if (input.length === 0) return node[field];
  return input.attr('type') === 'checkbox' ? input.prop('checked') : input.val();
}

/** Why the reference to an MQTT broker configuration is refused. */
export function brokerFault(node: EditorNode, value: unknown, texts: string): string | undefined {
  if (typeof value !== 'string' || value === '' || value === '_ADD_') return node._(`${texts}.noBroker`);
  const broker = RED.nodes.node(value);
  if (!broker) return node._(`${texts}.brokerMissing`);
  return broker.valid === false ? node._(`${texts}.brokerInvalid`) : undefined;
}
