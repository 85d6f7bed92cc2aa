import { TLS_FIELDS } from '../../mqtt-broker-config-security';
import type { EditorNode } from '../editor-api';
import { presentValue } from '../form-fault';

/** Whether a field is filled in that is of use at secure addresses alone. */
export function usesTls(node: EditorNode & Partial<Record<(typeof TLS_FIELDS)[number], unknown>>): boolean {
  return TLS_FIELDS.some((field) => {
    const value = String(presentValue(node, field, 'node-config-input') ?? '').trim();
    return value !== '' && value !== '_ADD_';
  });
}
