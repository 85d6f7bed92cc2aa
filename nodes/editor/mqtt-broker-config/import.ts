import { type CoreBroker, fromCoreBroker } from '../../mqtt-broker-config-import';
import type { EditorNode } from '../editor-api';
import { type ConnectionFields, showConnectionLists } from './connection';
import { input } from './fields';
import { type MessagesFields, showProperties } from './messages';

type CoreNode = EditorNode & CoreBroker & { credentials?: { user?: string } };

/** Offers to take the settings of one of Node-RED's own broker configurations over, where the workspace has any. */
export function prepareImport(node: EditorNode): void {
  const cores: CoreNode[] = [];
  RED.nodes.eachConfig((config) => {
    if (config.type === 'mqtt-broker') cores.push(config as CoreNode);
    return undefined;
  });
  $('.mqttros-broker-import').toggle(cores.length > 0);
  $('#mqttros-broker-imported').hide();
  const select = $('#mqttros-broker-core');
  for (const { id, name, broker } of cores) {
    $('<option>')
      .val(id)
      .text(name || broker || id)
      .appendTo(select);
  }
  $('#mqttros-broker-import').on('click', () => {
    const core = cores.find(({ id }) => id === select.val());
    if (core) takeOver(node, core);
  });
}

function takeOver(node: EditorNode, core: CoreNode): void {
  const taken = fromCoreBroker(core);
  for (const [field, value] of Object.entries(taken)) {
    if (typeof value === 'boolean') input(field).prop('checked', value).trigger('change');
    else if (typeof value !== 'object')
      input(field)
        .val(value ?? '')
        .trigger('change');
  }
  showConnectionLists(taken as Partial<ConnectionFields>);
  showProperties(taken as Partial<MessagesFields>);
  input('passwordSource').val('typed').trigger('change');
  input('password').val('');
  $('#mqttros-broker-imported').show();
  takeUserName(node, core);
}

/** The editor knows the user name of a core configuration only once its form has been open; the runtime tells it. */
function takeUserName(node: EditorNode, core: CoreNode): void {
  const show = (user = '') => input('username').val(user).trigger('change');
  show(core.credentials?.user);
  if (core.credentials !== undefined) return;
  $.getJSON(`credentials/mqtt-broker/${encodeURIComponent(core.id)}`, ({ user }: { user?: string }) => {
    const open = RED.editor.getEditStack().some(({ id }) => id === node.id);
    if (open) show(user);
  });
}
