import { RosTopicMapping } from '../../src/topic/ros-topic';
import { type DomainId, domainFault, domainIn } from './domain-id';
import type { EditorNode } from './editor-api';
import { showFault } from './form-fault';
import { rowsIn, textIn } from './list-row';
import type { Route } from './route-list';

/** One row of a bridge's domains, as the flow file keeps it; an empty alias is none. */
export interface Domain {
  id: DomainId;
  alias: string;
}

/** The aliases in the shape that the topic mapping takes. */
export function aliasesOf(domains: readonly Domain[]): Record<string, number> {
  return Object.fromEntries(
    domains.flatMap(({ id, alias }) => (alias === '' || typeof id === 'string' ? [] : [[alias, id]])),
  );
}

/** Those whose numbers are known here. */
export function numbersOf(domains: readonly Domain[]): number[] {
  return domains.flatMap(({ id }) => (typeof id === 'number' ? [id] : []));
}

/** The domains with those that only routes name: a bridge joins each domain of its routes. */
export function withDomainsOf(routes: readonly Route[], domains: readonly Domain[]): Domain[] {
  const named = new Set(
    routes.flatMap(({ domain }) => (domain === undefined || Number.isNaN(domain) ? [] : [domain])),
  );
  for (const { id } of domains) named.delete(id);
  return [...domains, ...[...named].map((id) => ({ id, alias: '' }))];
}

/** Why a list of domains is refused, naming the row. */
export function domainsFault(node: EditorNode, domains: readonly Domain[]): string | undefined {
  const ids = new Set<DomainId>();
  const aliases = new Set<string>();
  for (const [index, { id, alias }] of domains.entries()) {
    const reason =
      domainFault(node, id) ??
      aliasFault(alias) ??
      (ids.has(id) ? node._('ros-bridge.fault.domainTwice', { id }) : undefined) ??
      (alias !== '' && aliases.has(alias) ? node._('ros-bridge.fault.aliasTwice', { alias }) : undefined);
    if (reason !== undefined) return node._('ros-bridge.fault.domainRow', { row: index + 1, reason });
    ids.add(id);
    aliases.add(alias);
  }
  return undefined;
}

function aliasFault(alias: string): string | undefined {
  if (alias === '') return undefined;
  try {
    new RosTopicMapping({ aliases: { [alias]: 0 } });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The editable list of a bridge's domains and their aliases. */
export class DomainList {
  readonly #list: JQuery;
  readonly #node: EditorNode;
  readonly #changed: () => void;

  constructor(list: JQuery, node: EditorNode, changed: () => void) {
    this.#list = list;
    this.#node = node;
    this.#changed = changed;
  }

  open(domains: readonly Domain[]): void {
    this.#list.editableList({
      addButton: this.#node._('ros-bridge.label.addDomain'),
      removable: true,
      height: 'auto',
      addItem: (row: JQuery, _index: number, domain: Partial<Domain>) =>
        this.#addRow(row, domain.id, domain.alias ?? ''),
      removeItem: () => this.#changed(),
    });
    this.#list.editableList('addItems', [...domains]);
  }

  domains(): Domain[] {
    return rowsIn(this.#list).map((row) => domainOf(row));
  }

  #addRow(row: JQuery, id: DomainId | undefined, alias: string): void {
    const text = (key: string) => this.#node._(`ros-bridge.${key}`);
    const line = $('<div class="mqttros-route-line">').appendTo(row);
    $('<input type="text" class="mqttros-domain-id">')
      .attr({ placeholder: text('placeholder.domain'), 'aria-label': text('label.domain') })
      .val(id ?? '')
      .appendTo(line);
    $('<input type="text" class="mqttros-domain-alias">')
      .attr({ placeholder: text('placeholder.alias'), 'aria-label': text('label.alias') })
      .val(alias)
      .appendTo(line);
    const check = () => {
      const { id: entered, alias: name } = domainOf(row);
      showFault(row.find('.mqttros-domain-id'), domainFault(this.#node, entered));
      showFault(row.find('.mqttros-domain-alias'), aliasFault(name));
      this.#changed();
    };
    row.find('input').on('change keyup paste', check);
    check();
  }
}

function domainOf(row: JQuery): Domain {
  return {
    id: domainIn(row, '.mqttros-domain-id'),
    alias: textIn(row, '.mqttros-domain-alias'),
  };
}
