import { createRequire } from 'node:module';
import type { NodeInitializer } from 'node-red';
import { brokerForm, type Credentials, type FlowNode, NODE_RED, place, pubForm, subForm } from './flow';

interface BrokerFields {
  protocolVersion?: '4' | '5';
  /** Of a session that outlives the connection. */
  clientId?: string;
  autoConnect?: boolean;
}

interface PublisherFields {
  topic?: string;
  qos?: string;
  /** JSON, as it is typed into the form. */
  userProperties?: string;
}

interface SubscriberFields {
  id?: string;
  /** Without one the node subscribes to what messages tell it. */
  filter?: string;
  wires?: string[][];
  /** The flow says when a message is acknowledged, where the node knows of that. */
  acknowledged?: boolean;
}

/** The MQTT nodes of one palette, for a scenario that is to run with either: `broker-1`, `pub-1` and `sub-1`. */
export interface MqttNodes {
  /** What `start()` does not load by itself. */
  readonly modules: NodeInitializer[];
  readonly connectedText: string;
  broker(url: string, fields?: BrokerFields): FlowNode;
  login(name: string, password: string): Credentials;
  publisher(fields: PublisherFields): FlowNode;
  subscriber(fields: SubscriberFields): FlowNode;
}

export const OUR_NODES: MqttNodes = {
  modules: [],
  connectedText: 'connected',
  broker: (url, { clientId, ...fields } = {}) =>
    brokerForm({
      url,
      ...fields,
      reconnectFirst: '20',
      ...(clientId !== undefined && { clientId, cleanStart: false, sessionExpiry: '60' }),
    }),
  login: (username, password) => ({ 'broker-1': { username, password } }),
  publisher: ({ userProperties, ...fields }) =>
    pubForm({
      ...fields,
      ...(userProperties !== undefined && { userProperties, userPropertiesType: 'json' }),
    }),
  subscriber: ({ filter, acknowledged, ...fields }) =>
    subForm({
      ...fields,
      ...(filter === undefined
        ? { topicFilter: '', actions: true, inputs: 1 }
        : {
            topicFilter: filter,
            ...(acknowledged && { delivery: 'acknowledged', maxWaiting: '2', inputs: 1 }),
          }),
    }),
};

const requireOfNodeRed = createRequire(NODE_RED);
const coreNodes: NodeInitializer = requireOfNodeRed('@node-red/nodes/core/network/10-mqtt.js');
const { version } = requireOfNodeRed('../package.json') as { version: string };

/** The Node-RED under test. */
export const NODE_RED_VERSION = version;

/** Those of the Node-RED under test, with the values that their forms give them. */
export const CORE_NODES: MqttNodes = {
  modules: [coreNodes],
  connectedText: 'node-red:common.status.connected',
  broker: (url, { protocolVersion = '5', clientId, autoConnect = true } = {}) => ({
    id: 'broker-1',
    type: 'mqtt-broker',
    name: '',
    broker: url,
    port: 1883,
    clientid: clientId ?? '',
    autoConnect,
    usetls: false,
    protocolVersion,
    keepalive: 60,
    cleansession: clientId === undefined,
    autoUnsubscribe: true,
    birthTopic: '',
    closeTopic: '',
    willTopic: '',
    userProps: '',
    sessionExpiry: clientId === undefined ? '' : '60',
  }),
  login: (user, password) => ({ 'broker-1': { user, password } }),
  publisher: ({ topic = '', qos = '', userProperties = '' }) => ({
    id: 'pub-1',
    type: 'mqtt out',
    ...place,
    topic,
    qos,
    retain: '',
    respTopic: '',
    contentType: '',
    userProps: userProperties,
    correl: '',
    expiry: '',
    broker: 'broker-1',
    wires: [],
  }),
  subscriber: ({ id = 'sub-1', filter, wires = [['out-1']] }) => ({
    id,
    type: 'mqtt in',
    ...place,
    topic: filter ?? '',
    qos: '1',
    datatype: 'auto-detect',
    broker: 'broker-1',
    nl: false,
    rap: true,
    rh: 0,
    inputs: filter === undefined ? 1 : 0,
    wires,
  }),
};
