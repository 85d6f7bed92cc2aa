import type { EndpointListener } from '../rtps/local-endpoints';
import type { Reader } from '../rtps/reader';
import type { RemoteEndpoint } from '../rtps/remote-endpoint';
import type { Writer } from '../rtps/writer';

/** A writer or reader of ours that knows with whom it is matched, also from the moment in which it is made. */
export class TrackedEndpoint<Endpoint extends Writer | Reader> {
  readonly endpoint: Endpoint;
  /** By GUID. */
  readonly matched = new Map<string, RemoteEndpoint>();

  /** @param changed called after `matched` has changed, but not while the endpoint is made */
  constructor(make: (listener: EndpointListener) => Endpoint, changed: () => void) {
    let isMade = false;
    this.endpoint = make({
      matched: ({ remote }) => {
        this.matched.set(remote.guid, remote);
        if (isMade) changed();
      },
      unmatched: ({ remote }) => {
        if (this.matched.delete(remote.guid)) changed();
      },
    });
    isMade = true;
  }

  close(): void {
    this.endpoint.close();
    this.matched.clear();
  }
}
