import { defaultLimits } from '../../../src/broker/limits';
import { type LimitField, limitFieldNames, limitFields, limitOf, limitRange } from '../../embedded-limits';
import type { EditorNode } from '../editor-api';
import { refusedBy } from '../form-fault';
import type { FieldDefinitions, FormPage } from '../form-page';

/** The fields of the page "Limits". */
export type LimitsFields = Record<LimitField, number | string> & { queuePolicy: string };

function limit(field: LimitField) {
  return {
    value: '',
    validate: refusedBy<EditorNode>((node, value) => {
      if (limitOf(field, value) !== null) return undefined;
      const [least, most] = limitRange(field);
      return node._('embedded-broker.fault.limit', { least, most });
    }),
  };
}

export const limitsFields: FieldDefinitions<LimitsFields> = {
  limitConnections: limit('limitConnections'),
  limitConnectionsPerAddress: limit('limitConnectionsPerAddress'),
  limitConnectRate: limit('limitConnectRate'),
  limitConnectTimeout: limit('limitConnectTimeout'),
  limitMessageRate: limit('limitMessageRate'),
  limitByteRate: limit('limitByteRate'),
  limitPacketSize: limit('limitPacketSize'),
  limitTopicLevels: limit('limitTopicLevels'),
  limitTopicLength: limit('limitTopicLength'),
  limitSubscriptions: limit('limitSubscriptions'),
  limitInFlight: limit('limitInFlight'),
  limitQueuedMessages: limit('limitQueuedMessages'),
  limitQueuedBytes: limit('limitQueuedBytes'),
  limitRetainedMessages: limit('limitRetainedMessages'),
  limitRetainedBytes: limit('limitRetainedBytes'),
  limitOfflineSessions: limit('limitOfflineSessions'),
  limitSessionExpiry: limit('limitSessionExpiry'),
  limitStoredBytes: limit('limitStoredBytes'),
  limitMemoryBytes: limit('limitMemoryBytes'),
  queuePolicy: { value: 'drop-newest' },
};

export const limitsPage: FormPage<LimitsFields> = {
  prepare() {
    for (const field of limitFieldNames) {
      const { limit: name, unit } = limitFields[field];
      // Where 0 is the default it leaves the limit to the broker, or is none, and the text says which.
      const usual = defaultLimits[name] / unit;
      if (usual > 0) $(`#node-input-${field}`).attr('placeholder', String(usual));
    }
    const policy = $('#node-input-queuePolicy');
    // A node of before this field has none.
    if (!policy.val()) policy.val('drop-newest');
  },
};
