import type { Connection, MessageProperties, ReceivedMessage } from '../../src/client/connection';
import type { ActionRouteSettings } from '../../src/ros/bridge-settings';
import { Inbox } from '../client/observed';
import type { DdsPeer, DdsVendor } from '../peers/dds/dds-peer';
import type { TestBridge } from './bridge-fixture';
import { MqttBridges } from './mqtt-bridges';

export const ACTION = { rosName: '/robot1/fibonacci', type: 'example_interfaces/action/Fibonacci' };
/** Long enough for discovery on a busy machine: none of these is waited for to its end. */
export const PATIENCE = 20_000;
export const GOAL_ID = '0b8f1ec2-3c52-4a0e-9d3c-6f1f6f6b9a01';
const FIRST_NUMBERS = [0, 1, 1, 2, 3, 5];

export const upTo = (order: number) => FIRST_NUMBERS.slice(0, order + 1);
export const parsed = ({ payload }: ReceivedMessage) => JSON.parse(String(payload));
export const dropped = (bridge: TestBridge) => bridge.route()?.counts?.dropped;

/** An MQTT client that hears all that is said about the action. */
export class MqttActionClient {
  private constructor(
    readonly connection: Connection,
    readonly topic: string,
    readonly inbox: Inbox,
  ) {}

  static async start(connection: Connection, topic: string): Promise<MqttActionClient> {
    return new MqttActionClient(connection, topic, await Inbox.on(connection, `${topic}/#`));
  }

  async say(part: string, message: unknown, properties?: MessageProperties): Promise<void> {
    const payload = typeof message === 'string' ? message : JSON.stringify(message);
    const options = { qos: 1, retain: false, ...(properties && { properties }) } as const;
    await this.connection.publish(`${this.topic}/${part}`, payload, options);
  }

  messages(part: string): ReceivedMessage[] {
    return this.inbox.messages.filter(({ topic }) => topic === `${this.topic}/${part}`);
  }

  /** What was said at a part, once it is that much. */
  async heard(part: string, count: number): Promise<Array<Record<string, unknown>>> {
    await this.inbox.until(() => this.messages(part).length >= count);
    return this.messages(part).map(parsed);
  }
}

/** Bridges with a route of the action, and those who use it or work for it. */
export class ActionBridges extends MqttBridges {
  /** For the mocha suite in which it is called. */
  static override forSuite(): ActionBridges {
    const bridges = new ActionBridges();
    bridges.enterSuite();
    return bridges;
  }

  get topic(): string {
    return `ros/${this.domain}${ACTION.rosName}/@action`;
  }

  route(
    direction: ActionRouteSettings['direction'],
    change: Partial<ActionRouteSettings> = {},
  ): ActionRouteSettings {
    return { kind: 'action', domain: this.domain, ...ACTION, direction, timeout: PATIENCE, ...change };
  }

  async mqttClient(protocolVersion: 4 | 5 = 5, topic = this.topic): Promise<MqttActionClient> {
    const connection = await this.connect(protocolVersion);
    // What the broker keeps of a test must not meet another one in the same domain.
    this.keep({ stop: () => connection.publish(`${topic}/status`, '', { qos: 1, retain: true }) });
    return MqttActionClient.start(connection, topic);
  }

  /** A program of a DDS vendor that works for the action, or calls it. */
  program(
    test: Mocha.Context,
    vendor: DdsVendor,
    role: 'serve' | 'call',
    args: Record<string, string | number> = {},
  ): DdsPeer {
    const all = { action: ACTION.rosName, domain: this.domain, timeout: 20, ...args };
    return this.vendor(vendor).peer(test, role, { args: all }, 'action');
  }
}
