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
  | { value: string; label: string; hasValue: boolean };

/** The fields `<name>` and `<name>Type` of a form. */
export type TypedFields<K extends string> = Record<K | `${K}Type`, string>;

/** Makes the input `#node-input-<name>` a typed one. A node of before the field has none, which is a blank text. */
export function openTypedField(name: string, kinds: readonly TypedKind[]): void {
  const type = $(`#node-input-${name}Type`);
  if (!type.val()) type.val('str');
  $(`#node-input-${name}`).typedInput({ default: 'str', types: [...kinds], typeField: type });
}
