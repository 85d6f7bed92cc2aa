import { TLS_FIELDS } from '../../mqtt-broker-config-security';
import type { EditorNode } from '../editor-api';
import { presentValue } from '../form-fault';

type Secret = Partial<Record<(typeof TLS_FIELDS)[number] | 'tlsPassphrase', unknown>> & {
  /** The editor knows of a saved secret only that it is there; and this only once the form has been open. */
  credentials?: { has_tlsPassphrase?: boolean };
};

/** Whether a field is filled in that is of use at secure addresses alone. */
export function usesTls(node: EditorNode & Secret): boolean {
  const filled = [...TLS_FIELDS, 'tlsPassphrase' as const].some((field) => {
    const value = String(presentValue(node, field, 'node-config-input') ?? '').trim();
    return value !== '' && value !== '_ADD_';
  });
  return (
    filled ||
    (!RED.editor.getEditStack().some(({ id }) => id === node.id) &&
      node.credentials?.has_tlsPassphrase === true)
  );
}
