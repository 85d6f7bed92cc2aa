import type { Direction, RouteKind } from '../../src/ros/bridge-settings';
import { PATTERN_ACTIONS, type PatternAction, patternFault } from '../../src/ros/name-patterns';
import { PAYLOAD_FORMATS, type PayloadFormat } from '../../src/ros/payload-format';
import type { TopicOptionRow } from '../topic-options';
import { type DomainId, domainFault, domainIn, optionalDomainFault } from './domain-id';
import type { EditorNode } from './editor-api';
import { showFault } from './form-fault';
import { addSelect, rowsIn, textIn } from './list-row';
import { addTopicOptions, checkTopicOptions, topicOptionsFault, topicOptionsIn } from './topic-options';

/** One row of a bridge's patterns, as the flow file keeps it; the options are of what it allows. */
export interface Pattern extends TopicOptionRow {
  /** Absent: topics. */
  kind?: RouteKind;
  action: PatternAction;
  pattern: string;
  direction: Direction;
  /** Absent: all domains of the bridge. */
  domain?: DomainId;
  /** Absent: `json`. */
  format?: PayloadFormat;
}

/** What the user chooses among: a kind with one of its directions. */
const WAYS = [
  'topic ros-to-mqtt',
  'topic mqtt-to-ros',
  'topic both',
  'service mqtt-to-ros',
  'service ros-to-mqtt',
  'action mqtt-to-ros',
  'action ros-to-mqtt',
  'parameters both',
  'parameters ros-to-mqtt',
] as const;
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
    addSelect(line, 'mqttros-pattern-direction', text('label.way'), WAYS, (way) =>
      text(`way.${way.replace(' ', '.')}`),
    ).val(`${pattern.kind ?? 'topic'} ${pattern.direction}`);
    addSelect(line, 'mqttros-route-format', text('label.format'), PAYLOAD_FORMATS, (format) =>
      text(`format.${format}`),
    ).val(pattern.format ?? 'json');
    const domain = $('<label class="mqttros-route-domain">').text(text('label.domain')).appendTo(line);
    $('<input type="text">')
      .attr({ placeholder: text('placeholder.allDomains') })
      .val(pattern.domain ?? '')
      .appendTo(domain);
    addTopicOptions(row, line, pattern, text);
    row.find('input, select').on('change keyup paste', () => this.#check(row));
    this.#check(row);
  }

  #check(row: JQuery): void {
    const { action, kind, pattern, domain } = patternOf(row);
    const hasOptions = action === 'allow' && kind === undefined;
    row.find('.mqttros-route-format').toggle(hasOptions);
    checkTopicOptions(row, hasOptions);
    showFault(row.find('.mqttros-pattern-name'), patternFault(pattern));
    const fault = domain === undefined ? undefined : domainFault(this.#node, domain);
    showFault(row.find('.mqttros-route-domain input'), fault);
  }
}

function patternOf(row: JQuery): Pattern {
  const action = textIn(row, '.mqttros-pattern-action') as PatternAction;
  const domain = textIn(row, '.mqttros-route-domain input');
  const format = textIn(row, '.mqttros-route-format') as PayloadFormat;
  const [kind, direction] = textIn(row, '.mqttros-pattern-direction').split(' ') as [RouteKind, Direction];
  const hasOptions = action === 'allow' && kind === 'topic';
  return {
    ...(kind !== 'topic' && { kind }),
    action,
    pattern: textIn(row, '.mqttros-pattern-name'),
    direction,
    ...(domain !== '' && { domain: domainIn(row, '.mqttros-route-domain input') }),
    ...(hasOptions && format !== 'json' && { format }),
    ...(hasOptions && topicOptionsIn(row)),
  };
}
