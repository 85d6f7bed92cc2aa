import { namespacesOf } from '../../src/ros/domain-template';
import { RosTopicMapping } from '../../src/topic/ros-topic';
import { type DomainId, domainIn, optionalDomainFault } from './domain-id';
import { aliasesOf, type Domain, numbersOf } from './domain-list';
import type { EditorNode } from './editor-api';
import { showFault } from './form-fault';
import { rowsIn, textIn } from './list-row';

/** One row of a bridge's namespaces, as the flow file keeps it. */
export interface NamespaceEntry {
  /** Blank: all names. */
  ros: string;
  /** Blank: no levels. */
  mqtt: string;
  /** Absent: each domain of the bridge. */
  domain?: DomainId;
}

/** The namespaces in the shape that the topic mapping takes. Throws an Error that names the fault. */
export function namespacesIn(entries: readonly NamespaceEntry[], domains: readonly Domain[]) {
  // Only the runtime knows its environment.
  const rows = entries.flatMap(({ ros, mqtt, domain }) => {
    if (typeof domain === 'string') return [];
    return [{ ros, mqtt, ...(domain !== undefined && { domain }) }];
  });
  return namespacesOf(rows, { domains: numbersOf(domains), aliases: aliasesOf(domains) });
}

/** Why a list of namespaces is refused, naming the row. */
export function namespacesFault(
  node: EditorNode,
  entries: readonly NamespaceEntry[],
  domains: readonly Domain[],
): string | undefined {
  for (const [index, { domain }] of entries.entries()) {
    const reason =
      optionalDomainFault(node, domain, domains) ?? mappingFault(entries.slice(0, index + 1), domains);
    if (reason !== undefined) return node._('ros-bridge.fault.namespace', { row: index + 1, reason });
  }
  return undefined;
}

function mappingFault(entries: readonly NamespaceEntry[], domains: readonly Domain[]): string | undefined {
  try {
    new RosTopicMapping({ namespaces: namespacesIn(entries, domains) });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The editable list of the namespaces that have other levels in topics. */
export class NamespaceList {
  readonly #list: JQuery;
  readonly #node: EditorNode;
  readonly #domains: () => readonly Domain[];
  readonly #changed: () => void;

  /** @param domains those of the form */
  constructor(list: JQuery, node: EditorNode, domains: () => readonly Domain[], changed: () => void) {
    this.#list = list;
    this.#node = node;
    this.#domains = domains;
    this.#changed = changed;
  }

  open(entries: readonly NamespaceEntry[]): void {
    this.#list.editableList({
      addButton: this.#node._('ros-bridge.label.addNamespace'),
      removable: true,
      height: 'auto',
      addItem: (row: JQuery, _index: number, entry: Partial<NamespaceEntry>) => this.#addRow(row, entry),
      removeItem: () => this.#changed(),
    });
    this.#list.editableList('addItems', [...entries]);
  }

  namespaces(): NamespaceEntry[] {
    return rowsIn(this.#list).map((row) => entryOf(row));
  }

  #addRow(row: JQuery, { ros = '', mqtt = '', domain }: Partial<NamespaceEntry>): void {
    const text = (key: string) => this.#node._(`ros-bridge.${key}`);
    const line = $('<div class="mqttros-route-line">').appendTo(row);
    for (const [name, value] of Object.entries({ ros, mqtt })) {
      $(`<input type="text" class="mqttros-namespace-${name}">`)
        .attr({
          placeholder: text(`placeholder.namespace.${name}`),
          'aria-label': text(`label.namespace.${name}`),
        })
        .val(value)
        .appendTo(line);
      if (name === 'ros') $('<span class="mqttros-route-arrow">').text('⇄').appendTo(line);
    }
    const label = $('<label class="mqttros-route-domain">').text(text('label.domain')).appendTo(line);
    $('<input type="text">')
      .attr({ placeholder: text('placeholder.allDomains') })
      .val(domain ?? '')
      .appendTo(label);
    const check = () => {
      const entry = entryOf(row);
      showFault(row.find('.mqttros-namespace-ros'), mappingFault([entry], this.#domains()));
      const fault = optionalDomainFault(this.#node, entry.domain, this.#domains());
      showFault(row.find('.mqttros-route-domain input'), fault);
      this.#changed();
    };
    row.find('input').on('change keyup paste', check);
    check();
  }
}

function entryOf(row: JQuery): NamespaceEntry {
  const domain = textIn(row, '.mqttros-route-domain input');
  return {
    ros: textIn(row, '.mqttros-namespace-ros'),
    mqtt: textIn(row, '.mqttros-namespace-mqtt'),
    ...(domain !== '' && { domain: domainIn(row, '.mqttros-route-domain input') }),
  };
}
