import type { PayloadOutput } from '../../../src/client/flow-payload';
import { watchFilterFault } from '../../../src/topic/topic-filter';
import type { EditorNode } from '../editor-api';
import { refusedBy } from '../form-fault';
import type { FieldDefinitions, FormPage } from '../form-page';
import { completeTopics } from '../topic-field';

/** The fields of the page "Messages". */
export interface MessageFields {
  watch: string;
  watchOutput: PayloadOutput;
  outputs: number;
}

export const messageFields: FieldDefinitions<MessageFields> = {
  watch: {
    value: '',
    validate: refusedBy<EditorNode>((node, value) => {
      const reason = value ? watchFilterFault(String(value)) : undefined;
      return reason && node._('embedded-broker.fault.watch', { reason });
    }),
  },
  watchOutput: { value: 'auto' },
  outputs: { value: 1 },
};

export const messagesPage: FormPage<MessageFields> = {
  prepare(node) {
    const watch = $('#node-input-watch');
    const output = $('#node-input-watchOutput');
    // A node of before these fields has none.
    if (!output.val()) output.val('auto');
    completeTopics(watch, node);
    const show = () => $('.mqttros-embedded-watch').toggle(watch.val() !== '');
    watch.on('input change', show);
    show();
  },
};
