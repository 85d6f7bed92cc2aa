import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Node, NodeAPI, NodeDef, NodeStatus } from 'node-red';
import type { BrokerThread } from '../src/broker/broker-thread';
import type { Connection, ConnectionSettings, ConnectionStatus } from '../src/client/connection';
import { ConnectionPool } from '../src/client/connection-pool';
import type { EmbeddedBrokerNode } from './embedded-broker';
import { AddressFailures } from './mqtt-broker-config-addresses';
import { connectNow } from './mqtt-broker-config-connect';
import { type PlainSettings, plainSettings } from './mqtt-broker-config-plain';
import type { SecurityCredentials } from './mqtt-broker-config-security';
import { type BrokerConfigFields, formSettings } from './mqtt-broker-config-settings';
import { FormValues } from './mqtt-broker-config-values';

export interface BrokerConfigNode extends Node<SecurityCredentials> {
  /**
   * The shared connection, opened by the first who asks, unless the form says that only a message opens it. Throws with
   * what is wrong in the form.
   */
  acquire(): Connection;
  /**
   * A connection of one's own, under the client id with the node's id, which may leave so many messages
   * unacknowledged. Birth, closing message, will
   * and queue are not part of it. Throws with what is wrong in the form.
   */
  acquireOwn(nodeId: string, receiveMaximum: number): Connection;
  /** To be called once for each acquire() or acquireOwn(). */
  release(connection: Connection): void;
  /** A connection's status as a node shows it. */
  describe(status: ConnectionStatus): NodeStatus;
  /**
   * Connects now. Resolves when it is connected; rejects with the reason when it could not, but goes on trying then.
   * For those who have acquired the connection, like the following.
   */
  connect(): Promise<void>;
  /** Disconnects until connect(); resolves when that is done. */
  disconnect(): Promise<void>;
  /**
   * The password or token from now on; connects with it at once where there is no connection, unless it was
   * disconnected on request. Throws where the form says that the password comes from elsewhere.
   */
  setPassword(password: string): void;
  /**
   * For a connection of one's own to the same broker, under the client id with `suffix`. Birth, closing message, will
   * and queue are not part of it. Throws with what is wrong in the form.
   */
  plainSettings(suffix: string): PlainSettings;
  /** The embedded broker that is the target. Throws when it is missing or disabled, or the target is another. */
  embeddedBroker(): BrokerThread;
}

/** How long a connection waits for users to come back, in ms: a deploy stops all changed nodes before it starts them. */
const LINGER_MS = 2000;

export default function (RED: NodeAPI): void {
  const pool = new ConnectionPool(LINGER_MS);

  function MqttBrokerConfig(this: BrokerConfigNode, fields: NodeDef & BrokerConfigFields) {
    RED.nodes.createNode(this, fields);
    const generatedId = `node-red-${randomBytes(6).toString('hex')}`;
    const text = (key: string, values: Record<string, string | number> = {}) =>
      RED._(`mqtt-broker-config.${key}`, values);
    const form = new FormValues(RED, this, text);
    const failures = new AddressFailures();
    let connection: Connection | undefined;
    const own = new WeakMap<Connection, string>();
    const ownKeys = new Set<string>();
    let stopReports: (() => void) | undefined;
    let addresses = 1;
    let password: string | undefined;

    const settings = () =>
      formSettings(
        RED,
        form,
        fields,
        this.credentials ?? {},
        generatedId,
        () => password,
        queueDirectory(RED, this),
      );

    this.plainSettings = (suffix) => plainSettings(form, settings(), suffix);

    this.embeddedBroker = () => {
      const { embedded: id = '' } = fields;
      const broker = RED.nodes.getNode(id) as EmbeddedBrokerNode | null;
      if (broker?.type !== 'embedded-broker') return form.refuse('embeddedMissing', { id });
      return broker.thread ?? form.refuse('embeddedInvalid', { id });
    };

    const connectionSettings = (): ConnectionSettings => {
      const { endpoint, ...others } = settings();
      // Looked up at each attempt: a deploy may replace the broker under a connection that stays.
      const openStream = () => this.embeddedBroker().openStream();
      return { ...others, endpoint: endpoint === 'embedded' ? { openStream } : endpoint };
    };

    this.acquire = () => {
      const wanted = connectionSettings();
      const acquired = pool.acquire(this.id, wanted, fields.autoConnect !== false);
      if (acquired !== connection) {
        stopReports?.();
        connection = acquired;
        addresses = 'url' in wanted.endpoint ? 1 + (wanted.endpoint.alternatives?.length ?? 0) : 1;
        const stops = [
          acquired.onStatus(report),
          // Of messages whose publishers have heard already that they are on the disk.
          acquired.onProblem((error) => this.error(error.message)),
        ];
        stopReports = () => {
          for (const stop of stops) stop();
        };
      }
      return acquired;
    };

    this.acquireOwn = (nodeId, receiveMaximum) => {
      const {
        will: _will,
        birth: _birth,
        closing: _closing,
        queue: _queue,
        ...others
      } = connectionSettings();
      const key = `${this.id}/${nodeId}`;
      const clientId = `${others.clientId}-${nodeId}`;
      const acquired = pool.acquire(key, { ...others, clientId, receiveMaximum });
      own.set(acquired, key);
      ownKeys.add(key);
      return acquired;
    };

    this.release = (released) => {
      void pool.release(own.get(released) ?? this.id, released);
    };

    const inUse = (): Connection => connection ?? form.refuse('notInUse');
    this.connect = async () => connectNow(inUse(), addresses);
    this.disconnect = async () => inUse().disconnect();

    this.setPassword = (value) => {
      if (fields.passwordSource !== 'message') return form.refuse('passwordSource');
      password = value;
      const state = connection?.status.state;
      // What comes of it the status tells.
      if (state === 'reconnecting' || state === 'error') this.connect().catch(() => {});
    };

    this.describe = (status) => {
      const { state, url } = status;
      const looks = {
        disconnected: { fill: 'grey', shape: 'ring' },
        connecting: { fill: 'yellow', shape: 'ring' },
        connected: { fill: 'green', shape: 'dot' },
        reconnecting: { fill: 'yellow', shape: 'ring' },
        error: { fill: 'red', shape: 'ring' },
      } as const;
      const key = state === 'connected' && url !== undefined ? 'connectedTo' : state;
      return { ...looks[state], text: text(`status.${key}`, valuesOf(status)) };
    };

    const valuesOf = (status: ConnectionStatus) => ({
      reason: failures.reason(status),
      url: status.url ?? '',
    });

    let reported = new Set<string>();
    const report = (status: ConnectionStatus): void => {
      const { state } = status;
      failures.note(status);
      if (state === 'connecting') return;
      const line = text(`log.${state}`, valuesOf(status));
      // Each attempt of a long outage ends alike: once is enough.
      if (reported.has(line)) return;
      if (state === 'connected' || state === 'disconnected') reported = new Set();
      reported.add(line);
      if (state === 'error') this.error(line);
      else if (state === 'reconnecting') this.warn(line);
      else this.log(line);
    };

    this.on('close', (done: () => void) => {
      stopReports?.();
      void Promise.all([this.id, ...ownKeys].map((key) => pool.close(key))).then(() => done());
    });
  }

  RED.nodes.registerType<BrokerConfigNode, NodeDef & BrokerConfigFields, object, SecurityCredentials>(
    'mqtt-broker-config',
    MqttBrokerConfig,
    {
      credentials: {
        username: { type: 'text' },
        password: { type: 'password' },
        tlsPassphrase: { type: 'password' },
        proxyUsername: { type: 'text' },
        proxyPassword: { type: 'password' },
        webSocketHeaders: { type: 'text' },
      },
    },
  );
}

/** The same after each restart; there is none where Node-RED has no directory of its own. */
function queueDirectory(RED: NodeAPI, node: Node): string | undefined {
  const { userDir } = RED.settings;
  if (userDir === undefined) return undefined;
  // Within a subflow the id of the node is another one at each start, but not its path.
  const path = String(RED.util.getSetting(node, 'NR_NODE_PATH') ?? node.id);
  const name = path.endsWith(`/${node.id}`) ? node.id : path.replaceAll('/', '-');
  return join(userDir, 'mqtt-ros', `client-${name}`);
}
