import { type ParameterList, ParameterListWriter, Pid } from './parameter-list';

/** What an annotation takes at most: it travels with each fragment of its sample. */
const MAX_ANNOTATION_BYTES = 512;

/**
 * Inline QoS with octets that the writer adds to a sample, in a parameter of our own, which the readers of other
 * vendors skip (RTPS 9.6.2.2.1). Another vendor may use the same number for something else, so the octets should begin
 * with a mark by which their reader knows them, and say where they end: zeros may follow.
 *
 * @throws RangeError when there are more than `MAX_ANNOTATION_BYTES`
 */
export function encodeAnnotation(octets: Buffer): Buffer {
  if (octets.length > MAX_ANNOTATION_BYTES)
    throw new RangeError(`annotation: expected at most ${MAX_ANNOTATION_BYTES} bytes, got ${octets.length}`);
  return new ParameterListWriter().bytes(Pid.annotation, octets).toInlineQos();
}

/** A copy of what a writer added; nothing where that is too long. */
export function annotationIn(inlineQos: ParameterList): Buffer | undefined {
  const octets = inlineQos.bytes(Pid.annotation, 0);
  return octets === undefined || octets.length > MAX_ANNOTATION_BYTES ? undefined : Buffer.from(octets);
}
