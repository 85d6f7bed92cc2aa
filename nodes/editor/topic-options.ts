import { deadbandFault } from '../../src/ros/deadband';
import { RATE_POLICIES, rateLimitFault } from '../../src/ros/rate-limit';
import { routeQosFault } from '../../src/ros/route-qos';
import { TOPIC_OPTIONS, type TopicOptionRow, topicOptionsOf } from '../topic-options';
import { showFault } from './form-fault';
import { addSelect, textIn } from './list-row';

type Option = (typeof TOPIC_OPTIONS)[number];

/** What there is to choose; the blank one leaves it to the other side, or is the first of the rest. */
const CHOICES: Partial<Record<Option, readonly string[]>> = {
  reliability: ['', 'reliable', 'best-effort'],
  durability: ['', 'volatile', 'transient-local'],
  mqttQos: ['', '0', '1', '2'],
  retain: ['', 'yes', 'no'],
  ratePolicy: RATE_POLICIES,
};

/** The lines of the fold-out. */
const LINES: readonly (readonly Option[])[] = [
  ['reliability', 'durability', 'depth', 'deadline', 'lifespan'],
  ['mqttQos', 'retain', 'rate', 'ratePolicy'],
  ['deadbandPath', 'deadbandThreshold', 'maxSilence'],
];

/** Why the options of a topic's route are refused. */
export function topicOptionsFault(row: TopicOptionRow): string | undefined {
  const { qos, rate, deadband } = topicOptionsOf(row);
  return (
    (qos && routeQosFault(qos)) ?? (rate && rateLimitFault(rate)) ?? (deadband && deadbandFault(deadband))
  );
}

/** Adds the options to a row of the list of routes, folded in, and to a line of it the button that unfolds them. */
export function addTopicOptions(
  row: JQuery,
  line: JQuery,
  options: TopicOptionRow,
  text: (key: string) => string,
): void {
  const foldOut = $('<div class="mqttros-route-options">').appendTo(row).hide();
  for (const names of LINES) {
    const fields = $('<div class="mqttros-route-line">').appendTo(foldOut);
    for (const name of names) addOption(fields, name, options, text);
  }
  const button = $('<button type="button" class="red-ui-button red-ui-button-small mqttros-route-more">')
    .attr({ 'aria-label': text('label.options'), 'aria-expanded': 'false', title: text('label.options') })
    .append($('<i class="fa fa-sliders">'))
    .appendTo(line);
  button.on('click', () => {
    foldOut.toggle();
    button.attr('aria-expanded', String(foldOut.is(':visible')));
  });
}

function addOption(line: JQuery, name: Option, options: TopicOptionRow, text: (key: string) => string): void {
  const label = $(`<label class="mqttros-option mqttros-option-${name}">`).appendTo(line);
  $('<span>')
    .text(text(`option.${name}`))
    .appendTo(label);
  const className = `mqttros-route-${name}`;
  const choices = CHOICES[name];
  const input =
    choices === undefined
      ? $(`<input type="text" class="${className}">`)
          .attr('placeholder', text(`optionPlaceholder.${name}`))
          .appendTo(label)
      : addSelect(label, className, text(`option.${name}`), choices, (choice) =>
          text(`choice.${choice === '' ? 'auto' : choice}`),
        );
  input.val(String(options[name] ?? choices?.[0] ?? ''));
}

/** The options that are not left to the other side. */
export function topicOptionsIn(row: JQuery): TopicOptionRow {
  const chosen: Partial<Record<Option, string>> = {};
  for (const name of TOPIC_OPTIONS) {
    const value = textIn(row, `.mqttros-route-${name}`);
    if (value !== '' && value !== CHOICES[name]?.[0]) chosen[name] = value;
  }
  return chosen as TopicOptionRow;
}

/** Marks the options that are refused, and the button of a row that has any. */
export function checkTopicOptions(row: JQuery, isTopic: boolean): void {
  const chosen = topicOptionsIn(row);
  for (const name of TOPIC_OPTIONS) {
    const fault = isTopic ? topicOptionsFault(aloneIn(chosen, name)) : undefined;
    showFault(row.find(`.mqttros-route-${name}`), fault);
  }
  const button = row.find('.mqttros-route-more');
  button.toggle(isTopic).toggleClass('primary', Object.keys(chosen).length > 0);
  if (!isTopic) row.find('.mqttros-route-options').hide();
}

/** One option with what it needs beside itself to be judged: of a deadband a path, and a threshold one. */
function aloneIn(chosen: TopicOptionRow, name: Option): TopicOptionRow {
  const needsPath = name === 'deadbandThreshold' || name === 'maxSilence';
  if (needsPath && chosen[name] !== undefined) return { deadbandPath: 'data', [name]: chosen[name] };
  const isMissing = name === 'deadbandPath' && (chosen.deadbandThreshold ?? chosen.maxSilence) !== undefined;
  return isMissing
    ? { deadbandPath: chosen.deadbandPath ?? '', deadbandThreshold: 0 }
    : { [name]: chosen[name] };
}
