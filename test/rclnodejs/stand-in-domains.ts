import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';
import { findRclnodejs } from '../../src/rclnodejs/environment';
import { ProcessBusyError } from '../../src/rclnodejs/rclnodejs-process';
import { RclnodejsBackend } from '../../src/ros/rclnodejs-backend';
import type { RosDomain, RosDomainOptions, RosEndpointOptions } from '../../src/ros/ros-backend';
import { endingAfterEach, type Keep } from '../ending-after-each';
import { STRING, Watch } from '../ros/bridge-fixture';
import { decodeString, encodeString } from '../rtps/string-sample';
import { type Installation, RosEnvironment } from './ros-environment';

export const OPTIONS: RosDomainOptions = {
  domain: 7,
  range: 'subnet',
  interfaces: [],
  peers: [],
  nodeName: 'ours',
  bridgeId: 'one',
};

/** Another bridge in the same process. */
export const OTHER = { nodeName: 'other', bridgeId: 'two' };

export const SERVICE = { type: 'example_interfaces/srv/AddTwoInts', requestHash: '', responseHash: '' };

export const endpoint = (rosName: string, change: Partial<RosEndpointOptions> = {}): RosEndpointOptions => ({
  rosName,
  type: STRING,
  typeHash: '',
  qos: { reliability: 'reliable', durability: 'volatile', depth: 10 },
  onIncompatible: () => {},
  ...change,
});

/** Publishes as soon as the process takes it. */
export async function taken(publish: () => void): Promise<void> {
  for (;;)
    try {
      return publish();
    } catch (error) {
      assert.ok(error instanceof ProcessBusyError, String(error));
      await setTimeout(5);
    }
}

/** A domain that is opened in the stand-in's process, what it says, and a way to tell the stand-in what to do. */
class Opened extends Watch {
  readonly warnings: string[] = [];
  readonly #command: (text: string) => void;

  constructor(readonly domain: RosDomain) {
    super();
    domain.onGraphChange(() => this.changed());
    domain.onWarning((warning) => {
      this.warnings.push(warning);
      this.changed();
    });
    const publisher = domain.createPublisher(endpoint('/stand_in'));
    this.#command = (content) => publisher.publish(encodeString(content), []);
  }

  command(content: string): void {
    this.#command(content);
  }

  /** Contents of what is received from now on. */
  listen(rosName: string, change: Partial<RosEndpointOptions> = {}): string[] {
    const heard: string[] = [];
    this.domain.createSubscription(endpoint(rosName, change), (sample) => {
      heard.push(decodeString(sample.payload));
      this.changed();
    });
    return heard;
  }

  /** Waits until a subscription that was just made receives what others publish. */
  async heard(heard: string[], rosName: string): Promise<void> {
    await this.repeat(
      () => this.command(`publish ${rosName} hello`),
      () => heard.length > 0,
    );
  }
}

/** Domains of backends that have the stand-in, for the tests of a suite: they are closed after the test. */
export class StandInDomains {
  /** Ends it after the test that runs. */
  readonly keep: Keep = endingAfterEach();

  private constructor() {}

  /** For the mocha suite in which it is called. */
  static forSuite(): StandInDomains {
    before(function () {
      // A real one beside this package would be found first.
      if (findRclnodejs() !== undefined) this.skip();
    });
    return new StandInDomains();
  }

  environment(installation: Installation = {}): RosEnvironment {
    return this.keep(new RosEnvironment(installation));
  }

  backend(installation?: Installation): RclnodejsBackend {
    return new RclnodejsBackend(this.environment(installation).setupFile);
  }

  /** In a process of its own where no backend is given. */
  async open(backend = this.backend(), change: Partial<RosDomainOptions> = {}): Promise<Opened> {
    return new Opened(this.keep(await backend.openDomain({ ...OPTIONS, ...change })));
  }
}
