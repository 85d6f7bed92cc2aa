import { type UpstreamRow, upstreamRowsOf } from '../../upstream-rows';
import type { EditorNode } from '../editor-api';
import { brokerFault, presentValue, refusedBy } from '../form-fault';
import type { FieldDefinitions, FormPage } from '../form-page';
import { UpstreamRouteList, upstreamRoutesFault } from '../upstream-route-list';

/** The fields of the page "Upstream". */
export interface UpstreamFields {
  upstream: string;
  upstreamClientId: string;
  upstreamRoutes: UpstreamRow[];
}

const isChosen = (value: unknown): boolean => typeof value === 'string' && value !== '' && value !== '_ADD_';

function upstreamBrokerFault(node: EditorNode, value: unknown): string | undefined {
  if (!isChosen(value)) return undefined;
  const { target } = (RED.nodes.node(String(value)) ?? {}) as { target?: string };
  if (target === 'embedded') return node._('embedded-broker.fault.upstreamEmbedded');
  return brokerFault(node, value, 'embedded-broker.fault.upstreamBroker');
}

export const upstreamFields: FieldDefinitions<UpstreamFields> = {
  upstream: { value: '', type: 'mqtt-broker-config', validate: refusedBy(upstreamBrokerFault) },
  upstreamClientId: { value: '' },
  upstreamRoutes: {
    value: [],
    validate: refusedBy((node, value) =>
      isChosen(presentValue(node, 'upstream', 'node-input'))
        ? upstreamRoutesFault(node, upstreamRowsOf(value))
        : undefined,
    ),
  },
};

// One form is open at a time: the list of the open one.
let routeList: UpstreamRouteList | undefined;

export const upstreamPage: FormPage<UpstreamFields> = {
  prepare(node) {
    const upstream = $('#node-input-upstream');
    const show = () => $('.mqttros-embedded-joined').toggle(isChosen(upstream.val()));
    routeList = new UpstreamRouteList($('#mqttros-embedded-upstream-list'), node);
    routeList.open(upstreamRowsOf(node.upstreamRoutes));
    upstream.on('change', show);
    show();
  },
  save(node) {
    if (routeList) node.upstreamRoutes = routeList.rows();
  },
};
