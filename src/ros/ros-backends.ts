import { findRclnodejs, isRosSourced } from '../rclnodejs/environment';
import { RclnodejsUnavailableError } from '../rclnodejs/rclnodejs-process';
import type { BridgeSettings } from './bridge-settings';
import { RclnodejsBackend } from './rclnodejs-backend';
import type { RosBackend, RosDomain, RosDomainOptions } from './ros-backend';
import { RtpsBackend } from './rtps-backend';

/** The backends of one runtime, which its bridges share. */
export class RosBackends {
  readonly #rtps = new RtpsBackend();
  /** By setup file. */
  readonly #rclnodejs = new Map<string, RclnodejsBackend>();

  /**
   * The backend that a bridge's settings ask for.
   * @param onWarning told in words when `auto` could have been expected to be rclnodejs and is not
   */
  for(
    { backend = 'auto', setupFile = '' }: Pick<BridgeSettings, 'backend' | 'setupFile'>,
    onWarning: (warning: string) => void,
  ): RosBackend {
    if (backend === 'rtps') return this.#rtps;
    // Neither can be there without the other; nobody on such a machine wants to read of it.
    const absent = setupFile === '' && (!isRosSourced() || findRclnodejs() === undefined);
    if (backend === 'auto' && absent) return this.#rtps;
    let rclnodejs = this.#rclnodejs.get(setupFile);
    if (rclnodejs === undefined) {
      rclnodejs = new RclnodejsBackend(setupFile);
      this.#rclnodejs.set(setupFile, rclnodejs);
    }
    return backend === 'auto' ? new AutomaticBackend(rclnodejs, this.#rtps, onWarning) : rclnodejs;
  }
}

/** rclnodejs where it can be used, otherwise rtps: one of them for all domains of a bridge. */
class AutomaticBackend implements RosBackend {
  readonly #rclnodejs: RclnodejsBackend;
  readonly #rtps: RtpsBackend;
  readonly #onWarning: (warning: string) => void;
  #chosen: RosBackend;

  constructor(rclnodejs: RclnodejsBackend, rtps: RtpsBackend, onWarning: (warning: string) => void) {
    this.#rclnodejs = rclnodejs;
    this.#rtps = rtps;
    this.#onWarning = onWarning;
    this.#chosen = rclnodejs;
  }

  get name(): RosBackend['name'] {
    return this.#chosen.name;
  }

  get capabilities(): RosBackend['capabilities'] {
    return this.#chosen.capabilities;
  }

  async openDomain(options: RosDomainOptions): Promise<RosDomain> {
    try {
      return await this.#chosen.openDomain(options);
    } catch (error) {
      if (!(error instanceof RclnodejsUnavailableError)) throw error;
      // Domains are opened side by side.
      if (this.#chosen === this.#rclnodejs) {
        this.#chosen = this.#rtps;
        this.#onWarning(`rtps is used, not rclnodejs: ${error.message}`);
      }
      return this.#rtps.openDomain(options);
    }
  }
}
