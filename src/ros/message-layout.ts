import type { InterfaceLibrary } from './interface-library';
import {
  type MessageDefinition,
  type MessageField,
  messageDefinitionFault,
  PRIMITIVE_SIZES,
} from './message-definition';
import { interfaceTypeFault, isMessageType } from './names';

/** Deepest nesting of messages in messages; ROS's own types stay below 10. */
const MAX_DEPTH = 64;
/** Most bytes that a message with nothing in its sequences may have: guards against fixed arrays of fixed arrays. */
const MAX_FIXED_BYTES = 4 * 1024 * 1024;

/** A type of whose definition, or of one that it contains, nothing is known or usable. */
export class UnknownTypeError extends Error {
  override readonly name = 'UnknownTypeError';
}

/** A message and the messages that it contains, ready to generate code from. */
export interface MessageLayout {
  /** Each type once, before the types that contain it; the message itself is the last. */
  definitions: MessageDefinition[];
  /** Fewest bytes of CDR that a value of a type takes, without alignment. At least 1. */
  leastBytes(type: string): number;
}

/** Looks up all that a type contains. Throws UnknownTypeError, which names the type and the field. */
export function layOut(library: InterfaceLibrary, root: string): MessageLayout {
  const definitions: MessageDefinition[] = [];
  const sizes = new Map<string, number>([...Object.entries(PRIMITIVE_SIZES), ['string', 5], ['wstring', 4]]);
  const open: string[] = [];

  const visit = (type: string, usedBy: string): number => {
    const known = sizes.get(type);
    if (known !== undefined) return known;
    if (open.includes(type)) throw new UnknownTypeError(`type ${type} contains itself`);
    if (open.length >= MAX_DEPTH)
      throw new UnknownTypeError(`type ${root} nests more than ${MAX_DEPTH} messages`);
    const definition = library.get(type);
    if (definition === undefined) throw new UnknownTypeError(`no definition of type ${type}${usedBy}`);
    const fault = messageDefinitionFault(definition);
    if (fault !== undefined) throw new UnknownTypeError(fault);
    open.push(type);
    let size = 0;
    for (const field of definition.fields)
      size += leastOf(field, visit(field.type, ` (${type}, ${field.name})`));
    open.pop();
    if (size > MAX_FIXED_BYTES)
      throw new UnknownTypeError(`type ${type} has more than ${MAX_FIXED_BYTES} bytes`);
    // A message without fields is sent as one byte.
    size = Math.max(size, 1);
    sizes.set(type, size);
    definitions.push(definition);
    return size;
  };

  if (interfaceTypeFault(root) === undefined && !isMessageType(root)) {
    throw new UnknownTypeError(`type ${root} is a service or an action, not a message`);
  }
  visit(root, '');
  return { definitions, leastBytes: (type) => sizes.get(type) as number };
}

function leastOf({ array }: MessageField, element: number): number {
  if (array === undefined) return element;
  if (array.length === undefined) return PRIMITIVE_SIZES.uint32;
  return array.length * element;
}
