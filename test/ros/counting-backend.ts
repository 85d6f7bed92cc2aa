import type { RosBackend, RosDomain, RosDomainOptions } from '../../src/ros/ros-backend';
import { RtpsBackend } from '../../src/ros/rtps-backend';

/** Counts how often its users look at what others have in a domain: at all of it, and at what has one name. */
export class CountingBackend extends RtpsBackend implements RosBackend {
  all = 0;
  named = 0;

  override async openDomain(options: RosDomainOptions): Promise<RosDomain> {
    return new Proxy(await super.openDomain(options), {
      get: (domain, key) => {
        const value = Reflect.get(domain, key);
        if (typeof value !== 'function') return value;
        return (...parameters: unknown[]) => {
          if (key === 'endpoints' || key === 'services')
            this[parameters[0] === undefined ? 'all' : 'named']++;
          return Reflect.apply(value, domain, parameters);
        };
      },
    });
  }
}
