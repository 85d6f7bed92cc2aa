import assert from 'node:assert/strict';
import { InterfaceLibrary } from '../../../src/ros/interface-library';
import { MessageCodec } from '../../../src/ros/message-codec';
import type {
  RosDomain,
  RosEndpointOptions,
  RosPublisher,
  RosQos,
  RosSample,
  RosServiceOptions,
} from '../../../src/ros/ros-backend';
import { Watch } from '../bridge-fixture';

const library = InterfaceLibrary.bundled();
export const string = MessageCodec.for(library, 'std_msgs/msg/String');
export const request = MessageCodec.for(library, 'example_interfaces/srv/AddTwoInts_Request');
export const response = MessageCodec.for(library, 'example_interfaces/srv/AddTwoInts_Response');

export const VOLATILE: RosQos = { reliability: 'reliable', durability: 'volatile', depth: 10 };
export const LATCHED: RosQos = { ...VOLATILE, durability: 'transient-local' };
export const BEST_EFFORT: RosQos = { ...VOLATILE, reliability: 'best-effort' };
/** Between two samples of a publisher whose listener is still being found, in ms. */
export const REPEAT = 100;

/** A user's place in a domain, with what it has heard. */
export class User extends Watch {
  readonly incompatible: string[] = [];

  constructor(readonly domain: RosDomain) {
    super();
    domain.onGraphChange(() => this.changed());
  }

  publisher(rosName: string, qos = VOLATILE): RosPublisher {
    return this.domain.createPublisher(this.#endpoint(rosName, qos));
  }

  /** The texts that a new subscription receives. */
  hear(rosName: string, qos = VOLATILE): string[] {
    const heard: string[] = [];
    this.subscribe(rosName, qos, ({ payload }) => heard.push(JSON.parse(string.decodeToJson(payload)).data));
    return heard;
  }

  subscribe(rosName: string, qos: RosQos, receive: (sample: RosSample) => void): void {
    this.domain.createSubscription(this.#endpoint(rosName, qos), (sample) => {
      receive(sample);
      this.changed();
    });
  }

  hasHeard(heard: string[], text: string): Promise<void> {
    return this.until(() => heard.some((other) => other.startsWith(text)));
  }

  async finds(kind: 'publisher' | 'subscription', rosName: string): Promise<void> {
    await this.until(() => this.#found(kind, rosName));
  }

  async misses(kind: 'publisher' | 'subscription', rosName: string): Promise<void> {
    await this.until(() => !this.#found(kind, rosName));
  }

  #found(kind: 'publisher' | 'subscription', rosName: string): boolean {
    return [...this.domain.endpoints(rosName)].some((found) => found.kind === kind);
  }

  #endpoint(rosName: string, qos: RosQos): RosEndpointOptions {
    return {
      rosName,
      type: 'std_msgs/msg/String',
      typeHash: string.typeHash,
      qos,
      onIncompatible: ({ remote, policy }) => {
        this.incompatible.push(`${remote.kind} ${remote.rosName}: ${policy}`);
        this.changed();
      },
      onProblem: (problem) => assert.fail(problem),
    };
  }
}

export const say = (text: string) => string.encode({ data: text });

/** Publishes a text until it is heard: who listens may have to be found yet. */
export async function repeat(publisher: RosPublisher, text: string, heard: Promise<void>): Promise<void> {
  publisher.publish(say(text), []);
  const timer = setInterval(() => publisher.publish(say(text), []), REPEAT);
  try {
    await heard;
  } finally {
    clearInterval(timer);
  }
}

export const serviceOptions = (rosName: string): RosServiceOptions => ({
  rosName,
  type: 'example_interfaces/srv/AddTwoInts',
  requestHash: request.typeHash,
  responseHash: response.typeHash,
});

export const add = async (cdr: Buffer): Promise<Buffer> => {
  const { a, b } = JSON.parse(request.decodeToJson(cdr));
  return response.encode({ sum: a + b });
};
