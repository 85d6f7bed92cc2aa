import type { EndpointPair } from '../rtps/matching';
import type { Participant } from '../rtps/participant';
import type { Reader } from '../rtps/reader';
import type { RemoteEndpoint } from '../rtps/remote-endpoint';
import type { Writer } from '../rtps/writer';

/** A writer or reader of ours that knows with whom it is matched, also from the moment in which it is made. */
export class TrackedEndpoint<Endpoint extends Writer | Reader> {
  readonly endpoint: Endpoint;
  /** By GUID. */
  readonly matched = new Map<string, RemoteEndpoint>();
  readonly #stop: () => void;

  /** @param changed called after `matched` has changed */
  constructor(participant: Participant, make: () => Endpoint, changed: () => void) {
    let made: Endpoint | undefined;
    const early: EndpointPair[] = [];
    const add = (pair: EndpointPair) => {
      if (made === undefined) early.push(pair);
      else if (pair.local === made) {
        this.matched.set(pair.remote.guid, pair.remote);
        changed();
      }
    };
    const remove = ({ local, remote }: EndpointPair) => {
      if (local === made && this.matched.delete(remote.guid)) changed();
    };
    participant.on('matched', add).on('unmatched', remove);
    this.#stop = () => participant.off('matched', add).off('unmatched', remove);
    try {
      made = make();
    } catch (error) {
      this.#stop();
      throw error;
    }
    this.endpoint = made;
    for (const { local, remote } of early) if (local === made) this.matched.set(remote.guid, remote);
  }

  close(): void {
    this.#stop();
    this.endpoint.close();
    this.matched.clear();
  }
}
