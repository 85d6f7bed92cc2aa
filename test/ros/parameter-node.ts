import { InterfaceLibrary } from '../../src/ros/interface-library';
import { MessageCodec } from '../../src/ros/message-codec';
import { kindOf, type ParameterValue, parameterValue } from '../../src/ros/parameter-value';
import type { RosDomain, RosPublisher } from '../../src/ros/ros-backend';
import { RtpsBackend } from '../../src/ros/rtps-backend';
import { ServiceCodec } from '../../src/ros/service-codec';

export const NODE = '/robot1/camera';
const library = InterfaceLibrary.bundled();
const EVENT = MessageCodec.for(library, 'rcl_interfaces/msg/ParameterEvent');

interface Parameter {
  name: string;
  value: ParameterValue;
}

/** A ROS node with parameters, which answers as those of rclcpp do. */
export class ParameterNode {
  answers: boolean;
  /** Called with each value that it is asked to set. */
  onSet: (value: ParameterValue) => void = () => {};
  /** Values that it tells of beyond those that it was asked for. */
  readonly surplus: ParameterValue[] = [];
  readonly #user: RosDomain;
  readonly #values: Map<string, ParameterValue>;
  readonly #events: RosPublisher;

  private constructor(user: RosDomain, values: Record<string, unknown>, answers: boolean) {
    this.answers = answers;
    this.#user = user;
    this.#values = new Map(Object.entries(values).map(([name, plain]) => [name, parameterValue(plain)]));
    this.#events = user.createPublisher({
      rosName: '/parameter_events',
      type: EVENT.type,
      typeHash: EVENT.typeHash,
      qos: { reliability: 'reliable', durability: 'volatile', depth: 1000 },
      onIncompatible: () => {},
      onProblem: () => {},
    });
    this.#serve('list_parameters', 'ListParameters', () => ({ result: { names: [...this.#values.keys()] } }));
    this.#serve('get_parameters', 'GetParameters', ({ names }: { names: string[] }) => ({
      // rclcpp says nothing at all where one is not declared.
      values: names.every((name) => this.#values.has(name))
        ? [...names.map((name) => this.#values.get(name)), ...this.surplus]
        : [],
    }));
    this.#serve('set_parameters', 'SetParameters', ({ parameters }: { parameters: Parameter[] }) => ({
      results: parameters.map((parameter) => this.#set(parameter)),
    }));
  }

  static async start(
    domain: number,
    values: Record<string, unknown>,
    answers = true,
  ): Promise<ParameterNode> {
    const user = await new RtpsBackend().openDomain({
      domain,
      range: 'localhost',
      interfaces: ['127.0.0.1'],
      peers: [],
      nodeName: 'camera',
      bridgeId: 'peer',
    });
    return new ParameterNode(user, values, answers);
  }

  /** Tells of parameters as the node itself changes them. */
  change(changed: Record<string, unknown>, deleted: string[] = [], node = NODE): void {
    const parameters = Object.entries(changed).map(([name, plain]) => ({
      name,
      value: parameterValue(plain),
    }));
    if (node === NODE) for (const { name, value } of parameters) this.#values.set(name, value);
    const deleted_parameters = deleted.map((name) => ({ name }));
    for (const name of deleted) this.#values.delete(name);
    this.#events.publish(EVENT.encode({ node, changed_parameters: parameters, deleted_parameters }), []);
  }

  stop(): Promise<void> {
    return this.#user.close();
  }

  #set({ name, value }: Parameter): { successful: boolean; reason: string } {
    this.onSet(value);
    const present = this.#values.get(name);
    if (present === undefined)
      return { successful: false, reason: `parameter '${name}' has not been declared` };
    if (present.type !== value.type) return { successful: false, reason: `wrong type: ${kindOf(value)}` };
    this.#values.set(name, value);
    this.#events.publish(EVENT.encode({ node: NODE, changed_parameters: [{ name, value }] }), []);
    return { successful: true, reason: '' };
  }

  #serve<Request>(name: string, type: string, answer: (request: Request) => unknown): void {
    const codec = new ServiceCodec(library, `${NODE}/${name}`, `rcl_interfaces/srv/${type}`);
    this.#user.createServiceServer(codec.service, async (cdr) => {
      if (!this.answers) throw new Error('busy');
      return codec.encodeResponse(answer(JSON.parse(codec.decodeRequest(cdr)) as Request));
    });
  }
}
