import type { EditorNode } from '../editor-api';
import { isWholeNumber, refusedBy } from '../form-fault';
import { hasVariables } from '../variables';

/** An input of the open form. */
export const input = (field: string): JQuery => $(`#node-config-input-${field}`);

/** What `defaults` says of a number; a blank one leaves the matter to the connection. */
export function numberField(field: string, least: number, most: number, value = '') {
  return {
    value,
    validate: refusedBy<EditorNode>((node, entered) => {
      const fault = numberFault(node, entered, least, most);
      return fault && `${node._(`mqtt-broker-config.label.${field}`)}: ${fault}`;
    }),
  };
}

/** Why a number is refused. */
export function numberFault(
  node: EditorNode,
  entered: unknown,
  least: number,
  most: number,
): string | undefined {
  const blank = entered === undefined || String(entered).trim() === '';
  return blank || hasVariables(entered) || isWholeNumber(entered, least, most)
    ? undefined
    : node._('mqtt-broker-config.fault.number', { least, most });
}

/** Gives a select the value of a form that has none: one of before the field existed. */
export function preset(field: string, value: string): void {
  if (!input(field).val()) input(field).val(value);
}
