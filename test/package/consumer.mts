// A program of somebody else, which the tests compile against the packed package; it is not run. Each @ts-expect-error
// fails where the types allow what they should not, as `any` would.
import {
  type AccessRule,
  BridgeSettingsError,
  type BridgeState,
  type BridgeStatus,
  ConnectionPool,
  createBridge,
  createBroker,
  ListenerError,
  type MqttBroker,
  messageFromObject,
  messageToObject,
  parseRosTopic,
  type RosTopicParts,
  type RouteRow,
  type StorageSettings,
  type UpstreamSettings,
} from '@mqtt-ros/node-red-mqtt-ros';

export async function run(): Promise<string[]> {
  const parts: RosTopicParts | undefined = parseRosTopic('ros/0/robot1/odom');
  // @ts-expect-error it may be no topic of ROS
  const type: string = parts.messageType;
  const rule: AccessRule = { access: 'allow', who: 'everybody', action: 'publish', filter: 'ros/#' };
  const storage: StorageSettings = { directory: 'kept', durability: 'strict' };
  const upstreams: UpstreamSettings[] = [];
  const broker: MqttBroker = createBroker({
    storage,
    upstreams,
    listeners: [{ kind: 'ws', host: '127.0.0.1', port: 0 }],
    access: { rules: [rule] },
    limits: { connections: 10 },
    rosPrefix: 'ros',
  });
  // @ts-expect-error a listener needs a port
  createBroker({ listeners: [{ host: '127.0.0.1' }] });
  // @ts-expect-error there is no such setting
  createBroker({ prot: 1883 });
  try {
    await broker.start();
  } catch (error) {
    if (error instanceof ListenerError) return [error.message];
    throw error;
  }
  const end: () => void = await broker.subscribe(
    'ros/#',
    (message) => {
      const { payload, ros, properties } = messageToObject(message);
      const node: string | undefined = ros?.node;
      const userProperties = properties?.userProperties;
      // @ts-expect-error it may be anything
      payload.temperature;
      console.log(node, userProperties, message.payload.length);
    },
    { qos: 2, noLocal: true },
  );
  const { topic, payload, ...options } = messageFromObject({ topic: 'a', payload: { b: 1 } });
  await broker.publish(topic, payload, options);
  // @ts-expect-error there is no QoS 3
  await broker.publish('a', 'text', { qos: 3 });
  const { running, listeners, clients, subscriptions, retained } = await broker.statistics();
  const counts: [boolean, number[], number, number] = [
    running,
    [clients.connected, clients.total],
    subscriptions,
    retained,
  ];
  const lines = [`${counts}`, ...listeners.map(({ kind, host, port }) => `${kind}://${host}:${port + 1}`)];
  for (const { clientId, idleSince } of (await broker.clients()).entries) {
    lines.push(clientId, idleSince.toUpperCase());
  }
  for (const { connected, expiresAt } of (await broker.sessions({ limit: 1 })).entries) {
    lines.push(connected ? '' : (expiresAt ?? '').toUpperCase());
  }
  for (const { messages, ros } of (await broker.topics()).entries) lines.push(`${messages} ${ros?.domain}`);
  broker.thread.on('event', (event) => {
    if (event.type === 'connected') lines.push(event.clientId.toUpperCase());
  });

  const route: RouteRow = { rosName: '/chatter', type: 'std_msgs/msg/String', direction: 'both' };
  const bridge = createBridge({ domains: [0], routes: [route] }, { broker });
  const carried = ({ routes }: BridgeStatus) => routes.length;
  bridge.on('status', (state: BridgeState) => {
    if (state.state === 'restarting') lines.push(state.reason.toUpperCase());
    if (state.state === 'open') lines.push(`${carried(state) + 1}`);
  });
  bridge.on('message', ({ rosName, stamp }) => lines.push(rosName, `${stamp?.sec}`));
  await bridge.open().catch((error: unknown) => {
    if (error instanceof BridgeSettingsError) lines.push(error.message);
  });
  await bridge.publish(bridge.topicOf('topic', 0, '/chatter'), { data: type });
  for (const { rosName, subscriptions } of await bridge.listRoutes()) lines.push(rosName, `${subscriptions}`);
  await bridge.close();
  lines.push(new ConnectionPool().constructor.name);
  end();
  await broker.stop();
  return lines;
}
