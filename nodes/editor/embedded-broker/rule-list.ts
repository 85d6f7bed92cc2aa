import { type AccessRule, accessRuleFault } from '../../../src/broker/access/access-rules';
import type { EditorNode } from '../editor-api';
import { showFault } from '../form-fault';
import { addSelect, rowsIn, textIn } from '../list-row';

const ACCESS: readonly AccessRule['access'][] = ['allow', 'deny'];
const WHO: readonly AccessRule['who'][] = ['everybody', 'anonymous', 'in-process', 'user', 'group', 'client'];
const ACTIONS: readonly AccessRule['action'][] = ['any', 'connect', 'publish', 'subscribe', 'receive'];
const NEW_RULE: AccessRule = { access: 'allow', who: 'everybody', name: '', action: 'any', filter: '#' };

/** Why a list of rules is refused, naming the row. */
export function rulesFault(node: EditorNode, rules: readonly AccessRule[]): string | undefined {
  for (const [index, rule] of rules.entries()) {
    const reason = accessRuleFault(rule);
    if (reason !== undefined) return node._('embedded-broker.fault.rule', { row: index + 1, reason });
  }
  return undefined;
}

/** The editable list of a broker's access rules; their order counts. */
export class RuleList {
  readonly #list: JQuery;
  readonly #node: EditorNode;
  readonly #changed: () => void;

  constructor(list: JQuery, node: EditorNode, changed: () => void) {
    this.#list = list;
    this.#node = node;
    this.#changed = changed;
  }

  open(rules: readonly AccessRule[]): void {
    this.#list.editableList({
      addButton: this.#node._('embedded-broker.label.addRule'),
      removable: true,
      sortable: true,
      height: 'auto',
      addItem: (row: JQuery, _index: number, rule: Partial<AccessRule>) =>
        this.#addRow(row, { ...NEW_RULE, ...rule }),
      removeItem: () => this.#changed(),
    });
    this.#list.editableList('addItems', [...rules]);
  }

  rules(): AccessRule[] {
    return rowsIn(this.#list).map((row) => ruleOf(row));
  }

  #addRow(row: JQuery, rule: AccessRule): void {
    const text = (key: string) => this.#node._(`embedded-broker.${key}`);
    const first = $('<div class="mqttros-embedded-line">').appendTo(row);
    const second = $('<div class="mqttros-embedded-line">').appendTo(row);
    const select = <T extends string>(line: JQuery, field: string, values: readonly T[], value: T) =>
      addSelect(line, `mqttros-rule-${field}`, text(`label.rule.${field}`), values, (each) =>
        text(`rule.${each}`),
      ).val(value);
    const input = (line: JQuery, field: 'name' | 'filter') =>
      $(`<input type="text" class="mqttros-rule-${field}">`)
        .attr({ placeholder: text(`placeholder.rule.${field}`), 'aria-label': text(`label.rule.${field}`) })
        .val(rule[field] ?? '')
        .appendTo(line);
    select(first, 'access', ACCESS, rule.access);
    select(first, 'who', WHO, rule.who);
    input(first, 'name');
    select(second, 'action', ACTIONS, rule.action);
    input(second, 'filter');
    row.find('input, select').on('change keyup paste', () => this.#check(row));
    this.#check(row);
    this.#changed();
  }

  #check(row: JQuery): void {
    const rule = ruleOf(row);
    const name = row.find('.mqttros-rule-name');
    const filter = row.find('.mqttros-rule-filter');
    name.css('visibility', hasName(rule) ? 'visible' : 'hidden');
    filter.css('visibility', hasFilter(rule) ? 'visible' : 'hidden');
    showFault(name, accessRuleFault({ ...rule, filter: '#' }));
    showFault(filter, accessRuleFault({ ...rule, who: 'everybody' }));
  }
}

const hasName = ({ who }: AccessRule) => who === 'user' || who === 'group' || who === 'client';
const hasFilter = ({ action }: AccessRule) => action !== 'connect';

function ruleOf(row: JQuery): AccessRule {
  const value = (field: string) => textIn(row, `.mqttros-rule-${field}`);
  const rule: AccessRule = {
    access: value('access') as AccessRule['access'],
    who: value('who') as AccessRule['who'],
    action: value('action') as AccessRule['action'],
  };
  return {
    ...rule,
    name: hasName(rule) ? value('name') : '',
    filter: hasFilter(rule) ? value('filter') : '',
  };
}
