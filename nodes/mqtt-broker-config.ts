import { randomBytes } from 'node:crypto';
import type { ConnectionOptions } from 'node:tls';
import type { Node, NodeAPI, NodeDef, NodeStatus } from 'node-red';
import type { BrokerThread } from '../src/broker/broker-thread';
import type { Connection, ConnectionSettings, ConnectionStatus, QoS } from '../src/client/connection';
import { ConnectionPool } from '../src/client/connection-pool';
import type { EmbeddedBrokerNode } from './embedded-broker';
import { wholeNumber } from './form-number';
import { formText } from './form-text';

interface Credentials {
  username?: string;
  password?: string;
}

interface Fields extends NodeDef {
  target: 'url' | 'embedded';
  url: string;
  embedded: string;
  tls: string;
  protocolVersion: string;
  clientId: string;
  keepAlive: number | string;
  cleanStart: boolean;
  sessionExpiry: number | string;
  willTopic: string;
  willPayload: string;
  willQos: string;
  willRetain: boolean;
}

interface TlsConfigNode extends Node {
  addTLSOptions(options: ConnectionOptions): ConnectionOptions;
}

/** The settings of a connection that somebody else makes, in another thread: nothing in them is a function. */
export type PlainSettings = Pick<
  ConnectionSettings,
  'clientId' | 'keepAlive' | 'cleanStart' | 'sessionExpiry' | 'username' | 'tls'
> & {
  protocolVersion: 4 | 5;
  password?: string;
  target: { url: string } | 'embedded';
};

export interface BrokerConfigNode extends Node<Credentials> {
  /** The shared connection, opened by the first who asks. Throws with what is wrong in the form. */
  acquire(): Connection;
  /** To be called once for each acquire(). */
  release(connection: Connection): void;
  /** A connection's status as a node shows it. */
  describe(status: ConnectionStatus): NodeStatus;
  /**
   * For a connection of one's own to the same broker, under the client id with `suffix`. The will is not part of it.
   * Throws with what is wrong in the form.
   */
  plainSettings(suffix: string): PlainSettings;
  /** The embedded broker that is the target. Throws when it is missing or disabled, or the target is another. */
  embeddedBroker(): BrokerThread;
}

/** How long a connection waits for users to come back, in ms: a deploy stops all changed nodes before it starts them. */
const LINGER_MS = 2000;
const MAX_SESSION_EXPIRY_S = 0xffffffff;

export default function (RED: NodeAPI): void {
  const pool = new ConnectionPool(LINGER_MS);

  function MqttBrokerConfig(this: BrokerConfigNode, fields: Fields) {
    RED.nodes.createNode(this, fields);
    const generatedId = `node-red-${randomBytes(6).toString('hex')}`;
    let stopReports: (() => void) | undefined;

    const refuse = (key: string, values: Record<string, string | number> = {}): never => {
      throw new Error(RED._(`mqtt-broker-config.errors.${key}`, values));
    };
    const number = (field: 'keepAlive' | 'sessionExpiry', max: number): number =>
      wholeNumber(fields[field], 0, max) ?? refuse('number', { field, value: fields[field], max });

    const formTextOf = (field: 'url' | 'clientId' | 'willTopic' | 'willPayload'): string =>
      formText(fields[field]) ?? refuse('text', { field, value: JSON.stringify(fields[field]) });

    const tlsOptions = (): { tls?: ConnectionOptions } => {
      if (!fields.tls || fields.target === 'embedded') return {};
      const tls = RED.nodes.getNode(fields.tls) as TlsConfigNode | null;
      if (tls?.type !== 'tls-config') return refuse('tlsMissing', { id: fields.tls });
      return { tls: tls.addTLSOptions({}) };
    };

    const will = (): Pick<ConnectionSettings, 'will'> => {
      const topic = formTextOf('willTopic');
      if (topic === '') return {};
      const qos = wholeNumber(fields.willQos, 0, 2) ?? refuse('willQos', { value: fields.willQos });
      return {
        will: {
          topic,
          payload: formTextOf('willPayload'),
          qos: qos as QoS,
          retain: fields.willRetain === true,
        },
      };
    };

    this.plainSettings = (suffix) => {
      const version =
        wholeNumber(fields.protocolVersion, 4, 5) ??
        refuse('protocolVersion', { value: fields.protocolVersion });
      const cleanStart = fields.cleanStart !== false;
      const clientId = formTextOf('clientId');
      // The broker would keep a session that nobody can ever come back to.
      if (clientId === '' && !cleanStart && version === 4) return refuse('clientId');
      const { username, password } = this.credentials;
      return {
        target: fields.target === 'embedded' ? 'embedded' : { url: formTextOf('url').trim() },
        protocolVersion: version as 4 | 5,
        clientId: (clientId || generatedId) + suffix,
        keepAlive: number('keepAlive', 65_535),
        cleanStart,
        ...(version === 5 && { sessionExpiry: number('sessionExpiry', MAX_SESSION_EXPIRY_S) }),
        ...(username && { username }),
        ...(password && { password }),
        ...tlsOptions(),
      };
    };

    this.embeddedBroker = () => {
      const broker = RED.nodes.getNode(fields.embedded) as EmbeddedBrokerNode | null;
      if (broker?.type !== 'embedded-broker') return refuse('embeddedMissing', { id: fields.embedded });
      return broker.thread ?? refuse('embeddedInvalid', { id: fields.embedded });
    };

    this.acquire = () => {
      const { target, ...settings } = this.plainSettings('');
      const connection = pool.acquire(this.id, {
        ...settings,
        ...will(),
        // Looked up at each attempt: a deploy may replace the broker under a connection that stays.
        endpoint: target === 'embedded' ? { openStream: () => this.embeddedBroker().openStream() } : target,
      });
      stopReports ??= connection.onStatus(report);
      return connection;
    };

    this.release = (connection) => {
      void pool.release(this.id, connection);
    };

    this.describe = ({ state, reason }) => {
      const looks = {
        disconnected: { fill: 'grey', shape: 'ring' },
        connecting: { fill: 'yellow', shape: 'ring' },
        connected: { fill: 'green', shape: 'dot' },
        reconnecting: { fill: 'yellow', shape: 'ring' },
        error: { fill: 'red', shape: 'ring' },
      } as const;
      return { ...looks[state], text: RED._(`mqtt-broker-config.status.${state}`, { reason: reason ?? '' }) };
    };

    let reported = '';
    const report = ({ state, reason }: ConnectionStatus): void => {
      // Each attempt of a long outage ends alike: once is enough.
      if (state === 'connecting' || `${state} ${reason}` === reported) return;
      reported = `${state} ${reason}`;
      const text = RED._(`mqtt-broker-config.log.${state}`, { reason: reason ?? '' });
      if (state === 'error') this.error(text);
      else if (state === 'reconnecting') this.warn(text);
      else this.log(text);
    };

    this.on('close', (done: () => void) => {
      stopReports?.();
      void pool.close(this.id).then(done);
    });
  }

  RED.nodes.registerType<BrokerConfigNode, Fields, object, Credentials>(
    'mqtt-broker-config',
    MqttBrokerConfig,
    {
      credentials: { username: { type: 'text' }, password: { type: 'password' } },
    },
  );
}
