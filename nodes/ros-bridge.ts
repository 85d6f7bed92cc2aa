import { createHash } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import type { Node, NodeAPI, NodeMessage, NodeStatus } from 'node-red';
import type { BrokerAddress } from '../src/gateway/gateway';
import type { BridgeHandle, BridgeState } from '../src/ros/bridge-handle';
import type { BridgeSettings } from '../src/ros/bridge-settings';
import { RosThread } from '../src/ros/ros-thread';
import type { BridgeStatus, FlowFacts, RouteStatus } from '../src/ros/ros-worker-messages';
import { endMessage } from './message-end';
import type { BrokerConfigNode } from './mqtt-broker-config';
import { type NodeText, nodeText } from './node-text';
import { bridgeActionOf } from './ros-bridge-actions';
import { type BridgeForm, bridgeSettings } from './ros-bridge-settings';

export interface RosBridgeNode extends Node {
  /** Absent where the form cannot be used. */
  bridge?: BridgeHandle;
  /** Its broker; absent where it is for the flow alone. */
  at?: BrokerAddress | undefined;
}

/** As much text as is of use below a node, in characters. */
const MAX_STATUS_LENGTH = 100;

export default function (RED: NodeAPI): void {
  function RosBridge(this: RosBridgeNode, fields: BridgeForm) {
    RED.nodes.createNode(this, fields);
    const text = nodeText(RED, 'ros-bridge');
    let shown = '';
    const show = (status: NodeStatus): void => {
      const line = JSON.stringify(status);
      if (line !== shown) this.status(status);
      shown = line;
    };
    let refused: Error | undefined;
    const refuse = (error: Error): void => {
      refused = error;
      show({ fill: 'red', shape: 'ring', text: shortened(error.message) });
      this.error(error.message, {});
    };
    let bridge: BridgeHandle | undefined;
    let defaultDomain = 0;
    this.on('input', (msg, send, done) => {
      if (refused !== undefined || bridge === undefined) return done(refused);
      const answerWith = (handling: Promise<unknown>) => {
        const answered = handling.then((payload) =>
          payload === undefined ? undefined : Object.assign(msg, { payload }),
        );
        endMessage(this, { send, done }, answered);
      };
      const action = bridgeActionOf(msg);
      if (action !== undefined) return answerWith(action(bridge, msg.payload, { text, defaultDomain }));
      if (typeof msg.topic !== 'string') {
        return done(new Error(text('errors.topic', { value: String(JSON.stringify(msg.topic)) })));
      }
      if (!isTypeOrNone(msg)) {
        return done(new Error(text('errors.rosType', { value: String(JSON.stringify(msg.rosType)) })));
      }
      answerWith(bridge.publish(msg.topic, msg.payload, factsOf(msg)));
    });

    try {
      const broker = brokerOf(RED, fields, text);
      this.at = broker?.shownSettings();
      const settings = bridgeSettings(fields, bridgeId(RED, this), broker, text);
      defaultDomain = settings.domains[0] ?? 0;
      bridge = RosThread.shared().createBridge(settings, {
        flowOutput: isWired(fields.wires),
        // Looked up at each attempt: a deploy may replace the broker under a bridge that stays.
        brokerPort: (port) => broker?.embeddedBroker().acceptPort(port),
        password: () => presentPassword(broker),
      });
      bridge.on('status', (state) => show(nodeStatus(state, settings, broker, text)));
    } catch (error) {
      return refuse(error as Error);
    }
    const opened = bridge;
    this.bridge = opened;
    opened.on('message', (message) => this.send({ ...message }));
    opened.on('event', ({ event, ...facts }) => this.send([null, { topic: event, payload: facts }]));
    opened.on('problem', ({ message }) => this.error(message, {}));
    opened.on('warning', (warning) => this.warn(warning));
    let closing = false;
    // A bridge that is closed while it opens has nothing more to say.
    opened.open().catch((error: Error) => !closing && refuse(error));
    this.on('close', (done: () => void) => {
      closing = true;
      opened.removeAllListeners();
      void opened.close().then(done);
    });
    // A deploy that changes nothing but wires keeps the node.
    const updateWires = this.updateWires.bind(this);
    this.updateWires = (wires) => {
      updateWires(wires);
      opened.flowOutput = isWired(wires);
    };
  }

  RED.nodes.registerType('ros-bridge', RosBridge);
}

/** What the message says of itself, as those from ROS do. */
function factsOf(msg: NodeMessage & { [Fact in keyof FlowFacts]?: unknown }): FlowFacts {
  const { rosRequest, rosType, rosName } = msg;
  return {
    rosRequest: typeof rosRequest === 'number' ? rosRequest : undefined,
    rosType: typeof rosType === 'string' ? rosType : undefined,
    rosName: typeof rosName === 'string' ? rosName : undefined,
  };
}

function isTypeOrNone({ rosType = '' }: NodeMessage & { rosType?: unknown }): boolean {
  return typeof rosType === 'string';
}

/** The chosen broker's configuration; none when the bridge is for the flow alone. */
function brokerOf(RED: NodeAPI, fields: BridgeForm, text: NodeText): BrokerConfigNode | undefined {
  if (!fields.broker) return undefined;
  const broker = RED.nodes.getNode(fields.broker) as BrokerConfigNode | null;
  if (broker?.type !== 'mqtt-broker-config') throw new Error(text('errors.broker'));
  return broker;
}

/** The password or token that the environment or a message says now. Throws where there is none. */
function presentPassword(broker: BrokerConfigNode | undefined): string {
  const password = broker?.plainSettings('').password;
  if (typeof password !== 'function') throw new Error('the password is not asked for');
  return password();
}

/** Of this node in this Node-RED: the same flow may run on many robots that share a broker. */
function bridgeId(RED: NodeAPI, node: Node): string {
  const settings = RED.settings as unknown as { available(): boolean; get(name: string): unknown };
  const instance = settings.available() ? String(settings.get('instanceId')) : '';
  return `${node.id}-${createHash('sha256').update(instance).digest('hex').slice(0, 8)}`;
}

function isWired(wires: readonly (readonly string[])[]): boolean {
  return (wires[0]?.length ?? 0) > 0;
}

function nodeStatus(
  state: BridgeState,
  { range, interfaces }: Pick<BridgeSettings, 'range' | 'interfaces'>,
  broker: BrokerConfigNode | undefined,
  text: NodeText,
): NodeStatus {
  switch (state.state) {
    case 'opening':
      return { fill: 'yellow', shape: 'ring', text: text('status.opening') };
    case 'restarting':
      return {
        fill: 'red',
        shape: 'ring',
        text: shortened(text('status.restarting', { reason: state.reason })),
      };
    case 'closed':
      return {};
  }
  const { mqtt, domains, routes, patterns } = state;
  if (mqtt !== undefined && mqtt.state !== 'connected' && broker !== undefined) return broker.describe(mqtt);
  const where = (words: string, domain: number) =>
    domains.length === 1 ? words : `${text('status.inDomain', { domains: domain })}, ${words}`;
  const problem = firstProblem(state, where);
  if (problem !== undefined) return { fill: 'red', shape: 'dot', text: shortened(problem) };
  // What MQTT says before the broker has granted it does not come.
  if ([patterns, ...routes].some((part) => part?.subscribed === false)) {
    return { fill: 'yellow', shape: 'ring', text: text('status.subscribing') };
  }
  if (isAlone(state)) {
    const address = state.backend === 'rtps' ? missingAddress(interfaces) : undefined;
    if (address !== undefined) {
      return { fill: 'yellow', shape: 'ring', text: text('status.noInterface', { address }) };
    }
    const list = domains.map(({ domain }) => domain).join(', ');
    const searched = text(domains.length === 1 ? 'status.inDomain' : 'status.inDomains', { domains: list });
    return { fill: 'yellow', shape: 'ring', text: text(`status.nothing.${range}`, { domains: searched }) };
  }
  const nodes = domains.reduce((sum, domain) => sum + domain.nodes, 0);
  const others = new Set(routes.flatMap(({ standby = {} }) => Object.values(standby)));
  others.delete('');
  const summary = [
    ...(others.size === 0 ? [] : [text('status.standby', { bridges: [...others].join(', ') })]),
    text(domains.length === 1 ? 'status.domain' : 'status.domains', { domains: domains.length }),
    text(nodes === 1 ? 'status.node' : 'status.nodes', { nodes }),
    text(routes.length === 1 ? 'status.route' : 'status.routes', { routes: routes.length }),
    ...(patterns === undefined ? [] : [text('status.byPatterns', { routes: patterns.routes })]),
    text('status.rate', { rate: state.messagesPerSecond }),
    state.backend,
  ];
  // What is wrong must not be what is cut.
  const words = [summary.join(' · '), ...firstSilence(state, where)].map(shortened);
  return { fill: 'green', shape: 'dot', text: words.join(' · ') };
}

/** Says in which domain the words hold, where there are several. */
type Where = (words: string, domain: number) => string;

/** Whether nobody is there. Other bridges of this Node-RED are no participants of their own, and may carry much. */
function isAlone({ domains, routes, messagesPerSecond }: BridgeStatus): boolean {
  const hasPeers = ({ publishers = 0, subscriptions = 0, servers = 0, clients = 0 }: RouteStatus) =>
    publishers + subscriptions + servers + clients > 0;
  return (
    messagesPerSecond === 0 &&
    domains.every(({ participants }) => participants === 0) &&
    !routes.some(hasPeers)
  );
}

/** The first of these addresses that no network interface of this machine has now. */
function missingAddress(addresses: readonly string[]): string | undefined {
  const present = Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address));
  return addresses.find((address) => !present.includes(address));
}

/** Why the first route carries nothing that should, where there is one. */
function firstSilence({ routes }: BridgeStatus, where: Where): string[] {
  const silent = routes.find(({ silence }) => silence !== undefined);
  return silent?.silence === undefined ? [] : [where(silent.silence.text, silent.domain)];
}

function firstProblem(
  { domains, routes, patterns, problem }: BridgeStatus,
  where: Where,
): string | undefined {
  const ofDomain = domains.find((domain) => domain.problem !== undefined)?.problem;
  if (ofDomain !== undefined) return ofDomain;
  const route = routes.find((candidate) => candidate.problem !== undefined);
  if (route?.problem !== undefined) return where(route.problem, route.domain);
  return patterns?.problem ?? problem;
}

function shortened(message: string): string {
  return message.length <= MAX_STATUS_LENGTH ? message : `${message.slice(0, MAX_STATUS_LENGTH - 1)}…`;
}
