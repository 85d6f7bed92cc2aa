import { parseInterfaces } from '../src/ros/interface-text';
import type { TypeTableRow } from '../src/ros/type-table';
import { RosTopicMapping } from '../src/topic/ros-topic';
import type { DomainId } from './editor/domain-id';
import { aliasesOf, type Domain, DomainList, domainsFault, withDomainsOf } from './editor/domain-list';
import type { EditorNode } from './editor/editor-api';
import { brokerFault, isWholeNumber, refusedBy, showFault } from './editor/form-fault';
import { type NamespaceEntry, NamespaceList, namespacesFault, namespacesIn } from './editor/namespace-list';
import { type Pattern, PatternList, patternsFault } from './editor/pattern-list';
import { type Route, RouteList, routesFault, timeoutFault } from './editor/route-list';
import { TypeTableList, typesFault } from './editor/type-table-list';

interface Fields {
  name: string;
  broker: string;
  prefix: string;
  discoveryRange: 'localhost' | 'subnet' | 'off' | 'environment';
  backend: 'auto' | 'rtps' | 'rclnodejs';
  setupFile: string;
  interfaces: string;
  peers: string;
  advertisedAddress: string;
  maxMessageSize: number;
  domains: Domain[];
  routes: Route[];
  definitions: string;
  patterns?: Pattern[];
  typeTable?: TypeTableRow[];
  namespaces?: NamespaceEntry[];
  maxPatternRoutes?: string;
  idleTimeout?: string;
  meta?: boolean;
  graph?: boolean;
  bothWaysOverMqtt311?: boolean;
}

const BOTH_WAYS = '#mqttros-bridge-bothWaysOverMqtt311';
const isIPv4 = (text: string) =>
  /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every((part) => isWholeNumber(part, 0, 255));

function isPeer(text: string): boolean {
  const [address, port, ...more] = text.split(':');
  return (
    more.length === 0 &&
    isIPv4(address ?? '') &&
    (port === undefined || (isWholeNumber(port, 1, 65535) && port !== ''))
  );
}

/** The first entry of a comma-separated list that is not of the wanted form. */
function wrongEntry(list: unknown, isRight: (entry: string) => boolean): string | undefined {
  // A flow of before the field has none.
  const entries = String(list ?? '')
    .split(',')
    .map((entry) => entry.trim());
  return entries.length === 1 && entries[0] === '' ? undefined : entries.find((entry) => !isRight(entry));
}

/** The mapping of a form, or nothing while what it is made of has a fault. */
function mappingOf(
  prefix: string,
  domains: readonly Domain[],
  entries: readonly NamespaceEntry[],
): RosTopicMapping | undefined {
  try {
    const namespaces = namespacesIn(entries, domains);
    return new RosTopicMapping({ prefix, aliases: aliasesOf(domains), namespaces });
  } catch {
    return undefined;
  }
}

function prefixFault(prefix: string): string | undefined {
  try {
    new RosTopicMapping({ prefix });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function addressFault(
  node: EditorNode,
  list: unknown,
  isRight: (entry: string) => boolean,
): string | undefined {
  const entry = wrongEntry(list, isRight);
  return entry === undefined ? undefined : node._('ros-bridge.fault.address', { entry });
}

function setupFileFault(node: EditorNode, path: unknown): string | undefined {
  const given = String(path ?? '').trim();
  return given === '' || given.startsWith('/') ? undefined : node._('ros-bridge.fault.setupFile');
}

function definitionsFault(node: EditorNode, text: unknown): string | undefined {
  try {
    parseInterfaces(String(text ?? ''), node._('ros-bridge.tab.types'));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The bounds of what patterns open, and why one is refused; blank is the default. */
const PATTERN_BOUNDS = {
  maxPatternRoutes: (node: EditorNode, value: unknown) =>
    isWholeNumber(value || 1, 1, 10_000) ? undefined : node._('ros-bridge.fault.maxPatternRoutes'),
  idleTimeout: (node: EditorNode, value: unknown) => timeoutFault(node, String(value ?? '')),
};
const PATTERN_BOUND_NAMES = ['maxPatternRoutes', 'idleTimeout'] as const;

// One form is open at a time: the lists of the open one.
let routeList: RouteList | undefined;
let domainList: DomainList;
let namespaceList: NamespaceList | undefined;
let patternList: PatternList;
let typeTableList: TypeTableList;

RED.nodes.registerType<Fields>('ros-bridge', {
  category: 'MQTT ROS',
  color: '#9FC0E6',
  defaults: {
    name: { value: '' },
    broker: {
      value: '',
      type: 'mqtt-broker-config',
      validate: refusedBy((node, value) =>
        value === '' || value === '_ADD_' ? undefined : brokerFault(node, value, 'ros-bridge.fault'),
      ),
    },
    prefix: { value: 'ros', validate: refusedBy((_node, value) => prefixFault(String(value))) },
    backend: { value: 'auto' },
    setupFile: { value: '', validate: refusedBy((node, value) => setupFileFault(node, value)) },
    discoveryRange: { value: 'localhost' },
    interfaces: {
      value: '',
      validate: refusedBy((node, value) => addressFault(node, value, isIPv4)),
    },
    peers: { value: '', validate: refusedBy((node, value) => addressFault(node, value, isPeer)) },
    advertisedAddress: {
      value: '',
      validate: refusedBy((node, value) => addressFault(node, value, isIPv4)),
    },
    maxMessageSize: {
      value: 64,
      validate: refusedBy((node, value) =>
        value === undefined || isWholeNumber(value, 1, 128)
          ? undefined
          : node._('ros-bridge.fault.maxMessageSize'),
      ),
    },
    domains: {
      value: [{ id: 0, alias: '' }],
      validate: refusedBy((node, value) => domainsFault(node, value as Domain[])),
    },
    routes: {
      value: [{ domain: 0, rosName: '/chatter', type: 'std_msgs/msg/String', direction: 'both' }],
      validate: refusedBy((node, value) =>
        routesFault(
          node,
          value as Route[],
          node.domains,
          node.patterns ?? [],
          mappingOf(node.prefix, node.domains, node.namespaces ?? []),
        ),
      ),
    },
    // Flows of before these fields have none.
    meta: { value: true },
    graph: { value: true },
    bothWaysOverMqtt311: { value: false },
    patterns: {
      value: [],
      validate: refusedBy((node, value) => patternsFault(node, (value ?? []) as Pattern[], node.domains)),
    },
    maxPatternRoutes: {
      value: '',
      validate: refusedBy((node, value) => PATTERN_BOUNDS.maxPatternRoutes(node, value)),
    },
    idleTimeout: {
      value: '',
      validate: refusedBy((node, value) => PATTERN_BOUNDS.idleTimeout(node, value)),
    },
    typeTable: {
      value: [],
      validate: refusedBy((node, value) => typesFault(node, (value ?? []) as TypeTableRow[])),
    },
    namespaces: {
      value: [],
      validate: refusedBy((node, value) =>
        namespacesFault(node, (value ?? []) as NamespaceEntry[], node.domains),
      ),
    },
    definitions: { value: '', validate: refusedBy((node, value) => definitionsFault(node, value)) },
  },
  inputs: 1,
  outputs: 2,
  icon: 'ros-bridge.svg',
  label() {
    return this.name || 'ros-bridge';
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  inputLabels() {
    return this._('ros-bridge.label.input');
  },
  outputLabels(index: number) {
    return this._(`ros-bridge.label.${index === 0 ? 'output' : 'events'}`);
  },
  oneditprepare() {
    // A flow of before the field has none.
    if (this.maxMessageSize === undefined) $('#node-input-maxMessageSize').val(64);
    for (const field of ['meta', 'graph'] as const) {
      if (this[field] === undefined) $(`#node-input-${field}`).prop('checked', true);
    }
    $(BOTH_WAYS).prop('checked', this.bothWaysOverMqtt311 === true);
    const pages = $('.mqttros-bridge-pages').children();
    const tabs = RED.tabs.create({
      element: $('.mqttros-bridge-tabs'),
      onchange: ({ id }) => pages.hide().filter(`#${id}`).show(),
    });
    for (const page of ['routes', 'patterns', 'discovery', 'types']) {
      tabs.addTab({ id: `mqttros-bridge-${page}`, label: this._(`ros-bridge.tab.${page}`) });
    }

    const backend = $('#node-input-backend');
    // A node of before the field was there has no value for it.
    if (!this.backend) backend.val('auto');
    if (!this.discoveryRange) $('#node-input-discoveryRange').val('localhost');
    const setupFile = $('#node-input-setupFile').closest('.form-row');
    backend.on('change', () => setupFile.toggle(backend.val() !== 'rtps')).trigger('change');

    const prefix = $('#node-input-prefix');
    const topicOf = (named: DomainId | undefined, rosName: string) => {
      const domains = domainList.domains();
      // Of a route of each domain the topic in the first stands for all.
      const domain = named ?? domains[0]?.id;
      // Only the runtime knows its environment.
      if (typeof domain !== 'number') return undefined;
      try {
        const mapping = mappingOf(String(prefix.val()), domains, namespaceList?.namespaces() ?? []);
        return mapping?.toMqtt(domain, rosName);
      } catch {
        return undefined;
      }
    };
    const refresh = () => routeList?.refresh();
    routeList = undefined;
    namespaceList = undefined;
    domainList = new DomainList($('#mqttros-bridge-domain-list'), this, refresh);
    domainList.open(this.domains);
    const domains = () => domainList.domains();
    const namespaces = new NamespaceList($('#mqttros-bridge-namespace-list'), this, domains, refresh);
    namespaces.open(this.namespaces ?? []);
    namespaceList = namespaces;
    routeList = new RouteList($('#mqttros-bridge-route-list'), this, topicOf, domains);
    routeList.open(this.routes);
    patternList = new PatternList($('#mqttros-bridge-pattern-list'), this);
    patternList.open(this.patterns ?? []);
    for (const name of PATTERN_BOUND_NAMES) {
      const input = $(`#mqttros-bridge-${name}`).val(this[name] ?? '');
      input.on('change keyup paste', () => showFault(input, PATTERN_BOUNDS[name](this, input.val())));
    }
    typeTableList = new TypeTableList($('#mqttros-bridge-type-list'), this);
    typeTableList.open(this.typeTable ?? []);
    prefix.on('change keyup paste', refresh);
  },
  oneditsave() {
    if (!routeList) return;
    this.routes = routeList.routes();
    this.domains = withDomainsOf(this.routes, domainList.domains());
    const namespaces = namespaceList?.namespaces() ?? [];
    if (namespaces.length > 0 || this.namespaces !== undefined) this.namespaces = namespaces;
    const patterns = patternList.patterns();
    if (patterns.length > 0 || this.patterns !== undefined) this.patterns = patterns;
    for (const name of PATTERN_BOUND_NAMES) {
      const bound = String($(`#mqttros-bridge-${name}`).val()).trim();
      if (bound !== '' || this[name] !== undefined) this[name] = bound;
    }
    // A flow of before the field stays as it is.
    const bothWays = $(BOTH_WAYS).prop('checked') === true;
    if (bothWays || this.bothWaysOverMqtt311 !== undefined) this.bothWaysOverMqtt311 = bothWays;
    const table = typeTableList.table();
    if (table.length > 0 || this.typeTable !== undefined) this.typeTable = table;
  },
  oneditresize({ height }) {
    const above = $('.mqttros-bridge-above').toArray();
    const taken = above.reduce((sum, row) => sum + ($(row).outerHeight(true) ?? 0), 0);
    routeList?.resize(Math.max(160, height - taken - 60));
  },
});
