import type { Direction, RouteKind } from '../../src/ros/bridge-settings';
import { PAYLOAD_FORMATS, type PayloadFormat } from '../../src/ros/payload-format';
import { type DomainId, domainFault, domainIn } from './domain-id';
import type { EditorNode } from './editor-api';
import { showFault } from './form-fault';
import { addSelect, textIn } from './list-row';

/** What a row of the routes and one of the patterns both say of what is carried. */
export interface Carriage {
  /** Absent: a topic. */
  kind?: RouteKind;
  direction: Direction;
  /** Absent: each domain of the bridge. */
  domain?: DomainId;
  /** Of a topic; absent: `json`. */
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
const DOMAIN = '.mqttros-route-domain input';

/** Adds its fields to a line of a row. */
export function addCarriage(
  line: JQuery,
  { kind = 'topic', direction, domain, format = 'json' }: Carriage,
  text: (key: string) => string,
): void {
  addSelect(line, 'mqttros-route-way', text('label.way'), WAYS, (way) =>
    text(`way.${way.replace(' ', '.')}`),
  ).val(`${kind} ${direction}`);
  addSelect(line, 'mqttros-route-format', text('label.format'), PAYLOAD_FORMATS, (choice) =>
    text(`format.${choice}`),
  ).val(format);
  const label = $('<label class="mqttros-route-domain">').text(text('label.domain')).appendTo(line);
  $('<input type="text">')
    .attr({ placeholder: text('placeholder.allDomains') })
    .val(domain ?? '')
    .appendTo(label);
}

/** What they say, without what is the default. */
export function carriageIn(row: JQuery): Carriage {
  const [kind, direction] = textIn(row, '.mqttros-route-way').split(' ') as [RouteKind, Direction];
  const format = textIn(row, '.mqttros-route-format') as PayloadFormat;
  return {
    ...(kind !== 'topic' && { kind }),
    ...(textIn(row, DOMAIN) !== '' && { domain: domainIn(row, DOMAIN) }),
    direction,
    ...(kind === 'topic' && format !== 'json' && { format }),
  };
}

/** Shows the format where there is one, and marks a domain that is refused. */
export function checkCarriage(row: JQuery, node: EditorNode, hasFormat: boolean): void {
  row.find('.mqttros-route-format').toggle(hasFormat);
  const { domain } = carriageIn(row);
  showFault(row.find(DOMAIN), domain === undefined ? undefined : domainFault(node, domain));
}
