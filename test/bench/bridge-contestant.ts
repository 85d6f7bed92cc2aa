import { foxgloveObjects } from './foxglove-codec';

/** A bridge that the bench measures. */
export interface BridgeContestant {
  /** Ours, the one in C, which passes CDR on, or the naive one in JavaScript. */
  readonly program: 'ours' | 'c' | 'naive';
  readonly format: 'json' | 'cdr';
  /** Whether the broker is the embedded one, joined by its in-process port; mosquitto otherwise. */
  readonly embedded: boolean;
  readonly name: string;
}

/** Ours through mosquitto, with its payloads in JSON or CDR. */
export const OURS: readonly BridgeContestant[] = [
  { program: 'ours', format: 'json', embedded: false, name: 'ours, JSON' },
  { program: 'ours', format: 'cdr', embedded: false, name: 'ours, CDR' },
];
/** The same through the embedded broker. */
export const EMBEDDED: readonly BridgeContestant[] = OURS.map((ours) => ({ ...ours, embedded: true }));
export const IN_C: BridgeContestant = { program: 'c', format: 'cdr', embedded: false, name: 'C, CDR' };
const NAIVE: BridgeContestant = {
  program: 'naive',
  format: 'json',
  embedded: false,
  name: 'naive JavaScript, JSON',
};

/** The naive bridge, where what it needs is installed. */
export function naiveBridges(): readonly BridgeContestant[] {
  return foxgloveObjects('std_msgs/msg/String') === undefined ? [] : [NAIVE];
}
