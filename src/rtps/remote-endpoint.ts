import type { EndpointData } from './endpoint-data';
import { EntityId, guidOf, prefixOf } from './guid';
import type { EndpointQos } from './qos';

/** A writer or reader of another participant. */
export interface RemoteEndpoint {
  readonly guid: string;
  readonly kind: 'writer' | 'reader';
  readonly topic: string;
  readonly type: string;
  readonly qos: EndpointQos;
  readonly userData?: Buffer;
  readonly participantGuid: string;
}

/** What the users of a participant see of a discovered endpoint. */
export function remoteEndpointOf(data: EndpointData): RemoteEndpoint {
  const { guid, kind, topic, type, qos, userData } = data;
  const participantGuid = guidOf(prefixOf(guid), EntityId.participant);
  return { guid, kind, topic, type, qos, participantGuid, ...(userData && { userData }) };
}
