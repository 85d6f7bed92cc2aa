/** Text that is not the definition of an interface. The message starts with the file and line: `Pose.msg:3: …`. */
export class DefinitionError extends Error {
  override readonly name = 'DefinitionError';
}
