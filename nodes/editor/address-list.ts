import type { EditorNode } from './editor-api';
import { showFault } from './form-fault';
import { rowsIn, textIn } from './list-row';
import { usesTls } from './mqtt-broker-config/tls-use';
import { hasVariables } from './variables';

/** Why the address of a broker is refused. */
export function addressFault(node: EditorNode, value: unknown): string | undefined {
  if (hasVariables(value)) return undefined;
  const match = /^(\w+):\/\/([^/]+)/.exec(String(value).trim());
  if (!match) return node._('mqtt-broker-config.fault.url');
  if (!/^(mqtts?|wss?)$/.test(match[1] ?? '')) return node._('mqtt-broker-config.fault.protocol');
  if (/^(mqtt|ws)$/.test(match[1] ?? '') && usesTls(node)) return node._('mqtt-broker-config.fault.insecure');
  try {
    // URL knows host and port only of protocols that browsers have.
    const { hostname, username } = new URL(`http://${match[2]}`);
    if (hostname === '') return node._('mqtt-broker-config.fault.url');
    return username === '' ? undefined : node._('mqtt-broker-config.fault.credentials');
  } catch {
    return node._('mqtt-broker-config.fault.url');
  }
}

/** The editable list of the addresses of brokers. */
export class AddressList {
  readonly #list: JQuery;

  constructor(list: JQuery, node: EditorNode, changed: () => void) {
    this.#list = list;
    list.editableList({
      addButton: node._('mqtt-broker-config.label.addAlternative'),
      removable: true,
      sortable: true,
      height: 'auto',
      addItem: (row: JQuery, _index: number, { url = '' }: { url?: string }) => {
        const input = $('<input type="text" class="mqttros-broker-address">')
          .attr('placeholder', node._('mqtt-broker-config.placeholder.address'))
          .attr('aria-label', node._('mqtt-broker-config.label.addAlternative'))
          .val(url)
          .appendTo($('<div class="mqttros-broker-line">').appendTo(row));
        input.on('change keyup paste', () => {
          const entered = String(input.val()).trim();
          showFault(input, entered === '' ? undefined : addressFault(node, entered));
          changed();
        });
        input.trigger('change');
      },
      removeItem: changed,
    });
  }

  show(urls: readonly string[] | undefined): void {
    this.#list.editableList('empty');
    this.#list.editableList(
      'addItems',
      (urls ?? []).map((url) => ({ url })),
    );
  }

  urls(): string[] {
    return rowsIn(this.#list)
      .map((row) => textIn(row, '.mqttros-broker-address'))
      .filter((url) => url !== '');
  }
}
