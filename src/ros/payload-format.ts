/**
 * How a route's messages are written in MQTT, and in the flow: `json` (there a value), `cdr` (as ROS 2 carries them, with
 * the 4-byte encapsulation header) or `text` (the value of the only field of a type such as `std_msgs/msg/String`).
 */
export type PayloadFormat = 'json' | 'cdr' | 'text';

export const PAYLOAD_FORMATS: readonly PayloadFormat[] = ['json', 'cdr', 'text'];

/** What MQTT 5 is told of a payload (MQTT 5.0, 3.3.2.3.2 and 3.3.2.3.9). */
export interface PayloadFacts {
  readonly contentType: string;
  /** Absent for what is no UTF-8 text. */
  readonly payloadFormatIndicator?: true;
}

export const PAYLOAD_FACTS: Readonly<Record<PayloadFormat, PayloadFacts>> = {
  json: { contentType: 'application/json', payloadFormatIndicator: true },
  cdr: { contentType: 'application/cdr' },
  text: { contentType: 'text/plain', payloadFormatIndicator: true },
};

/** The format that a Content Type names, whatever its parameters; `undefined` for another. */
export function formatOfContentType(contentType: string): PayloadFormat | undefined {
  const [mediaType = ''] = contentType.split(';');
  const wanted = mediaType.trim().toLowerCase();
  if (/^[^/]+\/[^/]+\+json$/.test(wanted)) return 'json';
  return PAYLOAD_FORMATS.find((format) => PAYLOAD_FACTS[format].contentType === wanted);
}
