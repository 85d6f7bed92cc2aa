import type { EditorNode, OwnKind, Validator } from './editor-api';
import { presentValue, refusedBy } from './form-fault';

/** A kind of value of Node-RED's typed input, or one of our own. */
export type TypedKind =
  | 'str'
  | 'num'
  | 'bool'
  | 'json'
  | 'bin'
  | 'msg'
  | 'flow'
  | 'global'
  | 'env'
  | 'jsonata'
  | OwnKind;

/** The fields `<name>` and `<name>Type` of a form. */
export type TypedFields<K extends string> = Record<K | `${K}Type`, string>;

/** Why a value that stands in the form itself is refused, or `undefined`. */
export type ValueFault = (node: EditorNode, value: string) => string | undefined;

const ICONS = { str: 'red/images/typedInput/az.svg', num: 'red/images/typedInput/09.svg' };

/**
 * Makes the input `#node-input-<name>` a typed one. A node of before the field, or of before its present kinds, has
 * the first of them.
 */
export function openTypedField(name: string, kinds: readonly [TypedKind, ...TypedKind[]]): JQuery {
  const type = $(`#node-input-${name}Type`);
  const [first, ...others] = kinds.map((kind) => (typeof kind === 'string' ? kind : kind.value));
  if (!others.includes(String(type.val()))) type.val(String(first));
  return $(`#node-input-${name}`).typedInput({ types: [...kinds], typeField: type });
}

/** A text or number that is checked while it is typed; blank is right, as the message then says it. */
export function checkedKind(kind: 'str' | 'num', node: EditorNode, faultOf: ValueFault): OwnKind {
  return {
    value: kind,
    label: RED._(`typedInput.type.${kind}`),
    icon: ICONS[kind],
    validate: (value) => (value === '' ? true : (faultOf(node, value) ?? true)),
  };
}

/** A text that is one of several. */
export function chosenKind(label: string, options: { value: string; label: string }[]): OwnKind {
  return { value: 'str', label, icon: 'fa fa-list-ul', options };
}

/** Checks a typed field of a saved node as its form does, and names the field in what it says. */
export function typedFault<K extends string, N extends EditorNode & TypedFields<K>>(
  name: K,
  faultOf?: ValueFault,
): Validator<N> {
  const validate = RED.validators.typedInput(`${name}Type`);
  return refusedBy<N>((node, value) => {
    const text = String(value ?? '');
    if (text === '') return undefined;
    const type = presentValue(node, `${name}Type`, 'node-input') || 'str';
    const isValue = type === 'str' || type === 'num';
    const fault =
      isValue && faultOf !== undefined ? (faultOf(node, text) ?? true) : validate.call(node, text, {});
    return fault === true ? undefined : `${node._(`${node.type}.label.${name}`)}: ${fault}`;
  });
}
