import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Node, NodeAPI, NodeDef, NodeStatus } from 'node-red';
import type { BrokerThread } from '../src/broker/broker-thread';
import type { Connection, ConnectionSettings, ConnectionStatus } from '../src/client/connection';
import { ConnectionPool } from '../src/client/connection-pool';
import { furtherSession } from '../src/client/connection-settings';
import type { KnownSettings } from '../src/gateway/gateway-settings';
import type { EmbeddedBrokerNode } from './embedded-broker';
import { FormValues } from './form-values';
import { mountGateway } from './gateway-mount';
import { AddressFailures } from './mqtt-broker-config-addresses';
import { connectNow } from './mqtt-broker-config-connect';
import { type PlainSettings, plainSettings } from './mqtt-broker-config-plain';
import type { SecurityCredentials } from './mqtt-broker-config-security';
import { type BrokerConfigFields, formSettings } from './mqtt-broker-config-settings';
import { nodeText } from './node-text';

export interface BrokerConfigNode extends Node<SecurityCredentials> {
  /**
   * The shared connection, opened by the first who asks, unless the form says that only a message opens it. Throws with
   * what is wrong in the form.
   */
  acquire(): Connection;
  /**
   * A connection of one's own for receiving, under the client id with the node's id, which may leave so many messages
   * unacknowledged. It is connected and disconnected with the shared one. Throws with what is wrong in the form.
   */
  acquireOwn(nodeId: string, receiveMaximum: number): Connection;
  /** To be called once for each acquire() or acquireOwn(). */
  release(connection: Connection): void;
  /** A connection's status as a node shows it. */
  describe(status: ConnectionStatus): NodeStatus;
  /**
   * Connects all connections that are in use. Resolves when they are connected; rejects with the reason when one could
   * not be, but goes on trying then. For those who have acquired one, like the following.
   */
  connect(): Promise<void>;
  /** Disconnects all until connect(), those too that are acquired later; resolves when that is done. */
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
  /** How the shared connection is, also where nobody has acquired it. */
  connectionStatus(): ConnectionStatus;
  /** What may be shown of the form to others. Throws with what is wrong in it. */
  shownSettings(): KnownSettings;
  /** The embedded broker that is the target. Throws when it is missing or disabled, or the target is another. */
  embeddedBroker(): BrokerThread;
}

/** Different lines about one outage that are remembered, so as not to be repeated: a broker may word each refusal anew. */
const MAX_REPORTED = 100;
/** How long a connection waits for users to come back, in ms: a deploy stops all changed nodes before it starts them. */
const LINGER_MS = 2000;

export default function (RED: NodeAPI): void {
  const pool = new ConnectionPool(LINGER_MS);
  mountGateway(RED);

  function MqttBrokerConfig(this: BrokerConfigNode, fields: NodeDef & BrokerConfigFields) {
    RED.nodes.createNode(this, fields);
    const generatedId = `node-red-${randomBytes(6).toString('hex')}`;
    const text = nodeText(RED, 'mqtt-broker-config');
    const form = new FormValues(RED, this, text);
    const failures = new AddressFailures();
    let connection: Connection | undefined;
    /** The connections of the nodes that are there now, by their keys in the pool. */
    const used = new Map<Connection, { key: string; users: number; stop: () => void }>();
    const keys = new Set<string>();
    /** Of the connections that nodes have to themselves. */
    const receiveMaxima = new Map<string, number>();
    /** Whether connections are made when nodes come; what a message has said last. */
    let wanted = fields.autoConnect !== false;
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

    this.connectionStatus = () =>
      connection !== undefined && used.has(connection) ? connection.status : { state: 'disconnected' };

    this.shownSettings = () => {
      const { endpoint, username, clientId, keepAlive, protocolVersion } = settings();
      return {
        ...(endpoint === 'embedded' ? { embedded: fields.embedded ?? '' } : { url: endpoint.url }),
        ...(username !== undefined && { username }),
        clientId,
        keepAlive,
        protocolVersion,
      };
    };

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

    const use = (key: string, settings: ConnectionSettings): Connection => {
      const acquired = pool.acquire(key, settings, wanted);
      const { endpoint } = settings;
      addresses = 'url' in endpoint ? 1 + (endpoint.alternatives?.length ?? 0) : 1;
      keys.add(key);
      const known = used.get(acquired);
      if (known !== undefined) known.users++;
      else {
        // Of messages whose publishers have heard already that they are on the disk, and of the disk.
        const stop = acquired.onProblem((error) => this.error(error.message));
        used.set(acquired, { key, users: 1, stop });
      }
      return acquired;
    };

    this.acquire = () => {
      const acquired = use(this.id, connectionSettings());
      if (acquired !== connection) {
        stopReports?.();
        connection = acquired;
        stopReports = acquired.onStatus(report);
      }
      return acquired;
    };

    this.acquireOwn = (nodeId, receiveMaximum) => {
      const settings = furtherSession(connectionSettings(), `-${nodeId}`, `node-${nodeId}`);
      const key = `${this.id}/${nodeId}`;
      // One that waits for its node to come back may have been told another number.
      if ((receiveMaxima.get(key) ?? receiveMaximum) !== receiveMaximum) void pool.close(key);
      receiveMaxima.set(key, receiveMaximum);
      return use(key, { ...settings, receiveMaximum });
    };

    this.release = (released) => {
      const known = used.get(released);
      if (known === undefined) return;
      if (--known.users === 0) {
        known.stop();
        used.delete(released);
      }
      void pool.release(known.key, released);
    };

    const forEach = async (act: (connection: Connection) => Promise<void>): Promise<void> => {
      if (used.size === 0) form.refuse('notInUse');
      const outcomes = await Promise.allSettled([...used.keys()].map(act));
      const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
      if (failures.length > 0) throw failures[0];
    };
    this.connect = async () => {
      wanted = true;
      await forEach((each) => connectNow(each, addresses));
    };
    this.disconnect = async () => {
      wanted = false;
      await forEach((each) => each.disconnect());
    };

    this.setPassword = (value) => {
      if (fields.passwordSource !== 'message') return form.refuse('passwordSource');
      password = value;
      for (const each of used.keys()) {
        const { state } = each.status;
        // What comes of it the status tells.
        if (state === 'reconnecting' || state === 'error') connectNow(each, addresses).catch(() => {});
      }
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
      if (state === 'connected' || state === 'disconnected' || reported.size >= MAX_REPORTED)
        reported = new Set();
      reported.add(line);
      if (state === 'error') this.error(line);
      else if (state === 'reconnecting') this.warn(line);
      else this.log(line);
    };

    this.on('close', (done: () => void) => {
      stopReports?.();
      for (const { stop } of used.values()) stop();
      used.clear();
      void Promise.all([...keys].map((key) => pool.close(key))).then(() => done());
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
