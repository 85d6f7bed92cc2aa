import { contentOf, type Filled, filled } from './messages';
import type { Node } from './node';

const PARTS = {
  send_goal: ['SendGoalService', 'processGoalResponse', 'processGoalRequest'],
  cancel_goal: ['CancelGoal', 'processCancelResponse', 'processCancelRequest'],
  get_result: ['GetResultService', 'processResultResponse', 'processResultRequest'],
} as const;
type Part = keyof typeof PARTS;
type ActionType = { impl: Record<string, { Request: new () => Filled; Response: new () => Filled }> };

const partName = (action: string, part: string) => `${action}/_action/${part}`;

class ActionEnd {
  readonly handle = this;
  [process: string]: unknown;

  constructor(
    readonly node: Node,
    readonly type: ActionType,
    readonly action: string,
  ) {
    node.mustNotSpin();
  }

  destroy(): void {
    this.node.mustNotSpin();
  }

  /** As the library does it with what it has received. */
  process(name: string, ...received: unknown[]): void {
    (this[name] as (...all: unknown[]) => void)(...received);
  }
}

export class ActionClient extends ActionEnd {
  #sequence = 0;

  isActionServerAvailable(): boolean {
    const { services } = this.node.context.bus;
    return Object.keys(PARTS).every((part) => services.has(partName(this.action, part)));
  }

  send(part: Part, request: Buffer): number {
    const sequence = ++this.#sequence;
    const [classes, process] = PARTS[part];
    const { Response } = this.type.impl[classes] as { Response: new () => Filled };
    void this.node.context.bus.services
      .get(partName(this.action, part))?.(request)
      .then((response) => this.process(process, sequence, filled(Response, response)));
    return sequence;
  }
}

export class ActionServer extends ActionEnd {
  constructor(node: Node, type: ActionType, action: string) {
    super(node, type, action);
    for (const [part, [classes, , process]] of Object.entries(PARTS)) {
      const { Request } = type.impl[classes] as { Request: new () => Filled };
      node.context.bus.services.set(
        partName(action, part),
        (request) => new Promise((resolve) => this.process(process, resolve, filled(Request, request))),
      );
    }
  }

  override destroy(): void {
    super.destroy();
    for (const part of Object.keys(PARTS)) this.node.context.bus.services.delete(partName(this.action, part));
  }
}

export const request = (part: Part) => (client: ActionClient, structure: Buffer) =>
  client.send(part, contentOf(structure));
export const respond = (_server: ActionServer, resolve: (response: Buffer) => void, structure: Buffer) =>
  resolve(contentOf(structure));
