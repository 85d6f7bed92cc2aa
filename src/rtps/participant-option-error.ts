/** A participant's option, or what is to be an endpoint of it, cannot be used. */
export class ParticipantOptionError extends Error {
  override name = 'ParticipantOptionError';
}
