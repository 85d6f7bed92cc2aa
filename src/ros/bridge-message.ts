import { parseLargeJson } from './large-json';
import type { PayloadFormat } from './payload-format';
import type { RouteName } from './ros-worker-messages';
import { decodeSampleFrame } from './sample-frame';

/** A sample of a ROS publisher, as the flow gets it. */
export interface BridgeMessage {
  /** The MQTT topic name that the ROS name maps to. */
  topic: string;
  /** In the route's format: the message in the JSON form of its type, a Buffer of CDR, or text. */
  payload: unknown;
  domain: number;
  rosName: string;
  rosType: string;
  /** When the publisher wrote it. */
  stamp?: { sec: number; nanosec: number };
  sequence?: number;
  /** Of the request of a ROS client: by which it is answered. */
  rosRequest?: number;
}

/** What a sample frame of the worker brings; `undefined` where its route is closed. */
export function bridgeMessage(
  frame: Buffer,
  routes: ReadonlyMap<number, RouteName>,
): BridgeMessage | undefined {
  const { route, sequence, sourceTimestamp, request, format, payload, level } = decodeSampleFrame(frame);
  const name = routes.get(route);
  if (name === undefined) return undefined;
  return {
    topic: level === undefined ? name.topic : `${name.topic}/${level}`,
    payload: flowPayload(format, payload),
    domain: name.domain,
    rosName: name.rosName,
    rosType: name.type,
    ...(sourceTimestamp !== undefined && { stamp: rosTime(sourceTimestamp) }),
    ...(sequence !== undefined && { sequence }),
    ...(request !== undefined && { rosRequest: request }),
  };
}

function flowPayload(format: PayloadFormat, payload: Buffer): unknown {
  // A view would keep the whole batch.
  if (format === 'cdr') return Buffer.from(payload);
  if (format === 'text') return payload.toString();
  return parseLargeJson(payload);
}

function rosTime(nanoseconds: bigint): { sec: number; nanosec: number } {
  return { sec: Number(nanoseconds / 1_000_000_000n), nanosec: Number(nanoseconds % 1_000_000_000n) };
}
