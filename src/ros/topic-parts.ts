import type { RouteContext } from './bridge-route';
import type { TopicRouteSettings } from './bridge-settings';
import type { MessageCodec } from './message-codec';
import type { PayloadCodec } from './payload-codec';
import type { RouteCounts } from './route-counts';
import type { RouteFaults } from './route-faults';

/** What both directions of a topic's route share. */
export interface TopicParts {
  readonly settings: TopicRouteSettings;
  /** The MQTT topic name. */
  readonly topic: string;
  readonly codec: MessageCodec;
  readonly payloads: PayloadCodec;
  readonly counts: RouteCounts;
  readonly faults: RouteFaults;
  readonly context: RouteContext;
}
