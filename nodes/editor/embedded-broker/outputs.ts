import { type OutputFields, outputsOf } from '../../embedded-outputs';
import type { EditorNode } from '../editor-api';
import { presentValue } from '../form-fault';

/** Tells Node-RED which outputs the form chooses, so that each wire stays with what it carried. To be called on save. */
export function saveOutputs(node: EditorNode & OutputFields): void {
  const before = outputsOf(node);
  const now = outputsOf({
    decide: presentValue(node, 'decide', 'node-input') === true,
    watch: String(presentValue(node, 'watch', 'node-input') ?? ''),
  });
  // Node-RED's form of a change: the new place of each old output, -1 for none; anything but a number is a new output.
  const places = before.map((output, index) => [index, now.indexOf(output)]);
  const added = now
    .filter((output) => !before.includes(output))
    .map((output) => [output, now.indexOf(output)]);
  $('#node-input-outputs').val(JSON.stringify(Object.fromEntries([...places, ...added])));
}
