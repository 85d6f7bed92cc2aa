import { PATTERN_ACTIONS, type PatternAction, patternFault } from '../../src/ros/name-patterns';
import type { TopicOptionRow } from '../topic-options';
import { addCarriage, type Carriage, carriageIn, checkCarriage } from './carriage-fields';
import { type DomainId, optionalDomainFault } from './domain-id';
import type { EditorNode } from './editor-api';
import { showFault } from './form-fault';
import { addSelect, rowsIn, textIn } from './list-row';
import { addTopicOptions, checkTopicOptions, topicOptionsFault, topicOptionsIn } from './topic-options';

/** One row of a bridge's patterns, as the flow file keeps it; the options are of what it allows. */
export interface Pattern extends Carriage, TopicOptionRow {
  action: PatternAction;
  pattern: string;
}

const NEW_PATTERN: Pattern = { action: 'allow', pattern: '', direction: 'both' };

/** Why a list of patterns is refused, naming the row. */
export function patternsFault(
  node: EditorNode,
  patterns: readonly Pattern[],
  domains: readonly { id: DomainId }[],
): string | undefined {
  for (const [index, { pattern, domain, ...options }] of patterns.entries()) {
    const reason =
      patternFault(pattern) ?? optionalDomainFault(node, domain, domains) ?? topicOptionsFault(options);
    if (reason !== undefined) return node._('ros-bridge.fault.pattern', { row: index + 1, reason });
  }
  return undefined;
}

/** The editable list of what a bridge carries without a route of its own. */
export class PatternList {
  readonly #list: JQuery;
  readonly #node: EditorNode;

  constructor(list: JQuery, node: EditorNode) {
    this.#list = list;
    this.#node = node;
  }

  open(patterns: readonly Pattern[]): void {
    this.#list.editableList({
      addButton: this.#node._('ros-bridge.label.addPattern'),
      removable: true,
      sortable: true,
      height: 'auto',
      addItem: (row: JQuery, _index: number, pattern: Partial<Pattern>) =>
        this.#addRow(row, { ...NEW_PATTERN, ...pattern }),
    });
    this.#list.editableList('addItems', [...patterns]);
  }

  patterns(): Pattern[] {
    return rowsIn(this.#list).map((row) => patternOf(row));
  }

  #addRow(row: JQuery, pattern: Pattern): void {
    const text = (key: string) => this.#node._(`ros-bridge.${key}`);
    const first = $('<div class="mqttros-route-line">').appendTo(row);
    const line = $('<div class="mqttros-route-line">').appendTo(row);
    addSelect(first, 'mqttros-pattern-action', text('label.action'), PATTERN_ACTIONS, (action) =>
      text(`action.${action}`),
    ).val(pattern.action);
    $('<input type="text" class="mqttros-pattern-name">')
      .attr({ placeholder: text('placeholder.pattern'), 'aria-label': text('label.pattern') })
      .val(pattern.pattern)
      .appendTo(first);
    addCarriage(line, pattern, text);
    addTopicOptions(row, line, pattern, text);
    row.find('input, select').on('change keyup paste', () => this.#check(row));
    this.#check(row);
  }

  #check(row: JQuery): void {
    const { action, kind, pattern } = patternOf(row);
    const hasOptions = action === 'allow' && kind === undefined;
    checkCarriage(row, this.#node, hasOptions);
    checkTopicOptions(row, hasOptions);
    showFault(row.find('.mqttros-pattern-name'), patternFault(pattern));
  }
}

function patternOf(row: JQuery): Pattern {
  const action = textIn(row, '.mqttros-pattern-action') as PatternAction;
  const { direction, domain, format, ...ofKind } = carriageIn(row);
  const hasOptions = action === 'allow' && ofKind.kind === undefined;
  // The editor takes another order of the fields for a change.
  return {
    ...ofKind,
    action,
    pattern: textIn(row, '.mqttros-pattern-name'),
    direction,
    ...(domain !== undefined && { domain }),
    ...(hasOptions && format !== undefined && { format }),
    ...(hasOptions && topicOptionsIn(row)),
  };
}
